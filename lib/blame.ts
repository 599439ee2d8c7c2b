// Whose fault an error is, as far as it says.
// Promise: only what it says itself counts against the caller; whatever is unclear counts against the dependency.
import { asError } from './errors.ts'
import { isRetryable } from './retry.ts'

/** Answers with a status of 400 to 499 that say "not now" rather than "not so". */
const NOT_NOW: ReadonlySet<number> = new Set([408, 421, 423, 425, 429])

/** Is it the caller's own mistake, so that it says nothing against whoever was called? */
export function isOwnMistake(thrown: unknown): boolean {
  if (!isRetryable(thrown)) return true
  const { status, statusCode = status } = asError(thrown) as {
    status?: unknown
    statusCode?: unknown
  }
  if (typeof statusCode !== 'number' || NOT_NOW.has(statusCode)) return false
  return statusCode >= 400 && statusCode < 500
}
