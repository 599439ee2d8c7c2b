// History: a task with a long past against one with a short one; what it takes to step on, by turns in one process.
import { errand, visit } from '../race.ts'
import { PLAIN } from '../servers.ts'
import type { Workload } from './workload.ts'

const LONG = 100_000
const TURNS = { quick: 200, whole: 1_000 }
const LAY_MS = 300_000
const size = { instances: 1, concurrency: 10, steps: 1 }

export const history: Workload = {
  name: 'HISTORY',
  title: 'one more step after a long history, by turns with one after ten: milliseconds of it',
  metric: 'longMs',
  better: 'lower',
  musts: [{ figure: 'longToShort', most: 1.2 }],
  configurations: ({ isQuick, instances }) => {
    const count = instances ?? LONG
    const turns = TURNS[isQuick ? 'quick' : 'whole']
    return [
      {
        name: `${count} steps`,
        flush: PLAIN,
        expectedS: 20 + turns / 50,
        takes: ({ name }) => name === 'escapement:full' || name === 'escapement:postgres',
        run: (system, track) =>
          visit(system, track, size, async (place) => {
            await errand(place, { does: 'lay', what: 'history', count }, LAY_MS)
            const contestant = place.contestant()
            await contestant.ask({ does: 'stand' })
            const figures = await contestant.ask({ does: 'stride', count: turns }, LAY_MS)
            await contestant.close()
            return figures
          }),
      },
    ]
  },
}
