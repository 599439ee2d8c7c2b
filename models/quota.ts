// The quota of a kind: so many steps, or milliseconds in the hands of workers, for each of its resources in each period.
// Promise: what can be seen to be wrong with it is refused when the app loads.
import { type Duration, toMs } from '../lib/duration.ts'
import { asError, fault } from '../lib/errors.ts'
import { span } from '../lib/span.ts'

/** What a class declares: `steps`, `ms` or both, `per` a period. */
export interface QuotaOptions {
  readonly steps?: number
  readonly ms?: number
  readonly per: Duration
}

export interface Quota {
  readonly steps: number | null
  readonly ms: number | null
  readonly perMs: number
}

const MOST_STEPS = 1_000_000
/** A shorter period would have no end a clock could keep, a longer one nobody could wait for. */
const PERIOD_MS = { least: 100, most: 86_400_000 }
const KNOWN = ['steps', 'ms', 'per']
const WORDS = new Map([
  [1_000, 'second'],
  [60_000, 'minute'],
  [3_600_000, 'hour'],
  [86_400_000, 'day'],
])

/** @throws QUOTA_INVALID */
export function quotaOf(kind: string, quota: QuotaOptions | undefined): Quota | null {
  if (quota === undefined) return null
  try {
    return checked(quota)
  } catch (refused) {
    throw fault('QUOTA_INVALID', { kind, reason: asError(refused).message })
  }
}

function checked(given: QuotaOptions): Quota {
  if (typeof given !== 'object' || given === null)
    throw new Error("it is no object such as { steps: 100, per: '1s' }")
  const stranger = Object.keys(given).find((name) => !KNOWN.includes(name))
  if (stranger) throw new Error(`it has no "${stranger}"; it has ${KNOWN.join(', ')}`)
  const { steps = null, ms = null, per } = given
  if (steps === null && ms === null) throw new Error('give it "steps", "ms" or both')
  const perMs = toMs(per, '"per"')
  const { least, most } = PERIOD_MS
  if (perMs < least || perMs > most)
    throw new Error(`"per" is ${JSON.stringify(per)}; it is from ${least} ms to a day`)
  const whole = (name: string, value: number | null, mostOfIt: number) => {
    if (value !== null && !(Number.isInteger(value) && value >= 1 && value <= mostOfIt))
      throw new Error(
        `"${name}" is ${JSON.stringify(value)}; it is a whole number from 1 to ${mostOfIt}`,
      )
  }
  whole('steps', steps, MOST_STEPS)
  whole('ms', ms, Math.floor(perMs))
  return { steps, ms, perMs: Math.floor(perMs) }
}

/** `100 steps per second`. */
export function wordsOf({ steps, ms, perMs }: Quota, what: 'steps' | 'ms'): string {
  const many = what === 'ms' ? `${ms} ms` : `${steps} ${steps === 1 ? 'step' : 'steps'}`
  return `${many} per ${WORDS.get(perMs) ?? (perMs < 1_000 ? `${perMs} ms` : span(perMs))}`
}
