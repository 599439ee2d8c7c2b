// Re-encryption: what older keys sealed is sealed again by the newest, page by page.
// Promise: each page is one transaction; a value that changed since it was read is left for the next
// round; stopped at any moment, it goes on where it was, for what is still to do is read from the rows.
import type { Database, Runner } from '../lib/database.ts'
import type { Keyring } from '../lib/keyring.ts'
import type { Time } from '../lib/time.ts'

/** A column in which sealed values may be, and how its rows are found. */
interface Place {
  readonly name: string
  readonly table: string
  readonly column: string
  readonly keys: readonly (readonly [column: string, type: string])[]
}

const PLACES: readonly Place[] = [
  { name: 'fields', table: 'resources', column: 'fields', keys: [['id', 'uuid']] },
  { name: 'lostAndFound', table: 'resources', column: 'lost_and_found', keys: [['id', 'uuid']] },
  { name: 'payloads', table: 'transitions', column: 'payload', keys: stepKeys() },
  { name: 'snapshots', table: 'transitions', column: 'snapshot', keys: stepKeys() },
  { name: 'events', table: 'events', column: 'payload', keys: [['id', 'bigint']] },
]

function stepKeys(): Place['keys'] {
  return [
    ['task_id', 'uuid'],
    ['step', 'integer'],
  ]
}

/**
 * A sealed value in the text of a jsonb column. A quote inside a text is always escaped there, so
 * nothing a user wrote can look like one.
 */
const IN_SQL = `(?<!\\\\)"\\$secret": "(\\d+)\\.`
const IN_TEXT = /(?<!\\)"\$secret": ?"(\d+\.[^"]+)"/g
const PAGE = 200

/** How many values one key sealed, by the place they are in. */
export interface SealedCount {
  readonly keyId: number
  readonly places: Readonly<Record<string, number>>
  readonly total: number
}

/** Counts sealed values by the key that sealed them. Reads every row: this takes a while in a large database. */
export async function countSealed(runner: Runner): Promise<SealedCount[]> {
  const counts = new Map<number, Record<string, number>>()
  for (const { name, table, column } of PLACES) {
    const { rows } = await runner.query(
      `SELECT found[1]::int AS key_id, count(*)::int AS count
       FROM ${table}, regexp_matches(${column}::text, $1, 'g') AS found GROUP BY 1`,
      [IN_SQL],
    )
    for (const row of rows) {
      const places = counts.get(row.key_id) ?? empty()
      counts.set(row.key_id, { ...places, [name]: row.count })
    }
  }
  return [...counts]
    .map(([keyId, places]) => ({ keyId, places, total: Object.values(places).reduce(sum, 0) }))
    .sort((a, b) => b.keyId - a.keyId)
}

const empty = () => Object.fromEntries(PLACES.map(({ name }) => [name, 0]))
const sum = (one: number, other: number) => one + other

export interface ReencryptOptions {
  readonly database: Pick<Database, 'query' | 'transaction'>
  readonly keyring: Keyring
  readonly time: Time
  /** Told after each page: how many values were sealed again in it. */
  onPage?(values: number): void
  /** Stops between two pages. */
  readonly signal?: AbortSignal
}

/**
 * Seals again whatever a key older than the newest sealed.
 * @returns how many values were sealed again; those that changed meanwhile are taken in a later round
 * @throws SEAL_UNKNOWN_KEY, SEAL_BROKEN; pages before it are kept
 */
export async function reencrypt(options: ReencryptOptions): Promise<number> {
  let total = 0
  for (const place of PLACES) {
    // A round that changed nothing ends it, whether nothing was left or others were faster each time.
    for (let changed = -1; changed !== 0 && !options.signal?.aborted; ) {
      changed = await round(place, options)
      total += changed
    }
  }
  return total
}

async function round(place: Place, options: ReencryptOptions): Promise<number> {
  let after: unknown[] | null = null
  let changed = 0
  while (!options.signal?.aborted) {
    const page = await options.database.transaction((runner) => turn(runner, place, after, options))
    changed += page.values
    if (page.values > 0) options.onPage?.(page.values)
    if (page.last === null) break
    after = page.last
  }
  return changed
}

interface Page {
  readonly values: number
  /** The keys of the last row looked at; null after the last page. */
  readonly last: unknown[] | null
}

async function turn(
  runner: Runner,
  place: Place,
  after: unknown[] | null,
  { keyring, time }: ReencryptOptions,
): Promise<Page> {
  const rows = await older(runner, place, after, keyring.newest)
  const fresh = rows.map(({ old }) => resealed(old, keyring, time.now()))
  const done = await replace(runner, place, rows, fresh)
  const names = place.keys.map(([name]) => name)
  const isDone = new Set(done.map((row) => names.map((name) => row[name]).join()))
  const values = rows
    .map((row, index) => (isDone.has(names.map((name) => row[name]).join()) ? fresh[index]!.count : 0))
    .reduce(sum, 0)
  const last = rows.length < PAGE ? null : names.map((name) => rows.at(-1)[name])
  return { values, last }
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
    [IN_SQL.replace('(\\d+)', `(?!${newest}\\.)\\d+`), ...(after ?? [])],
  )
  return rows
}

/** Writes what is still as it was read; answers the keys of the rows written. */
async function replace(
  runner: Runner,
  { table, column, keys }: Place,
  rows: readonly any[],
  fresh: readonly { text: string }[],
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

/** A text with every older seal replaced, secrets inside secrets too; numbers in it are not touched. */
function resealed(text: string, keyring: Keyring, now: number): { text: string; count: number } {
  let count = 0
  const again = (inner: string): string =>
    inner.replace(IN_TEXT, (whole, sealed: string) => {
      if (keyring.keyIdOf(sealed) === keyring.newest) return whole
      count += 1
      const opened = again(keyring.open('fields', sealed, now))
      return `"$secret": "${keyring.seal('fields', opened, now)}"`
    })
  return { text: again(text), count }
}
