// Real child processes that run parts of a house, and what they tell.
// Promise: every event a child prints is kept and counted; signals go to recorded pids only; all of them
// are gone after `stopAll`, the stopped and the hung ones too.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { until } from './wait.ts'

/** One line a child printed: an event of the house. */
export type Told = { readonly told: string } & Readonly<Record<string, any>>

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

const START_MS = 30_000

/** A child at work. */
export class StaffProcess {
  readonly name: string
  readonly told: Told[] = []
  /** Resolves when the process has ended. */
  readonly ended: Promise<Ending>
  /** What it said that was no event: nothing, unless something went wrong. */
  stray = ''
  readonly #child: ChildProcess
  #ending: Ending | null = null

  constructor(name: string, child: ChildProcess) {
    this.name = name
    this.#child = child
    createInterface({ input: child.stdout! }).on('line', (line) => this.#hear(line))
    child.stderr!.on('data', (chunk) => (this.stray += chunk))
    this.ended = once(child, 'close').then(([code, signal]) => (this.#ending = { code, signal }))
  }

  get pid(): number {
    return this.#child.pid!
  }

  get isRunning(): boolean {
    return this.#ending === null
  }

  /** Did it end without giving back what it had? */
  get isLost(): boolean {
    return this.#ending !== null && this.#ending.code !== 0
  }

  /** How often it told this event. */
  count(event: string): number {
    return this.told.filter(({ told }) => told === event).length
  }

  /** Sends a signal; does not wait for what it does. */
  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#child.kill(signal)
  }

  /** kill -9, and its end. */
  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.ended
  }

  /** When it says that it is at work. @throws with what it said instead */
  async ready(): Promise<void> {
    const what = `${this.name} was at work`
    await until(() => !this.isRunning || this.count('ready') > 0, { what, deadlineMs: START_MS })
    if (!this.isRunning) throw new Error(`${this.name} did not start: ${this.stray}`)
  }

  #hear(line: string): void {
    try {
      this.told.push(JSON.parse(line))
    } catch {
      this.stray += `${line}\n`
    }
  }
}

/** The children of one spec. */
export class Processes {
  readonly all: StaffProcess[] = []
  readonly #script: string
  readonly #environment: Readonly<Record<string, string | undefined>>

  /**
   * @param script a TypeScript file, run with one word: what it is to do
   * @param environment all the child's own variables; it inherits the path and the time zone alone
   */
  constructor(script: string, environment: Readonly<Record<string, string | undefined>>) {
    this.#script = script
    this.#environment = environment
  }

  /** Starts a child and waits until it is at work. */
  async start(role: string, more: Readonly<Record<string, string>> = {}): Promise<StaffProcess> {
    const { PATH, TZ, TMPDIR, HOME } = process.env
    const child = spawn(process.execPath, ['--import', 'tsx', this.#script, role], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH, TZ, TMPDIR, HOME, ...this.#environment, ...more },
    })
    const started = new StaffProcess(`${role} ${this.all.length + 1}`, child)
    this.all.push(started)
    await started.ready()
    return started
  }

  /** How often all of them together told this event. */
  count(event: string): number {
    return this.all.reduce((sum, one) => sum + one.count(event), 0)
  }

  /** How often each event was told, for a spec that wants to say what it saw. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const { told } of this.all.flatMap(({ told }) => told)) {
      counts[told] = (counts[told] ?? 0) + 1
    }
    return counts
  }

  /** Everything they ever wrote. */
  get output(): string {
    return this.all.map(({ told, stray }) => `${JSON.stringify(told)}${stray}`).join('\n')
  }

  /** Asks all to drain, and kills at once those that cannot: the stopped ones. */
  async stopAll(): Promise<void> {
    await Promise.all(
      this.all.map(async (one) => {
        one.signal('SIGTERM')
        one.signal('SIGCONT')
        await until(() => !one.isRunning, { what: `${one.name} ended` }).catch(() => one.kill())
      }),
    )
  }
}
