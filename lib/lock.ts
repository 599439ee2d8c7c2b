// The lock, kept: renewed while the work goes on, given back when it ends.
// Promise: a lease says "lost" before anybody else can get the key, judged by the monotonic clock
// and counted from before the lock was asked; no timer outlives the work, and all works share one.
// A process that is stopped cannot say anything in time: that is what the fence in the store is for.
import type { Lock } from './contract.ts'
import { asError } from './errors.ts'
import type { Events } from './events.ts'
import { KeptLease } from './lease.ts'
import { Renewer } from './renewer.ts'
import type { Time } from './time.ts'

/** Share of the time to live after which the key counts as lost: we stop before the next may start. */
const TRUSTED = 0.9
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
  readonly #renewer: Renewer

  constructor(options: KeeperOptions) {
    this.#options = options
    const onFailed = (key: string, error: Error) => this.#failed(key, error)
    this.#renewer = new Renewer({ ...options, trusted: TRUSTED, onFailed })
  }

  /**
   * Does the work if the key is free, and gives the key back. Tries once.
   * @param key what is held: the id of a resource
   * @param work should stop when the signal of its lease aborts
   * @returns held: false when somebody else has the key; the work was not begun. isWanted: false when surely nobody
   *   asked for it meanwhile
   * @throws what the work throws, or the lock when it cannot be asked
   */
  async hold<T>(
    key: string,
    work: (lease: KeptLease) => Promise<T>,
  ): Promise<{ held: true; value: T; isWanted: boolean } | { held: false }> {
    const { lock, time, ttlMs, events } = this.#options
    const askedAt = time.monotonic()
    const hold = await lock.acquire(key, ttlMs).catch((thrown) => {
      throw this.#failed(key, thrown)
    })
    if (hold === null) return { held: false }
    const onLost = () => events.emit('lease.lost', { resourceId: key })
    const lease = new KeptLease(time, key, hold, onLost)
    lease.trustUntil(askedAt + ttlMs * TRUSTED)
    this.#renewer.watch(lease)
    let isWanted: boolean
    let answer: { held: true; value: T } | { held: false }
    try {
      answer = lease.remainingMs() > 0 ? { held: true, value: await work(lease) } : { held: false }
    } finally {
      lease.end()
      this.#renewer.forget(lease)
      isWanted = await this.#release(lease)
    }
    return answer.held ? { ...answer, isWanted } : answer
  }

  /** Resolves when the key is given back, or when that takes too long. @returns false when nobody asked for it */
  async #release({ key, hold }: KeptLease): Promise<boolean> {
    let stop = () => {}
    const late = new Promise<never>((_, reject) => {
      const error = () => new Error(`the lock was not given back within ${RELEASE_MS} ms`)
      stop = this.#options.time.after(RELEASE_MS, () => reject(error()))
    })
    const isWanted = await Promise.race([hold.release(), late]).catch((thrown) => {
      this.#failed(key, thrown)
      return true
    })
    stop()
    return isWanted
  }

  #failed(key: string, thrown: unknown): Error {
    const error = asError(thrown)
    this.#options.events.emit('lease.failed', { resourceId: key, error })
    return error
  }
}
