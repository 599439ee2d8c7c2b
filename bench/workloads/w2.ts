// W2: single steps, twenty a second, on a system with nothing else to do; from the call that starts a task until its
// step is durable. Three thousand that go before are not counted, whoever the system is.
import { race } from '../race.ts'
import { PLAIN } from '../servers.ts'
import { SLOWEST } from '../systems.ts'
import type { Workload } from './workload.ts'

const PER_SECOND = 20
const PROBES = { quick: 100, whole: 200 }

export const w2: Workload = {
  name: 'W2',
  title: 'one step on an idle system: milliseconds until it is durable',
  metric: 'p50Ms',
  better: 'lower',
  musts: [
    { figure: 'p50Ms', most: 5 },
    { figure: 'p99Ms', most: 15 },
  ],
  configurations: ({ isQuick, instances }) => {
    const count = instances ?? PROBES[isQuick ? 'quick' : 'whole']
    const size = { instances: count, concurrency: 10, steps: 1 }
    const order = { does: 'probe', count, perSecond: PER_SECOND } as const
    return [
      {
        name: `${count} tasks at ${PER_SECOND}/s`,
        flush: PLAIN,
        // The floor has a job for each instance, and nothing that waits for one.
        takes: ({ name }) => name !== 'floor' && !(isQuick && SLOWEST.includes(name)),
        expectedS: 14 + count / PER_SECOND,
        run: (system, track) => race(system, track, size, order),
      },
    ]
  },
}
