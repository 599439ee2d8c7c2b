// The errands of one task: which effects run now, how often each was tried, when to try again.
// Promise: an effect has one errand at a time; an errand whose state was left is told so and forgotten; every
// commit of the task takes along how far its errands are.
import { backoffMs } from '../lib/backoff.ts'
import type { Bell } from '../lib/bell.ts'
import { actorLogic } from '../lib/blueprint.ts'
import type { StoredTask } from '../lib/claim.ts'
import { type EffectPolicy, type Runnable, runnableOf } from '../lib/effect.ts'
import { asError, type ErrorCode, fault } from '../lib/errors.ts'
import type { Scope } from '../lib/hold.ts'
import type { PendingEffect, Rest } from '../lib/machine.ts'
import { livesBy } from '../lib/machine-live.ts'
import { type Actor, effectsOf } from '../lib/rest.ts'
import { isRetryable, NonRetryableError, retryAfterOf } from '../lib/retry.ts'
import type { Stand } from './barrier.ts'
import type { Change } from './change.ts'
import { type Ending, Errand } from './errand.ts'
import type { TaskDefinition } from './kind.ts'
import { FIRST, type Trial, type Trials } from './memory.ts'
import type { Round } from './round.ts'

/** One incarnation of an effect: the same state entered again has another. */
const incarnation = ({ id, keyId = id, armedAt }: PendingEffect) => `${keyId}@${armedAt}`

/** Nothing is stored of any effect: the most frequent case by far, which needs no looking up of names. */
const UNTRIED: Trials = {}

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
  #launched: Rest | null = null
  #trials: Trials
  #asking = 0
  /** What kept the asking from being answered. */
  #unanswered: Error | null = null

  constructor(round: Round, stored: StoredTask, definition: TaskDefinition, bell: Bell) {
    this.#round = round
    this.#taskId = stored.id
    this.#definition = definition
    this.#bell = bell
    this.#trials = (stored.tries ?? UNTRIED) as Trials
  }

  /** Errands that have not ended, and those that ask whether they may begin. */
  get running(): number {
    let running = this.#asking
    for (const { ending } of this.#under.values()) if (ending === null) running += 1
    return running
  }

  /** Sends off every pending effect whose time has come; calls back those nobody waits for. */
  launch(rest: Rest, isStopped = false): void {
    if (this.#unanswered) throw this.#unanswered
    // All that this rest asks for is under way.
    if (rest === this.#launched) return
    const { machine } = this.#definition
    const effects = effectsOf(rest).filter(({ src }) => !livesBy(machine, src))
    for (const [name, errand] of this.#under) {
      if (effects.some((effect) => incarnation(effect) === name)) continue
      errand.cancel(fault('STATE_LEFT', { effect: errand.effect.id }))
      this.#under.delete(name)
    }
    const now = this.#round.time.now()
    for (const effect of effects) {
      const name = incarnation(effect)
      const trial = (this.#trials === UNTRIED ? undefined : this.#trials[name]) ?? FIRST
      if (isStopped || this.#under.has(name) || (trial.at ?? 0) > now) continue
      if (this.#mayPass(effect)) this.#send(effect, trial, name)
    }
    this.#launched = this.#under.size === effects.length ? rest : null
  }

  /** The first errand that has ended, if any. */
  ended(): Errand | null {
    for (const errand of this.#under.values()) if (errand.ending !== null) return errand
    return null
  }

  /** The errand's ending was used, or is to be had again. */
  forget({ effect }: Errand): void {
    this.#launched = null
    this.#under.delete(incarnation(effect))
  }

  /** Until an errand ends, somebody rings, or the next timer is due. */
  async wait(untilAt: number | null): Promise<void> {
    if (untilAt === null) return this.#bell.heard()
    const { time } = this.#round
    const cancel = time.after(untilAt - time.now(), () => this.#bell.ring())
    await this.#bell.heard()
    cancel()
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
    let kept: Record<string, Trial> | null = null
    for (const effect of effects) {
      if (!changed && this.#isUnheardOf(effect)) continue
      const name = incarnation(effect)
      const isChanged = changed && incarnation(changed.errand.effect) === name
      const trial = isChanged ? changed.trial : this.#toStore(effect, name)
      if (!trial) continue
      kept ??= {}
      kept[name] = trial
    }
    return kept
  }

  /** Has an errand something to say of its progress that is to be written now? */
  get hasReport(): boolean {
    for (const { report } of this.#under.values()) if (report?.isDue) return true
    return false
  }

  /** Commits how far the errands are: no step, and nothing is due by it. */
  async report(noting: (trials: Trials | null) => Change): Promise<void> {
    const told = [...this.#under.values()].filter(({ report }) => report?.isDue)
    const { trials } = this
    for (const { report } of told) report?.writing()
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
    this.#trials = trials ?? UNTRIED
  }

  /** When the effect may next be run; null for at once. */
  dueAt(effect: PendingEffect, trials: Trials | null): number | null {
    return trials?.[incarnation(effect)]?.at ?? null
  }

  /** What the effect needs is held: it waits for that, and this is no attempt. Null when it may go, or is under way. */
  heldBy(effect: PendingEffect): Stand | null {
    const { dependency } = this.#runnable(effect).policy
    if (dependency === undefined) return null
    if (this.#under.get(incarnation(effect))?.ending === null) return null
    const passage = this.#round.barrier.passage([`dependency:${dependency}`])
    return passage === 'trial' ? null : passage
  }

  /** Whoever comes to a breaker on trial asks first, and hears by the bell. */
  #mayPass(effect: PendingEffect): boolean {
    const { dependency, timeoutMs } = this.#runnable(effect).policy
    if (dependency === undefined) return true
    const { barrier } = this.#round
    const scope: Scope = `dependency:${dependency}`
    const passage = barrier.passage([scope])
    if (passage === null) barrier.sent(scope)
    if (passage !== 'trial') return passage === null
    this.#asking += 1
    const answered = () => {
      this.#asking -= 1
      this.#bell.ring()
    }
    barrier.ask(scope, timeoutMs).then(answered, (thrown) => {
      this.#unanswered = asError(thrown)
      answered()
    })
    return false
  }

  /** Is there nothing to store of it, whatever it is called? */
  #isUnheardOf(effect: PendingEffect): boolean {
    if (this.#trials !== UNTRIED || this.#runnable(effect).policy.withinMs !== null) return false
    for (const { report } of this.#under.values()) if (report) return false
    return true
  }

  /** Nothing for an effect that was never tried, has nothing to say, and all the time in the world. */
  #toStore(effect: PendingEffect, name: string): Trial | null {
    const stored = this.#trials[name]
    const errand = this.#under.get(name)
    const progress = errand?.report?.latest ?? stored?.progress
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
    const latest = report?.latest ?? trial.progress
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

  #send(effect: Actor, trial: Trial, name: string): void {
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
    this.#under.set(name, errand)
    const { events } = this.#round.parts
    if (events.isHeard('effect.started')) events.emit('effect.started', this.#naming(errand))
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
      source: effect.src,
      key,
      attempt: trial.attempt,
    }
  }

  #tellEnd(errand: Errand, ending: Ending): void {
    const { events, time } = this.#round.parts
    if (ending.kind !== 'error') {
      if (!events.isHeard('effect.done')) return
      const elapsedMs = Math.round(time.monotonic() - errand.startedAt)
      events.emit('effect.done', { ...this.#naming(errand), elapsedMs })
      return
    }
    const isLast = errand.next === null
    events.emit('effect.failed', { ...this.#naming(errand), isLast, error: asError(ending.error) })
  }
}
