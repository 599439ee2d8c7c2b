// The checks of `escapement doctor` that ask the database.
// Promise: each reads and answers in one line; none changes or makes anything.
import type { Config } from '../lib/config.ts'
import type { Database } from '../lib/database.ts'
import { Envelope } from '../lib/envelope.ts'
import { Events } from '../lib/events.ts'
import { loadKeyring } from '../lib/keys.ts'
import { SystemTime } from '../lib/time.ts'
import { countSealed } from '../models/sealed.ts'
import { type OpenDatabase, queueSchema } from './database.ts'

export type Answer = readonly [status: 'ok' | 'warn' | 'fail', detail: string]
export const ok = (detail: string): Answer => ['ok', detail]
export const warn = (detail: string): Answer => ['warn', detail]
export const fail = (detail: string): Answer => ['fail', detail]

/** The version, which proves that it answers. */
export async function version(database: Database): Promise<Answer> {
  const { rows } = await database.query(`SELECT current_setting('server_version') AS version`)
  return ok(`PostgreSQL ${rows[0].version}`)
}

/** Does what was committed survive a crash of the server? */
export async function durability(database: Database, { setting }: Config): Promise<Answer> {
  const { rows } = await database.query(
    `SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit`,
  )
  const { fsync, commit } = rows[0]
  if (setting === 'embedded') return ok('embedded: survives the process, not the power')
  const said = `fsync ${fsync}, synchronous_commit ${commit}`
  return fsync !== 'on' || commit === 'off' ? fail(`${said}: committed work can be lost`) : ok(said)
}

const SKEW_MS = { warn: 5_000, fail: 60_000 }

export async function skew(database: Database): Promise<Answer> {
  const here = new SystemTime()
  const sentAt = here.now()
  const { rows } = await database.query('SELECT clock_timestamp() AS now')
  const ms = Math.round(rows[0].now - (sentAt + here.now()) / 2)
  const said = `the database is ${Math.abs(ms)} ms ${ms < 0 ? 'behind' : 'ahead of'} this machine`
  if (Math.abs(ms) > SKEW_MS.fail) return fail(said)
  return Math.abs(ms) > SKEW_MS.warn ? warn(said) : ok(said)
}

export async function migrated(database: Database): Promise<Answer> {
  const pending = await database.pending()
  if (pending.length === 0) return ok(`schema ${database.schema} is up to date`)
  return fail(`${pending.join(', ')} not run in schema ${database.schema}`)
}

export async function seals(config: Config, database: Database): Promise<Answer> {
  const keyring = loadKeyring(config)
  const ours = new Map(keyring.fingerprints().map(({ id, fingerprint }) => [id, fingerprint]))
  const { rows } = await database.query('SELECT id, fingerprint FROM keys')
  const other = rows.find(({ id, fingerprint }) => (ours.get(id) ?? fingerprint) !== fingerprint)
  if (other) return fail(`key ${other.id} is not the key ${other.id} that this database knows`)
  const sealed = await countSealed(database)
  const lost = sealed.filter(({ keyId }) => !keyring.ids.includes(keyId))
  if (lost.length > 0) {
    const named = lost.map(({ keyId, total }) => `${total} values of key ${keyId}`).join(', ')
    return fail(`${named} cannot be opened: the keyring lacks it`)
  }
  const older = sealed.filter(({ keyId }) => keyId !== keyring.newest)
  const count = older.reduce((sum, { total }) => sum + total, 0)
  return count > 0
    ? warn(`${count} values are sealed with older keys`)
    : ok('all with the newest key')
}

/** Is anything due that a clock should have found and a worker ticked by now? */
export async function due({ toldMs, lockTtlMs }: Config, database: Database): Promise<Answer> {
  const { rows } = await database.query(
    `SELECT count(*)::int AS count, extract(epoch FROM clock_timestamp() - min(due_at))::int AS late
     FROM dues WHERE due_at < clock_timestamp() - $1 * interval '1 millisecond'`,
    [toldMs + lockTtlMs],
  )
  const { count, late } = rows[0]
  if (count === 0) return ok('nothing is overdue')
  return warn(
    `${count} entries are overdue, the oldest by ${late} s: does a clock and a worker run?`,
  )
}

export async function queue(config: Config, { database }: OpenDatabase): Promise<Answer> {
  const { postgresBackend, redisBackend, TicketQueue } = await import('../lib/queue.ts')
  const { connectRedis } = await import('../lib/redis.ts')
  const time = new SystemTime()
  const redis = config.redisUrl ? await connectRedis(config.redisUrl, { time, name: NAME }) : null
  const schema = queueSchema(config)
  const backend = redis
    ? redisBackend(redis, config.schema)
    : postgresBackend({ pool: database.pool(schema, 2) as never, schema })
  const { queue: name } = config
  const envelope = new Envelope({ keyring: loadKeyring(config), queue: name, time, ttlMs: 1 })
  const tickets = new TicketQueue({ name, backend, envelope, events: new Events(), time })
  try {
    return ok(`${await tickets.depth()} messages wait`)
  } finally {
    await tickets.close()
    await redis?.close()
  }
}

export const NAME = 'escapement doctor'
