// Canaries: unique secrets put wherever secrets go, and the search for them wherever they must not be.
// Promise: knows nothing of how secrets are masked; looks for each as it is and in JSON, URLs, hex and base64; every
// place that shows one is a sentence. Whatever is new and keeps or sends text adds its words with `in`.
import { Redis } from 'ioredis'
import { newToken } from '../../lib/id.ts'
import type { House } from './house.ts'
import { redisUrl } from './services.ts'

type Way = readonly [how: string, write: (secret: string) => string]

/** How a secret may be written, by what that is called. */
const WAYS: readonly Way[] = [
  ['', (secret) => secret],
  [' in JSON', (secret) => JSON.stringify(secret).slice(1, -1)],
  [' in a URL', encodeURIComponent],
  [' in a form', (secret) => new URLSearchParams({ '': secret }).toString().slice(1)],
  [' in hex', (secret) => Buffer.from(secret).toString('hex')],
  ...[0, 1, 2].map((before): Way => [' in base64', inner('base64', before)]),
  ...[0, 1, 2].map((before): Way => [' in base64url', inner('base64url', before)]),
]

/** The part of it that is the same whatever stands around. */
function inner(encoding: 'base64' | 'base64url', before: number) {
  return (secret: string) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(secret)])
    const from = Math.ceil((before * 8) / 6)
    return bytes.toString(encoding).slice(from, Math.floor((bytes.length * 8) / 6))
  }
}

export class Canaries {
  readonly #birds = new Map<string, string>()
  readonly #sung: string[] = []
  #searched = 0

  /** A secret nobody else has; the same for the same name. What it is called is told when it is found. */
  bird(name: string): string {
    const known = this.#birds.get(name)
    if (known) return known
    // With letters that JSON, URLs and UTF-8 write differently.
    const bird = `Ca"n+ar/y-${newToken()}-é&`
    this.#birds.set(name, bird)
    return bird
  }

  /** Looks into a text, or into anything that can be written as JSON. */
  in(place: string, value: unknown): void {
    const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
    this.#searched += 1
    for (const [name, bird] of this.#birds) {
      for (const [how, write] of WAYS) {
        if (text.includes(write(bird))) this.#sung.push(`${place} shows the secret "${name}"${how}`)
      }
    }
  }

  /** Every column of every table of the house, its queue's too, whatever their types. */
  async inTables({ sql, schema }: House): Promise<void> {
    const columns = await sql(
      `SELECT table_schema AS schema, table_name AS name, column_name AS column
       FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
       WHERE table_schema = ANY($1) AND table_type = 'BASE TABLE'`,
      [[schema, `${schema}_queue`]],
    )
    for (const { schema, name, column } of columns) {
      const rows = await sql(`SELECT "${column}"::text AS text FROM "${schema}"."${name}"`)
      this.in(`${name}.${column}`, rows.map(({ text }) => text ?? '').join('\n'))
    }
  }

  /** Every key of the Redis of the specs, and all that is in it; nothing in settings without one. */
  async inRedis({ setting }: House): Promise<void> {
    if (setting !== 'full') return
    const redis = new Redis(redisUrl()!)
    try {
      for await (const page of redis.scanStream({ count: 1_000 })) {
        for (const key of page as string[]) this.in(`the key ${key}`, await contents(redis, key))
      }
    } finally {
      await redis.quit()
    }
  }

  /** What was found, and how much was looked at. */
  get findings(): { readonly sung: readonly string[]; readonly searched: number } {
    return { sung: [...new Set(this.#sung)], searched: this.#searched }
  }
}

/** A key and its value, whatever its type; a type nobody knows here is read as Redis dumps it. */
async function contents(redis: Redis, key: string): Promise<string> {
  const read: Record<string, (() => Promise<unknown>) | undefined> = {
    string: () => redis.get(key),
    hash: () => redis.hgetall(key),
    list: () => redis.lrange(key, 0, -1),
    set: () => redis.smembers(key),
    zset: () => redis.zrange(key, '0', '-1'),
    stream: () => redis.xrange(key, '-', '+'),
    none: async () => '',
  }
  const known = read[await redis.type(key)]
  const value = known ? await known() : (await redis.dumpBuffer(key))?.toString('latin1')
  return `${key} ${typeof value === 'string' ? value : flat(value)}`
}

/** Texts as they are: JSON would escape them once more. */
const flat = (value: unknown): string =>
  typeof value === 'object' && value !== null
    ? Object.entries(value)
        .map(([key, one]) => `${key} ${flat(one)}`)
        .join('\n')
    : String(value)
