// A look at something that answers slowly or not at all.
// Promise: one question at a time however many ask; an answer serves for a while, and so does a failure; whoever
// asks waits no longer than so long.
import { asError } from '../../lib/errors.ts'
import type { Time } from '../../lib/time.ts'
import { LATE, within } from '../../lib/within.ts'

export interface LookParts<T> {
  readonly time: Time
  readonly ask: () => Promise<T>
  /** Told what went wrong, or null of an answer that was late. */
  readonly onFailure: (error: Error | null) => void
  /** How long an answer serves. */
  readonly freshMs: number
  /** How long whoever asks waits. */
  readonly patienceMs: number
}

export class Look<T> {
  readonly #parts: LookParts<T>
  #last: T | null = null
  #lastAt = Number.NEGATIVE_INFINITY
  #asking: Promise<T | null> | null = null

  constructor(parts: LookParts<T>) {
    this.#parts = parts
  }

  /** The answer, or null where there is none in time. Never rejects. */
  async take(): Promise<T | null> {
    const { time, freshMs, patienceMs, onFailure } = this.#parts
    if (time.monotonic() - this.#lastAt < freshMs) return this.#last
    this.#asking ??= this.#ask()
    const answer = await within(time, patienceMs, this.#asking)
    if (answer !== LATE) return answer
    onFailure(null)
    return null
  }

  async #ask(): Promise<T | null> {
    const { time, ask, onFailure } = this.#parts
    try {
      this.#last = await ask()
    } catch (thrown) {
      this.#last = null
      onFailure(asError(thrown))
    }
    this.#lastAt = time.monotonic()
    this.#asking = null
    return this.#last
  }
}
