// The rooms of one process, opened for a configuration and closed in order.
// Promise: only three factories differ between the settings: the database, the queue's carrier, the lock.
// What was opened before a failure is closed again. Vendors are loaded when a room needs them: half of the time
// of a command that opens nothing would go into them.
import type { Config } from '../lib/config.ts'
import type { Lock } from '../lib/contract.ts'
import type { Database, DatabaseOptions, Migration } from '../lib/database.ts'
import type { Embedded } from '../lib/embedded.ts'
import { Envelope } from '../lib/envelope.ts'
import { fault } from '../lib/errors.ts'
import type { Events } from '../lib/events.ts'
import type { Keyring } from '../lib/keyring.ts'
import { loadKeyring } from '../lib/keys.ts'
import { LeaseLock } from '../lib/locks/lease.ts'
import type { TicketQueue } from '../lib/queue.ts'
import type { RedisDoor } from '../lib/redis.ts'
import type { Time } from '../lib/time.ts'
import { migrations as house } from './migrations/index.ts'
import { enrol } from './roll.ts'

export interface RoomsOptions {
  readonly config: Config
  readonly time: Time
  readonly events: Events
  readonly migrate: boolean
  /** An embedded database already open, for specs. */
  readonly embedded?: Embedded | undefined
  readonly onBlind: () => void
  /** The names of all queues, the house's among them; that one alone unless told. */
  readonly queues?: readonly string[]
  /** Tables of plugins, after ours. */
  readonly migrations?: readonly Migration[]
}

/** BullMQ takes up to three connections for each taker, beside those that push. */
const QUEUE_CONNECTIONS = { pushing: 3, taking: 3 }
/** A ticket older than this says nothing any more. */
const TICKET_TTL_MS = 3_600_000

export class Rooms {
  readonly config: Config
  readonly keyring: Keyring
  readonly database: Database
  /** The house's own. */
  readonly queue: TicketQueue
  readonly queues: ReadonlyMap<string, TicketQueue>
  readonly lock: Lock
  readonly #closing: (() => Promise<void>)[]

  private constructor(
    parts: Pick<Rooms, 'config' | 'keyring' | 'database' | 'queues' | 'lock'>,
    closing: (() => Promise<void>)[],
  ) {
    this.config = parts.config
    this.keyring = parts.keyring
    this.database = parts.database
    this.queues = parts.queues
    this.queue = parts.queues.get(parts.config.queue) as TicketQueue
    this.lock = parts.lock
    this.#closing = closing
  }

  /** @throws DATABASE_UNREACHABLE, REDIS_UNREACHABLE, MIGRATIONS_PENDING, KEYS_MISSING, KEY_ABSENT, KEY_MISMATCH, DATA_FOLDER_IN_USE */
  static async open(options: RoomsOptions): Promise<Rooms> {
    const closing: (() => Promise<void>)[] = []
    try {
      return await Rooms.#open(options, closing)
    } catch (thrown) {
      await closeAll(closing)
      throw thrown
    }
  }

  static async #open(
    { config, time, events, migrate, embedded, onBlind, migrations = [], ...more }: RoomsOptions,
    closing: (() => Promise<void>)[],
  ): Promise<Rooms> {
    const keyring = loadKeyring(config)
    const database = await openDatabase({ config, embedded, migrations }, closing)
    await database.ask(time)
    const isOurs = config.setting === 'embedded'
    await bringUpToDate(database, migrate || isOurs)
    await enrol(database, keyring)
    const redis = config.redisUrl ? await redisAt(config.redisUrl, time) : null
    if (redis) closing.push(() => redis.close())
    const { redisBackend, TicketQueue } = await import('../lib/queue.ts')
    const { queues: names = [config.queue] } = more
    const backend = redis
      ? redisBackend(redis, config.schema)
      : await carrierIn(database, migrate || isOurs, names.length)
    const named = names.map((name) => {
      const envelope = new Envelope({ keyring, queue: name, time, ttlMs: TICKET_TTL_MS })
      return [name, new TicketQueue({ name, backend, envelope, events, time, onBlind })] as const
    })
    const queues = new Map(named)
    closing.push(async () => {
      await Promise.all(named.map(([, queue]) => queue.close()))
    })
    const lock = await lockOf(redis, database, config, time)
    return new Rooms({ config, keyring, database, queues, lock }, closing)
  }

  /** Closes in the opposite order of opening. */
  async close(): Promise<void> {
    await closeAll(this.#closing)
  }
}

async function openDatabase(
  {
    config,
    embedded: given,
    migrations,
  }: { config: Config; embedded: Embedded | undefined; migrations: readonly Migration[] },
  closing: (() => Promise<void>)[],
): Promise<Database> {
  const common = {
    schema: config.schema,
    poolSize: config.poolSize,
    migrations: [...house, ...migrations],
  }
  const { Database } = await import('../lib/database.ts')
  const open = (at: DatabaseOptions['at']) => {
    const database = new Database({ at, ...common })
    closing.push(() => database.close())
    return database
  }
  if (config.databaseUrl) return open({ url: config.databaseUrl })
  const embedded = given ?? (await embeddedIn(config.dataFolder))
  if (!given) closing.push(() => embedded.close())
  return open({ wire: embedded })
}

async function embeddedIn(folder: string): Promise<Embedded> {
  const { openEmbedded } = await import('../lib/embedded.ts')
  return openEmbedded({ folder })
}

async function redisAt(url: string, time: Time): Promise<RedisDoor> {
  const { connectRedis } = await import('../lib/redis.ts')
  return connectRedis(url, { time, name: 'escapement' })
}

async function bringUpToDate(database: Database, migrate: boolean): Promise<void> {
  const pending = await database.pending()
  if (pending.length === 0) return
  if (!migrate)
    throw fault('MIGRATIONS_PENDING', { schema: database.schema, pending: pending.join(', ') })
  await database.migrate()
}

async function carrierIn(database: Database, migrate: boolean, takers: number) {
  const { pushing, taking } = QUEUE_CONNECTIONS
  const { migrateQueue, postgresBackend } = await import('../lib/queue.ts')
  const schema = `${database.schema}_queue`
  // Two overload sets that no compiler can match: the pool is the one BullMQ is documented for.
  const pool = database.pool(schema, pushing + takers * taking) as never
  if (migrate) await migrateQueue({ pool, schema })
  return postgresBackend({ pool, schema })
}

async function lockOf(
  redis: RedisDoor | null,
  database: Database,
  { schema }: Config,
  time: Time,
): Promise<Lock> {
  if (!redis) return new LeaseLock(database)
  const { RedisLock } = await import('../lib/locks/redis.ts')
  return new RedisLock({ redis, prefix: schema, time })
}

async function closeAll(closing: (() => Promise<void>)[]): Promise<void> {
  for (const close of closing.splice(0).reverse()) await close()
}
