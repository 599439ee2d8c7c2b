// Printing: values to text that is safe to show.
// Promise: nothing stored can move the cursor, ring the bell or forge a line of a terminal; JSON is
// the same on a terminal, in a pipe and in a file.
import Table from 'cli-table3'
import { Ref } from '../lib/codec.ts'
import { masked } from '../lib/mask.ts'

/** C0 and C1 controls, line separators, and the marks that turn the direction of writing. */
const UNSAFE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** A text with control characters shown as escapes. */
export const plain = (text: string): string => text.replace(UNSAFE, escaped)

/** The words of an error on one line, secrets masked, safe to show. */
export const sentence = (text: string): string => plain(masked(text).replace(/\s*\n\s*/g, ' '))

const escaped = (mark: string): string => {
  if (mark === '\n') return '\\n'
  if (mark === '\t') return '\\t'
  return `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Stable JSON: moments in ISO 8601, bigints as text, maps and sets as lists. */
export function json(value: unknown, indent = 2): string {
  const text = JSON.stringify(value, asJson, indent)
  return text.replace(UNSAFE, (mark) => (mark === '\n' ? mark : escaped(mark)))
}

function asJson(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Map || value instanceof Set) return [...value]
  if (value instanceof Ref) return `${value.type}/${value.id}`
  return value
}

/** One value in a cell: text as it is, the rest as JSON on one line. */
export function cell(value: unknown): string {
  if (value === undefined || value === null || value === '') return '-'
  return plain(typeof value === 'string' ? value : json(value, 0).replaceAll('"', ''))
}

/** Columns lined up, two spaces between them, the head in capitals; empty for no rows. */
export function table(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  if (rows.length === 0) return ''
  const lined = new Table({
    chars: BARE,
    style: PLAIN,
    head: head.map((name) => name.toUpperCase()),
  })
  lined.push(...rows.map((row) => row.map(cell)))
  const lines = lined.toString().split('\n')
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`
}

const BARE = Object.fromEntries([
  ['middle', ''],
  ...['top', 'bottom', 'left', 'right', 'mid'].flatMap((side) =>
    ['', '-mid', '-left', '-right'].map((part) => [`${side}${part}`, '']),
  ),
])
const PLAIN = { 'padding-left': 0, 'padding-right': 2, head: [], border: [] }

/** An epoch in milliseconds as ISO 8601; null stays null. */
export const moment = (ms: number | null): string | null =>
  ms === null ? null : new Date(ms).toISOString()
