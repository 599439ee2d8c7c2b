// The outbox of a step: verbs used inside it, kept for its commit.
// Promise: what a step asks of other tasks happens if and only if the step is committed.
import { fault } from '../lib/errors.ts'
import type {
  Mark,
  NewEvent,
  NewResource,
  NewRun,
  Removal,
  Report,
  RunStop,
  Unit,
} from '../lib/unit.ts'
import type { AvailabilityStatus } from './availability.ts'
import type { Kind } from './kind.ts'
import {
  authorOf,
  newDeletion,
  newEvent,
  newReport,
  newResource,
  newRun,
  newStop,
  type RequestParts,
} from './requests.ts'
import type { TaskSnapshot } from './snapshot.ts'
import type {
  Because,
  DeleteOptions,
  EventInput,
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

const MOST_NOTES = 100
const MOST_LETTERS = 1_000

/** A verb that was refused, and whether anybody asked. Unheard, it is no unhandled rejection: its step fails. */
class Refused extends Promise<never> {
  static override readonly [Symbol.species] = Promise
  isHeard = false
  readonly handled = super.then(undefined, () => {})

  // biome-ignore lint/suspicious/noThenProperty: awaiting is what it wants to know of
  override then<A = never, B = never>(
    whenDone?: ((value: never) => A | PromiseLike<A>) | null,
    whenRefused?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.isHeard = true
    return super.then(whenDone, whenRefused)
  }
}

/** What a step may know of other tasks: what was committed. */
export type Committed = Pick<Verbs, 'status' | 'snapshot' | 'schedule' | 'remains' | 'row'>

/** What a step may ask of others. */
export type OutboxParts = Required<
  Pick<Unit, 'creates' | 'starts' | 'stops' | 'sends' | 'marks' | 'reports' | 'removes'>
>

export class Outbox implements Verbs {
  readonly #parts: RequestParts
  readonly #desk: Committed
  readonly #creates: NewResource[] = []
  readonly #starts: NewRun[] = []
  readonly #stops: RunStop[] = []
  readonly #sends: NewEvent[] = []
  readonly #notes: string[] = []
  readonly #refused: Refused[] = []
  readonly #marks: Mark[] = []
  readonly #reports: Report[] = []
  readonly #removes: Removal[] = []

  constructor(parts: RequestParts, desk: Committed) {
    this.#parts = parts
    this.#desk = desk
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

  async rewind(): Promise<never> {
    throw fromOutside('rewind')
  }
  async retry(): Promise<never> {
    throw fromOutside('retry')
  }
  async pause(): Promise<never> {
    throw fromOutside('pause')
  }
  async resume(): Promise<never> {
    throw fromOutside('resume')
  }

  status(target: Target): Promise<RunInfo | null> {
    return this.#desk.status(target)
  }

  schedule(target: Target): Promise<Schedule | null> {
    return this.#desk.schedule(target)
  }

  /** A message for the line of this step. What would not fit into one is left off. */
  note(text: string): void {
    if (this.#notes.length < MOST_NOTES) this.#notes.push(String(text))
  }

  /** All that was noted, as one text a column can hold; null when nothing was. */
  get message(): string | null {
    if (this.#notes.length === 0) return null
    const text = this.#notes.join('; ').replaceAll('\0', '')
    const cut = text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS - 1)}…` : text
    // A surrogate alone is nothing a column could hold.
    return Buffer.from(cut).toString()
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
    }
  }
}

const fromOutside = (what: string) =>
  fault('ARGUMENT_INVALID', { what, reason: `a step cannot ${what} tasks; do it from outside` })
