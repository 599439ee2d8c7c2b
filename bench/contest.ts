// Every system in every configuration, in alternation.
// Promise: in each round each system runs once, the first one changing, so that what the machine does meanwhile
// befalls all alike; a system that fails is told with its reason and does not stop the others. Where time is short peers
// are left out before we are, which is told too.
import type { Plan } from './options.ts'
import type { Figures } from './protocol.ts'
import { type Track, WARM_MS } from './race.ts'
import { type Flush, hasCompiler, Servers } from './servers.ts'
import { SYSTEMS, type System, stands } from './systems.ts'
import { WORKLOADS } from './workloads/index.ts'
import type { Configuration, Workload } from './workloads/workload.ts'

/** What all rounds of one system gave. */
export interface Result {
  readonly system: System
  readonly runs: Figures[]
  readonly failures: string[]
}

/** All systems in one configuration. */
export interface Heat {
  readonly workload: Workload
  readonly configuration: Configuration
  readonly results: readonly Result[]
}

/** What there was no time for. */
export interface Skipped {
  readonly workload: string
  readonly configuration: string
  readonly reason: string
}

export type Tell = (line: string) => void

/**
 * Runs everything that was planned.
 * @param entry the built front door of our package
 * @param deadlineMs when all is to be done, as `performance.now()` tells it; what would not be is left out
 * @param onServers is told of the servers once they are there
 */
export async function contest(
  plan: Plan,
  entry: string,
  tell: Tell,
  deadlineMs: number,
  onServers: (servers: Servers) => Promise<void>,
): Promise<{ readonly heats: Heat[]; readonly skipped: Skipped[] }> {
  const stable = new Stable()
  const warmMs = WARM_MS[plan.extent.isQuick ? 'quick' : 'whole']
  const heats: Heat[] = []
  const skipped: Skipped[] = []
  try {
    await onServers(await stable.at({ addedMs: 0 }))
    for (const { workload, configuration } of planned(plan, tell)) {
      const servers = await stable.at(configuration.flush)
      const systems = entered(plan, configuration)
      if (systems.length === 0) continue
      const leave = (reason: string) => {
        tell(`  ${reason}`)
        skipped.push({ workload: workload.name, configuration: configuration.name, reason })
      }
      tell(`${workload.name} ${configuration.name}: ${namesOf(systems)}`)
      const expectedMs = expectedOf(configuration, warmMs)
      const room = () => placesIn(deadlineMs - performance.now(), expectedMs)
      const entrants = systems.slice(0, Math.max(1, room()))
      const results = entrants.map((system) => ({ system, runs: [], failures: [] }))
      const heat = { workload, configuration, results }
      let rounds = 0
      while (rounds < plan.rounds && room() >= entrants.length) {
        await runRound(heat, rounds, { servers, entry, warmMs }, tell)
        rounds += 1
      }
      if (rounds > 0) heats.push(heat)
      const out = systems.slice(entrants.length)
      if (rounds > 0 && out.length > 0) leave(`no time for ${namesOf(out)} any more`)
      if (rounds < plan.rounds)
        leave(`no time for ${rounds === 0 ? 'it' : `more than ${rounds} rounds`} any more`)
    }
    return { heats, skipped }
  } finally {
    await stable.stop()
  }
}

/** Those planned that can run here, and those that nobody need plan; ours stay in front. */
function entered(plan: Plan, { flush, takes, brings = [] }: Configuration): System[] {
  const isIn = (system: System) =>
    (plan.systems.includes(system) && (takes?.(system) ?? true)) || brings.includes(system.name)
  return SYSTEMS.filter((system) => isIn(system) && stands(system, flush))
}

const namesOf = (systems: readonly System[]) => systems.map(({ name }) => name).join(', ')

/** For so many systems there is time in one round, if each takes so long. */
export const placesIn = (leftMs: number, expectedMs: number): number =>
  Math.max(0, Math.floor(leftMs / expectedMs))

/** What is guessed is guessed of a quick warming; what is to be walked is filled first, which takes about as long. */
const expectedOf = ({ expectedS, walkers = 0 }: Configuration, warmMs: number): number =>
  1_000 * expectedS + 2 * walkers * (warmMs - WARM_MS.quick)

function planned({ only, match, extent }: Plan, tell: Tell) {
  const all = WORKLOADS.filter(({ name }) => only.includes(name)).flatMap((workload) =>
    workload
      .configurations(extent)
      .filter(({ name }) => name.includes(match))
      .map((configuration) => ({ workload, configuration })),
  )
  const isPlain = ({ configuration }: (typeof all)[number]) => configuration.flush.addedMs === 0
  if (all.every(isPlain) || hasCompiler()) return all
  tell('There is no C compiler (cc) here, so slow flushes are left out.')
  return all.filter(isPlain)
}

async function runRound(heat: Heat, round: number, track: Track, tell: Tell): Promise<void> {
  const { workload, configuration, results } = heat
  const shift = round % Math.max(1, results.length)
  for (const { system, runs, failures } of [...results.slice(shift), ...results.slice(0, shift)]) {
    try {
      const figures = await configuration.run(system, track)
      runs.push(figures)
      tell(`  round ${round + 1}  ${system.name}  ${figures[workload.metric]?.toPrecision(4)}`)
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown)
      failures.push(reason)
      tell(`  round ${round + 1}  ${system.name}  failed: ${reason}`)
    }
  }
}

/** Servers by the disk they seem to have, started when first needed. */
class Stable {
  readonly #started = new Map<number, Servers>()

  async at(flush: Flush): Promise<Servers> {
    const there = this.#started.get(flush.addedMs)
    if (there) return there
    const servers = await Servers.start(flush)
    this.#started.set(flush.addedMs, servers)
    return servers
  }

  async stop(): Promise<void> {
    for (const servers of this.#started.values()) await servers.stop()
  }
}
