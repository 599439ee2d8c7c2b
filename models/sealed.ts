// Sealed values where they lie: in which columns, by which key, and how one is sealed again.
// Promise: works on the text of a column, so whatever else is in it stays as it was, digit by digit.
import type { Runner } from '../lib/database.ts'
import type { Keyring } from '../lib/keyring.ts'

/** A column in which sealed values may be, and how its rows are found. */
export interface Place {
  readonly name: string
  readonly table: string
  readonly column: string
  readonly keys: readonly (readonly [column: string, type: string])[]
}

export const PLACES: readonly Place[] = [
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
const SEALED_IN_SQL = `(?<!\\\\)"\\$secret": "(\\d+)\\.`
const IN_TEXT = /(?<!\\)"\$secret": ?"(\d+\.[^"]+)"/g

/** What a key other than this one sealed, for the `~` of PostgreSQL. */
export const sealedBefore = (newest: number): string =>
  SEALED_IN_SQL.replace('(\\d+)', `(?!${newest}\\.)\\d+`)

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
      [SEALED_IN_SQL],
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

export interface Resealed {
  readonly text: string
  /** How many values were sealed again; secrets inside secrets are not counted. */
  readonly count: number
}

/** A text with every older seal replaced, secrets inside secrets too; numbers in it are not touched. */
export function resealed(text: string, keyring: Keyring, now: number): Resealed {
  let count = 0
  const again = (inner: string, isOutermost = false): string =>
    inner.replace(IN_TEXT, (whole, sealed: string) => {
      if (keyring.keyIdOf(sealed) === keyring.newest) return whole
      if (isOutermost) count += 1
      const opened = again(keyring.open('fields', sealed, now))
      return `"$secret": "${keyring.seal('fields', opened, now)}"`
    })
  return { text: again(text, true), count }
}
