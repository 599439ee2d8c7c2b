// A lock in Redis: a key that expires, changed only by whoever knows its value. The only redlock door.
// Promise: null means somebody else holds it, an error means Redis could not be asked, and a hold
// that took most of its own time to get is not handed out.
import Redlock from 'redlock'
import type { Hold, Lock } from '../contract.ts'
import { asError } from '../errors.ts'
import type { RedisDoor } from '../redis.ts'
import type { Time } from '../time.ts'

export interface RedisLockOptions {
  /** Stays open when the lock closes: others use it too. */
  readonly redis: RedisDoor
  /** Keys are `<prefix>:lock:<key>`. */
  readonly prefix: string
  readonly time: Time
}

/** One Redis, so no quorum: redlock gives the scripts that compare before they change. */
export class RedisLock implements Lock {
  readonly #options: RedisLockOptions

  constructor(options: RedisLockOptions) {
    this.#options = options
  }

  /**
   * Tries once.
   * @throws when Redis gives no answer, with redlock's view as the message and Redis' as the cause
   */
  async acquire(key: string, ttlMs: number): Promise<Hold | null> {
    const { redis, prefix, time } = this.#options
    const askedAt = time.monotonic()
    const attempt = new Attempt(redis)
    const lock = await attempt.answer((redlock) => redlock.lock(`${prefix}:lock:${key}`, ttlMs))
    if (lock === null) return null
    const hold = new RedisHold(attempt, lock)
    if (time.monotonic() - askedAt < ttlMs / 2) return hold
    await hold.release().catch(() => {})
    return null
  }

  async close(): Promise<void> {}
}

class RedisHold implements Hold {
  readonly #attempt: Attempt
  readonly #lock: Redlock.Lock

  constructor(attempt: Attempt, lock: Redlock.Lock) {
    this.#attempt = attempt
    this.#lock = lock
  }

  async extend(ttlMs: number): Promise<boolean> {
    // redlock judges by this machine's wall clock whether to ask at all; Redis knows better.
    this.#lock.expiration = Number.POSITIVE_INFINITY
    return (await this.#attempt.answer((redlock) => redlock.extend(this.#lock, ttlMs))) !== null
  }

  async release(): Promise<void> {
    await this.#attempt.answer((redlock) => redlock.unlock(this.#lock))
  }
}

/**
 * A redlock of one's own. redlock says LockError both for "it is taken" and for "Redis is gone",
 * and tells them apart only in an event of the whole instance, so no two keys may share one.
 */
class Attempt {
  readonly #redlock: Redlock
  readonly #troubles: Error[] = []

  constructor({ commands }: RedisDoor) {
    this.#redlock = new Redlock([commands as unknown as Redlock.CompatibleRedisClient], {
      retryCount: 0,
    })
    this.#redlock.on('clientError', (error) => this.#troubles.push(asError(error)))
  }

  /** What redlock answers; null for no. */
  async answer<T>(ask: (redlock: Redlock) => PromiseLike<T>): Promise<T | null> {
    try {
      return await ask(this.#redlock)
    } catch (thrown) {
      const [cause] = this.#troubles
      if (cause) throw new Error(`${asError(thrown).message} ${cause.message}`, { cause })
      return null
    } finally {
      this.#troubles.length = 0
    }
  }
}
