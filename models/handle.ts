// What a user holds: a resource with its fields as properties and its tasks as verbs.
// Promise: inside a step the same words go into the step's commit; outside, each is a commit of its own.
// A resource that is printed or turned to JSON shows no secret.
import { inspect } from 'node:util'
import type { AnyStateMachine } from '../lib/machine.ts'
import type { Labels } from '../lib/notice.ts'
import type { RuleMap } from './alarm-rule.ts'
import { Alarming, BACKING } from './alarming.ts'
import { type Availability, type AvailabilityStatus, availabilityOf } from './availability.ts'
import type { Declaration, MachineOf } from './declared.ts'
import type { Explanation } from './explanations.ts'
import type { Field, FieldMap, Inputs, Values } from './fields.ts'
import { type Kind, LIFE } from './kind.ts'
import { DELETING, life } from './life.ts'
import type { QuotaOptions } from './quota.ts'
import type { ResourceShape, TaskMap } from './shape.ts'
import { TaskHandle } from './task-handle.ts'
import type {
  Because,
  DeleteOptions,
  EventInput,
  PauseOptions,
  Remains,
  SendOptions,
  StopOptions,
  Verbs,
} from './verbs.ts'

export { TaskHandle } from './task-handle.ts'

/** Where a held resource reads and writes: a view of a tick, or a copy loaded by the app. */
export interface Backing {
  readonly id: string
  readonly kind: Kind
  readonly state: string
  readonly parentId: string | null
  /** The column, as it was read. */
  readonly availability: unknown
  readonly verbs: Verbs
  read(name: string): unknown
  write(name: string, value: unknown): void
  /** Commits what was written; null inside a step, whose commit does that. */
  save: ((because: Because) => Promise<void>) | null
  reload: (() => Promise<void>) | null
  /** Makes a resource that belongs to this one. */
  createChild(
    shape: ResourceShape,
    fields: Readonly<Record<string, unknown>>,
    because: Because,
  ): Promise<Resource>
  /** The resources of a class that belong to this one. */
  children(shape: ResourceClass): Many<any>
  /** Some of the resources that belong to this one, of whatever class. */
  offspring(): Promise<Resource[]>
}

export { BACKING } from './alarming.ts'

/** The base of every resource class. Subclass it and give it `static fields` and `static tasks`. */
export class Resource extends Alarming {
  /** The name of the type in tables, CLI and API; the class name unless given. */
  static kind?: string
  /** Names the type had before; rows stored under them are resources of this class. */
  static was?: readonly string[]
  static fields: FieldMap = {}
  static tasks: TaskMap = {}
  /** Alarms that open and close by a rule: `{ unreachable: alarm({ when, for, severity }) }`. */
  static alarms: RuleMap = {}
  /** Texts that go with every alarm and notice about such a resource, to route and to group by. */
  static labels: Labels = {}
  /** The field that names whose resource it is: tenants share the work fairly; docs/queues.md. */
  static tenant?: string
  /** What each resource may use in a period: `{ steps: 100, ms: 500, per: '1s' }`; docs/queues.md. */
  static quota?: QuotaOptions
  /** The queue its tickets travel on, with places of its own at each worker; the house's unless named. docs/queues.md. */
  static queue?: string
  /** The life cycle: a machine over `starting`, `running`, `stopping`, `restarting`, `deleting`. Replace it at will. */
  static life: AnyStateMachine = life
  /** Runs when a resource is deleted and its tasks have stopped, before its row goes; input: an `ExitInput`. */
  static exit?: AnyStateMachine

  declare readonly [BACKING]: Backing

  /** Made by the house; use `app.create` or `app.get`. */
  constructor(backing: Backing) {
    super()
    this[BACKING] = backing
  }

  get id(): string {
    return this[BACKING].id
  }
  get kind(): string {
    return this[BACKING].kind.name
  }
  /** Where the resource is in its life: `__new__` until started. */
  get state(): string {
    return this[BACKING].state
  }
  get parentId(): string | null {
    return this[BACKING].parentId
  }

  /** Called when the resource starts; what it throws is retried, then a panic of the life task. */
  onStart(): void | Promise<void> {}
  /** Called when the resource stops; its tasks are stopped in the commit that follows. */
  onStop(): void | Promise<void> {}

  /** Starts the resource's life. A resource started twice is one life. */
  async start(because: Because = {}): Promise<void> {
    await this.#life().start(undefined, because)
  }

  /** Stops all tasks, then the resource. Its tasks cannot start until it is started again. */
  async stop(because: Because = {}): Promise<void> {
    const alive = await this.#life().running()
    if (!alive) await this.#life().start({ stop: true } as never, because)
    else await this.#life().send('STOP' as never, because)
  }

  /** Stops all tasks and begins the life anew. */
  async restart(because: Because = {}): Promise<void> {
    await this.#life().send('RESTART' as never, because)
  }

  /** Stops every task but the life. Answers how many were stopped; 0 inside a step, which stops them later. */
  async stopTasks(options: StopOptions = {}): Promise<number> {
    const { verbs, kind, id } = this[BACKING]
    return verbs.stopAll(kind, id, options)
  }

  /**
   * Deletes the resource: it is `deleting` while its children go, its tasks stop and its exit machine runs; then its
   * row is gone. By force it is gone at once.
   * @throws RESOURCE_HAS_CHILDREN unless told to `cascade`; RESOURCE_UNDELETABLE when its life knows no `deleting`
   */
  delete(options: DeleteOptions = {}): Promise<void> {
    const { verbs, kind, id } = this[BACKING]
    return verbs.delete(kind, id, options)
  }

  /** Holds all its tasks until `resume`, or for as long as told; see docs/holds.md. False when it was paused already. */
  pause(options: PauseOptions = {}): Promise<boolean> {
    return this[BACKING].verbs.hold(this.id, options)
  }
  resume(because: Because = {}): Promise<boolean> {
    return this[BACKING].verbs.release(this.id, because)
  }

  /** What was last said of it: whether it can be reached and used, since when, and why. */
  get availability(): Availability {
    return availabilityOf(this[BACKING].availability)
  }

  /**
   * Says whether the resource can be reached and used; docs/resources.md shows what may follow what.
   * @param reason why; or all that a change takes
   * @returns false when that changed nothing: it was said already, or may not follow what was said
   */
  report(status: AvailabilityStatus, reason: string | Because = {}): Promise<boolean> {
    const { verbs, id } = this[BACKING]
    return verbs.report(id, status, typeof reason === 'string' ? { reason } : reason)
  }

  /** For lives: what keeps it from being gone. */
  remains(): Promise<Remains> {
    return this[BACKING].verbs.remains(this.id)
  }

  /** For lives: asks the resources that belong to it to be deleted, with all that belong to them. */
  async deleteChildren(because: Because = {}): Promise<void> {
    for (const child of await this[BACKING].offspring())
      if (child.state !== DELETING) await child.delete({ ...because, cascade: true })
  }

  /** For lives: the row goes with the commit of the step. */
  remove(because: Because = {}): Promise<void> {
    return this[BACKING].verbs.remove(this.id, because)
  }

  /** Commits the fields that were set. Inside a step there is nothing to do: its commit does it. */
  async save(because: Because = {}): Promise<void> {
    await this[BACKING].save?.(because)
  }

  /** Reads the resource again; fields set and not saved are forgotten. */
  async reload(): Promise<void> {
    await this[BACKING].reload?.()
  }

  /**
   * Makes a resource that belongs to this one; inside a step, with the step's commit.
   * @throws FIELDS_INVALID, FIELD_UNKNOWN
   */
  createChild<C extends ResourceClass>(
    shape: C,
    fields: Inputs<C['fields']>,
    because: Because = {},
  ): Promise<Held<C>> {
    return this[BACKING].createChild(shape, fields as Record<string, unknown>, because) as Promise<
      Held<C>
    >
  }

  /** The resources of a class that belong to this one. Inside a step their verbs are part of its commit. */
  children<C extends ResourceClass>(shape: C): Many<C> {
    return this[BACKING].children(shape)
  }

  /** Why a task of it does not move, with the evidence; unless told, the most telling of them. */
  explain(task?: string): Promise<Explanation> {
    const { verbs, kind, id } = this[BACKING]
    return verbs.explain(kind, id, task ?? null)
  }

  /** The fields as plain data, secrets masked. */
  toJSON(): Record<string, unknown> {
    const { id, kind, state, parentId } = this[BACKING]
    const fields = Object.fromEntries(
      kind.fields.names.map((name) => {
        const value = this[BACKING].read(name)
        return [name, kind.fields.isSecret(name) && value !== undefined ? '[secret]' : value]
      }),
    )
    return { id, kind: kind.name, state, parentId, fields }
  }

  [inspect.custom](): unknown {
    return this.toJSON()
  }

  #life(): TaskHandle {
    return new TaskHandle(this[BACKING], LIFE)
  }
}

/** Any class of resources. */
export type ResourceClass = ResourceShape & (new (backing: any) => Resource)

export type FieldsOf<C> = C extends { fields: infer F extends Record<string, Field> }
  ? Values<F>
  : never
export type TasksOf<C> = C extends { tasks: infer T extends Record<string, Declaration> }
  ? { readonly [K in keyof T]: TaskHandle<MachineOf<T[K]>> }
  : never
/** A held resource of a class: its members, its fields as properties, its tasks as handles. */
export type Held<C> = (C extends new (backing: any) => infer R ? R : never) &
  FieldsOf<C> &
  TasksOf<C>

/** What may be asked of a collection: fields' values, or the state of the resource. */
export type Where<C> = { [K in keyof FieldsOf<C>]?: FieldsOf<C>[K] } & {
  state?: string
  parentId?: string
  availability?: AvailabilityStatus
}

/** Many resources of a class, as a question; see collection.ts. */
export interface Many<C extends ResourceClass> extends AsyncIterable<Held<C>> {
  where(wanted: Where<C>): Many<C>
  count(): Promise<number>
  first(): Promise<Held<C> | undefined>
  toArray(): Promise<Held<C>[]>
  task(name: string): ManyTasks
}

/** The verbs of one task over many resources; each answers how many it changed. */
export interface ManyTasks {
  start(args?: unknown, because?: Because): Promise<number>
  stop(because?: Because): Promise<number>
  send(event: EventInput, options?: SendOptions): Promise<number>
}

/**
 * A resource as its own effects see it: its fields, and the handles of the tasks they name. For
 * `Work<Self<typeof Server.fields, 'monitor'>>`; the whole `Held<typeof Server>` would be a circle there.
 */
export type Self<F extends FieldMap, T extends string = never> = Resource &
  Values<F> & { readonly [K in T]: TaskHandle }
