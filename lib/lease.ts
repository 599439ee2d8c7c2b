// A lease: the right to tick a resource, with its time running out.
// Promise: it is lost once and for all, at its deadline at the latest, and leaves no timer when over.
import type { Lease } from './contract.ts'
import { fault } from './errors.ts'
import type { Time } from './time.ts'

/** The lease a keeper hands to the work, and prolongs while the work goes on. */
export class KeptLease implements Lease {
  readonly #time: Time
  readonly #resourceId: string
  readonly #onLost: () => void
  readonly #lost = new AbortController()
  readonly #over = new AbortController()
  #deadline = 0
  #disarm: () => void = () => {}

  constructor(time: Time, resourceId: string, onLost: () => void) {
    this.#time = time
    this.#resourceId = resourceId
    this.#onLost = onLost
  }

  get signal(): AbortSignal {
    return this.#lost.signal
  }

  /** Aborts when the lease is lost or ended; nothing is done for it any more. */
  get over(): AbortSignal {
    return this.#over.signal
  }

  /** Asked after the deadline it is lost there and then: a process that was stopped has its timers still to come. */
  remainingMs(): number {
    if (this.over.aborted) return 0
    const leftMs = this.#deadline - this.#time.monotonic()
    if (leftMs <= 0) this.lose()
    return leftMs
  }

  /** @param deadline on the monotonic clock; what comes after the end or the loss is too late */
  trustUntil(deadline: number): void {
    if (this.over.aborted) return
    this.#deadline = deadline
    this.#disarm()
    this.#disarm = this.#time.after(deadline - this.#time.monotonic(), () => this.lose())
  }

  lose(): void {
    if (this.over.aborted) return
    this.end()
    this.#onLost()
    this.#lost.abort(fault('LEASE_LOST', { resourceId: this.#resourceId }))
  }

  end(): void {
    this.#disarm()
    this.#over.abort()
  }
}
