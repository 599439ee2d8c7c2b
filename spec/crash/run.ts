// Crash everywhere: every scenario, in the settings that differ in their store, dead at every single call.
// Promise: prints what was died of and how often; the last line says how many crash points came to the same end
// and how many did not, and the exit status agrees.
//
//   npm run crash -- [--only nested,calls] [--every N]
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type PrivateServer, type Setting, settings, startServices } from '../support/services.ts'
import { type Outcome, play } from './play.ts'
import { SCENARIOS } from './scenarios.ts'

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    every: { type: 'string', default: '1' },
    /** Set for the process of one setting. */
    setting: { type: 'string' },
  },
})
const every = Number(options.every)
const names = SCENARIOS.map(({ name }) => name).filter(
  (name) => options.only === undefined || options.only.split(',').includes(name),
)
/** Of breaches of one kind the first tell as much as all. */
const MOST_TOLD = 20

if (options.setting) await playAll(options.setting as Setting)
else process.exitCode = await main()

/** A process for each setting: they share no core, and nothing else. */
async function main(): Promise<number> {
  let servers: PrivateServer[] = []
  try {
    servers = await startServices()
    const wanted = settings().filter((setting) => setting !== 'full')
    const outcomes = (await Promise.all(wanted.map(inProcess))).flat()
    return conclude(outcomes, wanted)
  } finally {
    for (const server of servers) await server.stop()
  }
}

async function inProcess(setting: Setting): Promise<Outcome[]> {
  const child = fork(fileURLToPath(import.meta.url), [
    ...process.argv.slice(2),
    '--setting',
    setting,
  ])
  const outcomes: Outcome[] = []
  child.on('message', (outcome: Outcome) => {
    outcomes.push(outcome)
    tell(outcome)
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) outcomes.push(broken('all', setting, `its process ended with ${code}`))
  return outcomes
}

async function playAll(setting: Setting): Promise<void> {
  for (const name of names) {
    const outcome = await play(name, setting, every).catch((thrown) =>
      broken(name, setting, thrown instanceof Error ? String(thrown.stack) : String(thrown)),
    )
    await new Promise<void>((resolve) => process.send!(outcome, () => resolve()))
  }
  process.disconnect()
}

const broken = (scenario: string, setting: Setting, problem: string): Outcome => ({
  ...{ scenario, setting, calls: 0, points: 0, ports: {} },
  ...{ passed: 0, failed: 1, problems: [problem] },
})

function tell({ scenario, setting, calls, points, ports, problems }: Outcome): void {
  const what = Object.entries(ports).map(([port, count]) => `${count} ${port}`)
  const verdict = problems.length === 0 ? 'ok  ' : 'FAIL'
  console.log(
    `${verdict} ${scenario} on ${setting}: ${calls} calls, ${points} deaths (${what.join(', ')})`,
  )
  for (const problem of problems.slice(0, MOST_TOLD)) console.log(`     ${problem}`)
}

function conclude(outcomes: readonly Outcome[], wanted: readonly Setting[]): number {
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((all, one) => all + of(one), 0)
  const points = sum((one) => one.points)
  const failed = sum((one) => one.failed)
  const machines = new Set(outcomes.map(({ scenario }) => scenario)).size
  console.log(
    `crash everywhere: ${points} crash points in ${machines} machines, ${wanted.join(' + ')}`,
  )
  if (points === 0) console.log('nobody died: this proves nothing')
  console.log(`${sum((one) => one.passed)} passed, ${failed} failed`)
  return failed === 0 && points > 0 ? 0 : 1
}
