// Runs the specs: every file by itself, in a process of its own or after others in theirs, in an order drawn from a printed seed.
// Promise: exits 0 only if at least one test ran and none failed; a file that crashed, hung, leaked
// or left a process behind counts as failed; the last line says how many passed and failed.
//
//   tsx spec/run.ts [filter…] [--seed N] [--jobs N] [--ending .spec.ts] [--alone] [--no-services]
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { blank } from './support/blank.ts'
import { isAlone, type Outcome, runFile, TIMEOUT_MS, timeoutMs } from './support/child.ts'
import { compiled } from './support/compiled.ts'
import { Idleness } from './support/idle.ts'
import { Players } from './support/players.ts'
import { type PrivateServer, settings, startServices } from './support/services.ts'
import { freshSeed, shuffled } from './support/shuffle.ts'
import { until } from './support/wait.ts'

const { values: options, positionals: filters } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    seed: { type: 'string', default: process.env.SPEC_SEED ?? String(freshSeed()) },
    jobs: { type: 'string', default: '2' },
    alone: { type: 'boolean', default: false },
    ending: { type: 'string', default: '.spec.ts' },
    services: { type: 'boolean', default: true },
  },
})
/** A line with this in it is shown even when the file passed: a number worth knowing. */
const NOTE = 'note: '
/** Many files mostly wait: up to so many times the jobs run while this share of the processors' time is free. */
const MOST = 2
const IDLE = 0.2
const LOOK_MS = 1_500
const FOREVER_MS = 24 * 60 * 60 * 1_000
const seed = Number(options.seed)
const stopping = new AbortController()
const temporary = mkdtempSync(join(process.env.SPEC_TEMP ?? tmpdir(), 'escapement-spec-'))
chmodSync(temporary, 0o711) // postgres runs as a user of its own and must get through
process.env.SPEC_SEED = String(seed)
process.env.SPEC_TEMP = temporary

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => stopping.abort())
}
process.on('exit', () => rmSync(temporary, { recursive: true, force: true, maxRetries: 20 }))
async function main(): Promise<number> {
  const files = longFirst(shuffled(find(options.ending), seed, (file) => file))
  console.log(`seed ${seed}, ${files.length} files, ${options.jobs} at a time`)
  let servers: PrivateServer[] = []
  try {
    process.env.SPEC_COMPILED = await compiled()
    if (options.services) servers = await startServices()
    if (options.services) process.env.SPEC_BLANK = await blank()
    const outcomes = await runAll(files, Number(options.jobs))
    return conclude(outcomes)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    console.log('0 passed, 1 failed')
    return 1
  } finally {
    for (const server of servers) await server.stop()
  }
}

/** Every file under spec with this ending whose path holds one of the filters. */
function find(ending: string): string[] {
  return readdirSync('spec', { recursive: true, encoding: 'utf8' })
    .map((file) => join('spec', file))
    .filter((file) => file.endsWith(ending))
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .sort()
}

/** Whoever says that it may take long does not begin when the others end; among themselves all stay as they were drawn. */
function longFirst(files: readonly string[]): string[] {
  const limits = new Map(files.map((file) => [file, timeoutMs(readFileSync(file, 'utf8'))]))
  const isLong = (file: string) => limits.get(file)! > TIMEOUT_MS
  return [...files.filter(isLong), ...files.filter((file) => !isLong(file))]
}

/** Takes files from one line: as many at a time as there are jobs, and more while those leave the processors idle. */
async function runAll(files: readonly string[], jobs: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const running = new Set<Promise<void>>()
  const idleness = new Idleness()
  const players = new Players(stopping.signal)
  const hasRoom = () => {
    if (running.size < Math.max(1, jobs) || stopping.signal.aborted) return true
    if (running.size >= MOST * jobs || idleness.sinceMs < LOOK_MS) return false
    return idleness.look() > IDLE
  }
  const run = async (file: string): Promise<Outcome> => {
    try {
      const text = readFileSync(file, 'utf8')
      const isByItself = options.alone || isAlone(text)
      return await (isByItself
        ? runFile(file, stopping.signal)
        : players.play(file, timeoutMs(text)))
    } catch (error) {
      return { file, passed: 0, failures: [`could not be run: ${error}`], elapsedMs: 0, output: '' }
    }
  }
  const hear = (outcome: Outcome) => {
    outcomes.push(outcome)
    tell(outcome)
  }
  for (const file of files) {
    await until(hasRoom, { what: 'a file had ended', deadlineMs: FOREVER_MS })
    if (stopping.signal.aborted) break
    const one = run(file)
      .then(hear)
      .finally(() => running.delete(one))
    running.add(one)
    idleness.look() // what it takes is to be seen before the next is asked in
  }
  await Promise.all(running)
  for (const outcome of await players.close()) hear(outcome)
  return outcomes
}

/** One quiet line for a file that passed; everything it said for one that failed. */
function tell({ file, passed, failures, elapsedMs, output }: Outcome): void {
  const verdict = failures.length === 0 ? 'ok  ' : 'FAIL'
  const counts = failures.length === 0 ? `${passed}` : `${passed} ok, ${failures.length} failed`
  console.log(`${verdict} ${file}  ${counts}  ${Math.round(elapsedMs)} ms`)
  const lines = output.trimEnd().split('\n')
  const passing = lines.filter((line) => line.includes(NOTE))
  const shown =
    failures.length === 0 ? passing.map((line) => line.slice(line.indexOf(NOTE))) : lines
  for (const line of shown) console.log(`  ${file} | ${line}`)
}

function conclude(outcomes: readonly Outcome[]): number {
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0)
  const failures = outcomes.flatMap(({ file, failures }) =>
    failures.map((failure) => `${file}: ${failure}`),
  )
  if (stopping.signal.aborted) failures.push('the run was interrupted')
  if (passed + failures.length === 0) failures.push('no test ran')
  if (failures.length > 0) console.log(`\nfailed (seed ${seed}):\n  ${failures.join('\n  ')}`)
  if (options.services) console.log(`\nsettings exercised: ${settings().join(', ')}`)
  console.log(`${passed} passed, ${failures.length} failed`)
  return failures.length === 0 ? 0 : 1
}

process.exitCode = await main()
