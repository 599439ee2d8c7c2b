// The design of the ancestor, in TypeScript: a clock that every second puts every active resource on a Redis list,
// workers that pop one, take its lock with SET NX, load it and its tasks, and commit one step in a transaction.
// Not tuned, because that design has nothing to tune but the beat; it is here to show where we come from.
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import pg from 'pg'
import type { Figures, Ground } from '../../protocol.ts'
import { Course } from '../course.ts'
import { type Program, serve } from '../program.ts'

const LIST = 'resources'
const BEAT_MS = 1_000
const LOCK_MS = 30_000
const MOST_CONNECTIONS = 50
/** Deletes a lock only if it is still ours. */
const UNLOCK = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`

const INSERT = 'INSERT INTO transitions (task_id, from_state, to_state) VALUES ($1, $2, $3)'
const TABLES = `
  CREATE TABLE resources (id integer PRIMARY KEY, state text NOT NULL, attrs jsonb NOT NULL DEFAULT '{}');
  CREATE INDEX resources_active ON resources (state);
  CREATE TABLE tasks (id integer PRIMARY KEY, resource_id integer NOT NULL REFERENCES resources, state text NOT NULL,
    step integer NOT NULL, attrs jsonb NOT NULL DEFAULT '{}');
  CREATE INDEX tasks_by_resource ON tasks (resource_id);
  CREATE TABLE transitions (id bigserial PRIMARY KEY, task_id integer NOT NULL REFERENCES tasks, from_state text,
    to_state text, at timestamptz NOT NULL DEFAULT now());
`

type Told = (id: number, step: number) => void

class Toygun implements Program {
  readonly #ground: Ground
  readonly #pool: pg.Pool
  readonly #redis: Redis
  readonly #poppers: Redis[] = []
  readonly #ends = new Map<number, () => void>()
  #beat: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(ground: Ground) {
    const { databaseUrl, redisUrl, concurrency } = ground
    this.#ground = ground
    const max = Math.min(concurrency, MOST_CONNECTIONS)
    this.#pool = new pg.Pool({ connectionString: databaseUrl, max })
    this.#redis = new Redis(redisUrl)
  }

  async prepare(): Promise<void> {
    await this.#make(this.#ground.instances, 'active')
  }

  async stand(): Promise<void> {
    await this.#pool.query('SELECT 1')
  }

  async work(): Promise<Figures> {
    const { instances, steps } = this.#ground
    const course = new Course(instances)
    const told: Told = (id, step) => {
      course.passed(id)
      if (step === steps) course.arrived()
    }
    this.#begin(told, (error) => course.failed(error))
    await course.done
    return course.figures
  }

  async idle(count: number): Promise<void> {
    await this.#make(count, 'new')
    this.#begin(
      (id) => this.#ends.get(id)?.(),
      () => {},
    )
  }

  async probe(index: number): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#ends.set(index, resolve))
    await this.#pool.query(`UPDATE resources SET state = 'active' WHERE id = $1`, [index])
    await ended
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#beat)
    for (const popper of this.#poppers) popper.disconnect()
    this.#redis.disconnect()
    await this.#pool.end()
  }

  async #make(count: number, state: string): Promise<void> {
    const all = 'generate_series(0, $1 - 1) i'
    await this.#pool.query(TABLES)
    await this.#pool.query(`INSERT INTO resources SELECT i, $2 FROM ${all}`, [count, state])
    await this.#pool.query(`INSERT INTO tasks SELECT i, i, 's0', 0 FROM ${all}`, [count])
  }

  #begin(told: Told, fail: (error: unknown) => void): void {
    for (let index = 0; index < this.#ground.concurrency; index += 1) {
      this.#worker(told).catch((error) => {
        if (!this.#isClosed) fail(error)
      })
    }
    void this.#clock().catch(fail)
  }

  async #clock(): Promise<void> {
    const { rows } = await this.#pool.query(`SELECT id FROM resources WHERE state = 'active'`)
    if (rows.length > 0) await this.#redis.rpush(LIST, ...rows.map(({ id }) => id))
    if (this.#isClosed) return
    this.#beat = setTimeout(() => void this.#clock().catch(() => {}), BEAT_MS)
  }

  async #worker(told: Told): Promise<void> {
    const own = this.#redis.duplicate()
    this.#poppers.push(own)
    while (!this.#isClosed) {
      const popped = await own.blpop(LIST, 0)
      if (!popped) continue
      const id = Number(popped[1])
      const lock = `lock:${id}`
      const token = randomUUID()
      if ((await this.#redis.set(lock, token, 'PX', LOCK_MS, 'NX')) !== 'OK') continue
      const step = await this.#tick(id)
      await this.#redis.eval(UNLOCK, 1, lock, token)
      if (step !== null) told(id, step)
    }
  }

  /** One step, if there is one left. @returns how many steps the task has now, or null if it was at its end */
  async #tick(id: number): Promise<number | null> {
    const { rows: found } = await this.#pool.query('SELECT * FROM resources WHERE id = $1', [id])
    if (found[0]?.state !== 'active') return null
    const { rows } = await this.#pool.query('SELECT * FROM tasks WHERE resource_id = $1', [id])
    const { state, step: before } = rows[0]
    const step = before + 1
    const next = `s${step}`
    const client = await this.#pool.connect()
    await client.query('BEGIN')
    await client.query('SELECT 1 FROM tasks WHERE id = $1 FOR UPDATE', [id])
    await client.query('UPDATE tasks SET step = $2, state = $3 WHERE id = $1', [id, step, next])
    await client.query(INSERT, [id, state, next])
    await client.query('COMMIT')
    client.release()
    if (step !== this.#ground.steps) return step
    await this.#pool.query(`UPDATE resources SET state = 'done' WHERE id = $1`, [id])
    return step
  }
}

serve((ground) => new Toygun(ground))
