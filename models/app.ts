// The app: the rooms put together for one configuration, and the words users speak to it.
// Promise: one code path for all three settings; whoever holds an app can do everything the CLI can.
import type { Sealer } from '../lib/codec.ts'
import type { Config } from '../lib/config.ts'
import type { Ticket } from '../lib/contract.ts'
import type { Embedded } from '../lib/embedded.ts'
import { Events } from '../lib/events.ts'
import { namedId } from '../lib/id.ts'
import { Store } from '../lib/store.ts'
import { SystemTime, type Time } from '../lib/time.ts'
import { Alarms } from './alarms.ts'
import { type BreakerMap, Breakers } from './breakers.ts'
import { Casebook, type FailureLine, type FailuresWanted } from './casebook.ts'
import type { collect } from './collection.ts'
import { Desk } from './desk.ts'
import { Dispatch } from './dispatch.ts'
import type { Explanation } from './explanations.ts'
import type { Inputs } from './fields.ts'
import { type Held, Resource, type ResourceClass } from './handle.ts'
import { History } from './history.ts'
import { Holds, type HoldTarget } from './holds.ts'
import { Joiner } from './joiner.ts'
import { Library } from './library.ts'
import { Lookout } from './lookout.ts'
import { Notices } from './notices.ts'
import { Opener } from './opener.ts'
import { type Owner, tableOf } from './owner.ts'
import { Panics } from './panics.ts'
import { attach, fit, type Plugin } from './plugin.ts'
import { Registry } from './registry.ts'
import { type AlarmsOptions, overdueOf, repeatsOf } from './repeats.ts'
import { newResource, type RequestParts } from './requests.ts'
import { Rooms } from './rooms.ts'
import { KindRouting } from './routing.ts'
import { type ShareMap, weightsOf } from './shares.ts'
import { Staff, type StaffParts } from './staff.ts'
import type { Because, PauseOptions, StartOptions, Transaction } from './verbs.ts'
import { Watchman } from './watchman.ts'

/** What an app file exports: everything but where it runs. */
export interface AppDefinition {
  readonly resources: readonly ResourceClass[]
  readonly plugins?: readonly Plugin[]
  readonly name?: string
  /** When the breakers of dependencies shut; see docs/holds.md. */
  readonly breakers?: BreakerMap
  readonly alarms?: AlarmsOptions
  /** How kinds and tenants share the clock, by weight; see docs/queues.md. */
  readonly shares?: ShareMap
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

export interface CreateOptions extends StartOptions {
  /** The resource this one belongs to. */
  readonly parent?: Resource | string
}

export class App {
  readonly events: Events
  readonly registry: Registry
  readonly rooms: Rooms
  readonly history: History
  readonly alarms: Alarms
  /** The runs that are parked. */
  readonly panics: Panics
  readonly notices: Notices
  readonly store: Store
  readonly breakers: Breakers
  /** What is held, and why; pauses and breakers by hand. */
  readonly holds: Holds
  readonly #sealer: Sealer
  readonly #library: Library
  readonly #desk: Desk
  readonly #lookout: Lookout
  readonly #requests: RequestParts
  readonly #staff: Staff
  readonly #detach: () => void

  private constructor(
    rooms: Rooms,
    options: AppOptions,
    parts: Pick<StaffParts, 'time' | 'events' | 'registry' | 'plugins' | 'routing'>,
  ) {
    this.rooms = rooms
    this.events = parts.events
    this.#detach = attach(parts.plugins, parts.events)
    this.registry = parts.registry
    this.breakers = new Breakers(options.breakers ?? {}, parts.registry)
    const { keyring, database, config } = rooms
    this.#sealer = {
      seal: (text) => keyring.seal('fields', text, parts.time.now()),
      open: (sealed) => keyring.open('fields', sealed, parts.time.now()),
    }
    this.history = new History(database.knex, parts.registry)
    const requests = { time: parts.time, sealer: this.#sealer, actor: options.actor ?? 'app' }
    const alarms = new Watchman({ ...parts, requests, repeats: repeatsOf(options.alarms) })
    const { toldMs, queue } = config
    const weightOf = weightsOf(options.shares, parts.registry)
    this.store = new Store({ ...parts, database, toldMs, alarms, queue, weightOf })
    const hasten = (ids: readonly string[]) => this.store.porter.hasten(ids)
    const dispatch = new Dispatch({ ...parts, queues: rooms.queues, byDefault: queue, hasten })
    const push = (tickets: readonly Ticket[]) => dispatch.push(this.#staff.spare(tickets))
    this.#requests = requests
    const { knex } = database
    const { store } = this
    this.#lookout = new Lookout({ ...parts, knex, sealer: this.#sealer, queue })
    const rest = {
      lookout: this.#lookout,
      joiner: new Joiner({ database, time: parts.time, alarms }),
      opener: new Opener({ ...parts, sealer: this.#sealer, nearMs: config.beatMs }),
      escort: (run: Parameters<Staff['escort']>[0]) => this.#staff.escort(run),
    }
    this.#desk = new Desk({ ...parts, store, knex, requests, push, ...rest })
    const { registry } = parts
    this.alarms = new Alarms({ knex, registry: parts.registry, requests, verbs: this.#desk })
    this.panics = new Panics({ ...parts, knex, verbs: this.#desk })
    this.notices = new Notices({ database, time: parts.time })
    this.#library = new Library({
      knex: database.knex,
      registry,
      sealer: this.#sealer,
      desk: this.#desk,
    })
    const shared = {
      rooms,
      store: this.store,
      sealer: this.#sealer,
      requests,
      desk: this.#desk,
      library: this.#library,
      notices: this.notices,
      overdueMs: overdueOf(options.alarms),
      push,
    }
    const { breakers } = this
    this.holds = new Holds({ ...parts, knex, requests, desk: this.#desk, store, breakers, push })
    this.#staff = new Staff({ ...parts, ...shared, breakers, porter: store.porter })
  }

  /** Opens the house. @throws whatever Rooms.open and Registry throw */
  static async open(options: AppOptions): Promise<App> {
    const time = options.time ?? new SystemTime()
    const events = options.events ?? new Events()
    const { plugins = [] } = options
    const registry = new Registry([
      ...options.resources,
      ...plugins.flatMap(({ resources = [] }) => resources),
    ])
    fit(plugins, registry)
    let app: App | null = null
    const { config, migrate = false, embedded } = options
    const onBlind = () => void app?.stopWorker()
    const migrations = plugins.flatMap(({ migrations = [] }) => migrations)
    const routing = new KindRouting(config, registry)
    const rooms = await Rooms.open({
      ...{ config, time, events, migrate, embedded, onBlind, migrations },
      queues: routing.names,
    })
    try {
      app = new App(rooms, options, { time, events, registry, plugins, routing })
    } catch (refused) {
      await rooms.close()
      throw refused
    }
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
    const given = fields as Record<string, unknown>
    const made = await this.#desk.create(kind, given, parentId, options)
    // What is not committed yet cannot be read.
    if (options.trx) return this.#library.lendNew(made) as Held<C>
    return this.get(shape, made.id)
  }

  /**
   * The owner of the tasks of a row in a table of yours, whether or not it has had any.
   * @param key what names the row in the column that its class names
   */
  of<C extends typeof Owner>(shape: C, key: string | number | bigint): Held<C> {
    const kind = this.registry.of(shape)
    tableOf(kind.name, shape)
    const because: Because = { reason: 'its first task' }
    const made = newResource(this.#requests, kind, { key: String(key) }, null, because)
    const anchor = { ...made, id: namedId(kind.name, String(key)) }
    return this.#library.lendNew(anchor, this.#desk.anchored(anchor)) as Held<C>
  }

  /**
   * Does work in one transaction of the database this app uses; hand it over as `{ trx }`. Await no other connection
   * meanwhile: the embedded database has one session.
   */
  transaction<T>(work: (trx: Transaction) => Promise<T>): Promise<T> {
    return this.rooms.database.transaction((runner) => work(runner as Transaction))
  }

  /** A resource of a class, or of one that extends it, by its id. @throws RESOURCE_UNKNOWN */
  async get<C extends ResourceClass>(shape: C, id: string): Promise<Held<C>> {
    return this.#library.get(this.registry.of(shape), id) as Promise<Held<C>>
  }

  /** The same by the name of its type, for doors that have only names. @throws RESOURCE_KIND_UNKNOWN, RESOURCE_UNKNOWN */
  async getByName(kind: string, id: string): Promise<Held<ResourceClass>> {
    return this.#library.get(this.registry.find(kind), id)
  }

  /** A question about resources of a class and its subclasses. */
  find<C extends ResourceClass>(shape: C): ReturnType<typeof collect<C>> {
    return this.#library.find(shape)
  }

  /**
   * Why a task does not move, from what is stored, a resource that is gone included.
   * @param kind a class, or the name of a type
   * @param task the most telling one unless told
   * @throws RESOURCE_KIND_UNKNOWN, RESOURCE_UNKNOWN, TASK_UNKNOWN
   */
  async explain(kind: ResourceClass | string, id: string, task?: string): Promise<Explanation> {
    const found = typeof kind === 'string' ? this.registry.find(kind) : this.registry.of(kind)
    return this.#lookout.explain(found, id, task ?? null)
  }

  /** Failed attempts and panics, the latest last. */
  failures(wanted: FailuresWanted = {}): Promise<FailureLine[]> {
    return new Casebook(this.rooms.database.knex, this.registry).failures(wanted)
  }

  /** Holds a resource, a task of a kind or the queue; false when that was paused already. See docs/holds.md. */
  pause(what: HoldTarget, options: PauseOptions = {}): Promise<boolean> {
    return this.holds.pause(what, options)
  }

  /** Lets it go on; false when it was not paused. */
  resume(what: HoldTarget, because: Because = {}): Promise<boolean> {
    return this.holds.resume(what, because)
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
    this.#lookout.close()
    await this.#staff.close()
    await this.rooms.close()
    this.#detach()
  }
}
