// When a hold ends, as people say it.
// Promise: a moment that has passed, or is none, is refused; neither word means until somebody lets go.
import { toMs } from '../lib/duration.ts'
import { fault } from '../lib/errors.ts'
import type { PauseOptions } from './verbs.ts'

/** Milliseconds since 1970; null for no end. @throws ARGUMENT_INVALID */
export function endOf({ for: span, until }: PauseOptions, nowMs: number): number | null {
  if (span !== undefined && until !== undefined)
    throw refusal('for', 'there is an `until` as well; give one of them')
  if (span !== undefined) {
    const spanMs = toMs(span, 'for')
    if (spanMs <= 0) throw refusal('for', 'it is no time at all')
    return nowMs + spanMs
  }
  if (until === undefined) return null
  const at = typeof until === 'string' ? Date.parse(until) : Number(until)
  if (!Number.isFinite(at))
    throw refusal('until', `"${until}" is no moment such as 2026-01-31T12:00Z`)
  if (at <= nowMs) throw refusal('until', `${new Date(at).toISOString()} has passed`)
  if (at > nowMs + MOST_MS) throw refusal('until', 'it is more than a year away')
  return at
}

const MOST_MS = 366 * 24 * 3_600_000

const refusal = (what: string, reason: string) => fault('ARGUMENT_INVALID', { what, reason })
