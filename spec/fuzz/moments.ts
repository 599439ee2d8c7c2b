// One time for many lives that go on side by side.
// Promise: time moves to the next moment somebody waits for when everybody waits, never before; so each
// life has its happenings at its own moments, and those of one moment share their trips to the database.
import { FakeTime } from '../support/time.ts'

export class Moments {
  readonly time = new FakeTime()
  #awake = 0
  readonly #waiting = new Map<number, (() => void)[]>()

  /** Somebody lives from now until the work has ended. */
  async live<T>(work: () => Promise<T>): Promise<T> {
    this.#awake += 1
    try {
      return await work()
    } finally {
      this.#rest()
    }
  }

  /** Resolves at that moment; at once when it is past. */
  until(atMs: number): Promise<void> {
    if (atMs <= this.time.now()) return Promise.resolve()
    return new Promise((wake) => {
      this.#waiting.set(atMs, [...(this.#waiting.get(atMs) ?? []), wake])
      this.#rest()
    })
  }

  #rest(): void {
    this.#awake -= 1
    if (this.#awake > 0 || this.#waiting.size === 0) return
    const next = Math.min(...this.#waiting.keys())
    const woken = this.#waiting.get(next) as (() => void)[]
    this.#waiting.delete(next)
    this.time.jump(next - this.time.now())
    this.#awake += woken.length
    for (const wake of woken) wake()
  }
}
