// What is kept of an error: enough to know it again, small enough for any row, safe for any database.
// Promise: never throws, whatever was thrown; nothing but name, message, code and stack is looked at.
import { toUSVString } from 'node:util'
import { asError } from './errors.ts'

export type ErrorRecord = { name: string; message: string; code?: string; stack?: string }

/**
 * Describes whatever was thrown. Texts are cut, and cleaned of what a database refuses.
 * @param options.stack false leaves the stack out
 */
export function encodeError(thrown: unknown, options: { stack?: boolean } = {}): ErrorRecord {
  const error = asError(thrown)
  const code = textOf(error, 'code', 200)
  const stack = options.stack === false ? '' : textOf(error, 'stack', 8_000)
  return {
    name: textOf(error, 'name', 200) || 'Error',
    message: textOf(error, 'message', 4_000),
    ...(code !== '' && { code }),
    ...(stack !== '' && { stack }),
  }
}

/** Reads a property as clean text, and as none if it is something else or will not be read. */
function textOf(error: Error, key: string, mostCharacters: number): string {
  try {
    const value: unknown = Reflect.get(error, key)
    if (typeof value !== 'string' && typeof value !== 'number') return ''
    return toUSVString(String(value).slice(0, mostCharacters)).replaceAll('\0', '\ufffd')
  } catch {
    return ''
  }
}
