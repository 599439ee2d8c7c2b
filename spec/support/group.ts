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

/** How long the others may take to follow the first. */
const FOLLOW_MS = 2_000

export class Group {
  /** Resolves when the first of them has ended. */
  readonly ended: Promise<Ending>
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown>
  #said: Buffer[] = []
  #why: string | null = null

  /**
   * @param args for Node
   * @param talks whether messages go to and fro
   */
  constructor(args: readonly string[], talks: 'talks' | 'is silent' = 'is silent') {
    this.#child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe', ...(talks === 'talks' ? (['ipc'] as const) : [])],
      detached: true, // so that grandchildren can be found and ended too
    })
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.on('data', (chunk) => this.#said.push(chunk))
    this.#closed = once(this.#child, 'close')
    this.ended = once(this.#child, 'exit').then(([code, signal]) => {
      return { code, signal, ended: this.#why }
    })
    this.ended.catch(() => {}) // whoever waits for it hears of it
  }

  /** What was said since the last time this was asked. */
  takeSaid(): string {
    return Buffer.concat(this.#said.splice(0)).toString('utf8')
  }

  /** Tells the first of them something. */
  tell(message: string): void {
    this.#child.send(message, () => {}) // one that cannot be told has ended
  }

  /** The next message of the first of them; never, if it ends before. */
  async heard(): Promise<unknown> {
    const [message] = await once(this.#child, 'message')
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
    await within(this.#closed, FOLLOW_MS, 'the output ended').catch(() => {})
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
