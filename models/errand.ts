// An errand: one attempt of one effect, run by the worker under the lease.
// Promise: it ends exactly once, as an answer, a wish to be run again, or an error; it is told to stop, and
// why, when its state is left, its time is up or the lease is lost, and what it says after that is not heard.
import { decode } from '../lib/codec.ts'
import { Again, type Runnable, type Work } from '../lib/effect.ts'
import { asError } from '../lib/errors.ts'
import type { Actor } from '../lib/rest.ts'
import type { Desktop } from './change.ts'
import type { Trial } from './memory.ts'
import { Report } from './report.ts'
import type { Round } from './round.ts'
import { Watch } from './watch.ts'

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
  /** It has ended; by then `ending` says how. */
  readonly onEnd: (errand: Errand) => void
  /** It has something to say of its progress. */
  readonly onReport: () => void
}

export class Errand {
  readonly effect: Actor
  readonly trial: Trial
  readonly runnable: Runnable
  readonly desktop: Desktop
  readonly report: Report
  /** The same on every attempt of this incarnation; a later round of `again` is work of its own. */
  readonly key: string
  /** When the first attempt could have begun, in milliseconds since 1970. */
  readonly since: number
  ending: Ending | null = null
  endedAt = 0
  /** The trial that follows; null when the ending counts, or is still to come. */
  next: Trial | null = null
  readonly startedAt: number
  readonly #controller = new AbortController()
  readonly #round: Round
  readonly #onEnd: (errand: Errand) => void
  readonly #watch: Watch
  readonly #onLost: () => void

  constructor({ round, taskId, effect, runnable, trial, onEnd, onReport }: ErrandOptions) {
    const { time, lease } = round
    this.effect = effect
    this.trial = trial
    this.runnable = runnable
    this.desktop = round.open()
    this.key = `${taskId}:${effect.armedAt}:${effect.keyId ?? effect.id}${trial.round > 0 ? `:${trial.round}` : ''}`
    this.startedAt = time.monotonic()
    this.since = trial.since ?? time.now()
    this.report = new Report(time, onReport)
    this.#round = round
    this.#onEnd = onEnd
    this.#watch = new Watch({
      time,
      effect: effect.id,
      policy: runnable.policy,
      since: this.since,
      onLate: (error) => this.#end({ kind: 'error', error }),
    })
    this.#onLost = () => this.cancel(lease.signal.reason)
    lease.signal.addEventListener('abort', this.#onLost, { once: true })
    void this.#run()
  }

  /** Nobody wants the answer any more. */
  cancel(why: Error): void {
    this.#close()
    this.#controller.abort(why)
  }

  async #run(): Promise<void> {
    // Nothing ends before whoever sent it off knows it.
    await null
    if (this.#controller.signal.aborted || !this.#watch.look()) return
    this.#end(await this.#work())
  }

  #end(ending: Ending): void {
    if (this.ending || this.#controller.signal.aborted) return
    this.ending = ending
    this.endedAt = this.#round.time.now()
    if (ending.kind === 'error') this.cancel(asError(ending.error))
    this.#close()
    this.#onEnd(this)
  }

  #close(): void {
    this.#watch.stop()
    this.report.end()
    this.#round.lease.signal.removeEventListener('abort', this.#onLost)
  }

  async #work(): Promise<Ending> {
    try {
      const output = await this.runnable.run(this.#handed())
      await this.desktop.outbox.check()
      if (output instanceof Again) return { kind: 'again', afterMs: output.afterMs }
      return { kind: 'output', output }
    } catch (error) {
      return { kind: 'error', error }
    }
  }

  #handed(): Work & Record<string, unknown> {
    const { attempt, progress } = this.trial
    return {
      resource: this.desktop.resource,
      input: this.effect.input,
      key: this.key,
      attempt,
      signal: this.#controller.signal,
      lastProgress: progress === undefined ? undefined : decode(structuredClone(progress)),
      progress: (value) => {
        this.#watch.heard()
        this.report.say(value)
      },
      heartbeat: () => this.#watch.heard(),
      again: (after) => new Again(after),
      now: () => this.#round.time.now(),
      note: (text) => this.desktop.outbox.note(text),
    }
  }
}
