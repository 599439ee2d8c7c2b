// The ledger of one task in its turn: where it is, and the changes that take it on.
// Promise: every change names the step it follows, so a change of somebody else's can only make it fail.
import type { StoredEvent, StoredTask } from '../lib/claim.ts'
import { asError } from '../lib/errors.ts'
import { type Rest, stateName } from '../lib/machine.ts'
import { effectsOf } from '../lib/rest.ts'
import { storable } from '../lib/text.ts'
import type { DueChange, Ignored, RunStatus, StepChange } from '../lib/unit.ts'
import { authorOf, type Cause } from './cause.ts'
import { type Change, NONE } from './change.ts'
import type { Desktop } from './desktop.ts'
import type { Errand } from './errand.ts'
import type { Errands } from './errands.ts'
import { Failures } from './failure.ts'
import { Kin } from './kin.ts'
import { LIFE, type TaskDefinition } from './kind.ts'
import { lifeState } from './life.ts'
import type { Trials } from './memory.ts'
import { Meter } from './meter.ts'
import type { Move } from './move.ts'
import type { Round } from './round.ts'
import { wishOf } from './wishes.ts'

/** Where a task that cannot go on is, by what became of it. */
const END_OF = {
  panicked: '__panic__',
  stranded: '__stranded__',
  failed: '__error__',
} as const satisfies Partial<Record<RunStatus, string>>

const MOST_REASON = 1_000

/** A step as a change, and the attempts its effects have made by then. */
export interface Stepped {
  readonly change: Change
  readonly trials: Trials | null
}

export class Ledger {
  rest: Rest | null = null
  mail: readonly StoredEvent[]
  /** Waits more mail in the database than was read? */
  #hasMore: boolean
  step: number
  restStep: number
  /** Does the due entry say what this ledger knows? */
  isSettled = false
  readonly #round: Round
  readonly #stored: StoredTask
  readonly #errands: Errands
  readonly #failures: Failures
  readonly #definition: TaskDefinition
  readonly kin: Kin
  readonly #meter: Meter
  /** Mail that was taken: an answer read before that commit may bring it once more. */
  readonly #taken = new Set<string>()
  #wakes: number
  #dueAt: number

  constructor(round: Round, stored: StoredTask, definition: TaskDefinition, errands: Errands) {
    this.#definition = definition
    this.kin = new Kin(round, stored, definition)
    this.#round = round
    this.#meter = new Meter(round, definition)
    this.#stored = stored
    this.#errands = errands
    this.#failures = new Failures(round, stored.id, definition.machine)
    this.mail = stored.mail
    this.#hasMore = stored.hasMore
    this.#wakes = stored.wakes
    this.#dueAt = stored.dueAt
    this.step = stored.step
    this.restStep = stored.restStep
  }

  /** Newer mail and rings, as read. */
  receive({ mail, wakes, hasMore }: StoredTask): void {
    this.#hasMore = hasMore
    this.mail = mail.filter(({ id }) => !this.#taken.has(id))
    this.#wakes = Math.max(wakes, this.#wakes)
    this.isSettled = false
  }

  /** This mail is consumed, by a commit. */
  took({ id }: StoredEvent): void {
    this.#taken.add(id)
    this.mail = this.mail.filter((mail) => mail.id !== id)
    if (this.mail.length === 0 && this.#hasMore) this.#round.nudge()
  }

  get state(): string {
    return this.rest ? stateName(this.rest.value) : this.#stored.state
  }

  /** A step forward. @throws what keeps from being stored what it sends: EVENT_TOO_LARGE, VALUE_NOT_STORABLE */
  stepped(move: Move, desktop: Desktop): Stepped {
    const { cause, event, rest, snapshot, payload } = move
    const trials = this.#errands.trialsOf(effectsOf(rest))
    const number = this.step + 1
    const isDone = rest.status === 'done'
    const to = stateName(rest.value)
    const base = this.rest ? this.restStep : null
    const { actor, reason } = authorOf(cause, this.#round.parts.owner)
    const line = { base, from: this.state, to, event, payload, snapshot, actor, reason }
    const row = this.#row(number, number, to, trials, rest, isDone ? 'done' : 'running', line)
    const due = this.#due(rest, this.#mailAfter(cause), trials)
    const kin = this.kin.of(move)
    const toll = this.#meter.step(cause, isDone)
    // All of one shape, whatever is in it: see `enveloped`.
    const change = {
      desktop,
      step: this.#renewed(row, rest),
      due,
      consumes: cause.kind === 'mail' ? [cause.mail.id] : NONE,
      failures: cause.kind === 'effect' ? this.#failures.ofAttempt(cause.errand, this.step) : NONE,
      starts: kin?.starts,
      stops: kin?.stops,
      sends: kin?.sends,
      ends: kin?.ends,
      counts: toll.counts,
      holds: toll.holds,
      state: this.#definition.name === LIFE ? lifeState(rest.value) : undefined,
    } as Change
    return { change, trials }
  }

  /** A step of ours: the snapshot as the new definition has it. */
  migrated(rest: Rest, snapshot: StepChange['tries']): Change {
    const number = this.step + 1
    const to = stateName(rest.value)
    const { actor } = authorOf({ kind: 'start', at: 0, input: null }, this.#round.parts.owner)
    const { machineVersion, state, restStep: base } = this.#stored
    const reason = `from version ${machineVersion} to ${this.#definition.version}`
    const trials = this.#errands.trialsOf(effectsOf(rest))
    const line = { base, from: state, to, event: '__migrate__', payload: null, snapshot }
    const row = this.#row(number, number, to, trials, rest, 'running', { ...line, actor, reason })
    return {
      step: { ...row, ...this.#newVersion() },
      due: this.#due(rest, this.mail, trials),
    }
  }

  /** The step was committed: this is where the task is now. */
  moved({ cause, rest }: { cause?: Cause; rest: Rest }, trials: Trials | null): void {
    if (cause?.kind === 'mail') this.took(cause.mail)
    this.rest = rest
    this.step += 1
    this.restStep = this.step
    this.isSettled = true
    this.#errands.stored(trials)
  }

  /** No step: mail nobody accepts is taken away and noted, or an effect's next trial is noted. */
  stayed(options: {
    drop?: StoredEvent
    why?: string
    errand?: Errand
    trials: Trials | null
  }): Change {
    const { drop, why, errand, trials } = options
    const mail = this.mail.filter(({ id }) => id !== drop?.id)
    return {
      step: this.#unmoved(trials),
      due: this.#due(this.rest as Rest, mail, trials),
      consumes: drop ? [drop.id] : [],
      failures: errand ? this.#failures.ofAttempt(errand, this.step) : [],
      ignored: drop && why !== undefined ? [this.#ignored(drop, why)] : [],
      ...(errand && this.#meter.attempt(errand)),
    }
  }

  #unmoved(trials: Trials | null): StepChange {
    return this.#row(this.step, this.restStep, this.state, trials, this.rest, 'running', null)
  }

  /** Only what is known of its trials. */
  noted(trials: Trials | null): Change {
    return { step: this.#unmoved(trials) }
  }

  /** Only the due entry: the task was rung for nothing, or may not run. */
  settled(isParked: boolean): Change {
    if (isParked || !this.rest) return { due: this.#dueEntry(null, 'parked') }
    return { due: this.#due(this.rest, this.mail, this.#errands.trials) }
  }

  /**
   * Parked: the history says why, the snapshot stays the last good one, and nothing is due. A child whose
   * parent has a transition for its failure ends instead, and the parent hears of it in the same commit.
   */
  parked(thrown: unknown, event: string, cause: Cause | null = null): Change {
    const status = this.#statusAfter(thrown)
    const errand = cause?.kind === 'effect' ? cause.errand : undefined
    const { trials } = this.#errands
    const line = {
      ...{ base: null, from: this.state, to: END_OF[status], event, payload: null, snapshot: null },
      actor: this.#round.parts.owner,
      reason: storable(asError(thrown).message, MOST_REASON),
    }
    return {
      step: this.#row(this.step + 1, this.restStep, this.state, trials, this.rest, status, line),
      due: this.#dueEntry(null, 'panic'),
      failures: this.#failures.ofPanic(thrown, { step: this.step + 1, rest: this.rest, errand }),
      ...this.#meter.panic(cause),
      ...(status === 'failed' && this.kin.failed(thrown)),
    }
  }

  #statusAfter(thrown: unknown): keyof typeof END_OF {
    if ((thrown as { code?: unknown } | null)?.code === 'STATE_STRANDED') return 'stranded'
    return this.kin.isAwaited ? 'failed' : 'panicked'
  }

  #ignored({ type, actor, reason }: StoredEvent, why: string): Ignored {
    const { task } = this.#stored
    return { resourceId: this.#round.resourceId, task, type, why, actor, reason }
  }

  /** With the version and the name of today, where it has others. */
  #renewed(row: StepChange, rest: Rest): StepChange {
    const { version, name } = this.#definition
    if (version === this.#stored.machineVersion && name === this.#stored.task) return row
    return { ...row, ...this.#newVersion(), ...this.#newName(rest) }
  }

  /** Whoever moves a task under a new definition notes its version. */
  #newVersion(): { version?: string } {
    const { version } = this.#definition
    return version === this.#stored.machineVersion ? {} : { version }
  }

  /** A run is stored under the name of today as soon as none of its actors knows it by the old one. */
  #newName({ actors }: Rest): { name?: string } {
    const { name } = this.#definition
    return name === this.#stored.task || actors.length > 0 ? {} : { name }
  }

  /** Written out: copies of copies were a good part of what a step cost. */
  #row(
    step: number,
    restStep: number,
    state: string,
    trials: Trials | null,
    rest: Rest | null,
    status: RunStatus,
    transition: StepChange['transition'],
  ): StepChange {
    return {
      taskId: this.#stored.id,
      task: this.#stored.task,
      resourceId: this.#round.resourceId,
      expected: this.step,
      step,
      restStep,
      state,
      tries: trials as unknown as StepChange['tries'],
      system: this.kin.systemOf(rest),
      status,
      finished: status === 'done' || status === 'failed',
      transition,
    }
  }

  #mailAfter(cause: Cause): readonly StoredEvent[] {
    return cause.kind === 'mail' ? this.mail.filter(({ id }) => id !== cause.mail.id) : this.mail
  }

  #due(rest: Rest, mail: readonly StoredEvent[], trials: Trials | null): DueChange {
    const hasMail = mail.length > 0 || this.#hasMore
    const before = { step: this.step, dueAt: this.#dueAt }
    const where = { rest, hasMail, trials, before }
    const wish = wishOf(this.#round, this.#stored, this.#errands, where)
    return this.#dueEntry(wish.at, wish.reason)
  }

  #dueEntry(at: number | null, reason: string): DueChange {
    this.#dueAt = at ?? this.#dueAt
    return { taskId: this.#stored.id, at, reason, wakes: this.#wakes }
  }
}
