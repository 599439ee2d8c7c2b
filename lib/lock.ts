// The lock, kept: renewed while the work goes on, given back when it ends.
// Promise: a lease says "lost" before anybody else can get the key, judged by the monotonic clock
// and counted from before the lock was asked; no timer outlives the work.
// A process that is stopped cannot say anything in time: that is what the fence in the store is for.
import type { Hold, Lease, Lock } from './contract.ts'
import { asError } from './errors.ts'
import type { Events } from './events.ts'
import { KeptLease } from './lease.ts'
import type { Time } from './time.ts'
import { LATE, within } from './within.ts'

/** Share of the time to live after which the key counts as lost: we stop before the next may start. */
const TRUSTED = 0.9
const RENEW = 1 / 3
const RENEW_AGAIN = 1 / 10
/** How long giving the key back may take before it is left to expire. */
const RELEASE_MS = 2_000

export interface KeeperOptions {
  readonly lock: Lock
  readonly time: Time
  readonly events: Events
  /** How long a key outlives a holder that died, in milliseconds. */
  readonly ttlMs: number
}

/** Holds keys while work is done under them. */
export class Keeper {
  readonly #options: KeeperOptions

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  /**
   * Does the work if the key is free, and gives the key back. Tries once.
   * @param key what is held: the id of a resource
   * @param work should stop when the signal of its lease aborts
   * @returns held: false when somebody else has the key; the work was not begun
   * @throws what the work throws, or the lock when it cannot be asked
   */
  async hold<T>(
    key: string,
    work: (lease: Lease) => Promise<T>,
  ): Promise<{ held: true; value: T } | { held: false }> {
    const { lock, time, ttlMs, events } = this.#options
    const askedAt = time.monotonic()
    const hold = await lock.acquire(key, ttlMs).catch((thrown) => {
      throw this.#failed(key, thrown)
    })
    if (hold === null) return { held: false }
    const lease = new KeptLease(time, key, () => events.emit('lease.lost', { resourceId: key }))
    lease.trustUntil(askedAt + ttlMs * TRUSTED)
    void this.#renew(key, hold, lease)
    try {
      return lease.remainingMs() > 0 ? { held: true, value: await work(lease) } : { held: false }
    } finally {
      lease.end()
      await this.#release(key, hold)
    }
  }

  /** Prolongs until the lease is over. No answer is not a "no": it asks again while time remains. */
  async #renew(key: string, hold: Hold, lease: KeptLease): Promise<void> {
    const { time, ttlMs } = this.#options
    let pauseMs = ttlMs * RENEW
    while (!lease.over.aborted) {
      await time.sleep(pauseMs, lease.over)
      if (lease.over.aborted) return
      const askedAt = time.monotonic()
      try {
        if (await hold.extend(ttlMs)) lease.trustUntil(askedAt + ttlMs * TRUSTED)
        else lease.lose()
        pauseMs = ttlMs * RENEW
      } catch (thrown) {
        if (!lease.over.aborted) this.#failed(key, thrown)
        pauseMs = ttlMs * RENEW_AGAIN
      }
    }
  }

  async #release(key: string, hold: Hold): Promise<void> {
    const { time } = this.#options
    try {
      const answer = await within(time, RELEASE_MS, hold.release())
      if (answer === LATE) throw new Error(`the lock was not given back within ${RELEASE_MS} ms`)
    } catch (thrown) {
      this.#failed(key, thrown)
    }
  }

  #failed(key: string, thrown: unknown): Error {
    const error = asError(thrown)
    this.#options.events.emit('lease.failed', { resourceId: key, error })
    return error
  }
}
