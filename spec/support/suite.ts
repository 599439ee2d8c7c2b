// uvu's suite, made stricter.
// Promise: tests run in an order drawn from a printed seed; a hung test fails by its name; a suite
// that was never run fails; a process kept alive after its last test fails as a leak. There is no
// `only` and no `skip`. Files may follow one another in a process (player.ts): then each is judged by itself.
import type * as uvu from 'uvu'
import { sourceOf } from './compiled.ts'
import { LEAKED, REPORT, type Report } from './report.ts'
import { freshSeed, shuffled } from './shuffle.ts'
import { within } from './wait.ts'

export * as assert from 'uvu/assert'

export interface TestOptions {
  /** After how many real milliseconds the test counts as hung; 30 s unless told. */
  readonly deadlineMs?: number
}

type Context = Record<string, any>
type Body<T> = (context: T & { __suite__: string; __test__: string }) => unknown
interface Hook<T> {
  (body: Body<T>): void
  each(body: Body<T>): void
}

/** Declares tests; `run()` at the end of the file sets them going. */
export interface Suite<T> {
  (name: string, body: Body<T>): void
  (name: string, options: TestOptions, body: Body<T>): void
  readonly before: Hook<T>
  readonly after: Hook<T>
  run(): void
}

interface Declared<T> {
  readonly name: string
  readonly body: Body<T>
  readonly deadlineMs: number
}

const DEADLINE_MS = 30_000
const HOOK_DEADLINE_MS = 60_000
/** How long what a file left open may take to close. */
export const GRACE_MS = Number(process.env.SPEC_GRACE_MS ?? 3_000)
const seed = Number(process.env.SPEC_SEED ?? freshSeed())

// uvu starts by itself unless it is told that somebody else will; we do, to count and to report.
const queue: Array<() => ReturnType<Run>> = []
type Run = () => Promise<[errors: string | true, passed: number, skipped: number, total: number]>
Object.assign(globalThis, { UVU_DEFER: 1, UVU_QUEUE: [queue] })
const { suite: uvuSuite } = await import('uvu')

/** The file whose suites are declared or run. */
let file = sourceOf(process.argv[1] ?? '')
let report = { passed: 0, failures: [] as string[] }
let phase: 'declaring' | 'running' | 'reported' = 'declaring'
let finish: () => void = endWithReport
const unrun = new Set<string>()

/**
 * Makes a suite.
 * @param name appears before each failure
 * @param context handed to every hook and test
 */
export function suite<T extends Context = Context>(name: string, context?: T): Suite<T> {
  const inner = uvuSuite<T>(name, context ?? ({} as T))
  const declared: Declared<T>[] = []
  unrun.add(name)

  const test = ((title: string, second: TestOptions | Body<T>, third?: Body<T>) => {
    const body = typeof second === 'function' ? second : third!
    const options = typeof second === 'function' ? {} : second
    if (declared.some((one) => one.name === title)) {
      throw new Error(`suite "${name}" has two tests named "${title}"`)
    }
    declared.push({ name: title, body, deadlineMs: options.deadlineMs ?? DEADLINE_MS })
  }) as Suite<T>

  const run = () => {
    if (phase === 'reported') throw new Error(`suite "${name}" was run after the report`)
    unrun.delete(name)
    if (declared.length === 0) report.failures.push(`${name} (has no tests)`)
    for (const one of shuffled(declared, seed, ({ name }) => name)) register(inner, name, one)
    inner.run()
    if (phase === 'declaring') start()
  }
  const before = hooks(inner.before, `a before hook of ${name}`, true)
  const after = hooks(inner.after, `an after hook of ${name}`, false)
  return Object.assign(test, { before, after, run })
}

/** Hands a test to uvu with a deadline around it and a count beneath it. */
function register<T extends Context>(inner: uvu.Test<T>, name: string, test: Declared<T>): void {
  inner(test.name, async (context) => {
    try {
      await within(call(test.body, context), test.deadlineMs, `the test "${test.name}" ended`)
      report.passed++
    } catch (error) {
      report.failures.push(`${name}: ${test.name}`)
      throw error
    }
  })
}

/** Hooks with a deadline. One that prepares stops its tests when it fails; one that cleans up does not. */
function hooks<T extends Context>(
  inner: uvu.Test<T>['before'],
  what: string,
  preparing: boolean,
): Hook<T> {
  const limited =
    (body: Body<T>): uvu.Callback<T> =>
    async (context) => {
      try {
        await within(call(body, context), HOOK_DEADLINE_MS, `${what} ended`)
      } catch (error) {
        // Counted here: uvu swallows what a hook throws, for it returns from a finally.
        fail(`${what} failed`, error)
        if (preparing) throw error
      }
    }
  const all = (body: Body<T>) => inner(limited(body))
  return Object.assign(all, { each: (body: Body<T>) => inner.each(limited(body)) })
}

/** A body that throws before its first await rejects like any other. */
const call = async <T>(body: Body<T>, context: Parameters<Body<T>>[0]) => body(context)

/** Runs the queue once the file has had its say. */
function start(): void {
  phase = 'running'
  setTimeout(async () => {
    for (let run = queue.shift(); run; run = queue.shift()) {
      const [errors] = await run()
      if (typeof errors === 'string') process.stdout.write(`\n${errors}\n`)
    }
    conclude()
  })
}

function conclude(): void {
  for (const name of unrun) fail(`${name} (never run: call test.run())`)
  phase = 'reported'
  if (report.failures.length > 0) process.stdout.write(`\n  again: ${again()}\n`)
  finish()
}

/**
 * Plays a file in a process that has played others; one at a time.
 * @param path the source, from the current folder
 * @param load imports it
 * @returns what its tests did
 */
export async function play(path: string, load: () => Promise<unknown>): Promise<Report> {
  file = path
  report = { passed: 0, failures: [] }
  phase = 'declaring'
  unrun.clear()
  const played = new Promise<Report>((resolve) => (finish = () => resolve(report)))
  await load().catch((error) => fail('could not be loaded', error))
  const isSilent = (phase as string) === 'declaring' // nobody has called run
  if (isSilent) conclude()
  return played
}

function fail(what: string, error?: unknown): void {
  report.failures.push(what)
  process.stdout.write(`  FAIL  ${what}\n`)
  if (error) console.error(error)
}

/** How to run the file once more, in the same settings. */
function again(): string {
  if (file.endsWith('.check.ts')) return 'npm run check:package'
  const runner = file.endsWith('.drill.ts') ? 'npm run drills' : 'npm test'
  const hasServices = process.env.SPEC_DATABASE_URL || process.env.DATABASE_URL
  return `${runner} -- ${file} --seed ${seed}${hasServices ? '' : ' --no-services'}`
}

/** Reports, then insists that the process ends by itself. */
function endWithReport(): void {
  const { passed, failures } = report
  process.exitCode = failures.length === 0 ? 0 : 1
  process.stdout.write(`\n${REPORT}${JSON.stringify({ passed, failures })}\n`)
  const leak = () => {
    console.error(`${file} leaks a handle: ${process.getActiveResourcesInfo().join(', ')}`)
    process.exit(LEAKED)
  }
  setTimeout(leak, GRACE_MS).unref()
}

process.on('exit', () => {
  if (phase === 'reported') return
  console.error(`${file} ended before its tests finished (seed ${seed})`)
  process.exitCode ||= 1
})
