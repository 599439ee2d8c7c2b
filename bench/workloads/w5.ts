// W5: W1's work for several worker processes, each of which has walked before; done when the database says so.
// How far it can go: the cores of the machine, divided by those that one process and its servers keep busy.
import { cpus } from 'node:os'
import type { Contestant } from '../contestant.ts'
import { usedMs } from '../meter.ts'
import type { Figures } from '../protocol.ts'
import { errand, type Size, type Track, type Visit, visit, warmed } from '../race.ts'
import { PLAIN } from '../servers.ts'
import { median } from '../sums.ts'
import { HERO, type System } from '../systems.ts'
import type { Configuration, Extent, Workload } from './workload.ts'

const STEPS = 10
const CONCURRENCY = 50
const SYSTEMS = ['escapement:full', 'escapement:postgres', 'graphile:tuned', 'dbos:fast']
const IN_QUICK = [HERO]
const PROCESSES = { quick: [1, 2], whole: [1, 2, 4] }
/** Seconds each process walks before, if quick; see `warmed`. */
const WARM_S = 7

/** What one process did, by system: the others are compared with it. */
type Ones = Map<string, { readonly rates: number[]; readonly cores: number[] }>

async function run(
  system: System,
  track: Track,
  instances: number,
  processes: number,
): Promise<{ readonly stepsPerS: number; readonly coresBusy: number }> {
  const size = { instances, concurrency: CONCURRENCY, steps: STEPS }
  const workers: Contestant[] = []
  try {
    while (workers.length < processes) workers.push(await warmed(system, track, size))
    return await visit(system, track, size, (place) => scaled(place, workers, size))
  } finally {
    for (const one of workers) await one.stop()
  }
}

/** All of them to one work, which none of them has seen. */
async function scaled(
  place: Visit,
  workers: readonly Contestant[],
  { instances, steps }: Size,
): Promise<{ readonly stepsPerS: number; readonly coresBusy: number }> {
  await errand(place, { does: 'prepare' })
  for (const one of workers) await one.ask({ does: 'enter', ground: place.ground })
  const watcher = place.contestant()
  await Promise.all([...workers, watcher].map((one) => one.ask({ does: 'stand' })))
  const servers = [place.servers.postgres.pid, place.servers.redis.pid]
  const pids = [...workers.map(({ pid }) => pid), ...servers]
  const before = usedMs(pids)
  const startedAt = performance.now()
  const begun = workers.map((one) => one.ask({ does: 'begin' }))
  await watcher.ask({ does: 'watch' })
  const elapsedMs = performance.now() - startedAt
  const coresBusy = (usedMs(pids) - before) / elapsedMs
  await Promise.all(begun)
  for (const one of workers) await one.close()
  return { stepsPerS: (instances * steps * 1_000) / elapsedMs, coresBusy }
}

function compared(
  ones: Ones,
  { name }: System,
  processes: number,
  { stepsPerS, coresBusy }: { readonly stepsPerS: number; readonly coresBusy: number },
): Figures {
  const one = ones.get(name) ?? { rates: [], cores: [] }
  ones.set(name, one)
  if (processes === 1) {
    one.rates.push(stepsPerS)
    one.cores.push(coresBusy)
  }
  if (one.rates.length === 0) return { stepsPerS, coresBusy }
  const most = cpus().length / median(one.cores)
  return { stepsPerS, coresBusy, toOne: stepsPerS / median(one.rates), mostToOne: most }
}

function configurations({ isQuick, instances: told }: Extent): Configuration[] {
  const instances = told ?? (isQuick ? 2_000 : 5_000)
  const ones: Ones = new Map()
  return PROCESSES[isQuick ? 'quick' : 'whole'].map((processes) => ({
    name: `n=${instances} processes=${processes}`,
    flush: PLAIN,
    expectedS: 5 + processes * WARM_S + instances / 250,
    walkers: processes,
    takes: ({ name }) => (isQuick ? IN_QUICK : SYSTEMS).includes(name),
    run: async (system, track) =>
      compared(ones, system, processes, await run(system, track, instances, processes)),
  }))
}

export const w5: Workload = {
  name: 'W5',
  title: `ten durable steps each, for several worker processes on ${cpus().length} cores: steps per second`,
  metric: 'stepsPerS',
  better: 'higher',
  configurations,
}
