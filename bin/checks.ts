// The checks of `escapement doctor`, each a question with an answer of one line.
// Promise: a check changes nothing and makes nothing; one that fails says what is wrong, and the
// others are still asked; a check that needs what failed before is left out.
import { existsSync, statSync } from 'node:fs'
import type { Config } from '../lib/config.ts'
import { asError } from '../lib/errors.ts'
import { keysFileOf, loadKeyring } from '../lib/keys.ts'
import { SystemTime } from '../lib/time.ts'
import {
  type Answer,
  due,
  durability,
  fail,
  migrated,
  NAME,
  ok,
  queue,
  seals,
  skew,
  version,
  warn,
} from './checkups.ts'
import { hasData, type OpenDatabase, openDatabase } from './database.ts'
import { sentence } from './print.ts'

export interface Check {
  readonly name: string
  readonly status: 'ok' | 'warn' | 'fail'
  readonly detail: string
}

type Question = () => Answer | Promise<Answer>

/** Asks everything that can be asked, in order. */
export async function examine(config: Config, nodeVersion: string): Promise<Check[]> {
  const checks: Check[] = []
  const ask = async (name: string, question: Question): Promise<boolean> => {
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
    return version(opened.database)
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
  ask: (name: string, question: Question) => Promise<boolean>,
): Promise<void> {
  const { database } = opened
  await ask('durability', () => durability(database, config))
  await ask('clock', () => skew(database))
  if (!(await ask('migrations', () => migrated(database))) || !hasKeys) return
  await ask('seals', () => seals(config, database))
  await ask('due', () => due(config, database))
  await ask('queue', () => queue(config, opened))
}

async function answer(question: Question): Promise<Answer> {
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
  const { connectRedis } = await import('../lib/redis.ts')
  const door = await connectRedis(url, { time: new SystemTime(), name: NAME })
  const policy = door.policy()
  await door.close()
  return policy === null ? warn('reachable; it does not tell its maxmemory-policy') : ok(policy)
}
