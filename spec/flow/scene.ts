// A scene: a house on the full setting, worked by real processes, with a world that sees their effects.
// Promise: a schema and a prefix nobody else uses; everybody in it is gone when it is closed.
import { Redis } from 'ioredis'
import { App } from '../../bin/index.ts'
import { type Environment, readConfig } from '../../lib/config.ts'
import { Database } from '../../lib/database.ts'
import { newToken } from '../../lib/id.ts'
import { Keyring } from '../../lib/keyring.ts'
import { SystemTime } from '../../lib/time.ts'
import { asCompiled } from '../support/compiled.ts'
import { Processes, type StaffProcess } from '../support/processes.ts'
import { databaseUrl, redisUrl } from '../support/services.ts'
import { Sink } from '../support/sink.ts'
import { until, type Waiting } from '../support/wait.ts'
import { breachesIn, breachesMidway, COMMITTED_KEYS, type Reported } from './invariants.ts'
import { launch, type Vessel, vesselTelling } from './processes/workload.ts'
import { witness } from './witness.ts'

export interface SceneOptions {
  /** The PostgreSQL to use; that of the environment unless told. */
  readonly databaseUrl?: string
  /** The Redis to use; that of the environment unless told. */
  readonly redisUrl?: string
  /** Variables of the house, on top of the brisk ones. */
  readonly config?: Environment
}

/** Resources one worker ticks at once. */
export const CONCURRENCY = 10
/** Short times, so that a fault costs seconds; the relations between them are those of production. */
const BRISK: Environment = {
  ESCAPEMENT_BEAT_MS: '200',
  ESCAPEMENT_TOLD_MS: '1000',
  ESCAPEMENT_LOCK_TTL_MS: '1500',
  ESCAPEMENT_CONCURRENCY: String(CONCURRENCY),
  ESCAPEMENT_GRACE_MS: '5000',
}
/** After this long the queue gives the tickets of a dead process to somebody else. */
const QUEUE_GIVES_UP_MS = 60_000
const time = new SystemTime()
const APP = await asCompiled('spec/flow/processes/app.ts')
/** Vessels launched at the same time. */
const LAUNCHING = 8

export class Scene {
  readonly app: App
  readonly sink: Sink
  readonly processes: Processes
  readonly schema: string
  readonly #Vessel: Vessel
  readonly #redisUrl: string
  readonly #at: string
  #vessels = 0

  private constructor(parts: {
    app: App
    sink: Sink
    Vessel: Vessel
    environment: Environment
    at: string
  }) {
    const { app, sink, environment } = parts
    this.app = app
    this.sink = sink
    this.schema = app.rooms.config.schema
    this.processes = new Processes({
      ...environment,
      ESCAPEMENT_APP: APP,
      FLOW_WORLD: String(sink.port),
    })
    this.#Vessel = parts.Vessel
    this.#redisUrl = app.rooms.config.redisUrl!
    this.#at = parts.at
  }

  /** Opens a house nobody works in yet. */
  static async open(options: SceneOptions = {}): Promise<Scene> {
    const schema = `flow_${newToken().slice(0, 8)}`
    const at = options.databaseUrl ?? databaseUrl()!
    const environment: Environment = {
      ...BRISK,
      // Sessions carry the name of the scene, so that a fault can be meant for them alone.
      DATABASE_URL: named(at, schema),
      REDIS_URL: options.redisUrl ?? redisUrl()!,
      ESCAPEMENT_SCHEMA: schema,
      ESCAPEMENT_KEYS: Keyring.generate(),
      ...options.config,
    }
    const sink = await Sink.open()
    const Vessel = vesselTelling(sink.tell)
    const config = readConfig(environment)
    const app = await App.open({ resources: [Vessel], config, migrate: true, actor: 'flow' })
    return new Scene({ app, sink, Vessel, environment, at })
  }

  /** Makes vessels and starts both tasks of each; answers their ids. */
  async launch(count: number): Promise<string[]> {
    const ids: string[] = []
    const hand = async () => {
      while (ids.length + inHand < count) {
        inHand++
        const id = await launch(this.app, this.#Vessel, this.#vessels + ids.length + inHand)
        inHand--
        ids.push(id)
      }
    }
    let inHand = 0
    await Promise.all(Array.from({ length: LAUNCHING }, hand))
    this.#vessels += count
    return ids
  }

  sql = async (text: string, params?: readonly unknown[]): Promise<any[]> =>
    (await this.app.rooms.database.query(text, params)).rows

  /** How many steps are committed. */
  async steps(): Promise<number> {
    return (await this.sql('SELECT count(*) AS count FROM transitions'))[0].count
  }

  get vessels(): number {
    return this.#vessels
  }

  /** How many tasks are still under way. */
  async underWay(): Promise<number> {
    return (await this.sql('SELECT count(*) AS count FROM tasks WHERE finished_at IS NULL'))[0]
      .count
  }

  /**
   * When so many more steps are committed: in the middle of things.
   * @param isEndEnough also when no task is under way any more, however few there were
   */
  async stepsMore(more: number, deadlineMs = 30_000, isEndEnough = false): Promise<void> {
    const answered = { what: 'the database answered', deadlineMs }
    const { before } = await until(async () => ({ before: await this.steps() }), answered)
    const what = `${more} more steps were committed`
    const hasEnded = async () => isEndEnough && (await this.underWay()) === 0
    const isEnough = async () => (await this.steps()) >= before + more || (await hasEnded())
    await this.#until(isEnough, { what, deadlineMs })
  }

  /**
   * Starts processes side by side, in the order of their roles. The world takes no notice of effects before the first
   * of them are all there: one alone would be done with everything while another one starts.
   */
  async staff(...roles: ('clock' | 'worker')[]): Promise<StaffProcess[]> {
    const held = this.processes.all.length === 0 ? this.sink.hold(() => true) : null
    const started = roles.map((role) => this.processes.start(role))
    return Promise.all(started).finally(() => held?.release())
  }

  /** When no task is under way any more. */
  async finished(deadlineMs: number): Promise<void> {
    const what = 'all tasks had come to their end'
    await this.#until(async () => (await this.underWay()) === 0, { what, deadlineMs })
  }

  /** Which effects this process began and no step has come of: what it has in hand. */
  async inHandOf({ pid }: StaffProcess): Promise<string[]> {
    const done = new Set((await this.sql(COMMITTED_KEYS)).map(({ key }) => key))
    const begun = this.sink.seen.filter((seen) => seen.pid === pid).map(({ key }) => key)
    return [...new Set(begun)].filter((key) => !done.has(key))
  }

  /** When a step has come of each of these effects; answers how long that took, in milliseconds. */
  async recovered(keys: readonly string[], deadlineMs = 30_000): Promise<number> {
    const startedAt = time.monotonic()
    const what = `${keys.length} effects of the lost process had led to their step`
    const isDone = async () => {
      const done = new Set((await this.sql(COMMITTED_KEYS)).map(({ key }) => key))
      return keys.every((key) => done.has(key))
    }
    await this.#until(isDone, { what, deadlineMs })
    return Math.round(time.monotonic() - startedAt)
  }

  /** Every task that is due, with the step it is at. */
  due(): Promise<{ id: string; step: number }[]> {
    return this.sql(
      `SELECT t.id, t.step FROM tasks t JOIN dues d ON d.task_id = t.id
       WHERE d.due_at <= clock_timestamp()`,
    )
  }

  /** When each of these tasks has moved on; answers how long that took, in milliseconds. */
  async movedOn(due: readonly { id: string; step: number }[], deadlineMs: number): Promise<number> {
    const startedAt = time.monotonic()
    const behind = `
      SELECT 1 FROM json_to_recordset($1) AS v(id uuid, step integer) JOIN tasks t ON t.id = v.id
      WHERE t.step = v.step AND t.finished_at IS NULL LIMIT 1`
    const what = `${due.length} tasks that were due had moved on`
    const hasMoved = async () => (await this.sql(behind, [JSON.stringify(due)])).length === 0
    await this.#until(hasMoved, { what, deadlineMs })
    return Math.round(time.monotonic() - startedAt)
  }

  /** Steps the processes have told of so far. */
  get reported(): Reported[] {
    return this.processes.all.flatMap(({ told }) =>
      told.flatMap(({ msg, taskId, step, from, to, event }) =>
        msg === 'task.stepped' ? [{ taskId, step, from, to, event }] : [],
      ),
    )
  }

  /** Looks at what must be true in the middle of things, as soon as the database answers. */
  async breachesMidway(): Promise<string[]> {
    const { sql, reported } = this
    const look = async () => ({ found: await breachesMidway({ sql, reported }) })
    return (await until(look, { what: 'the database answered', deadlineMs: 30_000 })).found
  }

  /**
   * Looks at everything, once all locks and tickets had their time to be given back.
   * @param patienceMs how long that may take; beyond a minute the queue has given up the dead as well
   */
  async breaches(patienceMs = 20_000): Promise<string[]> {
    const redis = new Redis(this.#redisUrl)
    const { sql, schema, sink, processes, reported } = this
    const { seen } = sink
    const lost = processes.all.filter(({ isLost }) => isLost).length
    const look = () =>
      breachesIn({
        sql,
        schema,
        redis,
        seen,
        reported,
        vessels: this.#vessels,
        output: processes.output,
        lostHands: patienceMs > QUEUE_GIVES_UP_MS ? 0 : lost * CONCURRENCY,
      })
    const what = 'locks and tickets were given back'
    let breaches: string[] = []
    const isWell = async () => {
      breaches = await look()
      return breaches.length === 0
    }
    await until(isWell, { what, deadlineMs: patienceMs }).catch(async () => {
      breaches = await look()
    })
    await redis.quit()
    const strays = processes.all.filter(({ stray }) => stray !== '')
    const said = strays.map(({ name, stray }) => `${name} said: ${stray.slice(0, 500)}`)
    return [...breaches, ...said, ...(await this.#resting())]
  }

  /** Ends every session of this scene but our own question, as an operator or a proxy would. */
  async dismissSessions(): Promise<void> {
    await this.#aside((database) =>
      database.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
        [this.schema],
      ),
    )
  }

  async close(): Promise<void> {
    await this.processes.stopAll()
    await this.app.close()
    await this.sink.close()
    await this.#aside(async (database) => {
      await database.query(`DROP SCHEMA IF EXISTS "${this.schema}" CASCADE`)
    })
    const redis = new Redis(this.#redisUrl)
    const keys = await redis.keys(`*${this.schema}*`)
    if (keys.length > 0) await redis.del(...keys)
    await redis.quit()
  }

  /** Waits; in vain, it says what the scene looks like then. */
  async #until(condition: () => Promise<boolean>, waiting: Waiting): Promise<void> {
    await until(condition, waiting).catch(async (thrown: Error) => {
      const { sql, schema, processes } = this
      const seen = await witness({ sql, schema, processes: processes.all })
      throw new Error(`${thrown.message}\n${seen}`, { cause: thrown })
    })
  }

  /** Nobody rests inside a transaction. */
  async #resting(): Promise<string[]> {
    const rows = await this.sql(
      `SELECT query FROM pg_stat_activity WHERE application_name = $1 AND state LIKE 'idle in%'`,
      [this.schema],
    )
    return rows.map(({ query }) => `a transaction rests after "${query}"`)
  }

  async #aside<T>(work: (database: Database) => Promise<T>): Promise<T> {
    const at = { url: this.#at }
    const database = new Database({ at, schema: this.schema, poolSize: 1, migrations: [] })
    return work(database).finally(() => database.close())
  }
}

/** The same address, for sessions with a name. */
function named(url: string, name: string): string {
  const address = new URL(url)
  address.searchParams.set('application_name', name)
  return address.href
}
