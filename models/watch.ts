// The watch over one attempt: how long it may take, be silent, or have taken with all attempts before it.
// Promise: rings at most once, with the error that says which limit was passed; leaves no timer when stopped.
import type { EffectPolicy } from '../lib/effect.ts'
import { type EscapementError, fault } from '../lib/errors.ts'
import type { Time } from '../lib/time.ts'

export interface WatchOptions {
  readonly time: Time
  readonly policy: EffectPolicy
  /** The name of the effect, for the error. */
  readonly effect: string
  /** When the first attempt could have begun, in milliseconds since 1970. */
  readonly since: number
  /** When this attempt began, on the monotonic clock. */
  readonly startedAt: number
  onLate(error: EscapementError): void
}

export class Watch {
  readonly #options: WatchOptions
  readonly #startedAt: number
  #heardAt: number
  #disarm: () => void = () => {}
  #isOver = false

  constructor(options: WatchOptions) {
    this.#options = options
    this.#startedAt = options.startedAt
    this.#heardAt = this.#startedAt
  }

  /** A sign of life. */
  heard(): void {
    this.#heardAt = this.#options.time.monotonic()
  }

  /** Looks at the limits, now and whenever one may have been passed, until stopped. Answers whether there is time left. */
  look(): boolean {
    if (this.#isOver) return false
    const [first] = this.#limits().sort((a, b) => a.leftMs - b.leftMs)
    if (!first) return true
    if (first.leftMs > 0) {
      this.#disarm = this.#options.time.after(first.leftMs, () => this.look())
      return true
    }
    this.stop()
    this.#options.onLate(first.error())
    return false
  }

  stop(): void {
    this.#isOver = true
    this.#disarm()
  }

  /** The gravest first: of two passed at the same moment it is the one that counts. */
  #limits(): { leftMs: number; error: () => EscapementError }[] {
    const { time, effect, since, policy } = this.#options
    const { withinMs, timeoutMs, heartbeatMs } = policy
    const now = time.monotonic()
    const limits = []
    if (withinMs !== null) {
      const error = () => fault('EFFECT_OVERDUE', { effect, withinMs })
      limits.push({ leftMs: since + withinMs - time.now(), error })
    }
    if (timeoutMs !== null) {
      const error = () => fault('EFFECT_TIMEOUT', { effect, timeoutMs })
      limits.push({ leftMs: this.#startedAt + timeoutMs - now, error })
    }
    if (heartbeatMs !== null) {
      const error = () => fault('EFFECT_SILENT', { effect, heartbeatMs })
      limits.push({ leftMs: this.#heardAt + heartbeatMs - now, error })
    }
    return limits
  }
}
