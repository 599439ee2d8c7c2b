// BullMQ: a job for each step, which adds the next one; where an instance is, only its job knows.
// Tuned: ended jobs are removed at once and the worker has its concurrency, as its documents advise for throughput.
// Redis keeps nothing on disk here, so no step is durable: this is what the queue alone can do.
import { FlowProducer, Queue, Worker } from 'bullmq'
import type { Ground } from '../../protocol.ts'
import { Course } from '../course.ts'
import { type Program, serve } from '../program.ts'

const QUEUE = 'steps'
const FILLED_TOGETHER = 1_000
const removed = { removeOnComplete: true, removeOnFail: true }

const connectionOf = ({ redisUrl }: Ground) => {
  const { hostname: host, port } = new URL(redisUrl)
  return { host, port: Number(port), maxRetriesPerRequest: null }
}

serve((ground): Program => {
  const { instances, concurrency, steps } = ground
  const connection = connectionOf(ground)
  const queue = new Queue(QUEUE, { connection, defaultJobOptions: removed })
  const ends = new Map<number, () => void>()
  let worker: Worker | null = null
  return {
    async prepare() {
      for (let from = 0; from < instances; from += FILLED_TOGETHER) {
        const count = Math.min(FILLED_TOGETHER, instances - from)
        const jobs = Array.from({ length: count }, (_, index) => ({
          name: 'step',
          data: { instance: from + index, step: 0 },
        }))
        await queue.addBulk(jobs)
      }
    },

    stand: async () => void (await queue.waitUntilReady()),

    async work() {
      const course = new Course(instances)
      worker = new Worker(
        QUEUE,
        async ({ data: { instance, step } }) => {
          if (step + 1 < steps) await queue.add('step', { instance, step: step + 1 })
          course.passed(instance)
        },
        { connection, concurrency },
      )
      worker.on('completed', ({ data: { step } }) => {
        if (step + 1 === steps) course.arrived()
      })
      worker.on('error', (error) => course.failed(error))
      await course.done
      return course.figures
    },

    async idle() {
      worker = new Worker(QUEUE, async () => {}, { connection, concurrency })
      worker.on('completed', ({ data: { instance } }) => ends.get(instance)?.())
      await worker.waitUntilReady()
    },

    async probe(instance) {
      const ended = new Promise<void>((resolve) => ends.set(instance, resolve))
      await queue.add('step', { instance, step: 0 })
      await ended
    },

    async fan(count) {
      const flow = new FlowProducer({ connection })
      const done = new Promise<void>((resolve, reject) => {
        worker = new Worker(QUEUE, async () => {}, { connection, concurrency })
        worker.on('completed', ({ name }) => name === 'parent' && resolve())
        worker.on('error', reject)
      })
      const child = { name: 'child', queueName: QUEUE, data: {}, opts: removed }
      const children = Array<typeof child>(count).fill(child)
      await flow.add({ ...child, name: 'parent', children })
      await done
      return flow.close().then(() => ({}))
    },

    async close() {
      await worker?.close()
      await queue.close()
    },
  }
})
