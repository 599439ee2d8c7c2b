// An errand: one attempt of one effect, run by the worker under the lease.
// Promise: it ends exactly once, as an answer, a wish to be run again, or an error; it is told to stop, and
// why, when its state is left, its time is up or the lease is lost, and what it says after that is not heard.
import { Again, type Runnable } from '../lib/effect.ts'
import { asError } from '../lib/errors.ts'
import type { Actor } from '../lib/rest.ts'
import { type Time, turn } from '../lib/time.ts'
import type { Desktop } from './desktop.ts'
import { type Giver, Handed } from './handed.ts'
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

export class Errand implements Giver {
  readonly effect: Actor
  readonly trial: Trial
  readonly runnable: Runnable
  readonly desktop: Desktop
  /** The same on every attempt of this incarnation; a later round of `again` is work of its own. */
  readonly key: string
  /** When the first attempt could have begun, in milliseconds since 1970. */
  readonly since: number
  ending: Ending | null = null
  endedAt = 0
  /** The trial that follows; null when the ending counts, or is still to come. */
  next: Trial | null = null
  readonly startedAt: number
  readonly #options: ErrandOptions
  #report: Report | null = null
  #watch: Watch | null = null
  /** Made when somebody asks for the signal. */
  #controller: AbortController | null = null
  /** Why nobody wants the answer any more. */
  #why: Error | null = null

  constructor(options: ErrandOptions) {
    const { round, taskId, effect, runnable, trial } = options
    const { time } = round
    this.#options = options
    this.effect = effect
    this.trial = trial
    this.runnable = runnable
    this.desktop = round.open()
    this.key = `${taskId}:${effect.armedAt}:${effect.keyId ?? effect.id}${trial.round > 0 ? `:${trial.round}` : ''}`
    this.startedAt = time.monotonic()
    this.since = trial.since ?? time.now()
    round.errands.add(this)
    void this.#run()
  }

  /** How far it says it is; null while it has said nothing. */
  get report(): Report | null {
    return this.#report
  }

  /** Nobody wants the answer any more. */
  cancel(why: Error): void {
    this.#close()
    if (this.#why) return
    this.#why = why
    this.#controller?.abort(why)
  }

  async #run(): Promise<void> {
    // Nothing ends before whoever sent it off knows it.
    await null
    // Without a limit that may be over already, work that is done in no time needs no timer.
    if (this.#why || (this.runnable.policy.withinMs !== null && !this.#guarded.look())) return
    if (!this.#watch) lasting(this)
    this.#end(await this.#work())
  }

  /** It lasts: its limits are watched from now on. */
  guard(): void {
    if (!this.ending && !this.#why && !this.#watch) this.#guarded.look()
  }

  get #guarded(): Watch {
    this.#watch ??= new Watch({
      time: this.#options.round.time,
      effect: this.effect.id,
      policy: this.runnable.policy,
      since: this.since,
      startedAt: this.startedAt,
      onLate: (error) => this.#end({ kind: 'error', error }),
    })
    return this.#watch
  }

  #end(ending: Ending): void {
    if (this.ending || this.#why) return
    this.ending = ending
    this.endedAt = this.#options.round.time.now()
    if (ending.kind === 'error') this.cancel(asError(ending.error))
    else this.#close()
    this.#options.onEnd(this)
  }

  #close(): void {
    this.#watch?.stop()
    this.#report?.end()
    this.#options.round.errands.delete(this)
  }

  async #work(): Promise<Ending> {
    try {
      const output = await this.runnable.run(new Handed(this))
      if (this.desktop.isWrittenOn) await this.desktop.check()
      if (output instanceof Again) return { kind: 'again', afterMs: output.afterMs }
      return { kind: 'output', output }
    } catch (error) {
      return { kind: 'error', error }
    }
  }

  get input(): unknown {
    return this.effect.input
  }

  get time(): Time {
    return this.#options.round.time
  }

  /** Aborts when nobody wants the answer any more. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#why) this.#controller.abort(this.#why)
    return this.#controller.signal
  }

  heard(): void {
    this.#watch?.heard()
  }

  told(value: unknown): void {
    this.heard()
    this.#report ??= new Report(this.time, this.#options.onReport)
    if (this.ending || this.#why) this.#report.end()
    this.#report.say(value)
  }
}

/** Errands that began in this turn of the event loop: few of them are there still when it is over. */
let fresh: Errand[] = []

function lasting(errand: Errand): void {
  if (fresh.length === 0) void turn().then(look)
  fresh.push(errand)
}

function look(): void {
  const begun = fresh
  fresh = []
  for (const errand of begun) errand.guard()
}
