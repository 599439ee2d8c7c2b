// The checks of `escapement doctor`, each a question with an answer of one line.
// Promise: a check changes nothing and makes nothing; one that fails says what is wrong, and the
// others are still asked; a check that needs what failed before is left out.
import { existsSync, statSync } from 'node:fs'
import type { Config } from '../lib/config.ts'
import type { Database } from '../lib/database.ts'
import { Envelope } from '../lib/envelope.ts'
import { asError } from '../lib/errors.ts'
import { Events } from '../lib/events.ts'
import { keysFileOf, loadKeyring } from '../lib/keys.ts'
import { postgresBackend, redisBackend, TicketQueue } from '../lib/queue.ts'
import { connectRedis } from '../lib/redis.ts'
import { SystemTime } from '../lib/time.ts'
import { Query } from '../models/query.ts'
import { countSealed } from '../models/sealed.ts'
import { hasData, type OpenDatabase, openDatabase, queueSchema } from './database.ts'
import { sentence } from './print.ts'

export interface Check {
  readonly name: string
  readonly status: 'ok' | 'warn' | 'fail'
  readonly detail: string
}

type Answer = readonly [status: Check['status'], detail: string]
const ok = (detail: string): Answer => ['ok', detail]
const warn = (detail: string): Answer => ['warn', detail]
const fail = (detail: string): Answer => ['fail', detail]

/** Asks everything that can be asked, in order. */
export async function examine(config: Config, nodeVersion: string): Promise<Check[]> {
  const checks: Check[] = []
  const ask = async (name: string, question: () => Answer | Promise<Answer>): Promise<boolean> => {
    const [status, detail] = await answer(question)
    checks.push({ name, status, detail })
    return status !== 'fail'
  }
  await ask('node', () => node(nodeVersion))
  const hasKeys = await ask('keys', () => keys(config))
  if (config.redisUrl) await ask('redis', () => redis(config.redisUrl as string))
  if (config.setting === 'embedded' && !hasData(config)) {
    await ask('database', () => warn('nothing yet: it is made at the first start'))
    return checks
  }
  let opened: OpenDatabase | undefined
  const isThere = await ask('database', async () => {
    opened = await openDatabase(config)
    return server(opened.database, config)
  })
  try {
    if (opened && isThere) await ofDatabase(config, opened, hasKeys, ask)
  } finally {
    await opened?.close()
  }
  return checks
}

async function ofDatabase(
  config: Config,
  opened: OpenDatabase,
  hasKeys: boolean,
  ask: (name: string, question: () => Answer | Promise<Answer>) => Promise<boolean>,
): Promise<void> {
  const { database } = opened
  await ask('clock', () => skew(database))
  if (!(await ask('migrations', () => migrated(database))) || !hasKeys) return
  await ask('seals', () => seals(config, database))
  await ask('due', () => due(config, database))
  await ask('queue', () => queue(config, opened))
}

async function answer(question: () => Answer | Promise<Answer>): Promise<Answer> {
  try {
    return await question()
  } catch (thrown) {
    return fail(sentence(asError(thrown).message))
  }
}

const LEAST_NODE = [20, 19] as const

function node(version: string): Answer {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isNew = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])
  return isNew ? ok(version) : fail(`${version} is older than ${LEAST_NODE.join('.')}`)
}

function keys(config: Config): Answer {
  const file = keysFileOf(config)
  const isNamed = config.keysFile !== null
  if (file && !isNamed && !existsSync(file)) return warn('none yet: one is made at the first start')
  const prints = loadKeyring(config)
    .fingerprints()
    .map(({ id, fingerprint }) => `${id}:${fingerprint}`)
    .join(', ')
  if (file && (statSync(file).mode & 0o077) !== 0) return warn(`${prints}; others can read ${file}`)
  return ok(prints)
}

async function redis(url: string): Promise<Answer> {
  const door = await connectRedis(url, { time: new SystemTime(), name: NAME })
  const policy = door.policy()
  await door.close()
  return policy === null ? warn('reachable; it does not tell its maxmemory-policy') : ok(policy)
}

async function server(database: Database, { setting }: Config): Promise<Answer> {
  const { rows } = await database.query(
    `SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,
       current_setting('synchronous_commit') AS commit`,
  )
  const { version, fsync, commit } = rows[0]
  const said = `PostgreSQL ${version}, fsync ${fsync}, synchronous_commit ${commit}`
  if (setting === 'embedded') return ok(`${said}; embedded: survives the process, not the power`)
  if (fsync !== 'on' || commit === 'off') return fail(`${said}: committed work can be lost`)
  return ok(said)
}

const SKEW_MS = { warn: 5_000, fail: 60_000 }

async function skew(database: Database): Promise<Answer> {
  const here = new SystemTime()
  const sentAt = here.now()
  const { rows } = await database.query('SELECT clock_timestamp() AS now')
  const ms = Math.round(rows[0].now - (sentAt + here.now()) / 2)
  const said = `the database is ${Math.abs(ms)} ms ${ms < 0 ? 'behind' : 'ahead of'} this machine`
  if (Math.abs(ms) > SKEW_MS.fail) return fail(said)
  return Math.abs(ms) > SKEW_MS.warn ? warn(said) : ok(said)
}

async function migrated(database: Database): Promise<Answer> {
  const pending = await database.pending()
  if (pending.length === 0) return ok(`schema ${database.schema} is up to date`)
  return fail(`${pending.join(', ')} not run in schema ${database.schema}`)
}

async function seals(config: Config, database: Database): Promise<Answer> {
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

async function due(config: Config, database: Database): Promise<Answer> {
  const query = new Query({
    knex: database.knex,
    keyring: loadKeyring(config),
    time: new SystemTime(),
  })
  const { count, lateMs } = await query.overdue(config.toldMs + config.lockTtlMs)
  if (count === 0) return ok('nothing is overdue')
  const seconds = Math.round(lateMs / 1_000)
  return warn(
    `${count} entries are overdue, the oldest by ${seconds} s: does a clock and a worker run?`,
  )
}

async function queue(config: Config, { database }: OpenDatabase): Promise<Answer> {
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

const NAME = 'escapement doctor'
