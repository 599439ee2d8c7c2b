// W6: one parent, ten thousand children of one step each; from the start of the parent until the last child has ended, in a
// process that has had some before.
import { peakMb } from '../meter.ts'
import { type Track, visit, warmed } from '../race.ts'
import { PLAIN } from '../servers.ts'
import type { System } from '../systems.ts'
import type { Workload } from './workload.ts'

const CHILDREN = { quick: 2_000, whole: 10_000 }
const IN_QUICK = ['escapement:full', 'graphile:tuned']
const SYSTEMS = [...IN_QUICK, 'escapement:postgres', 'dbos:direct', 'dbos:fast', 'bullmq:default']
const PATIENCE_MS = 300_000
/** How long each process is warmed, if quick; see `warmed`. */
const WARM_S = 4

async function run(system: System, track: Track, count: number) {
  const size = { instances: count, concurrency: 50, steps: 1 }
  const contestant = await warmed(system, track, size, fan)
  try {
    return await visit(system, track, size, async ({ ground }) => {
      await contestant.ask({ does: 'enter', ground })
      await contestant.ask({ does: 'stand' })
      const startedAt = performance.now()
      const own = await contestant.ask(fan(count), PATIENCE_MS)
      const elapsedMs = performance.now() - startedAt
      const rssMb = peakMb(contestant.pid)
      await contestant.close()
      return { ...own, childrenPerS: (count * 1_000) / elapsedMs, rssMb }
    })
  } finally {
    await contestant.stop()
  }
}

const fan = (count: number) => ({ does: 'fan', count }) as const

export const w6: Workload = {
  name: 'W6',
  title: 'one parent and its children, each of one durable step: children per second',
  metric: 'childrenPerS',
  better: 'higher',
  configurations: ({ isQuick, instances }) => {
    const count = instances ?? CHILDREN[isQuick ? 'quick' : 'whole']
    return [
      {
        name: `children=${count}`,
        flush: PLAIN,
        expectedS: 4 + WARM_S + count / 500,
        walkers: 1,
        takes: ({ name }) => (isQuick ? IN_QUICK : SYSTEMS).includes(name),
        run: (system, track) => run(system, track, count),
      },
    ]
  },
}
