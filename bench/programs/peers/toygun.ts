// The design of the ancestor, in TypeScript: a clock that every second puts every active resource on a Redis list,
// sealed with Fernet; workers that pop one, take its lock with SET NX, load it and its tasks, and commit one step in a
// transaction that compares with the last line of the history. Keys are UUIDs, attributes are JSON that is saved with
// each step, and histories have one line for each step of each row, as there. Not tuned, because that design has nothing to tune but the beat; it is here to show where we come from.
import { createHash, randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import pg from 'pg'
import { openFernet, sealFernet } from '../../../lib/fernet.ts'
import type { Figures, Ground } from '../../protocol.ts'
import { Course } from '../course.ts'
import { type Program, serve } from '../program.ts'

const LIST = 'resources'
const BEAT_MS = 1_000
const LOCK_MS = 60_000
const TTL_MS = 1_800_000
const MOST_CONNECTIONS = 50
/** Deletes a lock only if it is still ours. */
const UNLOCK = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`

const LAST =
  'SELECT step, to_state FROM task_transitions WHERE task_uuid = $1 ORDER BY step DESC LIMIT 1'
const INSERT =
  'INSERT INTO task_transitions (task_uuid, step, from_state, to_state) VALUES ($1, $2, $3, $4)'
const SAVE = 'UPDATE tasks SET state = $2, raw_attrs = $3, updated_at = now() WHERE uuid = $1'
const TABLES = `
  CREATE TABLE resources (uuid uuid PRIMARY KEY, type text NOT NULL, state text NOT NULL, raw_attrs jsonb NOT NULL DEFAULT '{}');
  CREATE INDEX resources_active ON resources (state);
  CREATE TABLE tasks (uuid uuid PRIMARY KEY, type text NOT NULL, name text NOT NULL,
    resource_uuid uuid NOT NULL REFERENCES resources, state text NOT NULL, raw_attrs jsonb NOT NULL DEFAULT '{}',
    updated_at timestamptz);
  CREATE UNIQUE INDEX tasks_live ON tasks (resource_uuid, name) WHERE state <> '__stop__';
  CREATE TABLE resource_transitions (id bigserial PRIMARY KEY, resource_uuid uuid NOT NULL REFERENCES resources,
    step integer NOT NULL, from_state text, to_state text, at timestamptz NOT NULL DEFAULT now());
  CREATE UNIQUE INDEX resource_steps ON resource_transitions (resource_uuid, step);
  CREATE TABLE task_transitions (id bigserial PRIMARY KEY, task_uuid uuid NOT NULL REFERENCES tasks, step integer NOT NULL,
    from_state text, to_state text, at timestamptz NOT NULL DEFAULT now());
  CREATE UNIQUE INDEX task_steps ON task_transitions (task_uuid, step);
`
/** The same for the one who fills the list and the one who works on it. */
const KEY = createHash('sha256').update('bench').digest()
const uuidOf = (index: number) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`
const indexOf = (uuid: string) => Number(uuid.slice(-12))

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
    await this.#pool.query(`UPDATE resources SET state = 'active' WHERE uuid = $1`, [uuidOf(index)])
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
    await this.#pool.query(TABLES)
    const uuids = Array.from({ length: count }, (_, index) => uuidOf(index))
    const all = 'unnest($1::uuid[]) u'
    await this.#pool.query(`INSERT INTO resources SELECT u, 'Walker', $2 FROM ${all}`, [
      uuids,
      state,
    ])
    await this.#pool.query(`INSERT INTO tasks SELECT u, 'Chain', 'chain', u, 's0' FROM ${all}`, [
      uuids,
    ])
    await this.#pool.query(
      `INSERT INTO task_transitions (task_uuid, step, to_state) SELECT u, 0, 's0' FROM ${all}`,
      [uuids],
    )
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
    const { rows } = await this.#pool.query(`SELECT uuid FROM resources WHERE state = 'active'`)
    const messages = rows.map(({ uuid }) => sealFernet(KEY, uuid, Date.now()))
    if (messages.length > 0) await this.#redis.rpush(LIST, ...messages)
    if (this.#isClosed) return
    this.#beat = setTimeout(() => void this.#clock().catch(() => {}), BEAT_MS)
  }

  async #worker(told: Told): Promise<void> {
    const own = this.#redis.duplicate()
    this.#poppers.push(own)
    while (!this.#isClosed) {
      const popped = await own.blpop(LIST, 0)
      if (!popped) continue
      const id = openFernet(KEY, popped[1], Date.now(), { ttlMs: TTL_MS }).toString()
      const lock = `lock:${id}`
      const token = randomUUID()
      if ((await this.#redis.set(lock, token, 'PX', LOCK_MS, 'NX')) !== 'OK') continue
      const step = await this.#tick(id)
      await this.#redis.eval(UNLOCK, 1, lock, token)
      if (step !== null) told(indexOf(id), step)
    }
  }

  /** One step, if there is one left. @returns how many steps the task has now, or null if it was at its end */
  async #tick(id: string): Promise<number | null> {
    const { rows: found } = await this.#pool.query('SELECT * FROM resources WHERE uuid = $1', [id])
    if (found[0]?.state !== 'active') return null
    const { rows } = await this.#pool.query(
      `SELECT * FROM tasks WHERE resource_uuid = $1 AND state <> '__stop__'`,
      [id],
    )
    const [{ uuid, state, raw_attrs: attrs }] = rows
    const client = await this.#pool.connect()
    await client.query('BEGIN')
    const last = (await client.query(LAST, [uuid])).rows[0]
    if (last.to_state !== state) throw new Error('desynchronized')
    const step = last.step + 1
    const next = `s${step}`
    await client.query(INSERT, [uuid, step, state, next])
    await client.query(SAVE, [uuid, next, JSON.stringify({ ...attrs, step })])
    await client.query('COMMIT')
    client.release()
    if (step !== this.#ground.steps) return step
    await this.#pool.query(`UPDATE resources SET state = 'done' WHERE uuid = $1`, [id])
    return step
  }
}

serve((ground) => new Toygun(ground))
