// BullMQ, held at arm's length: text in, text out, over Redis or Postgres. The only BullMQ door.
// Promise: it logs nothing, keeps and retries nothing, hands over even what cannot be parsed, rests
// after an error instead of spinning, and can be closed when its server does not answer.
import {
  assertSchemaCompatibility,
  type BackendClasses,
  createRedisBackend,
  type JobJson,
  type PgPool,
  PostgresConnection,
  PostgresQueueBackend,
  type QueueBaseOptions,
  runMigrations,
  SchemaMigrationRequiredError,
  type Worker,
  withBackend,
} from 'bullmq'
import type { Taker } from './contract.ts'
import { fault } from './errors.ts'
import type { RedisDoor } from './redis.ts'
import type { Time } from './time.ts'
import { LATE, within } from './within.ts'

/** How long a taker waits after an error; without it BullMQ asks again at once, for ever. */
const REST_MS = 1_000
/** How long an answer is waited for when starting and closing. */
const PATIENCE_MS = 5_000
/** After this much silence a message in hand is given to somebody else; renewed at half. */
const IN_HAND_MS = 30_000
const TAKING = {
  lockDuration: IN_HAND_MS,
  stalledInterval: IN_HAND_MS,
  maxStalledCount: 1,
  /** Seconds. */
  drainDelay: 5,
  runRetryDelay: REST_MS,
  removeOnComplete: { count: 0 },
  removeOnFail: { count: 0 },
}
const JOB = 'tick'
/** BullMQ tells its own events to a stream that nobody reads here. */
const KEPT_EVENTS = 100

/** Where the messages lie, and how each end is connected to it. */
export interface Backend {
  readonly classes: BackendClasses<any, any>
  readonly sending: QueueBaseOptions<any>
  readonly taking: QueueBaseOptions<any>
}

/**
 * Messages in Redis.
 * @param prefix of all keys, in braces: one slot of a cluster holds them all
 */
export function redisBackend(redis: RedisDoor, prefix: string): Backend {
  // The version check also prints to the console; the door has checked what matters.
  const common = { prefix: `{${prefix}}`, skipVersionCheck: true }
  return {
    classes: withBackend(createRedisBackend),
    sending: { ...common, connection: redis.commands },
    taking: { ...common, connection: redis.forQueue() },
  }
}

/**
 * Messages in Postgres.
 * @param at.pool of its own, its search_path set to the schema, with 3 connections or more for each
 *   taker: one of them listens all the time
 * @param at.schema holds BullMQ's tables and nothing else; see `migrateQueue`
 */
export function postgresBackend({ pool, schema }: { pool: PgPool; schema: string }): Backend {
  const classes = withBackend<PostgresQueueBackend, PgPool>((name, options, end) => {
    const listener = end?.withBlockingConnection ? name : undefined
    const connection = new SchemaConnection(pool, schema)
    return new PostgresQueueBackend(connection, name, options, true, listener)
  })
  return { classes, sending: { connection: pool }, taking: { connection: pool } }
}

/** Makes or updates BullMQ's tables. Safe to call from any number of starters at once. */
export async function migrateQueue({ pool, schema }: { pool: PgPool; schema: string }) {
  const client = await pool.connect()
  try {
    await runMigrations(client, schema)
  } finally {
    client.release()
  }
}

/** BullMQ's own looks into the schema `bullmq`, and remembers for ever that a first look failed. */
class SchemaConnection extends PostgresConnection {
  override readonly schema: string
  #ready: Promise<void> | null = null

  constructor(pool: PgPool, schema: string) {
    super(pool)
    this.schema = schema
  }

  override waitUntilReady(): Promise<void> {
    this.#ready ??= this.#look().catch((error) => {
      this.#ready = null
      throw error
    })
    return this.#ready
  }

  async #look(): Promise<void> {
    try {
      await assertSchemaCompatibility(this.pool, this.schema)
    } catch (error) {
      if (!(error instanceof SchemaMigrationRequiredError)) throw error
      throw fault('MIGRATIONS_PENDING', { schema: this.schema, pending: 'the queue' }, error)
    }
  }
}

export interface CarrierOptions {
  readonly name: string
  readonly backend: Backend
  readonly time: Time
  /** Told of everything that goes wrong in the background. */
  readonly onError: (error: Error) => void
}

/** Carries messages from any number of senders to any number of takers, at least once or never. */
export class Carrier {
  readonly #options: CarrierOptions
  readonly #queue
  readonly #takers = new Set<Taker>()

  constructor(options: CarrierOptions) {
    const { name, backend, onError } = options
    this.#options = options
    this.#queue = new backend.classes.Queue(name, {
      ...backend.sending,
      streams: { events: { maxLen: KEPT_EVENTS } },
    })
    this.#queue.on('error', onError)
  }

  /** Gives them no job id, so nothing is deduplicated: a kept job would swallow later ones. */
  async send(messages: readonly string[]): Promise<void> {
    const [first, ...more] = messages
    if (first === undefined) return
    // On Postgres a bulk of one costs five times an add: it makes tables for the occasion.
    if (more.length === 0) await this.#queue.add(JOB, first)
    else await this.#queue.addBulk(messages.map((data) => ({ name: JOB, data })))
  }

  waiting(): Promise<number> {
    return this.#queue.getWaitingCount()
  }

  /**
   * Starts taking messages.
   * @param settle is given whatever lay in the queue, which others can write to; must not throw
   * @throws MIGRATIONS_PENDING, or what the server says when it refuses us
   */
  async take(settle: Settle, concurrency: number): Promise<Taker> {
    const taker = new Hands(this.#options, settle, concurrency)
    this.#takers.add(taker)
    try {
      await taker.ready()
      return taker
    } catch (error) {
      this.#takers.delete(taker)
      await taker.stop()
      throw error
    }
  }

  /** Stops the takers, which finish what they have in hand. */
  async close(): Promise<void> {
    await Promise.all([...this.#takers].map((taker) => taker.stop()))
    await within(this.#options.time, PATIENCE_MS, this.#queue.close())
  }
}

type Settle = (message: unknown) => Promise<void>

/** So many hands of one process, each with one message at most. */
class Hands implements Taker {
  readonly #worker: InstanceType<ReturnType<typeof tolerant>>
  readonly #time: Time
  #full = 0
  #stopWaking: () => void = () => {}

  constructor({ name, backend, time, onError }: CarrierOptions, settle: Settle, hands: number) {
    this.#time = time
    const work = async ({ data }: { data: unknown }) => {
      this.#full++
      await settle(data).finally(() => this.#full--)
    }
    const options = { ...backend.taking, ...TAKING, concurrency: hands }
    this.#worker = new (tolerant(backend))(name, work, options)
    this.#worker.on('error', (error) => {
      onError(error)
      this.#rest()
    })
  }

  /** Resolves when messages are taken, or will be once the server answers. */
  async ready(): Promise<void> {
    await within(this.#time, PATIENCE_MS, this.#worker.waitUntilReady())
  }

  async stop(): Promise<void> {
    this.#stopWaking()
    const closed = this.#worker.close()
    while ((await within(this.#time, PATIENCE_MS, closed)) === LATE) {
      if (this.#full > 0) continue
      // Nothing is in hand and the server does not answer: leave without saying goodbye.
      this.#worker.abandon()
      return
    }
  }

  #rest(): void {
    const worker = this.#worker
    if (worker.closing || worker.isPaused()) return
    void worker.pause(true)
    this.#stopWaking = this.#time.after(REST_MS, () => void worker.resume())
  }
}

/** BullMQ's worker without two of its habits. */
function tolerant({ classes }: Backend) {
  return class extends (classes.Worker as unknown as typeof Worker) {
    /** Hands over what is not JSON as null; it would take it up again and again. */
    protected override createJob(json: JobJson, id: string) {
      try {
        return super.createJob(json, id)
      } catch {
        return super.createJob({ ...json, data: 'null' }, id)
      }
    }

    /** Ends timers and connections at once; closing would wait for a dead server, and renew meanwhile. */
    abandon(): void {
      const ends = [this.lockManager.close(), this.pause(true), this.disconnect()]
      for (const end of ends) end.catch(() => {})
    }
  }
}
