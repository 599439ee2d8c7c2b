// Columns: many rows as array literals of PostgreSQL, one for each column, for `unnest`; documents as one JSON array, for
// `jsonb_array_elements`.
// Promise: every value comes back as it was, NULL for null and undefined, which among documents is JSON's null; what the
// server parses is as little as can be: a document of whole rows takes it five times as long to take apart.

/** How the values of a column are written. */
export type Writing = 'plain' | 'text' | 'json'

/** Numbers, booleans and UUIDs need no quotes. */
const plain = (value: unknown): string => String(value)

const text = (value: unknown): string => {
  const given = String(value)
  return SIMPLE.test(given) && !NULL.test(given) ? given : `"${given.replace(SPECIAL, '\\$&')}"`
}

const SIMPLE = /^[A-Za-z0-9_.:-]+$/
const NULL = /^null$/i
const SPECIAL = /["\\]/g
const WRITERS = { plain, text } as const

/**
 * One column.
 * @param rows what the values are taken from, in this order
 * @param read the value of a row
 * @returns a literal to be cast to an array of the column's type; of `json`, to `jsonb`
 */
export function column<Row>(
  rows: readonly Row[],
  read: (row: Row) => unknown,
  writing: Writing = 'plain',
): string {
  if (writing === 'json') return JSON.stringify(rows.map((row) => read(row) ?? null))
  const write = WRITERS[writing]
  let literal = '{'
  for (let index = 0; index < rows.length; index++) {
    const value = read(rows[index] as Row)
    if (index > 0) literal += ','
    literal += value === null || value === undefined ? 'NULL' : write(value)
  }
  return `${literal}}`
}
