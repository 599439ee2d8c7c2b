// A snapshot: where one run is, for whoever looks at it from outside a tick.
// Promise: it is what was committed, whole and of one moment; asking it changes nothing; secrets stay Secrets.
import { nextEvents } from '../lib/blueprint.ts'
import type {
  AnyStateMachine,
  ContextFrom,
  EventFrom,
  OutputFrom,
  TagsFrom,
} from '../lib/machine-type.ts'
import type { Rest, StateValue } from '../lib/rest.ts'
import type { RunStatus } from '../lib/unit.ts'
import { wake } from '../lib/wake.ts'

/** What the row of a run says of it. */
export interface RunRow {
  readonly taskId: string
  readonly step: number
  readonly status: RunStatus
  readonly state: string
  readonly movedAt: number
}

type EventOf<M extends AnyStateMachine> = EventFrom<M> | EventFrom<M>['type']

export class TaskSnapshot<M extends AnyStateMachine = AnyStateMachine> {
  readonly taskId: string
  readonly step: number
  /** When it last moved, in epoch milliseconds. */
  readonly movedAt: number
  /** What became of the run: `running`, `panicked`, `done` … */
  readonly status: RunStatus
  /** Where it is, as lists name it; `__new__` before its first step. */
  readonly state: string
  /** Where its machine rests; undefined before its first step. */
  readonly value: StateValue | undefined
  /** What its machine remembers; undefined before its first step. */
  readonly context: ContextFrom<M> | undefined
  /** What it left, once it is done. */
  readonly output: OutputFrom<M> | undefined
  readonly tags: readonly TagsFrom<M>[]
  /** The `meta` of the states it is in, by their ids. */
  readonly meta: Readonly<Record<string, any>>
  /** The events its states name, wildcards included; a guard may still refuse one. */
  readonly nextEvents: readonly string[]
  readonly #awake: any

  /**
   * @param run what the row of the run says
   * @param machine the definition that runs now; null when it cannot hold the run, which has no tags then
   * @param rest where it rests; null before its first step
   */
  constructor(run: RunRow, machine: AnyStateMachine | null, rest: Rest | null) {
    this.#awake = machine && rest && wake(machine, rest)
    this.taskId = run.taskId
    this.step = run.step
    this.movedAt = run.movedAt
    this.status = run.status
    this.state = run.state
    this.value = rest?.value
    this.context = rest?.context as ContextFrom<M> | undefined
    this.output = rest?.output as OutputFrom<M> | undefined
    this.tags = [...(this.#awake?.tags ?? [])]
    this.meta = this.#awake?.getMeta() ?? {}
    this.nextEvents = this.#awake && this.isLive ? nextEvents(this.#awake) : []
  }

  /** Has the run not ended? */
  get isLive(): boolean {
    return !['done', 'stopped', 'failed'].includes(this.status)
  }

  /** Is its machine in this state? A part of a state value is enough, as in XState. */
  matches(value: StateValue): boolean {
    return this.#awake?.matches(value) ?? false
  }

  /** Has one of its states this tag? */
  hasTag(tag: TagsFrom<M>): boolean {
    return this.tags.includes(tag)
  }

  /** Would its machine take this event now? Asks the guards. @throws what a guard throws */
  can(event: EventOf<M>): boolean {
    const asked = typeof event === 'string' ? { type: event } : event
    return this.isLive && (this.#awake?.can(asked) ?? false)
  }
}

/** The snapshot of a run that has taken its first step. */
export type Begun<M extends AnyStateMachine = AnyStateMachine> = TaskSnapshot<M> & {
  readonly value: StateValue
  readonly context: ContextFrom<M>
}
