// Places where the queue exam can be held.
// Promise: each has a prefix or a schema nobody else uses, and leaves nothing when it is closed.
import type { PgPool } from 'bullmq'
import { Redis } from 'ioredis'
import { Database } from '../../lib/database.ts'
import { newToken } from '../../lib/id.ts'
import { migrateQueue, postgresBackend, redisBackend } from '../../lib/queue-backend.ts'
import { connectRedis } from '../../lib/redis.ts'
import { SystemTime } from '../../lib/time.ts'

const time = new SystemTime()

/** A prefix or schema nobody else uses. */
export const fresh = () => `q_${newToken().slice(0, 8)}`

/** A queue in Redis. */
export async function redisPlace(url: string, prefix = fresh()) {
  const door = await connectRedis(url, { time, name: 'queue-spec' })
  const spy = new Redis(url)
  spy.on('error', () => {})
  const keys = () => spy.keys(`{${prefix}}*`)
  return {
    prefix,
    spy,
    backend: redisBackend(door, prefix),
    readable: async () =>
      (await Promise.all((await keys()).map((key) => dump(spy, key)))).join('\n'),
    /** All keys but the few a queue has once: its meta, counter, events and stalled check. */
    size: async (queue: string) => {
      const once = ['meta', 'id', 'events', 'stalled-check', 'marker', 'stalled']
      const own = (await keys()).filter((key) => key.startsWith(`{${prefix}}:${queue}:`))
      return own.filter((key) => !once.includes(key.split(':')[2]!)).length
    },
    told: (queue: string) => spy.xlen(`{${prefix}}:${queue}:events`),
    close: async () => {
      const all = await keys()
      if (all.length > 0) await spy.del(...all)
      await spy.quit()
      await door.close()
    },
    /** Instead of `close`, when the server is gone. */
    abandon: async () => {
      spy.disconnect()
      await door.close()
    },
  }
}

/** A key and all its value, whatever its type. */
async function dump(redis: Redis, key: string): Promise<string> {
  const read: Record<string, (() => Promise<unknown>) | undefined> = {
    string: () => redis.get(key),
    hash: () => redis.hgetall(key),
    list: () => redis.lrange(key, 0, -1),
    set: () => redis.smembers(key),
    zset: () => redis.zrange(key, '0', '-1'),
    stream: () => redis.xrange(key, '-', '+'),
  }
  return `${key} ${JSON.stringify(await read[await redis.type(key)]?.())}`
}

/** A queue in a schema of its own. */
export async function postgresPlace(at: ConstructorParameters<typeof Database>[0]['at']) {
  const schema = fresh()
  const database = new Database({ at, schema, poolSize: 2, migrations: [] })
  const pool = queuePool(database, schema)
  await migrateQueue({ pool, schema })
  const names = 'SELECT table_name FROM information_schema.tables WHERE table_schema = $1'
  return {
    database,
    schema,
    backend: postgresBackend({ pool, schema }),
    readable: async () => {
      const { rows: tables } = await database.query(names, [schema])
      const rows = tables.map(async ({ table_name }) => {
        const all = await database.query(`SELECT to_json(t)::text AS row FROM "${table_name}" t`)
        return `${table_name} ${all.rows.map(({ row }) => row).join('\n')}`
      })
      return (await Promise.all(rows)).join('\n')
    },
    size: async (queue: string) =>
      (await database.query('SELECT count(*) FROM job WHERE queue = $1', [queue])).rows[0].count,
    told: async (queue: string) =>
      (await database.query('SELECT count(*) FROM event WHERE queue = $1', [queue])).rows[0].count,
    close: async () => {
      await database.query(`DROP SCHEMA "${schema}" CASCADE`)
      await database.close()
    },
  }
}

/** Connections for the many participants of an exam. */
export const queuePool = (database: Database, schema: string) =>
  database.pool(schema, 24) as unknown as PgPool
