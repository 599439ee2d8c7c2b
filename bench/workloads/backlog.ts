// Backlog: W1's tasks, due since an hour because nobody worked, laid into the database; one worker and newcomers.
// Every run measures W1 first, so that its rate is that of the same minute.

import { peakMb } from '../meter.ts'
import type { Figures } from '../protocol.ts'
import { errand, race, type Track, visit } from '../race.ts'
import { PLAIN } from '../servers.ts'
import type { System } from '../systems.ts'
import type { Workload } from './workload.ts'

const COUNTS = { quick: 20_000, whole: 100_000 }
const W1 = { instances: 2_000, concurrency: 50, steps: 10 }
const NEWCOMERS_PER_SECOND = 5
const PATIENCE_MS = 900_000

async function run(system: System, track: Track, instances: number): Promise<Figures> {
  const w1 = await race(system, track, W1, { does: 'work' })
  const size = { ...W1, instances }
  return visit(system, track, size, async (place) => {
    await errand(place, { does: 'lay', what: 'backlog', count: instances }, PATIENCE_MS)
    const contestant = place.contestant()
    await contestant.ask({ does: 'stand' })
    const order = { does: 'drain', perSecond: NEWCOMERS_PER_SECOND } as const
    const { drainedMs, ...own } = await contestant.ask(order, PATIENCE_MS)
    const rssMb = peakMb(contestant.pid)
    await contestant.close()
    const stepsPerS = (instances * size.steps * 1_000) / drainedMs!
    return {
      ...own,
      stepsPerS,
      toW1: stepsPerS / w1.stepsPerS!,
      rssMb,
      rssToW1: rssMb / w1.rssMb!,
    }
  })
}

export const backlog: Workload = {
  name: 'BACKLOG',
  title: 'ten steps each, all due since an hour, with newcomers: steps per second of one worker',
  metric: 'stepsPerS',
  better: 'higher',
  musts: [
    { figure: 'toW1', least: 0.7 },
    { figure: 'oldestFirst', least: 0.9 },
    { figure: 'newcomerP99Ms', most: 10_000 },
    { figure: 'rssToW1', most: 2 },
  ],
  configurations: ({ isQuick, instances }) => {
    const count = instances ?? COUNTS[isQuick ? 'quick' : 'whole']
    return [
      {
        name: `${count} due`,
        flush: PLAIN,
        expectedS: 15 + count / 700,
        walkers: 1,
        takes: ({ name }) => name === 'escapement:full' || name === 'escapement:postgres',
        run: (system, track) => run(system, track, count),
      },
    ]
  },
}
