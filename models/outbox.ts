// The outbox of a step: verbs used inside it, kept for its commit.
// Promise: what a step asks of other tasks happens if and only if the step is committed.
import type { AlarmResult, AlarmSignal } from '../lib/alarm.ts'
import { fault } from '../lib/errors.ts'
import type { HoldSignal } from '../lib/hold.ts'
import type { NewNotice } from '../lib/notice.ts'
import type { Mark, NewEvent, NewResource, NewRun, Removal, Report, RunStop } from '../lib/unit.ts'
import type { OutboxParts } from './asking.ts'
import type { AvailabilityStatus } from './availability.ts'
import { PANIC } from './climber.ts'
import type { Explanation } from './explanations.ts'
import type { Kind } from './kind.ts'
import { Notes } from './notes.ts'
import type { PanicTold } from './panic.ts'
import { Refused } from './refused.ts'
import {
  authorOf,
  newDeletion,
  newEvent,
  newPause,
  newReport,
  newResource,
  newResume,
  newRun,
  newStop,
  type RequestParts,
} from './requests.ts'
import type { TaskSnapshot } from './snapshot.ts'
import type {
  Because,
  DeleteOptions,
  EventInput,
  PauseOptions,
  Remains,
  RunInfo,
  Schedule,
  SendOptions,
  Started,
  StartOptions,
  StopOptions,
  Target,
  Verbs,
} from './verbs.ts'

/** What a step may know of other tasks: what was committed. */
type Told = 'status' | 'snapshot' | 'explain' | 'schedule' | 'remains' | 'row'
export type Committed = Pick<Verbs, Told> &
  // What is done at once, whatever becomes of the step.
  Pick<Verbs, 'retry' | 'rewind' | 'goto' | 'unpark'> & {
    /** The task that is told of panics at a resource, if it has one. */
    climberOf(resourceId: string): Promise<Target | null>
  }

export class Outbox implements Verbs {
  readonly #parts: RequestParts
  readonly #desk: Committed
  readonly #creates: NewResource[] = []
  readonly #starts: NewRun[] = []
  readonly #stops: RunStop[] = []
  readonly #sends: NewEvent[] = []
  readonly #notes = new Notes()
  readonly #refused: Refused[] = []
  readonly #marks: Mark[] = []
  readonly #reports: Report[] = []
  readonly #removes: Removal[] = []
  readonly #holds: HoldSignal[] = []
  readonly #alarms: AlarmSignal[] = []
  readonly #notices: NewNotice[] = []

  constructor(parts: RequestParts, desk: Committed) {
    this.#parts = parts
    this.#desk = desk
  }

  get requests(): RequestParts {
    return this.#parts
  }

  start(target: Target, args: unknown, { trx, ...because }: StartOptions): Promise<Started> {
    return this.#asked(() => {
      if (trx !== undefined) {
        const reason = 'what a step starts is part of its own commit'
        throw fault('ARGUMENT_INVALID', { what: 'trx', reason })
      }
      const run = newRun(this.#parts, target, args, because)
      this.#starts.push(run)
      return { taskId: run.id, isNew: true }
    })
  }

  async stop({ kind, resourceId, task }: Target, options: StopOptions): Promise<boolean> {
    this.#stops.push(newStop(this.#parts, kind, resourceId, task, options))
    return true
  }

  async stopAll(kind: Kind, resourceId: string, options: StopOptions): Promise<number> {
    this.#stops.push(newStop(this.#parts, kind, resourceId, null, options))
    return 0
  }

  /** @throws RESOURCE_UNDELETABLE */
  async delete(kind: Kind, resourceId: string, options: DeleteOptions): Promise<void> {
    if (options.force) {
      const isForced = true
      const { cascade = false } = options
      this.#removes.push({ resourceId, isForced, cascade, ...authorOf(options, this.#parts) })
      return
    }
    const { stops, marks, starts } = newDeletion(this.#parts, kind, resourceId, options)
    this.#stops.push(...stops)
    this.#marks.push(...marks)
    this.#starts.push(...starts)
  }

  async remove(resourceId: string, because: Because): Promise<void> {
    const how = { isForced: false, cascade: false }
    this.#removes.push({ resourceId, ...how, ...authorOf(because, this.#parts) })
  }

  async report(resourceId: string, status: AvailabilityStatus, because: Because): Promise<true> {
    this.#reports.push(newReport(this.#parts, resourceId, status, because))
    return true
  }

  remains(resourceId: string): Promise<Remains> {
    return this.#desk.remains(resourceId)
  }

  send(target: Target, event: EventInput, options: SendOptions): Promise<void> {
    return this.#asked(() => {
      this.#sends.push(newEvent(this.#parts, target, event, options))
    })
  }

  row(...asked: Parameters<Verbs['row']>): Promise<unknown> {
    return this.#desk.row(...asked)
  }

  /** A new resource of the step; its id is known at once, its row exists after the commit. */
  create(
    kind: Kind,
    given: Readonly<Record<string, unknown>>,
    parentId: string | null,
    because: Because,
  ): NewResource {
    const made = newResource(this.#parts, kind, given, parentId, because)
    this.#creates.push(made)
    return made
  }

  /** Of a parked run, at once: it is no part of this step's commit. */
  async rewind(target: Target, steps: number, because: Because) {
    await this.#parked(target, 'rewind')
    return this.#desk.rewind(target, steps, because)
  }

  /** The same. What is not parked any more goes on already. */
  async retry(target: Target, because: Because): Promise<void> {
    if (await this.#isParked(target)) await this.#desk.retry(target, because)
  }

  async goto(target: Target, state: string, because: Because) {
    await this.#parked(target, 'goto')
    return this.#desk.goto(target, state, because)
  }

  unpark(...asked: Parameters<Verbs['unpark']>): Promise<boolean> {
    return this.#desk.unpark(...asked)
  }

  async climb(panic: PanicTold, { resourceId, parentId }: At): Promise<void> {
    const isOwn = panic.resourceId === resourceId
    const next = isOwn && parentId !== null ? await this.#desk.climberOf(parentId) : null
    if (next) return this.tell(next, panic)
    const { key, about } = panic.alarm
    const author = authorOf({ reason: 'nobody handled it' }, this.#parts)
    this.#alarms.push({ key, event: { type: 'RAISE', about: { ...about, forMs: 0 } }, ...author })
  }

  /** Tells a handler of a panic, with the commit. */
  tell(handler: Target, panic: PanicTold): void {
    const because = { reason: `${panic.kind}.${panic.task} panicked` }
    this.#starts.push(newRun(this.#parts, handler, undefined, because))
    this.#sends.push(newEvent(this.#parts, handler, { type: PANIC, panic }, because))
  }

  async signal(signal: AlarmSignal): Promise<AlarmResult> {
    this.#alarms.push(signal)
    return { key: signal.key, changed: true, from: null, to: null, refused: null }
  }

  async notify(notice: NewNotice): Promise<void> {
    this.#notices.push(notice)
  }

  async #isParked(target: Target): Promise<boolean> {
    const run = await this.#desk.status(target)
    return run?.status === 'panicked' || run?.status === 'stranded'
  }

  async #parked(target: Target, what: string): Promise<void> {
    if (!(await this.#isParked(target))) throw fromOutside(what)
  }

  async pause(): Promise<never> {
    throw fromOutside('pause')
  }
  async resume(): Promise<never> {
    throw fromOutside('resume')
  }

  hold(resourceId: string, options: PauseOptions): Promise<boolean> {
    return this.#asked(() => {
      this.#holds.push(newPause(this.#parts, resourceId, options))
      return true
    })
  }

  async release(resourceId: string, because: Because): Promise<boolean> {
    this.#holds.push(newResume(this.#parts, resourceId, because))
    return true
  }

  status(target: Target): Promise<RunInfo | null> {
    return this.#desk.status(target)
  }

  schedule(target: Target): Promise<Schedule | null> {
    return this.#desk.schedule(target)
  }

  /** A message for the line of this step. What would not fit into one is left off. */
  note(text: string): void {
    this.#notes.add(text)
  }

  get message(): string | null {
    return this.#notes.message
  }

  explain(kind: Kind, resourceId: string, task: string | null): Promise<Explanation> {
    return this.#desk.explain(kind, resourceId, task)
  }

  snapshot(target: Target): Promise<TaskSnapshot | null> {
    return this.#desk.snapshot(target)
  }

  async waitFor(): Promise<never> {
    throw fault('ARGUMENT_INVALID', {
      what: 'waitFor',
      reason: 'a step cannot wait for tasks; answer again(…) to look later',
    })
  }

  on(): never {
    throw fault('ARGUMENT_INVALID', {
      what: 'on',
      reason: 'a step cannot listen to tasks; do it from outside',
    })
  }

  /** A refused verb that nobody awaited fails its step; whoever awaits it may catch it. @throws the first of them */
  async check(): Promise<void> {
    await this.#refused.find(({ isHeard }) => !isHeard)
  }

  #asked<T>(make: () => T): Promise<T> {
    try {
      return Promise.resolve(make())
    } catch (refusal) {
      const refused = Refused.reject(refusal) as Refused
      this.#refused.push(refused)
      return refused
    }
  }

  /** The parts of the unit that carry all this. */
  get parts(): OutboxParts {
    return {
      ...{ creates: this.#creates, starts: this.#starts, stops: this.#stops, sends: this.#sends },
      ...{ marks: this.#marks, reports: this.#reports, removes: this.#removes },
      holds: this.#holds,
      ...{ alarms: this.#alarms, notices: this.#notices },
    }
  }
}

const fromOutside = (what: string) =>
  fault('ARGUMENT_INVALID', {
    what,
    reason: `a step can only ${what} tasks that are parked; do it from outside`,
  })

interface At {
  readonly resourceId: string
  readonly parentId: string | null
}
