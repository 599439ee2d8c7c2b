// DBOS: a workflow of ten steps.
// Tuned: the pool is as large as what is in hand, within reason, because its documents ask for a connection for each
// busy workflow; logging and tracing are off. `direct` starts workflows in the process that runs them, as many at a
// time as may be in hand; `fast` takes them from a queue with a worker concurrency, and polls every 50 ms instead of
// every second, as its documents advise for latency.
import { DBOS, DBOSClient } from '@dbos-inc/dbos-sdk'
import type { Ground } from '../../protocol.ts'
import { Copies } from '../copies.ts'
import { Course } from '../course.ts'
import { inLanes, type Program, serve } from '../program.ts'
import { watched } from './watched.ts'

const QUEUE = 'chains'
const POLL_MS = 50
const MOST_CONNECTIONS = 50
const LEFT = `SELECT 1 FROM dbos.workflow_status WHERE status IN ('ENQUEUED', 'PENDING') LIMIT 1`
const quiet = { debug() {}, info() {}, warn() {}, error() {} }

function configure({ databaseUrl, concurrency }: Ground): void {
  DBOS.setConfig({
    name: 'bench',
    systemDatabaseUrl: databaseUrl,
    systemDatabasePoolSize: Math.min(concurrency, MOST_CONNECTIONS),
    logger: quiet as never,
    tracingEnabled: false,
  })
}

function workflowsOf({ variant, steps }: Ground, course: Course) {
  const step = async () => {}
  const chain = DBOS.registerWorkflow(
    async (instance: number) => {
      for (let index = 0; index < steps; index += 1) {
        await DBOS.runStep(step, { name: `s${index}` })
        course.passed(instance)
      }
      if (variant === 'fast') course.arrived()
    },
    { name: 'chain' },
  )
  const once = DBOS.registerWorkflow(async () => DBOS.runStep(step, { name: 's0' }), {
    name: 'once',
  })
  const fan = DBOS.registerWorkflow(
    async (children: number) => {
      const queued = variant === 'fast' ? { queueName: QUEUE } : {}
      const handles = []
      for (let index = 0; index < children; index += 1)
        handles.push(await DBOS.startWorkflow(once, queued)())
      for (const handle of handles) await handle.getResult()
    },
    { name: 'fan' },
  )
  return { chain, once, fan }
}

/** The client's side: workflows for the queue, sent by another process than runs them. */
const fillerOf = (ground: Ground): Pick<Program, 'prepare' | 'lay'> => {
  const filled = async (fill: (client: DBOSClient) => Promise<unknown>) => {
    configure(ground)
    await DBOS.launch({})
    await DBOS.shutdown()
    const systemDatabaseUrl = ground.databaseUrl
    const client = await DBOSClient.create({ systemDatabaseUrl, applicationName: 'bench' })
    await fill(client)
    await client.destroy()
  }
  return {
    async prepare() {
      if (ground.variant === 'direct') return
      const asked = { queueName: QUEUE, workflowName: 'chain' }
      await filled((client) =>
        inLanes(ground.instances, 20, (index) => client.enqueue(asked, index)),
      )
    },

    // One is sent to the queue with a delay, the others are its copies: a client sends about a thousand a second.
    async lay(_, count) {
      const asked = { queueName: QUEUE, workflowName: 'once', delaySeconds: 3_600 }
      await filled((client) => client.enqueue(asked))
      const differing = { workflow_uuid: 'gen_random_uuid()::text' }
      await Copies.during(ground.databaseUrl, (copies) =>
        copies.copy('dbos.workflow_status', `queue_name = '${QUEUE}'`, differing, count - 1),
      )
    },
  }
}

serve((ground): Program => {
  const { variant, databaseUrl, instances, concurrency } = ground
  const course = new Course(instances)
  const { chain, once, fan } = workflowsOf(ground, course)
  const listen = () =>
    DBOS.registerQueue(QUEUE, { workerConcurrency: concurrency, minPollingIntervalMs: POLL_MS })
  const launch = async () => {
    configure(ground)
    await DBOS.launch()
  }
  return {
    ...fillerOf(ground),

    async stand() {
      if (variant === 'direct') await launch()
    },

    async work() {
      if (variant === 'fast') {
        await launch()
        await listen()
        await course.done
      } else {
        await inLanes(instances, concurrency, async (index) => {
          const handle = await DBOS.startWorkflow(chain)(index)
          await handle.getResult()
        })
      }
      return course.figures
    },

    async idle() {
      if (variant !== 'fast') return
      await launch()
      await listen()
    },

    async probe() {
      const handle = await DBOS.startWorkflow(once)()
      await handle.getResult()
    },

    async begin() {
      await launch()
      await listen()
    },

    watch: () => watched(databaseUrl, LEFT),

    async fan(count) {
      if (variant === 'fast') {
        await launch()
        await listen()
      }
      const handle = await DBOS.startWorkflow(fan)(count)
      await handle.getResult()
      return {}
    },

    // Its registry belongs to the process: who comes again registers anew.
    close: () => DBOS.shutdown({ deregister: true }),
  }
})
