// W1: so many instances of ten steps that do nothing, all queued before anybody works; the speed of the whole.
// Its columns of cost are W4: commits, WAL, Redis commands and processor time of each step.
import { race } from '../race.ts'
import { type Flush, PLAIN } from '../servers.ts'
import { SLOWEST } from '../systems.ts'
import type { Configuration, Extent, Workload } from './workload.ts'

const STEPS = 10
/** Milliseconds that many cloud disks take longer. */
const SLOW: Flush = { addedMs: 2 }

function configuration(
  instances: number,
  concurrency: number,
  { flush = PLAIN, without = [] }: { flush?: Flush; without?: readonly string[] } = {},
): Configuration {
  const size = { instances, concurrency, steps: STEPS }
  const slow = flush.addedMs > 0 ? ` flush+${flush.addedMs}ms` : ''
  return {
    name: `n=${instances} concurrency=${concurrency}${slow}`,
    flush,
    expectedS: 10 + instances / 150 + slow.length / 2,
    walkers: 1,
    takes: ({ name }) => !without.includes(name),
    run: (system, track) => race(system, track, size, { does: 'work' }),
  }
}

function configurations({ isQuick, instances: told }: Extent): Configuration[] {
  const [few, some, many] = told ? [told, told, told] : [300, 1_000, 5_000]
  if (isQuick) {
    const others = { without: SLOWEST }
    const slow = { flush: SLOW, ...others }
    return [configuration(some, 50), configuration(some, 200, others), configuration(few, 50, slow)]
  }
  const plain = (told ? [told] : [some, many]).flatMap((instances) =>
    [10, 50, 200].map((concurrency) => configuration(instances, concurrency)),
  )
  return [...plain, configuration(some, 50, { flush: SLOW })]
}

export const w1: Workload = {
  name: 'W1',
  title: 'ten durable steps each, all queued at once: steps per second',
  metric: 'stepsPerS',
  better: 'higher',
  configurations,
}
