// The terms of a task: its options, checked when the app loads.
// Promise: an option that could fail later for a reason visible now is refused now.
import { toMs } from '../lib/duration.ts'
import type { BreakerPolicy } from '../lib/hold.ts'
import { LAST, ORDINARY } from '../lib/share.ts'
import { type Cadence, cadenceOf } from './cadence.ts'
import type { EndedRun, TaskOptions } from './declared.ts'
import { ratingOf } from './rating.ts'

/** What the options of a task come to. */
export interface Terms {
  readonly cadence: Cadence | null
  readonly gc: {
    readonly afterMs: number
    readonly each: ((run: EndedRun) => void | Promise<void>) | null
  } | null
  readonly breaker: BreakerPolicy | null
  readonly rank: number
  readonly limit: Limit | null
}

/** How many runs of a task may go on, or begin, at once. */
export interface Limit {
  readonly key: ((resource: any) => string) | null
  readonly concurrency: number | null
  readonly rate: { readonly count: number; readonly perMs: number } | null
}

/** A limit is so many rows. */
const MOST_CONCURRENCY = 1_000
const MOST_RATE = 10_000

/**
 * Checks the options.
 * @param states the names of the machine's states
 * @throws an error whose message says what is wrong
 */
export function termsOf(options: TaskOptions, states: readonly string[]): Terms {
  for (const name of ['shouldStart', 'shouldStop', 'new'] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'function')
      throw new Error(`"${name}" is not a function`)
  }
  for (const [old, name] of Object.entries(options.states ?? {})) {
    if (states.includes(old)) throw new Error(`"states" renames "${old}", which is still a state`)
    if (!states.includes(name)) throw new Error(`"states" names "${name}", which is no state`)
  }
  const { gc } = options
  const each = gc?.each ?? null
  if (each !== null && typeof each !== 'function') throw new Error('"gc.each" is not a function')
  const { priority: rank = ORDINARY } = options
  if (!Number.isInteger(rank) || rank < 0 || rank > LAST)
    throw new Error(
      `"priority" is ${JSON.stringify(rank)}; it is a whole number from 0 to ${LAST}, and 0 goes first`,
    )
  return {
    rank,
    limit: limitOf(options.limit),
    cadence: cadenceOf(options),
    gc: gc ? { afterMs: toMs(gc.after, 'gc.after'), each } : null,
    breaker: options.breaker === undefined ? null : ratingOf(options.breaker, 'this task'),
  }
}

function limitOf(limit: TaskOptions['limit']): Limit | null {
  if (limit === undefined) return null
  const { key = null, concurrency = null, rate = null } = limit
  if (key !== null && typeof key !== 'function') throw new Error('"limit.key" is not a function')
  if (concurrency === null && rate === null)
    throw new Error('"limit" limits nothing: give it "concurrency", "rate" or both')
  const whole = (name: string, value: unknown, most: number) => {
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > most)
      throw new Error(
        `"limit.${name}" is ${JSON.stringify(value)}; it is a whole number from 1 to ${most}`,
      )
  }
  if (concurrency !== null) whole('concurrency', concurrency, MOST_CONCURRENCY)
  if (rate === null) return { key, concurrency, rate }
  whole('rate.count', rate.count, MOST_RATE)
  const perMs = toMs(rate.per, 'limit.rate.per')
  if (perMs < 1) throw new Error('"limit.rate.per" is no time at all')
  return { key, concurrency, rate: { count: rate.count, perMs } }
}
