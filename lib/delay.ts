// Delays with a policy: what becomes of a timer while its task is paused or parked.
// Promise: a delay made here is an ordinary delay of XState elsewhere.
import { type Duration, toMs } from './duration.ts'
import type { TimerPolicy } from './rest.ts'

/** The arguments XState computes a delay from. */
type Computed = (args: any, params: any) => number

export interface DelayOptions {
  /**
   * `deadline` (the default): the moment stands, whatever happens meanwhile. `frozen`: time does not pass for it while the
   * task is paused or parked. `restart`: it begins anew when the task goes on.
   */
  readonly policy?: TimerPolicy
}

// XState hands on what a delay came to and not where it came from; it computes it right before it asks for
// the timer, within one synchronous step, so the last one computed is the one asked for.
let last: TimerPolicy | null = null

/**
 * Declares a delay, for the `delays` of a machine.
 * @param length milliseconds, `'30s'`, or a function that computes milliseconds
 * @throws ARGUMENT_INVALID for a length that is none
 */
export function delay(
  length: Duration | Computed,
  { policy = 'deadline' }: DelayOptions = {},
): Computed {
  const compute =
    typeof length === 'function' ? length : () => toMs(length, 'the length of a delay')
  if (typeof length !== 'function') toMs(length, 'the length of a delay')
  return (args, params) => {
    const ms = compute(args, params)
    last = policy
    return ms
  }
}

/** The policy of the delay computed last, once. */
export function takePolicy(): TimerPolicy | null {
  const policy = last
  last = null
  return policy
}
