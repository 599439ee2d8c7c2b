// W7: W1 with the database inside the process: nothing to install, everything on one core.
import { race } from '../race.ts'
import { PLAIN } from '../servers.ts'
import type { Workload } from './workload.ts'

const STEPS = 10
const EMBEDDED = 'escapement:embedded'

export const w7: Workload = {
  name: 'W7',
  title: 'ten durable steps each, with the database inside the process: steps per second',
  metric: 'stepsPerS',
  better: 'higher',
  configurations: ({ isQuick, instances: told }) => {
    const counts = told ? [told] : isQuick ? [200] : [200, 1_000]
    return counts.map((instances) => ({
      name: `n=${instances} concurrency=50`,
      flush: PLAIN,
      expectedS: 25 + instances / 60,
      walkers: 1,
      brings: [EMBEDDED],
      takes: ({ name }) => name === EMBEDDED,
      run: (system, track) =>
        race(system, track, { instances, concurrency: 50, steps: STEPS }, { does: 'work' }),
    }))
  },
}
