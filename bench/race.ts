// One program through one run, and what it took.
// Promise: the clock runs from "go" to the answer that the last step is durable; what was there before, and what is
// only opening and closing, is not counted.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Contestant } from './contestant.ts'
import { cpuMs, peakMb } from './meter.ts'
import type { Figures, Ground, Order, Race } from './protocol.ts'
import { RestateServer } from './restate.ts'
import type { Servers } from './servers.ts'
import type { System } from './systems.ts'

/** What is run: how much of it, and how wide. */
export interface Size {
  readonly instances: number
  readonly concurrency: number
  readonly steps: number
}

const SETTLE_MS = 1_500

export interface Track {
  readonly servers: Servers
  /** The front door of our package, built. */
  readonly entry: string
  /** How long a process is to have walked before it is measured. */
  readonly warmMs: number
}

/** A fresh database and what else one run needs, gone after it. */
export interface Visit extends Place {
  readonly ground: Ground
  /** Another process of the program. */
  contestant(): Contestant
}

/**
 * Runs a program once.
 * @param order `work` for all instances, or `probe`
 * @returns its own figures, and what it and the servers used meanwhile, for each step
 */
export function race(system: System, track: Track, size: Size, order: Race): Promise<Figures> {
  if (order.does === 'work') return walk(system, track, size)
  return visit(system, track, size, async (place) => {
    const contestant = place.contestant()
    await contestant.ask({ does: 'stand' })
    await settled(contestant, WARM_PROBES.count + order.count)
    await contestant.ask({ does: 'probe', ...WARM_PROBES })
    // What PostgreSQL has counted is known a second later.
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    return measured(contestant, place, size, { ...order, from: WARM_PROBES.count })
  })
}

/** All instances, in a process that has walked with others before, on other ground. */
async function walk(system: System, track: Track, size: Size): Promise<Figures> {
  const walker = await warmed(system, track, size)
  try {
    return await visit(system, track, size, async (place) => {
      await errand(place, { does: 'prepare' })
      await walker.ask({ does: 'enter', ground: place.ground })
      await walker.ask({ does: 'stand' })
      return measured(walker, place, size, WORK)
    })
  } finally {
    await walker.stop()
  }
}

/**
 * A process that has walked with other instances, on ground that is gone, and waits for where to go.
 * @param orderOf what it is asked to do with so many, if that is not `work`
 */
export async function warmed(
  system: System,
  track: Track,
  size: Size,
  orderOf: (instances: number) => Order = () => WORK,
): Promise<Contestant> {
  const begun: Contestant[] = []
  /** In a first process, and in that one again. */
  const walked = (instances: number) =>
    visit(system, track, { ...size, instances }, async (place) => {
      const order = orderOf(instances)
      if (order.does === 'work') await errand(place, { does: 'prepare' })
      const [before] = begun
      // The place would end it with itself.
      const walker = before ?? new Contestant(system, place.ground, track.entry)
      if (before) await walker.ask({ does: 'enter', ground: place.ground })
      else begun.push(walker)
      await walker.ask({ does: 'stand' })
      const startedAt = performance.now()
      await walker.ask(order)
      const elapsedMs = performance.now() - startedAt
      await walker.ask({ does: 'leave' })
      return { walker, elapsedMs }
    })
  try {
    const { instances, gain, mostPerS } = WARM_WALK
    const { walker, elapsedMs } = await walked(instances)
    const more = Math.round((gain * instances * (track.warmMs - elapsedMs)) / elapsedMs)
    const most = Math.round((mostPerS * track.warmMs) / 1_000)
    if (more > 0) await walked(Math.min(more, most))
    return walker
  } catch (thrown) {
    for (const one of begun) await one.stop()
    throw thrown
  }
}

/** Does something where nothing was before, and tidies up. */
export async function visit<T>(
  system: System,
  { servers, entry }: Track,
  size: Size,
  work: (visit: Visit) => Promise<T>,
): Promise<T> {
  const databaseUrl = await servers.fresh()
  const folder = mkdtempSync(join(home(), 'race-'))
  const restate = system.needs.includes('restate')
    ? await RestateServer.start(folder, system.restate ?? {})
    : null
  const [, variant = ''] = system.name.split(':')
  const redisUrl = servers.redis.url
  const address = restate?.address ?? null
  const ground = { variant, databaseUrl, redisUrl, restate: address, folder, ...size }
  const begun: Contestant[] = []
  const contestant = () => {
    const one = new Contestant(system, ground, entry)
    begun.push(one)
    return one
  }
  try {
    return await work({ servers, restate, databaseUrl, ground, contestant })
  } finally {
    for (const one of begun) await one.stop()
    await restate?.stop()
    await servers.drop(databaseUrl)
    rmSync(folder, { recursive: true, force: true, maxRetries: 20 })
  }
}

/**
 * So many come before those that are counted: a process that serves has its code compiled. Of ours a probe takes half of
 * the processor time after 3,000 of them, and no less after 6,000 (docs/decisions/0021).
 */
const WARM_PROBES = { count: 3_000, perSecond: 300 }
/** The same for walks: some instances, and as many more as fill the time at the speed they then may have. */
const WARM_WALK = { instances: 300, gain: 2, mostPerS: 1_300 }
/**
 * Until the code is compiled and no less is taken for a step: 10,000 instances of ours, of which the first 5,000 take 67 µs a
 * step, the next 49, all later ones 43 (docs/decisions/0021). A quick bench has no time for that.
 */
export const WARM_MS = { quick: 3_000, whole: 8_000 }
const WORK = { does: 'work' } as const

let root: string | null = null

/** A temporary folder for all runs, gone however this process ends. */
function home(): string {
  if (root) return root
  const made = mkdtempSync(join(tmpdir(), 'escapement-bench-'))
  process.once('exit', () => rmSync(made, { recursive: true, force: true, maxRetries: 20 }))
  root = made
  return made
}

/** One order for a process that ends with it: whoever fills the queue is another one than works. */
export async function errand(
  { contestant }: Visit,
  order: Order,
  patienceMs?: number,
): Promise<Figures> {
  const one = contestant()
  const figures = await one.ask(order, patienceMs)
  await one.close()
  return figures
}

/** Nothing to do, and what was begun a moment ago is over. */
export async function settled(contestant: Contestant, count: number): Promise<void> {
  await contestant.ask({ does: 'idle', count })
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
}

interface Place {
  readonly servers: Servers
  readonly restate: RestateServer | null
  readonly databaseUrl: string
}

async function measured(
  contestant: Contestant,
  { servers, restate, databaseUrl }: Place,
  { instances, steps }: Size,
  order: Race,
): Promise<Figures> {
  const total = order.does === 'probe' ? order.count : instances * steps
  const pids = {
    worker: contestant.pid,
    postgres: servers.postgres.pid,
    redis: servers.redis.pid,
    ...(restate && { restate: restate.pid }),
  }
  const used = () => Object.entries(pids).map(([name, pid]) => [name, cpuMs(pid)] as const)
  const commitsBefore = await servers.commits(databaseUrl)
  const countsBefore = await servers.counts()
  const usedBefore = new Map(used())
  const startedAt = performance.now()
  const own = await contestant.ask(order)
  const elapsedMs = performance.now() - startedAt
  const cpu = used().map(([name, ms]) => [
    `${name}CpuMsPerStep`,
    (ms - usedBefore.get(name)!) / total,
  ])
  const counts = await servers.counts()
  const rssMb = peakMb(contestant.pid)
  await contestant.close()
  const commits = await servers.commits(databaseUrl)
  return {
    ...own,
    ...(order.does === 'work' && { stepsPerS: (total * 1_000) / elapsedMs }),
    ...Object.fromEntries(cpu),
    commitsPerStep: (commits - commitsBefore) / total,
    walBytesPerStep: (counts.walBytes - countsBefore.walBytes) / total,
    redisCommandsPerStep: (counts.redisCommands - countsBefore.redisCommands) / total,
    rssMb,
  }
}
