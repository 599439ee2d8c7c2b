// The renewer: prolongs the leases of a process while the work under them goes on.
// Promise: one timer for all of them, and none when there are none; those that are due together are asked
// for in one go; a lease without an answer is lost at its deadline, whatever the lock does.
import { asError } from './errors.ts'
import type { KeptLease } from './lease.ts'
import type { Time } from './time.ts'

/** Shares of the time to live. */
const RENEW = 1 / 3
const RENEW_AGAIN = 1 / 10
/** What is due this soon is prolonged with the others. */
const TOGETHER = 1 / 30

export interface RenewerOptions {
  readonly time: Time
  /** How long a key outlives a holder that died, in milliseconds. */
  readonly ttlMs: number
  /** Share of the time to live after which the key counts as lost. */
  readonly trusted: number
  readonly onFailed: (key: string, error: Error) => void
}

export class Renewer {
  readonly #options: RenewerOptions
  readonly #leases = new Set<KeptLease>()
  #ringsAt = Number.POSITIVE_INFINITY
  #disarm: () => void = () => {}

  constructor(options: RenewerOptions) {
    this.#options = options
  }

  watch(lease: KeptLease): void {
    const { time, ttlMs } = this.#options
    this.#leases.add(lease)
    lease.renewAt = time.monotonic() + ttlMs * RENEW
    this.#ringFor(lease)
  }

  forget(lease: KeptLease): void {
    this.#leases.delete(lease)
    if (this.#leases.size > 0) return
    this.#disarm()
    this.#ringsAt = Number.POSITIVE_INFINITY
  }

  #ringFor({ renewAt, deadline }: KeptLease): void {
    const at = Math.min(renewAt, deadline)
    if (at >= this.#ringsAt) return
    const { time } = this.#options
    this.#disarm()
    this.#ringsAt = at
    this.#disarm = time.after(at - time.monotonic(), () => this.#look())
  }

  #look(): void {
    const { time, ttlMs } = this.#options
    this.#ringsAt = Number.POSITIVE_INFINITY
    const soon = time.monotonic() + ttlMs * TOGETHER
    for (const lease of this.#leases) {
      if (lease.remainingMs() <= 0) this.#leases.delete(lease)
      else if (lease.renewAt <= soon) void this.#renew(lease)
      if (!lease.isOver) this.#ringFor(lease)
    }
  }

  /** No answer is not a "no": it is asked again while time remains. */
  async #renew(lease: KeptLease): Promise<void> {
    const { time, ttlMs, trusted, onFailed } = this.#options
    lease.renewAt = Number.POSITIVE_INFINITY
    const askedAt = time.monotonic()
    let pauseMs = ttlMs * RENEW
    try {
      if (await lease.hold.extend(ttlMs)) lease.trustUntil(askedAt + ttlMs * trusted)
      else lease.lose()
    } catch (thrown) {
      if (!lease.isOver) onFailed(lease.key, asError(thrown))
      pauseMs = ttlMs * RENEW_AGAIN
    }
    if (lease.isOver) return
    lease.renewAt = time.monotonic() + pauseMs
    this.#ringFor(lease)
  }
}
