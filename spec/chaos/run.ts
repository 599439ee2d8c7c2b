// Chaos: a fleet of real processes under random faults, on private servers, from a seed.
// Promise: the same seed strikes with the same faults in the same order; the checker of the flows has the
// last word; the last line says how many passed and failed, and the exit status agrees.
//
//   npm run chaos -- [--seed N] [--resources 1000] [--minutes 5]
import { parseArgs } from 'node:util'
import type { Environment } from '../../lib/config.ts'
import { SystemTime } from '../../lib/time.ts'
import { repeated } from '../flow/invariants.ts'
import { Scene } from '../flow/scene.ts'
import { startPrivatePostgres, startPrivateRedis } from '../support/services.ts'
import { freshSeed, shuffled } from '../support/shuffle.ts'
import { FAULTS, type Fault, type Stage } from './faults.ts'

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: String(freshSeed()) },
    resources: { type: 'string', default: '1000' },
    minutes: { type: 'string', default: '5' },
  },
})
const seed = Number(options.seed)
const resources = Number(options.resources)
const time = new SystemTime()

/** Vessels under way when a fault strikes, and steps between two faults. */
const UNDER_WAY = 60
const STEPS_BETWEEN = 100
/** After this long without recovery a fault was one too many. */
const RECOVERY_MS = 60_000
const CALM_MS = 600_000
/** The queue gives up the dead after a minute; then nothing at all may be left. */
const PATIENCE_MS = 90_000

interface Outcome {
  readonly fault: string
  readonly recoveryMs: number
  readonly again: number
}

const failures: string[] = []
let passed = 0

console.log(`seed ${seed}: ${resources} vessels in calm, then as many under faults`)
const postgres = await startPrivatePostgres()
const redis = await startPrivateRedis()
try {
  await calm()
  tell(await storm())
} catch (thrown) {
  failures.push(thrown instanceof Error ? thrown.message : String(thrown))
} finally {
  await Promise.all([postgres.stop(), redis.stop()])
}
for (const failure of failures) console.log(`FAIL ${failure}`)
if (failures.length > 0) console.log(`again: npm run chaos -- --seed ${seed}`)
console.log(`${passed} passed, ${failures.length} failed`)
process.exitCode = failures.length === 0 ? 0 : 1

/** Two clocks and two workers bring all vessels to their end, with nobody in their way. */
async function calm(): Promise<void> {
  const scene = await open({ ESCAPEMENT_TOLD_MS: '5000' })
  try {
    await scene.launch(resources)
    const before = await scene.steps()
    await scene.staff('clock', 'clock', 'worker', 'worker')
    const startedAt = time.monotonic()
    await scene.finished(CALM_MS)
    const seconds = (time.monotonic() - startedAt) / 1_000
    const steps = (await scene.steps()) - before
    const rate = Math.round(steps / seconds)
    const stale = await scene.app.rooms.queue.depth()
    console.log(
      `calm: ${steps} steps in ${seconds.toFixed(1)} s, ${rate} steps/s, ${stale} tickets too many`,
    )
    judge('calm', await scene.breaches())
    const again = repeated(scene.sink.seen)
    judge('calm', again > 0 ? [`${again} effects were run in vain`] : [])
  } finally {
    await scene.close()
  }
}

/** The same under one fault after the other, drawn from the seed. */
async function storm(): Promise<Outcome[]> {
  const scene = await open()
  const stage = { scene, postgres, redis }
  const outcomes: Outcome[] = []
  const endAt = time.monotonic() + Number(options.minutes) * 60_000
  try {
    await scene.staff('clock', 'clock', 'worker', 'worker')
    for (let round = 0; scene.vessels < resources && time.monotonic() < endAt; round++) {
      const short = UNDER_WAY - Math.ceil((await scene.underWay()) / 2)
      await scene.launch(Math.min(resources - scene.vessels, Math.max(1, short)))
      await scene.stepsMore(STEPS_BETWEEN, RECOVERY_MS, true)
      outcomes.push(await suffer(stage, drawn(round)))
      passed += 1
    }
    await scene.finished(RECOVERY_MS)
    console.log(`storm: ${scene.vessels} vessels, ${await scene.steps()} steps, ${told(scene)}`)
    judge('storm', await scene.breaches(PATIENCE_MS))
  } finally {
    await scene.close()
  }
  return outcomes
}

/** One fault, and the time until every task that was due then has moved on. */
async function suffer(stage: Stage, fault: Fault): Promise<Outcome> {
  const { scene } = stage
  const seenBefore = repeated(scene.sink.seen)
  const due = await scene.due()
  const startedAt = time.monotonic()
  const heal = await fault.strike(stage)
  await scene.movedOn(due, RECOVERY_MS)
  const recoveryMs = Math.round(time.monotonic() - startedAt)
  await heal()
  const again = repeated(scene.sink.seen) - seenBefore
  console.log(`  ${fault.name}: ${due.length} tasks due, all moved on after ${recoveryMs} ms`)
  return { fault: fault.name, recoveryMs, again }
}

/** Every fault once in an order of the seed, then again in another. */
function drawn(round: number): Fault {
  const turn = Math.floor(round / FAULTS.length)
  const order = shuffled(FAULTS, seed, ({ name }) => `${turn}/${name}`)
  return order[round % FAULTS.length]!
}

function open(config: Environment = {}): Promise<Scene> {
  return Scene.open({ databaseUrl: postgres.url, redisUrl: redis.url, config })
}

function judge(act: string, breaches: readonly string[]): void {
  if (breaches.length === 0) passed += 1
  failures.push(...breaches.map((breach) => `${act}: ${breach}`))
}

/** How often somebody came too late. */
function told({ processes }: Scene): string {
  return ['unit.fenced', 'unit.desynchronized', 'lease.lost', 'tick.failed', 'clock.failed']
    .map((event) => `${event} ${processes.count(event)}`)
    .join(', ')
}

/** The table: fault, how often, recovery, effects seen again. */
function tell(outcomes: readonly Outcome[]): void {
  const rows = FAULTS.map(({ name }) => {
    const mine = outcomes.filter(({ fault }) => fault === name)
    const times = mine.map(({ recoveryMs }) => recoveryMs).sort((a, b) => a - b)
    const again = mine.reduce((sum, outcome) => sum + outcome.again, 0)
    const median = times[Math.floor((times.length - 1) / 2)] ?? '-'
    return [name, mine.length, median, times.at(-1) ?? '-', again].map(String)
  })
  const all = [['fault', 'count', 'p50 ms', 'max ms', 'effects again'], ...rows]
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  for (const row of all) {
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
  }
}
