// W3: tasks asleep with timers an hour away; what they cost while they sleep, and what they cost those that are awake.
// Every run measures the same system empty and with its herd, one after the other.
import { residentMb, usedMs } from '../meter.ts'
import type { Figures } from '../protocol.ts'
import { errand, settled, type Track, visit } from '../race.ts'
import { PLAIN } from '../servers.ts'
import type { System } from '../systems.ts'
import type { Configuration, Extent, Workload } from './workload.ts'

const PER_SECOND = 20
/** How long nothing is done and the processor watched: a whole round of the house where there is time. */
const WATCHED_MS = { quick: 20_000, whole: 62_000 }
const PROBES = { quick: 100, whole: 300 }
const LAY_MS = 900_000
const PEERS = ['dbos:fast', 'graphile:tuned']
/** Peers write their sleepers one by one: more than this would take them all day. */
const MOST_OF_PEERS = 100_000

interface Asleep {
  readonly idle: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly rssMb: number
  readonly grownMb: number
}

async function watched(
  system: System,
  track: Track,
  count: number,
  length: 'quick' | 'whole',
): Promise<Asleep> {
  const probes = PROBES[length]
  const size = { instances: probes, concurrency: 10, steps: 1 }
  return visit(system, track, size, async (place) => {
    if (count > 0) await errand(place, { does: 'lay', what: 'herd', count }, LAY_MS)
    const contestant = place.contestant()
    await contestant.ask({ does: 'stand' })
    await settled(contestant, probes)
    const pids = [contestant.pid, place.servers.postgres.pid, place.servers.redis.pid]
    const [before, beforeMb] = [usedMs(pids), residentMb(contestant.pid)]
    const startedAt = performance.now()
    await new Promise((resolve) => setTimeout(resolve, WATCHED_MS[length]))
    const idle = (100 * (usedMs(pids) - before)) / (performance.now() - startedAt)
    const rssMb = residentMb(contestant.pid)
    const probe = { does: 'probe', count: probes, perSecond: PER_SECOND } as const
    const { p50Ms, p99Ms } = await contestant.ask(probe)
    await contestant.close()
    return { idle, p50Ms: p50Ms!, p99Ms: p99Ms!, rssMb, grownMb: rssMb - beforeMb }
  })
}

async function run(
  system: System,
  track: Track,
  count: number,
  length: 'quick' | 'whole',
): Promise<Figures> {
  const empty = await watched(system, track, 0, length)
  const herd = await watched(system, track, count, length)
  return {
    idlePoints: herd.idle,
    idlePointsEmpty: empty.idle,
    idlePointsMore: herd.idle - empty.idle,
    p50Ms: herd.p50Ms,
    p99Ms: herd.p99Ms,
    p50ToEmpty: herd.p50Ms / empty.p50Ms,
    p99ToEmpty: herd.p99Ms / empty.p99Ms,
    rssMb: herd.rssMb,
    rssToEmpty: herd.rssMb / empty.rssMb,
    rssGrownMb: herd.grownMb,
  }
}

function configurations({ isQuick, instances }: Extent): Configuration[] {
  const counts = instances ? [instances] : isQuick ? [100_000] : [100_000, 1_000_000]
  const length = isQuick ? 'quick' : 'whole'
  return counts.map((count) => ({
    name: `${count} asleep`,
    flush: PLAIN,
    expectedS: (isQuick ? 65 : 180) + count / 6_000,
    takes: ({ name }) =>
      name === 'escapement:full' ||
      name === 'escapement:postgres' ||
      (!isQuick && PEERS.includes(name) && count <= MOST_OF_PEERS),
    run: (system, track) => run(system, track, count, length),
  }))
}

export const w3: Workload = {
  name: 'W3',
  title:
    'asleep with timers an hour away: processor time of all processes while nothing is due, in points of one core',
  metric: 'idlePoints',
  better: 'lower',
  musts: [
    { figure: 'idlePointsMore', most: 2 },
    { figure: 'p50ToEmpty', most: 1.2 },
    { figure: 'p99ToEmpty', most: 1.2 },
    { figure: 'rssToEmpty', most: 1.1 },
  ],
  configurations,
}
