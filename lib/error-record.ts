// What is kept of an error: enough to know it again, small enough for any row, safe for any database.
// Promise: never throws, whatever was thrown; nothing but name, message, code, stack and causes is looked at; secrets in
// them are masked.
import { asError } from './errors.ts'
import { storable } from './text.ts'

export type ErrorRecord = { name: string; message: string; code?: string; stack?: string }

const MOST_NAME = 200
const MOST_MESSAGE = 4_000
const MOST_STACK = 8_000
/** Of a chain of causes, so many are kept, and this much of each message. */
const MOST_CAUSES = 8
const MOST_CAUSE = 1_000

/**
 * Describes whatever was thrown. Texts are cut, masked, and cleaned of what a database refuses.
 * @param options.stack false leaves the stack out
 */
export function encodeError(thrown: unknown, options: { stack?: boolean } = {}): ErrorRecord {
  const error = asError(thrown)
  const stack = options.stack === false ? '' : textOf(error, 'stack', MOST_STACK)
  return { ...brief(error, MOST_MESSAGE), ...(stack !== '' && { stack }) }
}

/** What caused an error, and what caused that; of several errors in one, each. Cycles are gone through once. */
export function causesOf(thrown: unknown): ErrorRecord[] {
  const causes: ErrorRecord[] = []
  const seen = new Set<unknown>([thrown])
  const waiting = beneath(thrown)
  for (let cause = waiting.shift(); cause !== undefined; cause = waiting.shift()) {
    if (causes.length === MOST_CAUSES) break
    if (cause === null || seen.has(cause)) continue
    seen.add(cause)
    causes.push(brief(asError(cause), MOST_CAUSE))
    waiting.unshift(...beneath(cause))
  }
  return causes
}

/** The cause of an error comes before those it holds side by side. */
function beneath(error: unknown): unknown[] {
  const errors = property(error, 'errors')
  const cause = property(error, 'cause')
  const beside = Array.isArray(errors) ? errors.slice(0, MOST_CAUSES + 1) : []
  return [...(cause === undefined ? [] : [cause]), ...beside.map((one) => one ?? null)]
}

function brief(error: Error, most: number): ErrorRecord {
  const code = textOf(error, 'code', MOST_NAME)
  return {
    name: nameOf(error),
    message: textOf(error, 'message', most),
    ...(code !== '' && { code }),
  }
}

/** A subclass that says nothing of its name is known by its class. */
function nameOf(error: Error): string {
  const name = textOf(error, 'name', MOST_NAME)
  if (name !== '' && name !== 'Error') return name
  const made = property(error, 'constructor')
  const known = typeof made === 'function' ? storable(made.name, MOST_NAME) : ''
  return known || 'Error'
}

function property(error: unknown, name: string): unknown {
  if (typeof error !== 'object' || error === null) return undefined
  try {
    return Reflect.get(error, name)
  } catch {
    return undefined
  }
}

/** Reads a property as clean text, and as none if it is something else or will not be read. */
function textOf(error: Error, key: string, mostCharacters: number): string {
  const value = property(error, key)
  if (typeof value !== 'string' && typeof value !== 'number') return ''
  return storable(String(value), mostCharacters)
}
