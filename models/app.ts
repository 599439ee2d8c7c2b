// The app: the rooms put together for one configuration, and the words users speak to it.
// Promise: one code path for all three settings; whoever holds an app can do everything the CLI can.
import type { Sealer } from '../lib/codec.ts'
import type { Config } from '../lib/config.ts'
import type { Ticket } from '../lib/contract.ts'
import type { Embedded } from '../lib/embedded.ts'
import { asError, fault } from '../lib/errors.ts'
import { Events } from '../lib/events.ts'
import { Store } from '../lib/store.ts'
import { SystemTime, type Time } from '../lib/time.ts'
import { collect } from './collection.ts'
import { Copy } from './copy.ts'
import { Desk } from './desk.ts'
import type { Inputs } from './fields.ts'
import { type Held, hold, Resource, type ResourceClass } from './handle.ts'
import { History } from './history.ts'
import type { Kind } from './kind.ts'
import { Registry } from './registry.ts'
import { Rooms } from './rooms.ts'
import { Staff } from './staff.ts'
import type { Because } from './verbs.ts'

/** What an app file exports: everything but where it runs. */
export interface AppDefinition {
  readonly resources: readonly ResourceClass[]
  readonly name?: string
}

/** Declares an app. Default-export it, and the CLI and the bins find it. */
export function defineApp(definition: AppDefinition): AppDefinition {
  return definition
}

export interface AppOptions extends AppDefinition {
  readonly config: Config
  /** Bring the schema up to date first; an embedded database always is. */
  readonly migrate?: boolean
  /** Who acts when nobody is named. Default 'app'. */
  readonly actor?: string
  readonly time?: Time
  readonly events?: Events
  /** An embedded database already open. */
  readonly embedded?: Embedded
}

export interface CreateOptions extends Because {
  /** The resource this one belongs to. */
  readonly parent?: Resource | string
}

export class App {
  readonly events: Events
  readonly registry: Registry
  readonly rooms: Rooms
  readonly history: History
  readonly store: Store
  readonly #time: Time
  readonly #sealer: Sealer
  readonly #desk: Desk
  readonly #staff: Staff

  private constructor(
    rooms: Rooms,
    options: AppOptions,
    parts: { time: Time; events: Events; registry: Registry },
  ) {
    this.rooms = rooms
    this.events = parts.events
    this.registry = parts.registry
    this.#time = parts.time
    const { keyring, database, config } = rooms
    this.#sealer = {
      seal: (text) => keyring.seal('fields', text, parts.time.now()),
      open: (sealed) => keyring.open('fields', sealed, parts.time.now()),
    }
    this.store = new Store({
      database,
      time: parts.time,
      events: parts.events,
      toldMs: config.toldMs,
    })
    this.history = new History(database.knex)
    const requests = { time: parts.time, sealer: this.#sealer, actor: options.actor ?? 'app' }
    const push = (tickets: readonly Ticket[]) => this.#push(tickets)
    this.#desk = new Desk({ store: this.store, knex: database.knex, requests, push })
    this.#staff = new Staff({
      ...parts,
      rooms,
      store: this.store,
      sealer: this.#sealer,
      requests,
      desk: this.#desk,
      push,
    })
  }

  /** Opens the house. @throws whatever Rooms.open and Registry throw */
  static async open(options: AppOptions): Promise<App> {
    const time = options.time ?? new SystemTime()
    const events = options.events ?? new Events()
    const registry = new Registry(options.resources)
    let app: App | null = null
    const { config, migrate = false, embedded } = options
    const onBlind = () => void app?.stopWorker()
    const rooms = await Rooms.open({ config, time, events, migrate, embedded, onBlind })
    app = new App(rooms, options, { time, events, registry })
    return app
  }

  /**
   * Makes a resource, its fields checked and defaulted.
   * @throws FIELDS_INVALID, FIELD_UNKNOWN, RESOURCE_UNKNOWN for a parent that is none
   */
  async create<C extends ResourceClass>(
    shape: C,
    fields: Inputs<C['fields']>,
    options: CreateOptions = {},
  ): Promise<Held<C>> {
    const kind = this.registry.of(shape)
    const { parent = null } = options
    const parentId = parent instanceof Resource ? parent.id : parent
    const id = await this.#desk.create(kind, fields as Record<string, unknown>, parentId)
    return this.get(shape, id)
  }

  /** A resource by its id. @throws RESOURCE_UNKNOWN */
  async get<C extends ResourceClass>(shape: C, id: string): Promise<Held<C>> {
    const kinds = this.registry.family(shape)
    return this.#load(await this.#row(id, kinds, this.registry.of(shape).name)) as Held<C>
  }

  /** The same by the name of its type, for doors that have only names. @throws RESOURCE_KIND_UNKNOWN, RESOURCE_UNKNOWN */
  async getByName(kindName: string, id: string): Promise<Held<ResourceClass>> {
    const kind = this.registry.find(kindName)
    return this.#load(await this.#row(id, [kind], kind.name))
  }

  /** A question about resources of a class and its subclasses. */
  find<C extends ResourceClass>(shape: C): ReturnType<typeof collect<C>> {
    const kinds = this.registry.family(shape)
    return collect<C>({
      knex: this.rooms.database.knex,
      kinds,
      load: (row) => this.#load(row),
      encode: (name, value) => this.#encodeWanted(kinds[0] as Kind, name, value),
    })
  }

  /** Starts a clock in this process. */
  startClock(): void {
    this.#staff.startClock()
  }

  /** Starts a worker in this process. */
  startWorker(): Promise<void> {
    return this.#staff.startWorker()
  }

  /** Drains the worker of this process. */
  stopWorker(): Promise<void> {
    return this.#staff.stopWorker()
  }

  /** Clock and worker together, as `escapement dev` and bin/solo run them. */
  async start(): Promise<void> {
    await this.startWorker()
    this.startClock()
  }

  /** Is anything due, now or ever, without an event from outside? */
  async isIdle(): Promise<boolean> {
    const row = await this.rooms.database.knex('dues').whereNotNull('due_at').first('task_id')
    return row === undefined
  }

  /** Stops what was started here and closes every connection. */
  async close(): Promise<void> {
    await this.#staff.close()
    await this.rooms.close()
  }

  async #push(tickets: readonly Ticket[]): Promise<void> {
    await this.rooms.queue.push(tickets).catch((thrown) => {
      this.events.emit('queue.failed', { error: asError(thrown) })
    })
  }

  async #row(id: string, kinds: readonly Kind[], name: string): Promise<any> {
    const row = UUID.test(id)
      ? await this.rooms.database
          .knex('resources')
          .where({ id })
          .whereIn(
            'kind',
            kinds.map((kind) => kind.name),
          )
          .first()
      : undefined
    if (!row) throw fault('RESOURCE_UNKNOWN', { kind: name, id })
    return row
  }

  #encodeWanted(kind: Kind, name: string, value: unknown): unknown {
    if (kind.fields.isSecret(name)) {
      throw fault('ARGUMENT_INVALID', {
        what: `The question about ${kind.name}`,
        reason: `the field "${name}" is secret, so it cannot be compared`,
      })
    }
    return kind.fields.encode(name, value, this.#sealer)
  }

  /** A resource outside any tick: a sheet of its own, saved and read again on request. */
  #load(row: any): Held<ResourceClass> {
    return hold(
      new Copy({
        row,
        kind: this.registry.find(row.kind),
        desk: this.#desk,
        sealer: this.#sealer,
        registry: this.registry,
        read: (id, kind) => this.#row(id, [kind], kind.name),
      }),
    )
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
