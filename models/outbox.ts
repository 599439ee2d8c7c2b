// The outbox of a step: verbs used inside it, kept for its commit.
// Promise: what a step asks of other tasks happens if and only if the step is committed.
import { fault } from '../lib/errors.ts'
import type { NewEvent, NewResource, NewRun, RunStop, Unit } from '../lib/unit.ts'
import type { Kind } from './kind.ts'
import { authorOf, newEvent, newResource, newRun, type RequestParts } from './requests.ts'
import type { Because, EventInput, RunInfo, SendOptions, Started, Target, Verbs } from './verbs.ts'

export class Outbox implements Verbs {
  readonly #parts: RequestParts
  readonly #desk: Pick<Verbs, 'status'>
  readonly #creates: NewResource[] = []
  readonly #starts: NewRun[] = []
  readonly #stops: RunStop[] = []
  readonly #sends: NewEvent[] = []

  constructor(parts: RequestParts, desk: Pick<Verbs, 'status'>) {
    this.#parts = parts
    this.#desk = desk
  }

  async start(target: Target, args: unknown, because: Because): Promise<Started> {
    const run = newRun(this.#parts, target, args, because)
    this.#starts.push(run)
    return { taskId: run.id, isNew: true }
  }

  async stop(target: Target, because: Because): Promise<boolean> {
    target.kind.task(target.task)
    const { resourceId, task } = target
    this.#stops.push({ resourceId, task, except: null, ...authorOf(because, this.#parts) })
    return true
  }

  async stopAll(_kind: Kind, resourceId: string, because: Because): Promise<number> {
    this.#stops.push({ resourceId, task: null, except: 'life', ...authorOf(because, this.#parts) })
    return 0
  }

  async send(target: Target, event: EventInput, options: SendOptions): Promise<void> {
    this.#sends.push(newEvent(this.#parts, target, event, options))
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

  /** The parts of the unit that carry all this. */
  get parts(): Pick<Unit, 'creates' | 'starts' | 'stops' | 'sends'> {
    return { creates: this.#creates, starts: this.#starts, stops: this.#stops, sends: this.#sends }
  }
}

const fromOutside = (what: string) =>
  fault('ARGUMENT_INVALID', { what, reason: `a step cannot ${what} tasks; do it from outside` })
