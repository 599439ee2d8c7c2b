// Redis: one connection for commands, and how BullMQ is to make its own. The only ioredis door.
// Promise: no command waits for ever, a dead peer is noticed, an 'error' event never ends the
// process, and a Redis that would throw locks away is refused at the door.
import { createHash } from 'node:crypto'
import { Redis, type RedisOptions } from 'ioredis'
import { asError, fault, isFault } from './errors.ts'
import type { Time } from './time.ts'
import { LATE, within } from './within.ts'

const CONNECT_MS = 5_000
const COMMAND_MS = 5_000
/** Longer than the 5 s BullMQ blocks, so only a peer that is gone stays silent this long. */
const SILENCE_MS = 15_000
const KEEP_ALIVE_MS = 10_000
const LONGEST_RETRY_MS = 2_000

/** A script that Redis runs in one go. */
export type Script = (
  keys: readonly string[],
  values: readonly (string | number)[],
) => Promise<unknown>

export interface RedisDoor {
  /** For commands: each is answered or has failed within seconds. */
  readonly commands: Redis
  /** Teaches Redis a script, once; it travels as its hash. @returns runs it: answered or failed within seconds */
  script(lua: string): Script
  /** What BullMQ makes a taker's connections from: they wait for tickets as long as it takes. */
  forQueue(): RedisOptions & { url: string }
  /** What Redis does when memory is full (`maxmemory-policy`); null when it does not tell. */
  policy(): string | null
  /** Ends the connection, at once if Redis does not answer. */
  close(): Promise<void>
}

/**
 * Connects, once; afterwards a lost connection is made again by itself.
 * @param url redis:// or rediss:// (TLS), with user and password if need be
 * @param options.name what Redis shows in CLIENT LIST
 * @throws REDIS_UNREACHABLE, REDIS_EVICTS
 */
export async function connectRedis(
  url: string,
  { time, name }: { time: Time; name: string },
): Promise<RedisDoor> {
  const where = whereOf(url)
  if (where === null) throw unreachable('REDIS_URL', new Error('it is not a redis:// address'))
  const common = {
    connectionName: name,
    connectTimeout: CONNECT_MS,
    keepAlive: KEEP_ALIVE_MS,
    retryStrategy: (attempt: number) => Math.min(50 * 2 ** attempt, LONGEST_RETRY_MS),
  }
  const commands = new Redis(url, {
    ...common,
    commandTimeout: COMMAND_MS,
    maxRetriesPerRequest: 2,
    lazyConnect: true,
  })
  // Every command that fails says so itself; this only remembers why the connection did.
  let trouble: Error | undefined
  commands.on('error', (error: Error) => {
    trouble = error
  })
  try {
    const policy = await within(time, 2 * CONNECT_MS, greet(commands))
    if (policy === LATE) throw new Error(`no answer within ${2 * CONNECT_MS} ms`)
    if ((policy ?? 'noeviction') !== 'noeviction') throw fault('REDIS_EVICTS', { where, policy })
    return {
      commands,
      script: (lua) => scriptOf(commands, lua),
      forQueue: () => ({ ...common, url, maxRetriesPerRequest: null, socketTimeout: SILENCE_MS }),
      policy: () => policy,
      close: () => closing(commands),
    }
  } catch (thrown) {
    commands.disconnect()
    throw isFault(thrown) ? thrown : unreachable(where, trouble ?? asError(thrown))
  }
}

/** Connects and asks for the eviction policy; managed Redis may hide CONFIG, INFO says it too. */
async function greet(redis: Redis): Promise<string | null> {
  await redis.connect()
  const memory = await redis.info('memory').catch(allowed(''))
  const told = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1]
  if (told) return told
  const configured = await redis.config('GET', 'maxmemory-policy').catch(allowed([]))
  return (configured as string[])[1] ?? null
}

/** What to answer instead of a command that Redis knows not or permits not. */
const allowed =
  <T>(instead: T) =>
  (error: Error): T => {
    if (/^(NOPERM|ERR unknown)/.test(error.message)) return instead
    throw error
  }

/** ioredis sends the hash, and the text when Redis does not know it. */
function scriptOf(commands: Redis, lua: string): Script {
  const name = `script:${createHash('sha1').update(lua).digest('hex')}`
  commands.defineCommand(name, { lua })
  const run = (commands as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>)[
    name
  ]!
  return (keys, values) => run.call(commands, keys.length, ...keys, ...values)
}

async function closing(redis: Redis): Promise<void> {
  if (redis.status === 'end') return
  await redis.quit().catch(() => redis.disconnect())
}

/** The address without user and password, which goes into sentences people paste; null if it is none. */
function whereOf(url: string): string | null {
  if (!URL.canParse(url)) return null
  const { protocol, host, pathname } = new URL(url)
  if (!/^rediss?:$/.test(protocol) || host === '') return null
  return `${host}${pathname === '/' ? '' : pathname}`
}

/** An AggregateError (both IPv4 and IPv6 refused) has no message of its own. */
function unreachable(where: string, cause: Error & { code?: string }): Error {
  const reason = (cause.message || cause.code || 'no answer').replace(/\.$/, '')
  return fault('REDIS_UNREACHABLE', { where, reason }, cause)
}
