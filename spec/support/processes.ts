// The programs `bin/clock.js` and `bin/worker.js` as real child processes, and what they log.
// Promise: every event a child prints is kept and counted; signals go to recorded pids only; all of them
// are gone after `stopAll`, the stopped and the hung ones too.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { asCompiled, BRIEF } from './compiled.ts'
import { until } from './wait.ts'

/** One line of a child's log: an event of the house, its name as the message. */
export type Told = { readonly msg: string } & Readonly<Record<string, any>>

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
    return this.told.filter(({ msg }) => msg === event).length
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
    const isAtWork = () => this.count('worker.started') + this.count('clock.started') > 0
    await until(() => !this.isRunning || isAtWork(), { what, deadlineMs: START_MS })
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
  readonly #environment: Readonly<Record<string, string | undefined>>

  /** @param environment all the variables of a child; beside them it inherits the path and little else */
  constructor(environment: Readonly<Record<string, string | undefined>>) {
    this.#environment = environment
    process.once('exit', () => {
      for (const one of this.all) one.signal('SIGKILL')
    })
  }

  /** Starts a child and waits until it is at work. */
  async start(role: 'clock' | 'worker' | 'solo'): Promise<StaffProcess> {
    const { PATH, TZ, TMPDIR, HOME } = process.env
    const child = spawn(process.execPath, [...BRIEF, await asCompiled(`bin/${role}.js`)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH, TZ, TMPDIR, HOME, ...this.#environment },
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
