// Errors of the house, made from the table.
// Promise: every error a user can meet is made here by `fault`, so the CLI, the API and code all speak
// the same sentence.
import { ERRORS } from './error-table.ts'

export { EXIT } from './error-entry.ts'
export { ERRORS } from './error-table.ts'

export type ErrorCode = keyof typeof ERRORS

/** An error of the house: a code from the table, a whole sentence, and what to do. */
export class EscapementError extends Error {
  override readonly name = 'EscapementError'
  readonly code: ErrorCode
  readonly todo: string
  readonly exit: number

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.todo = ERRORS[code].todo
    this.exit = ERRORS[code].exit
  }
}

/**
 * Makes the error of a code, its placeholders filled in.
 * @param code a key of ERRORS
 * @param values what stands for each {placeholder} of the sentence and of the advice
 * @param cause the error beneath, kept for logs
 */
export function fault(
  code: ErrorCode,
  values: Readonly<Record<string, unknown>> = {},
  cause?: unknown,
): EscapementError {
  const fill = (text: string) =>
    text.replace(/\{(\w+)\}/g, (whole, name: string) =>
      Object.hasOwn(values, name) ? String(values[name]) : whole,
    )
  const error = new EscapementError(
    code,
    fill(ERRORS[code].sentence),
    cause === undefined ? undefined : { cause },
  )
  Object.defineProperty(error, 'todo', { value: fill(ERRORS[code].todo), enumerable: true })
  return error
}

/** Is this an error of the house (of this code, if one is given)? */
export function isFault(error: unknown, code?: ErrorCode): error is EscapementError {
  return error instanceof EscapementError && (code === undefined || error.code === code)
}

/** Whatever was thrown, as an Error: user code may throw null, strings and stranger things. */
export function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown
  let text: string
  try {
    text = typeof thrown === 'string' ? thrown : (JSON.stringify(thrown) ?? String(thrown))
  } catch {
    text = 'a value that cannot be shown'
  }
  return new Error(text)
}
