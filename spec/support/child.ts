// One spec file, one process.
// Promise: whatever the file does (crash, hang, leak, leave children behind), it ends within its
// time, nothing of it stays, and the outcome says what happened.
import { readFileSync } from 'node:fs'
import { asCompiled, BRIEF } from './compiled.ts'
import { type Ending, Group } from './group.ts'
import { LEAKED, REPORT, type Report } from './report.ts'

/** What running one file came to. */
export interface Outcome extends Report {
  readonly file: string
  readonly elapsedMs: number
  readonly output: string
}

/** How long a file may run that says nothing of it. */
export const TIMEOUT_MS = 120_000

/** How long a file may run: 120 s, or what `// timeout: 240s` in its first five lines says. */
export function timeoutMs(text: string): number {
  const seconds = /^\/\/ timeout: (\d+)s$/m.exec(headOf(text))?.[1]
  return seconds === undefined ? TIMEOUT_MS : Number(seconds) * 1_000
}

/** Files that import TypeScript while they run say so: `// runs as it is`, in their first five lines. */
const isRunAsIs = (text: string): boolean => /^\/\/ runs as it is$/m.test(headOf(text))

/** Must the file have a process of its own? One that examines the process it is in says `// runs alone` there. */
export const isAlone = (text: string): boolean =>
  isRunAsIs(text) || /^\/\/ runs alone$/m.test(headOf(text))

const headOf = (text: string): string => text.split('\n', 5).join('\n')

/** Runs the file; aborting the signal ends it at once. */
export async function runFile(file: string, signal: AbortSignal): Promise<Outcome> {
  const startedAt = performance.now()
  const text = readFileSync(file, 'utf8')
  const compiled = ['--enable-source-maps', ...BRIEF, await asCompiled(file)]
  const group = new Group(isRunAsIs(text) ? [...BRIEF, '--import', 'tsx', file] : compiled)
  const ending = await limited(group, timeoutMs(text), signal, group.ended)
  const leftovers = await group.leftBehind()
  const output = group.takeSaid()
  const elapsedMs = performance.now() - startedAt
  return { file, elapsedMs, ...judge(ending, output, leftovers) }
}

/** Waits for what the processes are doing; ends them when it takes too long, or when all is interrupted. */
export async function limited<T>(
  group: Group,
  limitMs: number,
  signal: AbortSignal,
  done: Promise<T>,
): Promise<T> {
  const timer = setTimeout(() => group.end(`took longer than ${limitMs / 1_000} s`), limitMs)
  const interrupted = () => group.end('interrupted')
  signal.addEventListener('abort', interrupted, { once: true })
  if (signal.aborted) interrupted()
  try {
    return await done
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', interrupted)
  }
}

/** Turns exit status and output into counts and failures. */
function judge(
  ending: Ending,
  output: string,
  leftovers: boolean,
): Omit<Outcome, 'file' | 'elapsedMs'> {
  const lines = output.split('\n')
  const line = lines.findLast((line) => line.startsWith(REPORT))
  const report: Report | null = line ? JSON.parse(line.slice(REPORT.length)) : null
  const said = lines.filter((line) => !line.startsWith(REPORT)).join('\n')
  const { passed, failures } = report ?? { passed: 0, failures: [] }
  return { passed, failures: [...failures, ...misbehaved(ending, leftovers, report)], output: said }
}

/** What there is to say against a process that has ended, beside what its tests did. */
export function misbehaved(ending: Ending, leftovers: boolean, report: Report | null): string[] {
  const { code, signal, ended } = ending
  if (ended) return [ended]
  if (!report) return [`ended without a report (${signal ?? `exit ${code}`})`]
  if (code === LEAKED) return ['leaks a handle']
  const why = []
  if (leftovers) why.push('left processes running')
  if (code !== 0 && report.failures.length === 0)
    why.push(`ended badly (${signal ?? `exit ${code}`})`)
  if (report.passed + report.failures.length === 0) why.push('ran no test')
  return why
}
