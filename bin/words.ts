// Words of the command line, turned into values.
// Promise: what cannot be understood is refused with a sentence that says which word, before anything
// is opened or changed; keys that could reach the prototype of objects are refused everywhere.
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { fault, isFault } from '../lib/errors.ts'
import { isForbidden } from '../lib/trail.ts'
import type { FieldSet } from '../models/fields.ts'
import type { Street } from './street.ts'

const invalid = (what: string, reason: string) => fault('ARGUMENT_INVALID', { what, reason })

/** `KIND/ID`, in its two parts. */
export function resourceWord(word: string): { kind: string; id: string } {
  const [kind, id, more] = word.split('/')
  if (kind && id && more === undefined) return { kind, id }
  throw invalid(`"${word}"`, 'a resource is written KIND/ID')
}

/** A reader of whole numbers, for commander. */
export const whole =
  (what: string, least: number, most: number) =>
  (word: string): number => {
    const found = /^\d{1,9}$/.test(word) ? Number(word) : Number.NaN
    if (found >= least && found <= most) return found
    throw invalid(what, `"${word}" is not a whole number from ${least} to ${most}`)
  }

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/

/** A reader of moments, for commander: milliseconds since 1970. A time without a zone could mean anything. */
export const instant =
  (what: string) =>
  (word: string): number => {
    const day = word.slice(0, 10)
    const midnight = MOMENT.test(word) ? Date.parse(`${day}T00:00Z`) : Number.NaN
    // A day there is none of would be taken for one of the next month.
    const isDay = Number.isFinite(midnight) && new Date(midnight).toISOString().startsWith(day)
    const at = isDay ? Date.parse(word) : Number.NaN
    if (Number.isFinite(at)) return at
    throw invalid(what, `"${word}" is no moment with its zone, such as 2026-01-31T12:00Z`)
  }

/** `name=value` words as an object of texts; the last of a name wins nowhere: twice is an error. */
export function pairs(what: string, words: readonly string[] = []): Record<string, string> {
  const found: Record<string, string> = Object.create(null)
  for (const word of words) {
    const at = word.indexOf('=')
    const name = word.slice(0, Math.max(at, 0))
    if (name === '') throw invalid(what, `"${word}" is not of the form name=value`)
    if (isForbidden(name)) throw invalid(what, `the name "${name}" is forbidden`)
    if (name in found) throw invalid(what, `"${name}" is given twice`)
    found[name] = word.slice(at + 1)
  }
  return found
}

/**
 * A field's value from a word: the text itself if the schema takes it, else the JSON it spells.
 * @throws FIELD_UNKNOWN, FIELDS_INVALID
 */
export function fieldValue(fields: FieldSet, name: string, word: string): unknown {
  try {
    return fields.accept(name, word)
  } catch (refused) {
    if (!isFault(refused, 'FIELDS_INVALID')) throw refused
    const spelled = jsonOr(word, refused)
    safe(`The value of "${name}"`, spelled)
    return fields.accept(name, spelled)
  }
}

function jsonOr(word: string, otherwise: Error): unknown {
  try {
    return JSON.parse(word)
  } catch {
    throw otherwise
  }
}

/**
 * What `--data` means: JSON itself, `@file`, or `-` for standard input.
 * @throws ARGUMENT_INVALID
 */
export async function data(street: Street, word: string | undefined): Promise<unknown> {
  if (word === undefined) return undefined
  const text = word === '-' ? await typed(street) : word.startsWith('@') ? file(street, word) : word
  let value: unknown
  try {
    value = JSON.parse(text.replace(/^\ufeff/, ''))
  } catch {
    // The parser's own words would quote the data, which may be secret.
    throw invalid('--data', 'it is not JSON')
  }
  return safe('--data', value)
}

/** The same, where only an object will do. */
export async function dataObject(
  street: Street,
  word: string | undefined,
): Promise<Record<string, unknown>> {
  const value = (await data(street, word)) ?? {}
  if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  throw invalid('--data', 'it is not a JSON object')
}

const MOST_BYTES = 1_048_576

async function typed(street: Street): Promise<string> {
  const bytes = await street.read()
  if (bytes === null) throw invalid('--data', `standard input is longer than ${MOST_BYTES} bytes`)
  return decoded(bytes)
}

function file({ folder }: Street, word: string): string {
  const path = resolve(folder, word.slice(1))
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat?.isFile()) throw invalid('--data', `there is no file ${path}`)
  if (stat.size > MOST_BYTES) throw invalid('--data', `${path} is longer than ${MOST_BYTES} bytes`)
  try {
    return decoded(readFileSync(path))
  } catch (thrown) {
    throw isFault(thrown) ? thrown : invalid('--data', `${path} cannot be read`)
  }
}

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw invalid('--data', 'it is not UTF-8 text')
  }
}

/** Walks without recursion: data may be nested deeper than the stack. */
function safe<T>(what: string, value: T): T {
  const waiting: unknown[] = [value]
  while (waiting.length > 0) {
    const at = waiting.pop()
    if (typeof at !== 'object' || at === null) continue
    const bad = Object.keys(at).find(isForbidden)
    if (bad !== undefined) throw invalid(what, `the key "${bad}" is forbidden`)
    for (const inner of Object.values(at)) waiting.push(inner)
  }
  return value
}
