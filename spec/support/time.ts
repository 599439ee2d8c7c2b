// Time that stands still until it is told to move.
// Promise: sleepers wake in the order of their moments, and whatever a sleeper starts may sleep
// again within the same advance. Nothing here waits for the real clock.
import type { Time } from '../../lib/time.ts'

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

/** Turns of the event loop that one `settle` gives to promises, immediates and in-memory work. */
const TURNS = 20

/** The `Time` of specs: only `advance` and `jump` move it. */
export class FakeTime implements Time {
  #monotonicMs = 0
  #wallMs: number
  readonly #sleepers = new Set<Sleeper>()

  /** @param startMs what `now()` says first, in milliseconds since 1970 */
  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#wallMs = startMs
  }

  now(): number {
    return this.#wallMs + this.#monotonicMs
  }

  monotonic(): number {
    return this.#monotonicMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = () => {
        cancel()
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const cancel = this.after(ms, done)
      signal?.addEventListener('abort', done, { once: true })
    })
  }

  after(ms: number, call: () => void): () => void {
    const sleeper = { at: this.#monotonicMs + Math.max(ms, 0), wake: call }
    this.#sleepers.add(sleeper)
    return () => this.#sleepers.delete(sleeper)
  }

  /** How many sleeps and calls are still to come. */
  get sleeping(): number {
    return this.#sleepers.size
  }

  /** Milliseconds from now to the next sleeper, or null when nobody sleeps. */
  get nextInMs(): number | null {
    const next = this.#next()
    return next === null ? null : next.at - this.#monotonicMs
  }

  /** Moves on by `ms`, waking everybody who is due on the way, in time order. */
  async advance(ms: number): Promise<void> {
    const target = this.#monotonicMs + ms
    await this.settle()
    for (let next = this.#next(); next !== null && next.at <= target; next = this.#next()) {
      this.#monotonicMs = Math.max(this.#monotonicMs, next.at)
      this.#sleepers.delete(next)
      next.wake()
      await this.settle()
    }
    this.#monotonicMs = Math.max(this.#monotonicMs, target)
  }

  /** Moves the wall clock alone, as an operator or a time server would; wakes nobody. */
  jump(ms: number): void {
    this.#wallMs += ms
  }

  /** Lets everything that can go on without time go on. For work on sockets use `until`. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
  }

  #next(): Sleeper | null {
    let next: Sleeper | null = null
    for (const sleeper of this.#sleepers) if (next === null || sleeper.at < next.at) next = sleeper
    return next
  }
}
