// An errand: one attempt of one effect, run by the worker under the lease.
// Promise: it ends exactly once, as an answer, a wish to be run again, or an error; it is told to stop when
// its state is left, its time is up or the lease is lost, and what it says after that is not heard.
import { Again, type Runnable } from '../lib/effect.ts'
import { fault } from '../lib/errors.ts'
import type { Actor } from '../lib/rest.ts'
import type { Trial } from './memory.ts'
import type { Desktop, Round } from './round.ts'

export type Ending =
  | { readonly kind: 'output'; readonly output: unknown }
  | { readonly kind: 'again'; readonly afterMs: number }
  | { readonly kind: 'error'; readonly error: unknown }

export interface ErrandOptions {
  readonly round: Round
  readonly taskId: string
  readonly effect: Actor
  readonly runnable: Runnable
  readonly trial: Trial
  readonly onEnd: (errand: Errand) => void
}

export class Errand {
  readonly effect: Actor
  readonly trial: Trial
  readonly runnable: Runnable
  readonly desktop: Desktop
  /** The same on every attempt of this incarnation; a later round of `again` is work of its own. */
  readonly key: string
  ending: Ending | null = null
  endedAt = 0
  readonly startedAt: number
  readonly #controller = new AbortController()
  readonly #round: Round
  readonly #onEnd: (errand: Errand) => void
  #stopWatch: () => void = () => {}

  constructor({ round, taskId, effect, runnable, trial, onEnd }: ErrandOptions) {
    this.effect = effect
    this.trial = trial
    this.runnable = runnable
    this.desktop = round.open()
    this.key = `${taskId}:${effect.armedAt}:${effect.keyId ?? effect.id}${trial.round > 0 ? `:${trial.round}` : ''}`
    this.startedAt = round.time.monotonic()
    this.#round = round
    this.#onEnd = onEnd
    void this.#run()
  }

  /** Nobody wants the answer any more. */
  cancel(): void {
    this.#stopWatch()
    this.#controller.abort()
  }

  async #run(): Promise<void> {
    const { lease, time } = this.#round
    const { timeoutMs } = this.runnable.policy
    const cancel = () => this.cancel()
    lease.signal.addEventListener('abort', cancel, { once: true })
    const isLate = new Promise<Ending>((end) => {
      const error = () => fault('EFFECT_TIMEOUT', { effect: this.effect.id, timeoutMs })
      this.#stopWatch = time.after(timeoutMs, () => end({ kind: 'error', error: error() }))
    })
    const ending = await Promise.race([this.#work(), isLate])
    this.#stopWatch()
    lease.signal.removeEventListener('abort', cancel)
    if (this.#controller.signal.aborted) return
    if (ending.kind === 'error') this.cancel()
    this.ending = ending
    this.endedAt = time.now()
    this.#onEnd(this)
  }

  async #work(): Promise<Ending> {
    const { input } = this.effect
    const { resource, outbox } = this.desktop
    const { time } = this.#round
    const { attempt } = this.trial
    const { signal } = this.#controller
    const again = (after: number | string) => new Again(after)
    try {
      const output = await this.runnable.run({
        resource,
        input,
        key: this.key,
        attempt,
        signal,
        again,
        now: () => time.now(),
        note: (text: string) => outbox.note(text),
      })
      if (output instanceof Again) return { kind: 'again', afterMs: output.afterMs }
      return { kind: 'output', output }
    } catch (error) {
      return { kind: 'error', error }
    }
  }
}
