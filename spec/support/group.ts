// A process of ours and whatever it starts.
// Promise: they are a group of their own, found and ended whole, however they behave; all they said is kept.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { until, within } from './wait.ts'

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Why we ended it, if we did. */
  readonly ended: string | null
}

export interface GroupOptions {
  /** Do messages go to and fro? */
  readonly talks?: boolean
  /** Variables on top of those of this process. */
  readonly environment?: Readonly<Record<string, string>>
}

/** How long the others may take to follow the first. */
const FOLLOW_MS = 2_000

export class Group {
  /** Resolves when the first of them has ended. */
  readonly ended: Promise<Ending>
  readonly #child: ChildProcess
  readonly #silent: Promise<unknown>
  #said: Buffer[] = []
  #why: string | null = null

  /** @param args for Node */
  constructor(args: readonly string[], { talks = false, environment = {} }: GroupOptions = {}) {
    this.#child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe', ...(talks ? (['ipc'] as const) : [])],
      env: { ...process.env, ...environment },
      detached: true, // so that grandchildren can be found and ended too
    })
    const streams = [this.#child.stdout!, this.#child.stderr!]
    for (const stream of streams) stream.on('data', (chunk) => this.#said.push(chunk))
    this.#silent = Promise.all(streams.map((stream) => once(stream, 'close')))
    this.ended = once(this.#child, 'exit').then(([code, signal]) => {
      return { code, signal, ended: this.#why }
    })
    for (const one of [this.#silent, this.ended]) one.catch(() => {}) // whoever waits hears of it
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** What was said since the last time this was asked. */
  takeSaid(): string {
    return Buffer.concat(this.#said.splice(0)).toString('utf8')
  }

  /** Tells the first of them something. */
  tell(message: string): void {
    this.#child.send(message, () => {}) // one that cannot be told has ended
  }

  /** The next message of this kind of the first of them; never, if it ends before. */
  async heard<T>(isMeant: (message: unknown) => message is T): Promise<T> {
    const message = await new Promise<T>((resolve) => {
      const hear = (message: unknown) => {
        if (!isMeant(message)) return
        this.#child.off('message', hear)
        resolve(message)
      }
      this.#child.on('message', hear)
    })
    await setImmediate() // what was said before it is in the pipes
    return message
  }

  /** Says that nothing more is coming: it may go. */
  dismiss(): void {
    if (this.#child.connected) this.#child.disconnect()
  }

  /** Ends all of them at once. */
  end(why: string): void {
    this.#why ??= why
    endGroup(this.#child.pid!, 'SIGKILL')
  }

  /** Are others there, beside the first? They get a moment to end. */
  async hasOthers(): Promise<boolean> {
    const first = this.#child.pid!
    const isAlone = () => !othersOf(first)
    return until(isAlone, { what: 'the children followed', deadlineMs: FOLLOW_MS }).then(
      () => false,
      () => true,
    )
  }

  /** When the first has ended: did others stay? They get a moment to follow it, then are ended. */
  async leftBehind(): Promise<boolean> {
    const left = await this.hasOthers()
    if (left) endGroup(this.#child.pid!, 'SIGKILL')
    await within(this.#silent, FOLLOW_MS, 'the output ended').catch(() => {})
    return left
  }
}

/** Signals a whole process group; false when nobody is left in it. */
function endGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal)
  } catch {
    return false
  }
}

/** Is anybody of the group alive, beside the one it is named after? */
function othersOf(group: number): boolean {
  if (!endGroup(group, 0)) return false
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== `${group}`)
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
