// The report of one attempt: how far it says its work is, and when that is to be written down.
// Promise: the latest counts; it is written at most every two seconds, and never after the attempt has ended.
import { type Json, stringify } from '../lib/codec.ts'
import type { Time } from '../lib/time.ts'

/** As JSON, in bytes: it is written again and again beside the task. */
const MOST_BYTES = 8_192
const PAUSE_MS = 2_000

export class Report {
  /** What was said last; undefined when nothing was. */
  latest: Json | undefined
  /** Is there something to write, and may it be written now? */
  isDue = false
  readonly #time: Time
  readonly #onDue: () => void
  #isOver = false
  #writtenAt = Number.NEGATIVE_INFINITY
  #disarm: (() => void) | null = null

  constructor(time: Time, onDue: () => void) {
    this.#time = time
    this.#onDue = onDue
  }

  /** @throws VALUE_NOT_STORABLE when it is too large, holds a secret, or is not plain data */
  say(value: unknown): void {
    const text = stringify(value, undefined, { maxBytes: MOST_BYTES })
    if (this.#isOver) return
    this.latest = JSON.parse(text)
    const waitMs = this.#writtenAt + PAUSE_MS - this.#time.monotonic()
    if (waitMs <= 0) this.#ready()
    else this.#disarm ??= this.#time.after(waitMs, () => this.#ready())
  }

  /** The latest is being written; what is said from now on waits. */
  writing(): void {
    this.isDue = false
    this.#writtenAt = this.#time.monotonic()
  }

  end(): void {
    this.#isOver = true
    this.isDue = false
    this.#disarm?.()
  }

  #ready(): void {
    this.#disarm = null
    if (this.isDue) return
    this.isDue = true
    this.#onDue()
  }
}
