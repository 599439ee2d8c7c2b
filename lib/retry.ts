// What an error says of trying again: not at all, or not before a moment.
// Promise: reads any error, of whatever library; a wait is never negative and never longer than a day.
import { type Duration, toMs } from './duration.ts'
import { traitsOf } from './task-error.ts'

/** No error keeps an effect waiting longer than this, whatever it says. */
const MOST_WAIT_MS = 24 * 3_600_000
/** How deep the causes of an error are read. */
const MOST_CAUSES = 8
/** `Sun, 06 Nov 1994 08:49:37 GMT` or `1994-11-06T08:49:37Z`; Date.parse alone takes "-5" for a day in May. */
const MOMENT = /^\s*([A-Z][a-z]{2,8},? |\d{4}-\d\d-\d\dT)/

/** An error that no retry will mend; subclass it, or set `retryable = false` on your own. */
export class NonRetryableError extends Error {
  override readonly name: string = 'NonRetryableError'
  readonly retryable = false
}

/** An error that chooses the wait before the next attempt; it counts as a failed attempt like any other. */
export class RetryAfterError extends Error {
  override readonly name: string = 'RetryAfterError'
  readonly retryAfterMs: number

  /**
   * @param after milliseconds, or a duration such as '30s'
   * @throws ARGUMENT_INVALID when that is no duration
   */
  constructor(
    after: Duration,
    message = 'it asked to be tried again later',
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.retryAfterMs = toMs(after, 'RetryAfterError')
  }
}

/** Should this error be tried again? Only an explicit `retryable: false` says no. */
export function isRetryable(thrown: unknown): boolean {
  return traitsOf(thrown).retryable
}

/**
 * The wait an error asks for, or one of its causes: `retryAfterMs` in milliseconds, or `retryAfter` as an
 * HTTP header has it (seconds or a date) or as a duration such as '30s'. What is none of these is not heard.
 * @param nowMs the present, in milliseconds since 1970
 * @returns milliseconds from 0 to a day; null when nobody asks
 */
export function retryAfterOf(thrown: unknown, nowMs: number): number | null {
  let error: unknown = thrown
  for (let depth = 0; depth < MOST_CAUSES && typeof error === 'object' && error; depth++) {
    const { retryAfterMs, retryAfter, cause } = error as Record<string, unknown>
    const waitMs = amount(retryAfterMs) ?? headerMs(retryAfter, nowMs)
    if (waitMs !== null) return Math.min(waitMs, MOST_WAIT_MS)
    error = cause
  }
  return null
}

function amount(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null
}

function headerMs(value: unknown, nowMs: number): number | null {
  const seconds = typeof value === 'string' && /^\s*\d+\s*$/.test(value) ? Number(value) : value
  if (typeof seconds === 'number') return amount(seconds * 1_000)
  if (value instanceof Date) return untilMs(value.getTime(), nowMs)
  if (typeof value !== 'string') return null
  if (MOMENT.test(value)) return untilMs(Date.parse(value), nowMs)
  try {
    return toMs(value.trim(), 'retryAfter')
  } catch {
    return null
  }
}

/** A moment that has passed is no wait at all; one that is no moment asks for nothing. */
const untilMs = (atMs: number, nowMs: number) =>
  Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs)
