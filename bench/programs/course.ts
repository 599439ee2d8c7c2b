// The instances of one run on their way through their steps.
// Promise: done when every instance has arrived; the latency of a step is the time since the step before it was
// durable, so that waiting for a free hand counts.
import type { Figures } from '../protocol.ts'
import { quantile } from '../sums.ts'

export class Course {
  /** Resolves when the last instance has arrived. */
  readonly done: Promise<void>
  readonly #expected: number
  readonly #passedAt = new Map<string | number, number>()
  readonly #latenciesMs: number[] = []
  #arrived = 0
  #finish: () => void = () => {}
  #fail: (error: unknown) => void = () => {}

  /** @param expected how many instances there are */
  constructor(expected: number) {
    this.#expected = expected
    this.done = new Promise((resolve, reject) => {
      this.#finish = resolve
      this.#fail = reject
    })
    this.done.catch(() => {})
  }

  /** A step of this instance is durable. */
  passed(instance: string | number): void {
    const at = performance.now()
    const before = this.#passedAt.get(instance)
    if (before !== undefined) this.#latenciesMs.push(at - before)
    this.#passedAt.set(instance, at)
  }

  /** Its last one is. */
  arrived(): void {
    this.#arrived += 1
    if (this.#arrived === this.#expected) this.#finish()
  }

  /** Something went wrong that nobody else would hear of. */
  failed(error: unknown): void {
    this.#fail(error)
  }

  get figures(): Figures {
    if (this.#latenciesMs.length === 0) return {}
    const sorted = this.#latenciesMs.sort((a, b) => a - b)
    return { stepP50Ms: quantile(sorted, 0.5), stepP99Ms: quantile(sorted, 0.99) }
  }
}
