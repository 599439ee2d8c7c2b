// Where messages lie: in Redis or in Postgres, behind BullMQ.
// Promise: a queue in Postgres that was never migrated says so, and works once it is.
import {
  assertSchemaCompatibility,
  type BackendClasses,
  createRedisBackend,
  type PgPool,
  PostgresConnection,
  PostgresQueueBackend,
  type QueueBaseOptions,
  runMigrations,
  SchemaMigrationRequiredError,
  withBackend,
} from 'bullmq'
import { fault } from './errors.ts'
import type { RedisDoor } from './redis.ts'

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
