// The database: one pool for ticking, one Knex for migrations and questions. The only door to Knex.
// Promise: every statement has a deadline on both ends, every name resolves in our own schema, and a
// COMMIT whose answer was lost is told apart from one that failed.
import knexFactory, { type Knex } from 'knex'
import { CommitUnknown, isServerSaid, isUnreachable, reasonOf } from './answer.ts'
import { asError, fault } from './errors.ts'
import type { Escort } from './escort.ts'
import { within } from './foreign.ts'
import { type Address, type Connection, type Pool, poolOf, settingsOf, TICKING } from './pool.ts'
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
/** An arbitrary constant all starters agree on: two migrations at once wait for one another. */
const MIGRATION_LOCK = 7_306_294_511

export class Database implements Sequence {
  readonly knex: Knex
  readonly schema: string
  readonly #pool: Pool
  readonly #options: DatabaseOptions
  readonly #others: Pool[] = []

  constructor(options: DatabaseOptions) {
    this.#options = options
    this.schema = options.schema
    this.#pool = poolOf(options, options.schema, options.poolSize, TICKING)
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
    const client = await this.#pool.connect().catch((thrown) => {
      throw this.#explain(thrown)
    })
    let broken: Error | undefined
    const onError = (error: Error) => {
      broken = error
    }
    client.on('error', onError)
    try {
      await client.query('BEGIN')
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

  /**
   * One statement that is a transaction by itself.
   * @param escort told when something can be sent behind it
   * @throws CommitUnknown when the connection broke after it was sent
   */
  async once(
    text: string,
    params: readonly unknown[],
    escort?: Pick<Escort, 'sent' | 'answered' | 'broke'>,
  ): Promise<{ rows: any[] }> {
    const client = await this.#pool.connect().catch((thrown) => {
      throw this.#explain(thrown)
    })
    let broken: Error | undefined
    /** What was sent behind it. */
    let others: Promise<unknown> | null = null
    let isOpen = true
    try {
      const answer = client.query(asked(text, params))
      escort?.sent({
        query: (more, filled) => this.query(more, filled),
        inTurn: (statements) => {
          if (!isOpen) return this.inTurn(statements)
          const answers = this.#inTurn(client, statements)
          others = answers.catch((thrown) => {
            broken ??= asError(thrown)
          })
          return answers
        },
      })
      return await answer
    } catch (thrown) {
      escort?.broke()
      if (isServerSaid(thrown)) throw thrown
      broken = asError(thrown)
      throw new CommitUnknown(broken.message, { cause: thrown })
    } finally {
      isOpen = false
      escort?.answered()
      if (others === null) client.release(broken)
      else void (others as Promise<unknown>).then(() => client.release(broken))
    }
  }

  /**
   * Statements sent together over one connection, each a transaction by itself that sees what those before it did.
   * @throws what the first that failed has said; the others were carried out all the same, or their answers are lost
   */
  async inTurn(statements: readonly Statement[]): Promise<{ rows: any[] }[]> {
    const client = await this.#pool.connect().catch((thrown) => {
      throw this.#explain(thrown)
    })
    let failed: Error | undefined
    try {
      return await this.#inTurn(client, statements)
    } catch (thrown) {
      failed = asError(thrown)
      throw thrown
    } finally {
      client.release(failed)
    }
  }

  /** All have answered before the connection is anybody else's. */
  async #inTurn(client: Connection, statements: readonly Statement[]) {
    const answers = await Promise.allSettled(
      statements.map(([text, params]) => client.query(asked(text, params))),
    )
    return answers.map((answer) => {
      if (answer.status === 'fulfilled') return answer.value
      throw this.#explain(answer.reason)
    })
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
