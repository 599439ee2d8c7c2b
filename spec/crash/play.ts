// A play: one scenario in one setting, with a death at every call of its run, or at some of them.
// Promise: the run without perils must end as the scenario says before any other is compared with it; a point
// counts only when somebody died there.
import type { Setting } from '../support/services.ts'
import { type Digest, differences, digestOf } from './judge.ts'
import type { Peril } from './process.ts'
import type { Scenario } from './scenario.ts'
import { type Vessel, Yard } from './yard.ts'

export interface Outcome {
  readonly scenario: string
  readonly setting: Setting
  /** How many calls the run without perils made. */
  readonly calls: number
  /** Deaths that were died and recovered from, or not. */
  readonly points: number
  /** How many died at each port. */
  readonly ports: Readonly<Record<string, number>>
  /** Runs that came to the end they should, and runs that did not. */
  readonly passed: number
  readonly failed: number
  readonly problems: readonly string[]
}

/** Vessels in one yard at a time. */
const MOST_TOGETHER = 80
/** The heir of a second death dies at one of its first calls, too. */
const HEIR_FROM = 2
const HEIR_SPAN = 5

/**
 * @param every 1 for a death at every call, before and after, and a second death of the heir; n for one before or
 *   after at every nth
 */
export async function play(name: string, setting: Setting, every: number): Promise<Outcome> {
  const yard = await Yard.open(name, setting)
  try {
    const [calm] = await yard.sail([[]])
    const model = await digestOf(yard.house.sql, calm!.id, yard.seen)
    const problems = unlike(yard.scenario, model).map((what) => `${name} without a crash: ${what}`)
    const fleet = perilsOf(calm!.calls, every)
    const vessels: Vessel[] = []
    let failed = Math.min(1, problems.length)
    while (failed === 0 && fleet.length > 0) {
      const sailed = await yard.sail(fleet.splice(0, MOST_TOGETHER))
      vessels.push(...sailed)
      for (const vessel of sailed) {
        const found = await troubles(yard, vessel, model)
        failed += Math.min(1, found.length)
        problems.push(...found)
      }
    }
    const hits = vessels.flatMap((vessel) => vessel.hits)
    const ports: Record<string, number> = {}
    for (const port of hits) ports[port] = (ports[port] ?? 0) + 1
    const passed = 1 + vessels.length - failed
    const counts = { calls: calm!.calls, points: hits.length, ports, passed, failed }
    return { scenario: name, setting, ...counts, problems }
  } finally {
    await yard.close()
  }
}

function perilsOf(calls: number, every: number): Peril[][] {
  const all = Array.from({ length: calls }, (_, index) => index + 1)
  if (every > 1) {
    return all
      .filter((at) => at % every === calls % every)
      .map((at) => [{ at, when: at % 2 === 0 ? 'before' : 'after' }])
  }
  return all.flatMap((at) => [
    [{ at, when: 'before' as const }],
    [{ at, when: 'after' as const }],
    [
      { at, when: 'after' as const },
      { at: HEIR_FROM + (at % HEIR_SPAN), when: 'after' as const },
    ],
  ])
}

async function troubles(
  yard: Yard,
  { id, perils, hits }: Vessel,
  model: Digest,
): Promise<string[]> {
  const digest = await digestOf(yard.house.sql, id, yard.seen)
  const { name, isLive = false } = yard.scenario
  const [{ at, when }] = perils as [Peril]
  const where = `${name}, dead ${when} call ${at} (${hits.join(', then ') || 'never reached'})`
  return differences(digest, model, isLive).map((what) => `${where}: ${what}`)
}

/** What the run without perils did not do as its scenario says. */
function unlike(
  { ends, context = {} }: Scenario,
  { tasks, context: has, breaches }: Digest,
): string[] {
  const told = (value: unknown) => JSON.stringify(value)
  const names = new Set([...Object.keys(ends), ...Object.keys(tasks)])
  const wrong = [...names]
    .filter((name) => ends[name] !== tasks[name])
    .map((name) => `${name} is "${tasks[name]}", not "${ends[name]}"`)
  const astray = Object.entries(context)
    .filter(([key, value]) => told(has?.[key]) !== told(value))
    .map(([key, value]) => `${key} is ${told(has?.[key])}, not ${told(value)}`)
  return [...breaches, ...wrong, ...astray]
}
