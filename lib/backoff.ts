// How long to wait before trying again: attempt to milliseconds, with jitter. Pure but for the dice.
// Promise: never shorter than half, never longer than the whole of the exponential step, never above the cap.
// Source: "equal jitter" of "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

export interface Backoff {
  readonly firstMs: number
  readonly mostMs: number
}

/**
 * @param attempt the attempt that failed, counted from 1
 * @param dice a number in [0, 1)
 * @returns milliseconds to wait before the next attempt
 */
export function backoffMs(
  { firstMs, mostMs }: Backoff,
  attempt: number,
  dice = Math.random(),
): number {
  const whole = Math.min(mostMs, firstMs * 2 ** Math.min(attempt - 1, 40))
  return Math.round(whole / 2 + (whole / 2) * dice)
}
