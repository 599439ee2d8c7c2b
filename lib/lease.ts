// A lease: the right to tick a resource, with its time running out.
// Promise: it is lost once and for all, at its deadline at the latest; a signal is made for whoever asks.
// It has no timer of its own: the renewer looks after all leases of a process with one.
import { setMaxListeners } from 'node:events'
import type { Hold, Lease } from './contract.ts'
import { fault } from './errors.ts'
import type { Time } from './time.ts'

/** The lease a keeper hands to the work, and prolongs while the work goes on. */
export class KeptLease implements Lease {
  readonly key: string
  readonly hold: Hold
  /** When it is to be prolonged, on the monotonic clock. */
  renewAt = Number.POSITIVE_INFINITY
  readonly #time: Time
  readonly #onLost: () => void
  #deadline = 0
  #isOver = false
  #why: Error | null = null
  #controller: AbortController | null = null
  #heeding: ((why: Error) => void)[] = []

  constructor(time: Time, key: string, hold: Hold, onLost: () => void) {
    this.key = key
    this.hold = hold
    this.#time = time
    this.#onLost = onLost
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      setMaxListeners(0, this.#controller.signal)
      if (this.#why) this.#controller.abort(this.#why)
    }
    return this.#controller.signal
  }

  /** @inheritDoc Lease.heed */
  heed(call: (why: Error) => void): void {
    if (this.#why) call(this.#why)
    else this.#heeding.push(call)
  }

  /** Is it lost or ended? Nothing is done for it any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** When it is lost if nothing comes, on the monotonic clock. */
  get deadline(): number {
    return this.#deadline
  }

  /** Asked after the deadline it is lost there and then: a process that was stopped has its timers still to come. */
  remainingMs(): number {
    if (this.#isOver) return 0
    const leftMs = this.#deadline - this.#time.monotonic()
    if (leftMs <= 0) this.lose()
    return leftMs
  }

  /** @param deadline on the monotonic clock; what comes after the end or the loss is too late */
  trustUntil(deadline: number): void {
    if (!this.#isOver) this.#deadline = deadline
  }

  lose(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#onLost()
    this.recall(fault('LEASE_LOST', { resourceId: this.key }))
  }

  /** Tells the work to stop. What it has done until then may still be written: the lease is ours. */
  recall(why: Error): void {
    if (this.#why) return
    this.#why = why
    for (const call of this.#heeding) call(why)
    this.#controller?.abort(why)
  }

  end(): void {
    this.#isOver = true
  }
}

/** Calls back when a lease is over before its work is; by its signal, where that is all it has. */
export function heed(lease: Lease, call: (why: Error) => void): void {
  if (lease.heed) {
    lease.heed(call)
    return
  }
  const { signal } = lease
  if (signal.aborted) call(signal.reason)
  else signal.addEventListener('abort', () => call(signal.reason), { once: true })
}
