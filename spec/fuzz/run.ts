// The differential fuzz: random charts through the whole engine and through XState, side by side.
// Promise: the same seed draws the same cases; the first difference is told at once, some are shrunk and
// printed as a file `--replay` takes; the last line says how many passed and failed, and the exit status agrees.
//
//   npm run fuzz -- --cases N --seed S [--setting embedded|postgres|full] [--features mail,promises,children]
//                   [--no-shrink]
//   npm run fuzz -- --replay FILE
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { SystemTime } from '../../lib/time.ts'
import type { Features } from '../support/charts/shape.ts'
import { full, sparse } from '../support/charts/sparse.ts'
import {
  hasPostgres,
  type PrivateServer,
  type Setting,
  startPrivatePostgres,
  startPrivateRedis,
} from '../support/services.ts'
import { freshSeed } from '../support/shuffle.ts'
import { crowd, type Failure, judged, smallest } from './crowd.ts'
import { DURABLE } from './features.ts'
import { Ground } from './ground.ts'

const { values: options } = parseArgs({
  options: {
    cases: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(freshSeed()) },
    setting: { type: 'string', default: hasPostgres() ? 'postgres' : 'embedded' },
    features: { type: 'string' },
    lanes: { type: 'string', default: '100' },
    replay: { type: 'string' },
    shrink: { type: 'boolean', default: true },
  },
  allowNegative: true,
})
const time = new SystemTime()
/** Differences that are shrunk, and how long one may take. */
const MOST_SHRUNK = 3
const SHRINK_MS = 20_000
const NOTED_EVERY = 1_000
/** Nothing here is to outlive the run, so the disk need not be waited for. */
const CARELESS = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']

process.exitCode = await main()

async function main(): Promise<number> {
  const setting = options.setting as Setting
  const servers = await start(setting)
  const ground = await Ground.open(setting)
  try {
    return options.replay === undefined ? await fuzz(ground) : await replay(ground, options.replay)
  } finally {
    await ground.close()
    for (const server of servers) await server.stop()
  }
}

/** Private servers, named to the house by the environment as the runner of specs does. */
async function start(setting: Setting): Promise<PrivateServer[]> {
  const servers: PrivateServer[] = []
  if (setting !== 'embedded') {
    servers.push(await startPrivatePostgres(CARELESS))
    process.env.SPEC_DATABASE_URL = servers.at(-1)?.url
  }
  if (setting === 'full') {
    servers.push(await startPrivateRedis())
    process.env.SPEC_REDIS_URL = servers.at(-1)?.url
  }
  return servers
}

async function fuzz(ground: Ground): Promise<number> {
  const count = Number(options.cases)
  const seed = Number(options.seed)
  const features = featuresOf(options.features)
  const names = Object.entries(features).flatMap(([name, isOn]) => (isOn ? [name] : []))
  console.log(`seed ${seed}: ${count} cases, ${ground.house.setting}, with ${names.join(', ')}`)
  const startedAt = time.monotonic()
  const seconds = () => ((time.monotonic() - startedAt) / 1_000).toFixed(1)
  const onPassed = (passed: number) => {
    if (passed % NOTED_EVERY === 0) console.log(`  ${passed} passed after ${seconds()} s`)
  }
  let isFirst = true
  const onFailed = (failure: Failure) => {
    if (isFirst) tell('as it was drawn', failure)
    isFirst = false
  }
  const lanes = Number(options.lanes)
  const crowded = { ground, features, cases: count, seed, lanes, onPassed, onFailed }
  const failures = await crowd(crowded)
  console.log(`  all lived after ${seconds()} s`)
  for (const one of failures.slice(0, MOST_SHRUNK)) {
    if (options.shrink) tell('shrunk', await smallest(ground, one, SHRINK_MS))
    else tell('as it was drawn', one)
  }
  if (failures.length > 0) console.log(`again: npm run fuzz -- --cases ${count} --seed ${seed}`)
  const { skipped } = ground
  const passed = count - failures.length - skipped
  console.log(
    `${passed} passed, ${failures.length} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
  )
  return failures.length === 0 ? 0 : 1
}

/** A difference, ready to be kept in a file. */
function tell(how: string, { drawn, what }: Failure): void {
  console.log(`\nFAIL, ${how}, for --replay:\n${JSON.stringify(sparse(drawn))}\n${what}`)
}

async function replay(ground: Ground, file: string): Promise<number> {
  const drawn = full(JSON.parse(readFileSync(file, 'utf8')))
  const what = await judged(ground, drawn)
  if (what !== null) console.log(what)
  console.log(what === null ? '1 passed, 0 failed' : '0 passed, 1 failed')
  return what === null ? 0 : 1
}

function featuresOf(names: string | undefined): Features {
  if (names === undefined) return DURABLE
  const has = (name: string) => names.split(',').includes(name)
  return { mail: has('mail'), promises: has('promises'), children: has('children') }
}
