// graphile-worker: a job for each step; one statement writes where the instance is and adds the next job.
// `default`: nothing set but the concurrency. Tuned as its page on performance advises: a local queue a little larger
// than the concurrency, so that jobs are fetched many at a time; ended jobs are completed in batches; the pool has
// two connections more than there are jobs in hand, but no more than 50, because a server with few cores gains
// nothing from more; its database functions keep their prepared statements.
import {
  type AddJobFunction,
  type JobHelpers,
  Logger,
  makeWorkerUtils,
  type Runner,
  run,
} from 'graphile-worker'
import type { Ground } from '../../protocol.ts'
import { Copies } from '../copies.ts'
import { Course } from '../course.ts'
import { type Program, serve } from '../program.ts'
import { makeInstances } from './instances.ts'
import { watched } from './watched.ts'

const MOST_CONNECTIONS = 50
const FILLED_TOGETHER = 5_000
const HOUR_MS = 3_600_000
/** No instance of its own: those count from 0. */
const PARENT = -1
const logger = new Logger(() => () => {})

const NEXT = {
  name: 'next',
  text: `WITH moved AS (UPDATE instances SET step = $2 WHERE id = $1)
    SELECT FROM graphile_worker.add_job('step', json_build_object('instance', $1::int, 'step', $2::int))`,
}
const LAST = { name: 'last', text: 'UPDATE instances SET step = $2 WHERE id = $1' }

const tuned = (concurrency: number) => ({
  localQueue: { size: concurrency + 1 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
})

function start({ variant, databaseUrl, concurrency }: Ground, step: Step): Promise<Runner> {
  return run({
    connectionString: databaseUrl,
    logger,
    noHandleSignals: true,
    concurrency,
    taskList: { step: step as never },
    preset: {
      worker: {
        connectionString: databaseUrl,
        concurrentJobs: concurrency,
        maxPoolSize: Math.min(Math.max(10, concurrency + 2), MOST_CONNECTIONS),
        ...(variant === 'tuned' && tuned(concurrency)),
      },
    },
  })
}

interface Payload {
  readonly instance: number
  readonly step: number
}
type Step = (payload: Payload, helpers: JobHelpers) => Promise<void>

/** The schema, and so many jobs. */
async function added(connectionString: string, count: number): Promise<void> {
  const utils = await makeWorkerUtils({ connectionString, logger })
  await utils.migrate()
  const jobs = Array.from({ length: count }, (_, instance) => ({
    identifier: 'step',
    payload: { instance, step: 0 },
  }))
  if (count > 0) await utils.addJobs(jobs)
  await utils.release()
}

/** Jobs an hour away. */
async function sleepers(connectionString: string, count: number): Promise<void> {
  const utils = await makeWorkerUtils({ connectionString, logger })
  for (let from = 0; from < count; from += FILLED_TOGETHER) {
    const length = Math.min(FILLED_TOGETHER, count - from)
    const runAt = new Date(Date.now() + HOUR_MS + from)
    const jobs = Array.from({ length }, (_, index) => {
      const payload = { instance: PARENT - from - index, step: 0 }
      return { identifier: 'step', runAt, payload }
    })
    await utils.addJobs(jobs)
  }
  await utils.release()
  await Copies.during(connectionString, async () => {})
}

/** A job that adds all others in one call; each of them is one step. */
function fanned(ground: Ground, course: Course, count: number): Promise<Runner> {
  return start(ground, async ({ instance }, { withPgClient, addJobs }) => {
    if (instance !== PARENT) {
      await withPgClient((client) => client.query({ ...LAST, values: [instance, 1] }))
      course.arrived()
      return
    }
    const instances = Array.from({ length: count }, (_, index) => index)
    await addJobs(
      instances.map((one) => ({ identifier: 'step', payload: { instance: one, step: 0 } })),
    )
  })
}

serve((ground): Program => {
  const { databaseUrl, instances, steps } = ground
  const ends = new Map<number, () => void>()
  let runner: Runner
  let addJob: AddJobFunction
  return {
    async prepare() {
      await makeInstances(databaseUrl, instances)
      await added(databaseUrl, instances)
    },

    async stand() {},

    async work() {
      const course = new Course(instances)
      runner = await start(ground, async ({ instance, step }, { withPgClient }) => {
        const isLast = step + 1 === steps
        const values = [instance, step + 1]
        await withPgClient((client) => client.query({ ...(isLast ? LAST : NEXT), values }))
        course.passed(instance)
        if (isLast) course.arrived()
      })
      await course.done
      return course.figures
    },

    async idle(count) {
      await makeInstances(databaseUrl, count)
      await added(databaseUrl, 0)
      runner = await start(ground, async ({ instance }, { withPgClient }) => {
        await withPgClient((client) => client.query({ ...LAST, values: [instance, 1] }))
        ends.get(instance)?.()
      })
      addJob = runner.addJob
    },

    async probe(instance) {
      const ended = new Promise<void>((resolve) => ends.set(instance, resolve))
      await addJob('step', { instance, step: 0 })
      await ended
    },

    async lay(_, count) {
      await added(databaseUrl, 0)
      await sleepers(databaseUrl, count)
    },

    async begin() {
      runner = await start(ground, async ({ instance, step }, { withPgClient }) => {
        const values = [instance, step + 1]
        const move = step + 1 === steps ? LAST : NEXT
        await withPgClient((client) => client.query({ ...move, values }))
      })
    },

    watch: () => watched(databaseUrl, 'SELECT 1 FROM graphile_worker._private_jobs LIMIT 1'),

    async fan(count) {
      await makeInstances(databaseUrl, count)
      await added(databaseUrl, 0)
      const course = new Course(count)
      runner = await fanned(ground, course, count)
      await runner.addJob('step', { instance: PARENT, step: 0 })
      await course.done
      return {}
    },

    close: async () => runner?.stop(),
  }
})
