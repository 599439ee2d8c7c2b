// Patience with an end: how long a promise is waited for.
// Promise: no timer is left behind, and a promise given up on can still fail without harm.
import type { Time } from './time.ts'

/** What `within` answers when time ran out first. */
export const LATE = Symbol('late')

/**
 * The outcome of a promise, or LATE when it takes longer than `ms`.
 * @param time whose milliseconds count
 * @throws whatever the promise rejects with in time
 */
export function within<T>(time: Time, ms: number, promise: Promise<T>): Promise<T | typeof LATE> {
  return new Promise((resolve, reject) => {
    const cancel = time.after(ms, () => resolve(LATE))
    promise.then(
      (value) => {
        cancel()
        resolve(value)
      },
      (thrown) => {
        cancel()
        reject(thrown)
      },
    )
  })
}
