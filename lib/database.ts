// The database: one pool for ticking and a lane beside it, one Knex for migrations and questions. The only door to Knex.
// Promise: every statement has a deadline on both ends, every name resolves in our own schema, and a
// COMMIT whose answer was lost is told apart from one that failed.
import knexFactory, { type Knex } from 'knex'
import { CommitUnknown, isServerSaid, isUnreachable, reasonOf } from './answer.ts'
import { Courier } from './courier.ts'
import { asError, fault } from './errors.ts'
import { within } from './foreign.ts'
import { Lane } from './lane.ts'
import {
  type Address,
  type Connection,
  type Pool,
  poolOf,
  SHARED,
  settingsOf,
  TICKING,
} from './pool.ts'
import { asked } from './prepared.ts'
import type { Runner, Sequence, Statement } from './runner.ts'
import type { Time } from './time.ts'

export type { Knex } from 'knex'
export type { Wire } from './pool.ts'
export type { Runner, Sequence } from './runner.ts'

export interface DatabaseOptions extends Address {
  readonly schema: string
  readonly poolSize: number
  readonly migrations: readonly Migration[]
}

/** One step of the schema; `name` orders and identifies it for ever. */
export interface Migration {
  readonly name: string
  up(knex: Knex): Promise<void>
  down(knex: Knex): Promise<void>
}

/** Knex prints what it thinks of lost connections; whoever asked hears of them anyway. */
const MUTE = { warn() {}, error() {}, deprecate() {}, debug() {} }
/** How many connections may turn out to be lost, one after another. */
const MOST_BEGINS = 3
/** An arbitrary constant all starters agree on: two migrations at once wait for one another. */
const MIGRATION_LOCK = 7_306_294_511

export class Database implements Sequence {
  readonly knex: Knex
  readonly schema: string
  readonly #pool: Pool
  readonly #options: DatabaseOptions
  readonly #others: Pool[] = []
  readonly #courier: Courier

  constructor(options: DatabaseOptions) {
    this.#options = options
    this.schema = options.schema
    this.#pool = poolOf(options, options.schema, options.poolSize, TICKING)
    const shared = poolOf(options, options.schema, 1, SHARED)
    this.#others.push(shared)
    this.#courier = new Courier({
      lane: new Lane({ shared, beside: this.#pool }),
      query: (text, params) => this.query(text, params),
      explain: (thrown) => this.#explain(thrown),
    })
    this.knex = knexFactory({
      client: 'pg',
      connection: () => settingsOf(options, options.schema) as Knex.StaticConnectionConfig,
      pool: { min: 0, max: 4 },
      acquireConnectionTimeout: 10_000,
      log: MUTE,
    })
  }

  /** Asks the server its time, and hands it to a clock that follows. */
  async ask(
    time: Time & { follow?(remoteMs: number, sentAt: number, gotAt: number): void },
  ): Promise<void> {
    const sentAt = time.monotonic()
    const { rows } = await this.query('SELECT clock_timestamp() AS now')
    time.follow?.(rows[0].now, sentAt, time.monotonic())
  }

  async query(text: string, params: readonly unknown[] = []) {
    try {
      return await this.#pool.query(asked(text, params))
    } catch (thrown) {
      throw this.#explain(thrown)
    }
  }

  /**
   * Runs `work` in one transaction.
   * @throws CommitUnknown when the connection broke after COMMIT was sent
   */
  async transaction<T>(work: (runner: Runner) => Promise<T>): Promise<T> {
    const client = await this.#begun().catch((thrown) => {
      throw this.#explain(thrown)
    })
    let broken: Error | undefined
    const onError = (error: Error) => {
      broken = error
    }
    client.on('error', onError)
    try {
      const value = await work({ query: (text, params) => client.query(asked(text, params)) })
      await client.query('COMMIT').catch((thrown) => {
        broken ??= asError(thrown)
        if (isServerSaid(thrown)) throw thrown
        throw new CommitUnknown(broken.message, { cause: thrown })
      })
      return value
    } catch (thrown) {
      if (!broken) await client.query('ROLLBACK').catch((error) => onError(asError(error)))
      throw thrown instanceof CommitUnknown ? thrown : this.#explain(thrown)
    } finally {
      client.off('error', onError)
      client.release(broken)
    }
  }

  /** A transaction that has begun. A connection that was lost while it rested says so only now: then on another one. */
  async #begun(): Promise<Connection> {
    for (let attempt = 1; ; attempt++) {
      const client = await this.#pool.connect()
      const failed = await client.query('BEGIN').then(() => null, asError)
      if (!failed) return client
      client.release(failed)
      if (attempt === MOST_BEGINS || isServerSaid(failed)) throw failed
    }
  }

  /** @inheritDoc Courier.once */
  once(...asked: Parameters<Courier['once']>): ReturnType<Courier['once']> {
    return this.#courier.once(...asked)
  }

  /** @inheritDoc Courier.inTurn */
  inTurn(statements: readonly Statement[]): ReturnType<Courier['inTurn']> {
    return this.#courier.inTurn(statements)
  }

  /** A pool of its own for a library that keeps tables in `schema`. Closed with the database. */
  pool(schema: string, size: number): Pool {
    const pool = poolOf(this.#options, schema, size)
    this.#others.push(pool)
    return pool
  }

  /**
   * Does work of ours in a transaction of somebody else's, which may look for its tables elsewhere.
   * @throws TRANSACTION_FOREIGN when it is none, or one of another database
   */
  within<T>(trx: Runner, work: (runner: Runner) => Promise<T>): Promise<T> {
    return within(trx, this.schema, work)
  }

  /** Brings the schema up to date. Safe to call from any number of starters at once. */
  async migrate(): Promise<string[]> {
    return this.#migrating(async (knex) => {
      await knex.raw('CREATE SCHEMA IF NOT EXISTS ??', [this.schema])
      const [, names] = await knex.migrate.latest(this.#migrationConfig())
      return names
    })
  }

  /** Takes back the last batch of migrations, or all of them. */
  async rollback(all = false): Promise<string[]> {
    return this.#migrating(async (knex) => {
      const [, names] = await knex.migrate.rollback(this.#migrationConfig(), all)
      return names
    })
  }

  /** The names of migrations not yet run; touches nothing. */
  async pending(): Promise<string[]> {
    const names = this.#options.migrations.map(({ name }) => name)
    const { rows } = await this.query(`SELECT to_regclass($1) IS NOT NULL AS there`, [
      `"${this.schema}".migrations`,
    ])
    if (!rows[0].there) return names
    const done = await this.query('SELECT name FROM migrations')
    const ran = new Set(done.rows.map(({ name }) => name))
    return names.filter((name) => !ran.has(name))
  }

  async close(): Promise<void> {
    await Promise.all([
      this.knex.destroy(),
      this.#pool.end(),
      ...this.#others.map((pool) => pool.end()),
    ])
  }

  async #migrating<T>(work: (knex: Knex) => Promise<T>): Promise<T> {
    try {
      return await this.knex.transaction(async (trx) => {
        await trx.raw('SELECT pg_advisory_xact_lock(?)', [MIGRATION_LOCK])
        return work(trx)
      })
    } catch (thrown) {
      throw this.#explain(thrown)
    }
  }

  #migrationConfig(): Knex.MigratorConfig {
    const { migrations } = this.#options
    return {
      schemaName: this.schema,
      tableName: 'migrations',
      // A plugin that was removed leaves its tables and their migrations behind.
      disableMigrationsListValidation: true,
      migrationSource: {
        getMigrations: async () => [...migrations],
        getMigrationName: ({ name }: Migration) => name,
        getMigration: async (migration: Migration) => migration,
      },
    }
  }

  #explain(thrown: unknown): Error {
    const error = asError(thrown) as Error & { code?: string }
    if (!isUnreachable(error)) return error
    return fault('DATABASE_UNREACHABLE', { where: this.#where(), reason: reasonOf(error) }, error)
  }

  #where(): string {
    const { at } = this.#options
    if ('wire' in at) return 'the embedded folder'
    try {
      const { host, pathname } = new URL(at.url)
      return `${host}${pathname}`
    } catch {
      return 'DATABASE_URL'
    }
  }
}
