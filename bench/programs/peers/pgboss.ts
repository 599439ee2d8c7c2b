// pg-boss: a job for each step, whose handler writes where the instance is and sends the next job.
// `tuned`: workers that fetch ten jobs at a time and go on at once while batches are full, woken by NOTIFY otherwise,
// because its documents name these for throughput and latency; the state and the next job of one step share a
// transaction. `batch`: two workers with half of what may be in hand each; one transaction writes the states of a
// batch, sends its next jobs and completes it (`transactional`). Supervision is off for both: nothing expires here.
import pg from 'pg'
import { type Job, PgBoss } from 'pg-boss'
import type { Figures, Ground } from '../../protocol.ts'
import { Course } from '../course.ts'
import { type Program, serve } from '../program.ts'
import { makeInstances } from './instances.ts'

const QUEUE = 'steps'
const TOGETHER = 10
const BATCHES = 2
const MOST_CONNECTIONS = 50

interface Payload {
  readonly instance: number
  readonly step: number
}

const MOVE = `UPDATE instances SET step = moved.step
  FROM unnest($1::int[], $2::int[]) AS moved (id, step) WHERE instances.id = moved.id`

async function open({ databaseUrl, concurrency }: Ground, isNew: boolean): Promise<PgBoss> {
  const max = Math.min(concurrency, MOST_CONNECTIONS)
  const boss = new PgBoss({
    connectionString: databaseUrl,
    max,
    supervise: false,
    schedule: false,
    useListenNotify: true,
  })
  boss.on('error', (error) => {
    throw error
  })
  await boss.start()
  if (isNew) await boss.createQueue(QUEUE, { notify: true, retryLimit: 0 })
  return boss
}

/** A transaction in the shape its `db` option wants. */
const asDb = (client: pg.PoolClient) => ({
  executeSql: (text: string, values: unknown[] = []) => client.query(text, values),
})

/** The payloads of jobs as the parameters of `MOVE`. */
const moves = (payloads: readonly Payload[]) => [
  payloads.map(({ instance }) => instance),
  payloads.map(({ step }) => step + 1),
]

class Boss implements Program {
  readonly #ground: Ground
  readonly #pool: pg.Pool
  readonly #ends = new Map<number, () => void>()
  #boss!: PgBoss
  #course: Course | null = null

  constructor(ground: Ground) {
    this.#ground = ground
    const max = Math.min(ground.concurrency, MOST_CONNECTIONS)
    this.#pool = new pg.Pool({ connectionString: ground.databaseUrl, max })
  }

  async prepare(): Promise<void> {
    const { databaseUrl, instances } = this.#ground
    await makeInstances(databaseUrl, instances)
    this.#boss = await open(this.#ground, true)
    const first = Array.from({ length: instances }, (_, instance) => ({
      data: { instance, step: 0 },
    }))
    await this.#boss.insert(QUEUE, first)
  }

  async stand(): Promise<void> {
    this.#boss = await open(this.#ground, false)
  }

  async work(): Promise<Figures> {
    const course = new Course(this.#ground.instances)
    this.#course = course
    await this.#begin()
    await course.done
    while (this.#isBatch && (await this.#someAreOnTheirWay())) {}
    return course.figures
  }

  async idle(count: number): Promise<void> {
    await makeInstances(this.#ground.databaseUrl, count)
    await this.#boss.createQueue(QUEUE, { notify: true, retryLimit: 0 })
    await this.#begin()
  }

  async probe(instance: number): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#ends.set(instance, resolve))
    await this.#boss.send(QUEUE, { instance, step: this.#ground.steps - 1 })
    await ended
  }

  async close(): Promise<void> {
    await this.#boss.stop({ graceful: true, timeout: 5_000 })
    await this.#pool.end()
  }

  get #isBatch(): boolean {
    return this.#ground.variant === 'batch'
  }

  async #begin(): Promise<void> {
    const { concurrency } = this.#ground
    const burst = { burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 }
    if (this.#isBatch) {
      const batchSize = Math.ceil(concurrency / BATCHES)
      const how = { ...burst, batchSize, localConcurrency: BATCHES, transactional: true } as const
      await this.#boss.work(QUEUE, how, (jobs: Job<Payload>[], db: any) => this.#batch(jobs, db))
      return
    }
    const localConcurrency = Math.max(1, Math.round(concurrency / TOGETHER))
    const how = { ...burst, batchSize: Math.min(TOGETHER, concurrency), localConcurrency }
    await this.#boss.work(QUEUE, how, async (jobs: Job<Payload>[]) => {
      await Promise.all(jobs.map(({ data }) => this.#single(data))).catch((error) => {
        this.#course?.failed(error)
        throw error
      })
    })
  }

  /** Many steps in the transaction that also completes their jobs; it commits once this returns. */
  async #batch(jobs: readonly Job<Payload>[], db: any): Promise<void> {
    const payloads = jobs.map(({ data }) => data)
    await db.executeSql(MOVE, moves(payloads))
    await this.#boss.insert(QUEUE, this.#nextOf(payloads), { db })
    for (const payload of payloads) this.#tell(payload)
  }

  /** One step in a transaction of its own. */
  async #single(payload: Payload): Promise<void> {
    const client = await this.#pool.connect()
    await client.query('BEGIN')
    await client.query({ name: 'move', text: MOVE, values: moves([payload]) })
    for (const { data } of this.#nextOf([payload])) {
      await this.#boss.send(QUEUE, data, { db: asDb(client) })
    }
    await client.query('COMMIT')
    client.release()
    this.#tell(payload)
  }

  #nextOf(payloads: readonly Payload[]) {
    return payloads
      .filter(({ step }) => step + 1 < this.#ground.steps)
      .map(({ instance, step }) => ({ data: { instance, step: step + 1 } }))
  }

  #tell({ instance, step }: Payload): void {
    this.#course?.passed(instance)
    if (step + 1 === this.#ground.steps) this.#course?.arrived()
    this.#ends.get(instance)?.()
  }

  /** What a batch told before its commit is true once the rows say so. */
  async #someAreOnTheirWay(): Promise<boolean> {
    const text = 'SELECT 1 FROM instances WHERE step < $1 LIMIT 1'
    return (await this.#pool.query(text, [this.#ground.steps])).rows.length > 0
  }
}

serve((ground) => new Boss(ground))
