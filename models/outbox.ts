// The outbox of a step: verbs used inside it, kept for its commit.
// Promise: what a step asks of other tasks happens if and only if the step is committed.
import { fault } from '../lib/errors.ts'
import type { NewEvent, NewResource, NewRun, RunStop, Unit } from '../lib/unit.ts'
import type { Kind } from './kind.ts'
import { newEvent, newResource, newRun, newStop, type RequestParts, stopAllOf } from './requests.ts'
import type {
  Because,
  EventInput,
  RunInfo,
  Schedule,
  SendOptions,
  Started,
  Target,
  Verbs,
} from './verbs.ts'

const MOST_NOTES = 100
const MOST_LETTERS = 1_000

export class Outbox implements Verbs {
  readonly #parts: RequestParts
  readonly #desk: Pick<Verbs, 'status' | 'schedule'>
  readonly #creates: NewResource[] = []
  readonly #starts: NewRun[] = []
  readonly #stops: RunStop[] = []
  readonly #sends: NewEvent[] = []
  readonly #notes: string[] = []

  constructor(parts: RequestParts, desk: Pick<Verbs, 'status' | 'schedule'>) {
    this.#parts = parts
    this.#desk = desk
  }

  async start(target: Target, args: unknown, because: Because): Promise<Started> {
    const run = newRun(this.#parts, target, args, because)
    this.#starts.push(run)
    return { taskId: run.id, isNew: true }
  }

  async stop(target: Target, because: Because): Promise<boolean> {
    this.#stops.push(newStop(this.#parts, target, because))
    return true
  }

  async stopAll(_kind: Kind, resourceId: string, because: Because): Promise<number> {
    this.#stops.push(stopAllOf(this.#parts, resourceId, because))
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

  /** The parts of the unit that carry all this. */
  get parts(): Pick<Unit, 'creates' | 'starts' | 'stops' | 'sends'> {
    return { creates: this.#creates, starts: this.#starts, stops: this.#stops, sends: this.#sends }
  }
}

const fromOutside = (what: string) =>
  fault('ARGUMENT_INVALID', { what, reason: `a step cannot ${what} tasks; do it from outside` })
