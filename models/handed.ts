// What an effect is handed: its work, each part made when it is asked for.
// Promise: every part can be taken off and used by itself; few effects want them all, and none pays for the others.
import { decode } from '../lib/codec.ts'
import type { Duration } from '../lib/duration.ts'
import { Again, type Work } from '../lib/effect.ts'
import type { Time } from '../lib/time.ts'
import type { Desktop } from './desktop.ts'
import type { Trial } from './memory.ts'

/** Where the parts come from. */
export interface Giver {
  readonly input: unknown
  readonly key: string
  readonly trial: Trial
  readonly desktop: Desktop
  readonly signal: AbortSignal
  readonly time: Time
  /** It says how far it is. */
  told(value: unknown): void
  /** It says that it lives. */
  heard(): void
}

/** The parts are accessors of the class, not of each object: those would cost more than many an effect. */
export class Handed implements Work {
  readonly #giver: Giver
  #last: unknown

  constructor(giver: Giver) {
    this.#giver = giver
  }

  get resource(): unknown {
    return this.#giver.desktop.resource
  }
  get input(): unknown {
    return this.#giver.input
  }
  get key(): string {
    return this.#giver.key
  }
  get attempt(): number {
    return this.#giver.trial.attempt
  }
  get signal(): AbortSignal {
    return this.#giver.signal
  }
  get lastProgress(): unknown {
    const { progress } = this.#giver.trial
    if (progress !== undefined) this.#last ??= decode(structuredClone(progress))
    return this.#last
  }
  get progress(): (value: unknown) => void {
    return (value) => this.#giver.told(value)
  }
  get heartbeat(): () => void {
    return () => this.#giver.heard()
  }
  get again(): (after: Duration) => Again {
    return (after) => new Again(after)
  }
  get now(): () => number {
    return () => this.#giver.time.now()
  }
  get note(): (text: string) => void {
    return (text) => this.#giver.desktop.outbox.note(text)
  }
}
