// A cadence: when a repeating task is run, as arithmetic over slots.
// Promise: slots are anchored, so they never drift; what was missed is bounded; nothing here reads a clock.
import { type Duration, toMs } from '../lib/duration.ts'
import type { Repetition } from './declared.ts'

export interface Cadence extends Required<Pick<Repetition, 'overlap' | 'missed'>> {
  readonly every: Duration
  readonly everyMs: number
  readonly jitterMs: number
}

/** Where a schedule is: all that is kept of it. Moments are milliseconds since 1970. */
export interface Plan {
  /** The next slot nobody has taken; all others are counted from it. */
  readonly next: number
  /** Slots that wait for a run of their own, oldest first. */
  readonly backlog: readonly number[]
  /** How many times slots were taken by this run of the schedule. */
  readonly taken: number
}

/** What one look at a plan comes to. */
export interface Decision {
  readonly plan: Plan
  /** The slot to start a run for. */
  readonly start: number | null
  /** Is the live run to be stopped for it? */
  readonly replaces: boolean
  /** Slots that pass without a run. */
  readonly passed: number
}

/** The most slots that wait, of those that were missed. */
const MOST_WAITING = 100
/** A slot taken later than this was missed, unless the next one comes sooner. */
const LATE_MS = 60_000
const LEAST_MS = 10

/** The cadence of a task; null for one that does not repeat. @throws ARGUMENT_INVALID, or an error that says what is wrong */
export function cadenceOf(options: Repetition): Cadence | null {
  const { every, overlap = 'skip', missed = 'once', jitter = 0 } = options
  const without = (['overlap', 'missed', 'jitter'] as const).find((name) => name in options)
  if (every === undefined) {
    if (without) throw new Error(`it has "${without}" without "every"`)
    return null
  }
  const everyMs = toMs(every, 'every')
  const jitterMs = toMs(jitter, 'jitter')
  if (everyMs < LEAST_MS) throw new Error(`"every" is less than ${LEAST_MS} ms`)
  if (jitterMs >= everyMs) throw new Error('"jitter" is not less than "every"')
  if (!['skip', 'queue', 'replace'].includes(overlap))
    throw new Error(`"overlap" is "${overlap}"; it can be skip, queue or replace`)
  if (!['once', 'skip', 'all'].includes(missed))
    throw new Error(`"missed" is "${missed}"; it can be once, skip or all`)
  return { every, everyMs, overlap, missed, jitterMs }
}

/** Can slots wait, so that the schedule has to hear of every run that ends? */
export const keepsWaiting = ({ overlap, missed }: Cadence): boolean =>
  overlap === 'queue' || missed === 'all'

/** The first plan: a slot at once. */
export const firstPlan = (nowMs: number): Plan => ({ next: nowMs, backlog: [], taken: 0 })

/** A plan that was put down, taken up again: what passed meanwhile was nobody's, since the resource did not run. */
export function resumed({ next }: Plan, { everyMs }: Cadence, nowMs: number): Plan {
  const away = (nowMs - next) / everyMs
  // One that is to come may be further away than the pace of today; the one taken last is not taken again.
  const slots = away < 0 ? Math.floor(away) + 1 : Math.ceil(away)
  return { next: next + slots * everyMs, backlog: [], taken: 0 }
}

/** Takes the slots that are due. @param isLive does a run live? */
export function take(plan: Plan, cadence: Cadence, nowMs: number, isLive: boolean): Decision {
  const { everyMs, overlap, missed } = cadence
  const due = nowMs < plan.next ? 0 : Math.floor((nowMs - plan.next) / everyMs) + 1
  const last = plan.next + (due - 1) * everyMs
  const isLate = due > 0 && nowMs - last > Math.min(everyMs, LATE_MS)
  const late = isLate ? due : Math.max(0, due - 1)
  const backlog = [...plan.backlog]
  if (missed === 'all') {
    const room = Math.min(late, MOST_WAITING - backlog.length)
    for (let nth = late - room; nth < late; nth++) backlog.push(plan.next + nth * everyMs)
  }
  const isOnTime = due > 0 && (!isLate || missed === 'once')
  const most = missed === 'all' ? MOST_WAITING : 1
  let start: number | null = null
  if (isOnTime && (overlap === 'replace' || (!isLive && backlog.length === 0))) start = last
  else if (isOnTime && overlap === 'queue' && backlog.length < most) backlog.push(last)
  const replaces = start !== null && isLive
  if (start === null && !isLive) start = backlog.shift() ?? null
  const used = backlog.length - plan.backlog.length + (start === null ? 0 : 1)
  return {
    plan: { ...plan, next: plan.next + due * everyMs, backlog, taken: plan.taken + 1 },
    start,
    replaces,
    passed: due - used,
  }
}
