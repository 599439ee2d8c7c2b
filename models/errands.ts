// The errands of one task: which effects run now, how often each was tried, when to try again.
// Promise: an effect has one errand at a time; an errand whose state was left is told so and forgotten; every
// commit of the task takes along how far its errands are.
import { backoffMs } from '../lib/backoff.ts'
import type { Bell } from '../lib/bell.ts'
import { actorLogic } from '../lib/blueprint.ts'
import type { StoredTask } from '../lib/claim.ts'
import { type EffectPolicy, type Runnable, runnableOf } from '../lib/effect.ts'
import { asError, type ErrorCode, fault } from '../lib/errors.ts'
import type { PendingEffect, Rest } from '../lib/machine.ts'
import { livesBy } from '../lib/machine-live.ts'
import { type Actor, effectsOf } from '../lib/rest.ts'
import { isRetryable, NonRetryableError, retryAfterOf } from '../lib/retry.ts'
import type { Change } from './change.ts'
import { type Ending, Errand } from './errand.ts'
import type { TaskDefinition } from './kind.ts'
import { FIRST, type Trial, type Trials } from './memory.ts'
import type { Round } from './round.ts'

/** One incarnation of an effect: the same state entered again has another. */
const incarnation = ({ id, keyId = id, armedAt }: PendingEffect) => `${keyId}@${armedAt}`

/** Of an effect the machine has no more: it fails once. */
const GONE: EffectPolicy = {
  attempts: 1,
  backoff: { firstMs: 0, mostMs: 0 },
  timeoutMs: 1_000,
  heartbeatMs: null,
  withinMs: null,
}

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
      errand.cancel(fault('STATE_LEFT', { effect: errand.effect.id }))
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

  /** The turn is over: nothing it began is waited for. @param over why, as far as the turn knows */
  cancel(over: ErrorCode): void {
    const { lost, resourceId } = this.#round
    const task = this.#definition.name
    const isEnded = this.#round.hasEnded(this.#taskId)
    const code = lost ? 'LEASE_LOST' : isEnded ? 'TASK_STOPPED' : over
    for (const errand of this.#under.values()) {
      errand.cancel(fault(code, { task, resourceId, effect: errand.effect.id }))
    }
  }

  /** The trials to store beside these pending effects, one of them replaced. */
  trialsOf(
    effects: readonly PendingEffect[],
    changed?: { errand: Errand; trial: Trial },
  ): Trials | null {
    const kept = effects.flatMap((effect) => {
      const isChanged = changed && incarnation(changed.errand.effect) === incarnation(effect)
      const trial = isChanged ? changed.trial : this.#toStore(effect)
      return trial ? [[incarnation(effect), trial] as const] : []
    })
    return kept.length === 0 ? null : Object.fromEntries(kept)
  }

  /** Has an errand something to say of its progress that is to be written now? */
  get hasReport(): boolean {
    return [...this.#under.values()].some(({ report }) => report.isDue)
  }

  /** Commits how far the errands are: no step, and nothing is due by it. */
  async report(noting: (trials: Trials | null) => Change): Promise<void> {
    const told = [...this.#under.values()].filter(({ report }) => report.isDue)
    const { trials } = this
    for (const { report } of told) report.writing()
    await this.#round.commit(noting(trials))
    this.stored(trials)
    for (const errand of told)
      this.#round.parts.events.emit('effect.progressed', this.#naming(errand))
  }

  /** What is to be stored beside the task while it rests where it is. */
  get trials(): Trials | null {
    const underWay = this.trialsOf([...this.#under.values()].map(({ effect }) => effect))
    const all = { ...this.#trials, ...underWay }
    return Object.keys(all).length === 0 ? null : all
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

  /** Nothing for an effect that was never tried, has nothing to say, and all the time in the world. */
  #toStore(effect: PendingEffect): Trial | null {
    const name = incarnation(effect)
    const stored = this.#trials[name]
    const errand = this.#under.get(name)
    const progress = errand?.report.latest ?? stored?.progress
    const { withinMs } = this.#runnable(effect).policy
    const since =
      withinMs === null ? undefined : (stored?.since ?? errand?.since ?? this.#round.time.now())
    if (!stored && progress === undefined && since === undefined) return null
    const base = stored ?? FIRST
    return {
      ...base,
      ...(since !== undefined && { since }),
      ...(progress !== undefined && { progress }),
    }
  }

  /** The trial that follows an ending; null when the ending counts. */
  #following({ ending, trial, runnable, since, report }: Errand): Trial | null {
    const now = this.#round.time.now()
    const { policy } = runnable
    const latest = report.latest ?? trial.progress
    const progress = latest === undefined ? {} : { progress: latest }
    const counted = (at: number) => (policy.withinMs === null ? {} : { since: at })
    if (ending?.kind === 'again') {
      const at = now + ending.afterMs
      return { attempt: 1, round: trial.round + 1, at, ...counted(at), ...progress }
    }
    if (ending?.kind !== 'error' || !isRetryable(ending.error)) return null
    if (trial.attempt >= policy.attempts) return null
    const at = now + (retryAfterOf(ending.error, now) ?? backoffMs(policy.backoff, trial.attempt))
    if (policy.withinMs !== null && at >= since + policy.withinMs) return null
    const attempt = trial.attempt + 1
    return { attempt, round: trial.round, at, ...counted(since), ...progress }
  }

  #send(effect: Actor, trial: Trial): void {
    const errand = new Errand({
      round: this.#round,
      taskId: this.#taskId,
      effect,
      runnable: this.#runnable(effect),
      trial,
      onReport: () => this.#bell.ring(),
      onEnd: (ended) => {
        ended.next = this.#following(ended)
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
    return { run, policy: GONE }
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
    const isLast = errand.next === null
    events.emit('effect.failed', { ...naming, isLast, error: asError(ending.error) })
  }
}
