// Re-encryption: what older keys sealed is sealed again by the newest, page by page.
// Promise: each page is one transaction; a value that changed since it was read is left for the next
// round; stopped at any moment, it goes on where it was, for what is still to do is read from the rows.
import type { Database, Runner } from '../lib/database.ts'
import type { Keyring } from '../lib/keyring.ts'
import type { Time } from '../lib/time.ts'
import { PLACES, type Place, type Resealed, resealed, sealedBefore } from './sealed.ts'

const PAGE = 200
/** How often the rows others were faster with are tried again. */
const MOST_ROUNDS = 5

export interface ReencryptOptions {
  readonly database: Pick<Database, 'transaction'>
  readonly keyring: Keyring
  readonly time: Time
  /** Told after each page: how many values were sealed again in it. */
  onPage?(values: number): void
  /** Stops between two pages. */
  readonly signal?: AbortSignal
}

/**
 * Seals again whatever a key older than the newest sealed.
 * @returns how many values were sealed again; rows that change each time they are tried are left
 * @throws SEAL_UNKNOWN_KEY, SEAL_BROKEN; pages before it are kept
 */
export async function reencrypt(options: ReencryptOptions): Promise<number> {
  let total = 0
  for (const place of PLACES) {
    for (let rounds = 0, missed = 1; missed > 0 && rounds < MOST_ROUNDS; rounds++) {
      const done = await round(place, options)
      total += done.values
      missed = done.missed
    }
  }
  return total
}

/** What was done, and how many rows changed between reading and writing. */
interface Done {
  readonly values: number
  readonly missed: number
}

async function round(
  place: Place,
  { database, signal, ...options }: ReencryptOptions,
): Promise<Done> {
  let [values, missed] = [0, 0]
  for (let after: unknown[] | null = null; !signal?.aborted; ) {
    const page: Page = await database.transaction((runner) => turn(runner, place, after, options))
    values += page.values
    missed += page.missed
    if (page.values > 0) options.onPage?.(page.values)
    if (page.last === null) break
    after = page.last
  }
  return { values, missed }
}

interface Page extends Done {
  /** The keys of the last row looked at; null after the last page. */
  readonly last: unknown[] | null
}

async function turn(
  runner: Runner,
  place: Place,
  after: unknown[] | null,
  { keyring, time }: Pick<ReencryptOptions, 'keyring' | 'time'>,
): Promise<Page> {
  const rows = await older(runner, place, after, keyring.newest)
  const fresh = rows.map(({ old }) => resealed(old, keyring, time.now()))
  const done = await replace(runner, place, rows, fresh)
  const keyOf = (row: any) => place.keys.map(([name]) => row[name])
  const written = new Set(done.map((row) => keyOf(row).join()))
  let values = 0
  for (const [index, row] of rows.entries()) {
    if (written.has(keyOf(row).join())) values += fresh[index]!.count
  }
  const missed = rows.length - written.size
  return { values, missed, last: rows.length < PAGE ? null : keyOf(rows.at(-1)) }
}

/** The next rows that hold something an older key sealed. */
async function older(
  runner: Runner,
  { table, column, keys }: Place,
  after: unknown[] | null,
  newest: number,
): Promise<any[]> {
  const names = keys.map(([name]) => name).join(', ')
  const beyond = keys.map(([, type], index) => `$${index + 2}::${type}`).join(', ')
  const { rows } = await runner.query(
    `SELECT ${names}, ${column}::text AS old FROM ${table}
     WHERE ${column}::text ~ $1 ${after === null ? '' : `AND (${names}) > (${beyond})`}
     ORDER BY ${names} LIMIT ${PAGE}`,
    [sealedBefore(newest), ...(after ?? [])],
  )
  return rows
}

/** Writes what is still as it was read; answers the keys of the rows written. */
async function replace(
  runner: Runner,
  { table, column, keys }: Place,
  rows: readonly any[],
  fresh: readonly Resealed[],
): Promise<any[]> {
  if (rows.length === 0) return []
  await runner.query(`SELECT set_config('escapement.reencrypting', 'on', true)`)
  const columns = keys.map(([name, type], index) => ({ name, list: `$${index + 3}::${type}[]` }))
  const names = columns.map(({ name }) => name).join(', ')
  const { rows: done } = await runner.query(
    `UPDATE ${table} t SET ${column} = v.fresh::jsonb
     FROM unnest($1::text[], $2::text[], ${columns.map(({ list }) => list).join(', ')}) AS v(old, fresh, ${names})
     WHERE ${columns.map(({ name }) => `t.${name} = v.${name}`).join(' AND ')} AND t.${column} = v.old::jsonb
     RETURNING ${columns.map(({ name }) => `t.${name}`).join(', ')}`,
    [
      rows.map(({ old }) => old),
      fresh.map(({ text }) => text),
      ...columns.map(({ name }) => rows.map((row) => row[name])),
    ],
  )
  return done
}
