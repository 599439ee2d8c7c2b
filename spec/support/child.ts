// One spec file, one process.
// Promise: whatever the file does (crash, hang, leak, leave children behind), it ends within its
// time, nothing of it stays, and the outcome says what happened.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { asCompiled, BRIEF } from './compiled.ts'
import { LEAKED, REPORT, type Report } from './report.ts'
import { until, within } from './wait.ts'

/** What running one file came to. */
export interface Outcome extends Report {
  readonly file: string
  readonly elapsedMs: number
  readonly output: string
}

interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Why the runner ended it, if it did. */
  readonly ended: string | null
}

/** How long a file may run that says nothing of it. */
export const TIMEOUT_MS = 120_000
/** How long the file's own children may take to follow it. */
const FOLLOW_MS = 2_000

/** How long a file may run: 120 s, or what `// timeout: 240s` in its first five lines says. */
export function timeoutMs(text: string): number {
  const seconds = /^\/\/ timeout: (\d+)s$/m.exec(headOf(text))?.[1]
  return seconds === undefined ? TIMEOUT_MS : Number(seconds) * 1_000
}

/** Files that import TypeScript while they run say so: `// runs as it is`, in their first five lines. */
const isRunAsIs = (text: string): boolean => /^\/\/ runs as it is$/m.test(headOf(text))

const headOf = (text: string): string => text.split('\n', 5).join('\n')

/** Runs the file; aborting the signal ends it at once. */
export async function runFile(file: string, signal: AbortSignal): Promise<Outcome> {
  const startedAt = performance.now()
  const text = readFileSync(file, 'utf8')
  const compiled = ['--enable-source-maps', ...BRIEF, await asCompiled(file)]
  // A group of its own, so that grandchildren can be found and ended too.
  const child = spawn(
    process.execPath,
    isRunAsIs(text) ? [...BRIEF, '--import', 'tsx', file] : compiled,
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    },
  )
  const heard: Buffer[] = []
  child.stdout.on('data', (chunk) => heard.push(chunk))
  child.stderr.on('data', (chunk) => heard.push(chunk))

  let ended: string | null = null
  const end = (why: string) => {
    ended ??= why
    endGroup(child.pid!, 'SIGKILL')
  }
  const limitMs = timeoutMs(text)
  const timer = setTimeout(() => end(`took longer than ${limitMs / 1_000} s`), limitMs)
  const interrupted = () => end('interrupted')
  signal.addEventListener('abort', interrupted, { once: true })

  const closed = once(child, 'close')
  const [code, killedBy] = await once(child, 'exit')
  clearTimeout(timer)
  signal.removeEventListener('abort', interrupted)
  const leftovers = await leftBehind(child.pid!)
  await within(closed, FOLLOW_MS, 'the output ended').catch(() => {})
  const output = Buffer.concat(heard).toString('utf8')
  const elapsedMs = performance.now() - startedAt
  return { file, elapsedMs, ...judge({ code, signal: killedBy, ended }, output, leftovers) }
}

/** Turns exit status and output into counts and failures. */
function judge(
  ending: Ending,
  output: string,
  leftovers: boolean,
): Omit<Outcome, 'file' | 'elapsedMs'> {
  const lines = output.split('\n')
  const line = lines.findLast((line) => line.startsWith(REPORT))
  const report: Report = line ? JSON.parse(line.slice(REPORT.length)) : { passed: 0, failures: [] }
  const said = lines.filter((line) => !line.startsWith(REPORT)).join('\n')
  const why = misbehaved(ending, line !== undefined, leftovers, report)
  return { passed: report.passed, failures: [...report.failures, ...why], output: said }
}

function misbehaved(ending: Ending, reported: boolean, leftovers: boolean, report: Report) {
  const { code, signal, ended } = ending
  if (ended) return [ended]
  if (!reported) return [`ended without a report (${signal ?? `exit ${code}`})`]
  if (code === LEAKED) return ['leaks a handle']
  const why = []
  if (leftovers) why.push('left processes running')
  if (code !== 0 && report.failures.length === 0)
    why.push(`ended badly (${signal ?? `exit ${code}`})`)
  if (report.passed + report.failures.length === 0) why.push('ran no test')
  return why
}

/** Did the file leave children running? They get a moment to follow it, then are ended. */
async function leftBehind(pid: number): Promise<boolean> {
  const gone = { what: 'the children followed', deadlineMs: FOLLOW_MS }
  const left = await until(() => !alive(pid), gone).then(
    () => false,
    () => true,
  )
  if (left) endGroup(pid, 'SIGKILL')
  return left
}

/** Signals a whole process group; false when nobody is left in it. */
function endGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal)
  } catch {
    return false
  }
}

/** Is anybody of the group alive? */
function alive(group: number): boolean {
  if (!endGroup(group, 0)) return false
  if (!existsSync('/proc/self/stat')) return true
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.some((pid) => livingGroupOf(pid) === group)
}

/** The group of a living process; the dead whom nobody buried (state Z) count as gone. */
export function livingGroupOf(pid: number | string): number | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state, , group] = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' ? null : Number(group)
  } catch {
    return null // it ended while we were looking
  }
}
