// The errands of one task: which effects run now, how often each was tried, when to try again.
// Promise: an effect has one errand at a time; an errand whose state was left is told so and forgotten.

import { backoffMs } from '../lib/backoff.ts'
import type { Bell } from '../lib/bell.ts'
import { actorLogic } from '../lib/blueprint.ts'
import type { StoredTask } from '../lib/claim.ts'
import {
  isRetryable,
  NonRetryableError,
  type Runnable,
  retryAfterOf,
  runnableOf,
} from '../lib/effect.ts'
import { asError } from '../lib/errors.ts'
import type { PendingEffect, Rest } from '../lib/machine.ts'
import { livesBy } from '../lib/machine-live.ts'
import { type Actor, effectsOf } from '../lib/rest.ts'
import { type Ending, Errand } from './errand.ts'
import type { TaskDefinition } from './kind.ts'
import { FIRST, type Trial, type Trials } from './memory.ts'
import type { Round } from './round.ts'

/** One incarnation of an effect: the same state entered again has another. */
const incarnation = ({ id, keyId = id, armedAt }: PendingEffect) => `${keyId}@${armedAt}`

export class Errands {
  readonly #round: Round
  readonly #taskId: string
  readonly #definition: TaskDefinition
  readonly #bell: Bell
  readonly #under = new Map<string, Errand>()
  #trials: Trials

  constructor(round: Round, stored: StoredTask, definition: TaskDefinition, bell: Bell) {
    this.#round = round
    this.#taskId = stored.id
    this.#definition = definition
    this.#bell = bell
    this.#trials = (stored.tries ?? {}) as Trials
  }

  /** Errands that have not ended. */
  get running(): number {
    return [...this.#under.values()].filter(({ ending }) => ending === null).length
  }

  /** Sends off every pending effect whose time has come; calls back those nobody waits for. */
  launch(rest: Rest): void {
    const { machine } = this.#definition
    const effects = effectsOf(rest).filter(({ src }) => !livesBy(machine, src))
    const wanted = new Set(effects.map(incarnation))
    for (const [name, errand] of this.#under) {
      if (wanted.has(name)) continue
      errand.cancel()
      this.#under.delete(name)
    }
    const now = this.#round.time.now()
    for (const effect of effects) {
      const trial = this.#trialOf(effect)
      if (!this.#under.has(incarnation(effect)) && (trial.at ?? 0) <= now) this.#send(effect, trial)
    }
  }

  /** The first errand that has ended, if any. */
  ended(): Errand | null {
    return [...this.#under.values()].find(({ ending }) => ending !== null) ?? null
  }

  /** The errand's ending was used, or is to be had again. */
  forget({ effect }: Errand): void {
    this.#under.delete(incarnation(effect))
  }

  /** Until an errand ends, somebody rings, or the next timer is due. */
  async wait(untilAt: number | null): Promise<void> {
    const woken = new AbortController()
    const heard = this.#bell.heard().finally(() => woken.abort())
    if (untilAt === null) return heard
    await Promise.race([
      heard,
      this.#round.time.sleep(untilAt - this.#round.time.now(), woken.signal),
    ])
    woken.abort()
  }

  cancel(): void {
    for (const errand of this.#under.values()) errand.cancel()
  }

  /** The next trial of an errand that is to be run again; null when its ending counts. */
  retrial({ ending, trial, runnable }: Errand): Trial | null {
    const now = this.#round.time.now()
    if (ending?.kind === 'again')
      return { attempt: 1, round: trial.round + 1, at: now + ending.afterMs }
    if (ending?.kind !== 'error' || !isRetryable(ending.error)) return null
    if (trial.attempt >= runnable.policy.attempts) return null
    const waitMs = retryAfterOf(ending.error) ?? backoffMs(runnable.policy.backoff, trial.attempt)
    return { attempt: trial.attempt + 1, round: trial.round, at: now + waitMs }
  }

  /** The trials to store beside these pending effects, one of them replaced. */
  trialsOf(
    effects: readonly PendingEffect[],
    changed?: { errand: Errand; trial: Trial },
  ): Trials | null {
    const names = new Set(effects.map(incarnation))
    const all = changed
      ? { ...this.#trials, [incarnation(changed.errand.effect)]: changed.trial }
      : this.#trials
    const kept = Object.entries(all).filter(([name]) => names.has(name))
    return kept.length === 0 ? null : Object.fromEntries(kept)
  }

  /** What is stored beside the task now. */
  get trials(): Trials | null {
    return Object.keys(this.#trials).length === 0 ? null : this.#trials
  }

  /** What was stored is what counts. */
  stored(trials: Trials | null): void {
    this.#trials = trials ?? {}
  }

  /** When the effect may next be run; null for at once. */
  dueAt(effect: PendingEffect, trials: Trials | null): number | null {
    return trials?.[incarnation(effect)]?.at ?? null
  }

  #trialOf(effect: PendingEffect): Trial {
    return this.#trials[incarnation(effect)] ?? FIRST
  }

  #send(effect: Actor, trial: Trial): void {
    const errand = new Errand({
      round: this.#round,
      taskId: this.#taskId,
      effect,
      runnable: this.#runnable(effect),
      trial,
      onEnd: (ended) => {
        this.#tellEnd(ended, ended.ending as Ending)
        this.#bell.ring()
      },
    })
    this.#under.set(incarnation(effect), errand)
    this.#round.parts.events.emit('effect.started', this.#naming(errand))
  }

  #runnable({ src }: PendingEffect): Runnable {
    const found = runnableOf(actorLogic(this.#definition.machine, src))
    if (found) return found
    const run = () => {
      throw new NonRetryableError(`the machine has no effect "${src}" any more`)
    }
    return { run, policy: { attempts: 1, backoff: { firstMs: 0, mostMs: 0 }, timeoutMs: 1_000 } }
  }

  #naming({ effect, key, trial }: Errand) {
    const { kind, name: task } = this.#definition
    const { resourceId } = this.#round
    return {
      kind,
      resourceId,
      taskId: this.#taskId,
      task,
      effect: effect.id,
      key,
      attempt: trial.attempt,
    }
  }

  #tellEnd(errand: Errand, ending: Ending): void {
    const { events, time } = this.#round.parts
    const naming = this.#naming(errand)
    if (ending.kind !== 'error') {
      const elapsedMs = Math.round(time.monotonic() - errand.startedAt)
      events.emit('effect.done', { ...naming, elapsedMs })
      return
    }
    const isLast =
      !isRetryable(ending.error) || errand.trial.attempt >= errand.runnable.policy.attempts
    events.emit('effect.failed', { ...naming, isLast, error: asError(ending.error) })
  }
}
