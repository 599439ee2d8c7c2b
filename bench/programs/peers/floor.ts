// The floor: what a step costs that shares its commit with others, and nothing else of ours. A sealed BullMQ job for
// each instance, XState's pure transition and a snapshot as JSON for each step, one statement for many steps, awaited.
// No lock, no fence, no claim, no due entry, no clock, no effects, no history of causes: whoever loses a process loses
// its work. Nobody can install this; it shows how far down the way leads.
import { createHash } from 'node:crypto'
import { Queue, Worker } from 'bullmq'
import pg from 'pg'
import { createMachine, initialTransition, type Snapshot, transition } from 'xstate'
import { Coalescer } from '../../../lib/coalescer.ts'
import { openFernet, sealFernet } from '../../../lib/fernet.ts'
import { Course } from '../course.ts'
import { type Program, serve } from '../program.ts'

const QUEUE = 'instances'
const KEY = createHash('sha256').update('bench').digest()
const FILLED_TOGETHER = 1_000
const MOST_TOGETHER = 200
const removed = { removeOnComplete: true, removeOnFail: true }

const TABLES = `
  CREATE TABLE tasks (id integer PRIMARY KEY, step integer NOT NULL, snapshot jsonb) WITH (fillfactor = 70);
  CREATE TABLE transitions (task_id integer, step integer, from_state text, to_state text, snapshot jsonb,
    at timestamptz DEFAULT now(), PRIMARY KEY (task_id, step))`
const STEP = `
  WITH v AS (SELECT * FROM ROWS FROM (unnest($1::integer[]), unnest($2::integer[]), unnest($3::text[]), unnest($4::text[]),
      jsonb_array_elements($5::jsonb)) AS v(id, step, a, b, snapshot)),
    moved AS (UPDATE tasks SET step = v.step, snapshot = v.snapshot FROM v
      WHERE tasks.id = v.id AND tasks.step = v.step - 1 RETURNING v.*)
  INSERT INTO transitions (task_id, step, from_state, to_state, snapshot) SELECT id, step, a, b, snapshot FROM moved`

interface Moved {
  readonly id: number
  readonly step: number
  readonly from: string
  readonly to: string
  readonly snapshot: Snapshot<unknown>
}

/** States s0 to the last but one, which is followed by the final one. */
function machineOf(steps: number) {
  const states = Array.from({ length: steps + 1 }, (_, at) => [
    `s${at}`,
    { on: { NEXT: `s${at + 1}` } },
  ])
  return createMachine({
    initial: 's0',
    states: { ...Object.fromEntries(states), [`s${steps + 1}`]: { type: 'final' } },
  } as never)
}

function commitsTo(pool: pg.Pool) {
  return new Coalescer<Moved, void>({
    trip: async (moves) => {
      const of = <V>(read: (move: Moved) => V) => moves.map(read)
      const values = [
        of(({ id }) => id),
        of(({ step }) => step),
        of(({ from }) => from),
        of(({ to }) => to),
      ]
      const snapshots = JSON.stringify(of(({ snapshot }) => snapshot))
      const { rowCount } = await pool.query({
        name: 'step',
        text: STEP,
        values: [...values, snapshots],
      })
      if (rowCount !== moves.length) throw new Error('a step was lost')
      return []
    },
    most: MOST_TOGETHER,
    trips: 2,
    isPersonal: () => false,
  })
}

serve((ground): Program => {
  const { databaseUrl, redisUrl, instances, concurrency, steps } = ground
  const { hostname: host, port } = new URL(redisUrl)
  const connection = { host, port: Number(port), maxRetriesPerRequest: null }
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 4 })
  const queue = new Queue(QUEUE, { connection, defaultJobOptions: removed })
  const machine = machineOf(steps)
  const commits = commitsTo(pool)
  let worker: Worker | null = null
  return {
    async prepare() {
      await pool.query(TABLES)
      await pool.query('INSERT INTO tasks SELECT i, 0 FROM generate_series(0, $1 - 1) i', [
        instances,
      ])
      for (let from = 0; from < instances; from += FILLED_TOGETHER) {
        const count = Math.min(FILLED_TOGETHER, instances - from)
        await queue.addBulk(
          Array.from({ length: count }, (_, index) => ({
            name: 'instance',
            data: sealFernet(KEY, String(from + index), Date.now()),
          })),
        )
      }
    },

    stand: async () => void (await Promise.all([pool.query('SELECT 1'), queue.waitUntilReady()])),

    async work() {
      const course = new Course(instances)
      const walk = async (id: number) => {
        let [snapshot] = initialTransition(machine)
        for (let step = 1; step <= steps; step += 1) {
          const from = String(snapshot.value)
          ;[snapshot] = transition(machine, snapshot, { type: 'NEXT' })
          const { value, context, status } = snapshot
          const kept = { value, context, status } as unknown as Snapshot<unknown>
          await commits.ask({ id, step, from, to: String(value), snapshot: kept })
          course.passed(id)
        }
        course.arrived()
      }
      worker = new Worker(QUEUE, ({ data }) => walk(Number(openFernet(KEY, data, Date.now()))), {
        connection,
        concurrency,
      })
      worker.on('error', (error) => course.failed(error))
      worker.on('failed', (_, error) => course.failed(error))
      await course.done
      return course.figures
    },

    async close() {
      await worker?.close()
      await queue.close()
      await pool.end()
    },
  }
})
