// One program as a process of its own, and the orders given to it.
// Promise: an order is answered within its deadline or the process is killed; nothing outlives `stop`.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Answer, type Figures, GROUND, type Ground, type Order } from './protocol.ts'
import type { System } from './systems.ts'

/** A program that takes longer for one order is not going to be done. */
const PATIENCE_MS = 120_000
const END_MS = 15_000
const KEPT_LETTERS = 4_000
/** Every program of ours and of theirs has as large a young generation: V8's own is meant for programs with little in hand. */
const YOUNG = ['--max-semi-space-size=64']

export class Contestant {
  readonly #child: ChildProcess
  readonly #answers: Answer[] = []
  #heard: () => void = () => {}
  #said = ''
  #hasEnded = false

  /** @param entry the front door of our package, built; its sources when null */
  constructor(system: System, ground: Ground, entry: string | null) {
    // Compiled, where this file is.
    const ending = import.meta.url.slice(-3)
    const loader = ending === '.ts' ? ['--import', 'tsx'] : []
    const name = system.program.replace(/\.ts$/, ending)
    const program = fileURLToPath(new URL(`programs/${name}`, import.meta.url))
    const { PATH, HOME, TMPDIR } = process.env
    this.#child = spawn(nodeFor(system), [...YOUNG, ...loader, program], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        ...{ PATH, HOME, TMPDIR, NODE_ENV: 'production' },
        ...(entry !== null && { BENCH_ENTRY: entry }),
        [GROUND]: JSON.stringify(ground),
      },
    })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#hear(line))
    this.#child.stderr!.on('data', (chunk) => this.#keep(chunk))
    this.#child.stdin!.on('error', () => {})
    this.#child.once('close', () => {
      this.#hasEnded = true
      this.#heard()
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Gives an order and waits for its answer. @throws with what the program said when it could not */
  async ask(order: Order, patienceMs = PATIENCE_MS): Promise<Figures> {
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`)
    const answer = await this.#answer(order.does, patienceMs)
    if (answer.failed) throw new Error(`${order.does}: ${answer.failed}`)
    return answer.figures ?? {}
  }

  /** Lets it close what it has open, then makes sure that it is gone. */
  async close(): Promise<void> {
    await this.ask({ does: 'close' }).catch((error) => this.#keep(String(error)))
    await this.stop(END_MS)
  }

  /** Kills it, after a grace in milliseconds. */
  async stop(graceMs = 0): Promise<void> {
    if (this.#hasEnded) return
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), graceMs)
    await once(this.#child, 'close')
    clearTimeout(timer)
  }

  async #answer(what: string, patienceMs: number): Promise<Answer> {
    const isLate = { is: false }
    const timer = setTimeout(() => {
      isLate.is = true
      this.#heard()
    }, patienceMs)
    try {
      while (this.#answers.length === 0) {
        if (this.#hasEnded) throw new Error(`${what}: the program ended. It said: ${this.#said}`)
        if (isLate.is) throw new Error(`${what}: no answer within ${patienceMs / 1_000} s`)
        await new Promise<void>((resolve) => {
          this.#heard = resolve
        })
      }
      return this.#answers.shift()!
    } finally {
      clearTimeout(timer)
    }
  }

  #hear(line: string): void {
    try {
      const answer: Answer = JSON.parse(line)
      if (answer.did === undefined && answer.failed === undefined) throw new Error('not for us')
      this.#answers.push(answer)
      this.#heard()
    } catch {
      this.#keep(`${line}\n`)
    }
  }

  #keep(text: unknown): void {
    this.#said = `${this.#said}${text}`.slice(-KEPT_LETTERS)
  }
}

/** This Node, or the newer one that is installed with the peers that need it. @throws when there is neither */
function nodeFor({ name, node }: System): string {
  if (Number(process.versions.node.split('.')[0]) >= node) return process.execPath
  const folder = `node_modules/node-${process.platform}-${process.arch}/bin/node`
  const newer = fileURLToPath(new URL(folder, import.meta.url))
  if (existsSync(newer)) return newer
  throw new Error(`${name} needs Node ${node}: run the bench with it.`)
}
