// The rounds of a keeper beside a clock.
// Promise: what goes wrong in a round is told, and tried again at the next; stopping waits for the chunk in hand only.
import { asError } from '../../lib/errors.ts'
import type { Duty, Premises } from '../../models/index.ts'
import type { Keeper } from './keeper.ts'

export class Rounds implements Duty {
  readonly #parts: Pick<Premises, 'time' | 'events'>
  readonly #keeper: Keeper
  readonly #everyMs: number
  readonly #stopped = new AbortController()
  readonly #loop: Promise<void>

  constructor(keeper: Keeper, everyMs: number, parts: Pick<Premises, 'time' | 'events'>) {
    this.#parts = parts
    this.#keeper = keeper
    this.#everyMs = everyMs
    this.#loop = this.#go()
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#loop
  }

  async #go(): Promise<void> {
    const { time, events } = this.#parts
    const { signal } = this.#stopped
    while (!signal.aborted) {
      await this.#keeper.run({ signal }).catch((thrown) => {
        events.emit('plugin.failed', { plugin: 'retention', error: asError(thrown) })
      })
      await time.sleep(this.#everyMs, signal)
    }
  }
}
