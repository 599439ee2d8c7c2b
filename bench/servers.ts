// The servers of one run: a PostgreSQL and a Redis nobody else uses, at the durability one would have in production.
// Promise: gone with the run, by their process ids; each program has a fresh database, and Redis is emptied for it.
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import {
  type PrivateServer,
  startPrivatePostgres,
  startPrivateRedis,
} from '../spec/support/services.ts'
import { until } from '../spec/support/wait.ts'

/** How long a flush of the disk lasts, beyond what it takes anyway. */
export interface Flush {
  readonly addedMs: number
}

/** The settings on top of PostgreSQL's defaults; all servers of a run have the same. */
export const POSTGRES_SETTINGS = ['shared_buffers=1GB', 'fsync=on', 'synchronous_commit=on']

/** A disk as it is. */
export const PLAIN: Flush = { addedMs: 0 }

/** Who has not gone by then is put out. */
const LEAVE_MS = 2_000
const SESSIONS = 'SELECT 1 FROM pg_stat_activity WHERE datname = $1 LIMIT 1'

/** What the servers have counted so far. */
export interface Counts {
  readonly walBytes: number
  readonly redisCommands: number
}

export class Servers {
  readonly postgres: PrivateServer
  readonly redis: PrivateServer
  readonly #client: pg.Client
  readonly #asking: Redis
  #made = 0

  private constructor(postgres: PrivateServer, redis: PrivateServer, client: pg.Client) {
    this.postgres = postgres
    this.redis = redis
    this.#client = client
    this.#asking = new Redis(redis.url)
  }

  /** Starts both. @throws when there is no postgres or redis-server, or no compiler for a slow flush */
  static async start({ addedMs }: Flush): Promise<Servers> {
    const slow = { LD_PRELOAD: addedMs > 0 ? shim() : '', SLOW_FLUSH_US: `${addedMs * 1_000}` }
    const postgres = await startPrivatePostgres(POSTGRES_SETTINGS, addedMs > 0 ? slow : {})
    const redis = await startPrivateRedis()
    const client = new pg.Client({ connectionString: postgres.url })
    await client.connect()
    return new Servers(postgres, redis, client)
  }

  /** An empty database, and an empty Redis. */
  async fresh(): Promise<string> {
    this.#made += 1
    const name = `bench_${this.#made}`
    await this.#client.query(`CREATE DATABASE ${name}`)
    await this.#asking.flushall()
    return this.postgres.url.replace(/[^/]+$/, name)
  }

  /**
   * Gives it back, once those who leave have gone: a pool that has ended says so before its sessions are over. This
   * also writes a checkpoint, so that each program begins after one.
   */
  async drop(databaseUrl: string): Promise<void> {
    const name = nameOf(databaseUrl)
    const isLeft = async () => (await this.#client.query(SESSIONS, [name])).rows.length === 0
    await until(isLeft, { what: 'the sessions were over', deadlineMs: LEAVE_MS }).catch(() => {})
    await this.#client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  }

  async counts(): Promise<Counts> {
    const { rows } = await this.#client.query(
      `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS bytes`,
    )
    const told = /total_commands_processed:(\d+)/.exec(await this.#asking.info('stats'))
    return { walBytes: rows[0].bytes, redisCommands: Number(told?.[1] ?? 0) }
  }

  /** Committed transactions of a database. Sessions report theirs when they end: ask once they have. */
  async commits(databaseUrl: string): Promise<number> {
    const { rows } = await this.#client.query(
      'SELECT xact_commit::int AS commits FROM pg_stat_database WHERE datname = $1',
      [nameOf(databaseUrl)],
    )
    return rows[0].commits
  }

  /** The versions, and what they say of their durability. */
  async about(): Promise<{ postgres: string; redis: string; settings: Record<string, string> }> {
    const { rows } = await this.#client.query(
      `SELECT name, current_setting(name) AS value FROM pg_settings WHERE name IN ('server_version', 'fsync',
         'synchronous_commit', 'shared_buffers', 'wal_sync_method', 'full_page_writes', 'commit_delay')`,
    )
    const { server_version, ...settings } = Object.fromEntries(
      rows.map((row) => [row.name, row.value]),
    )
    const redis = /redis_version:(\S+)/.exec(await this.#asking.info('server'))?.[1] ?? 'unknown'
    return { postgres: server_version, redis, settings: { ...settings, redis: 'no persistence' } }
  }

  async stop(): Promise<void> {
    this.#asking.disconnect()
    await this.#client.end().catch(() => {})
    await this.postgres.stop()
    await this.redis.stop()
  }
}

const nameOf = (databaseUrl: string) => databaseUrl.slice(databaseUrl.lastIndexOf('/') + 1)

let library: string | null = null

/** Is there a C compiler for the slow flush? */
export function hasCompiler(): boolean {
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** The compiled shim, where the user who runs PostgreSQL can read it. */
function shim(): string {
  if (library) return library
  const folder = mkdtempSync(join(tmpdir(), 'escapement-flush-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  chmodSync(folder, 0o755)
  const source = join(folder, 'slow-flush.c')
  copyFileSync(new URL('slow-flush.c', import.meta.url), source)
  library = join(folder, 'slow-flush.so')
  execFileSync('cc', ['-O2', '-shared', '-fPIC', '-o', library, source, '-ldl'])
  return library
}
