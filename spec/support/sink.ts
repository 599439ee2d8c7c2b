// The outside world of effects: a server in the spec's process that writes down every effect it is told of.
// Promise: what was told is kept whatever becomes of the teller; an effect can be held, so that a spec
// knows a worker to be in the middle of it; one connection a process, one line a deed.
import { connect, createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { SystemTime } from '../../lib/time.ts'

/** What an effect tells the world. */
export interface Deed {
  readonly key: string
  readonly attempt: number
  readonly resourceId: string
}

/** A deed as the world saw it. */
export interface Seen extends Deed {
  readonly pid: number
  /** Milliseconds on the spec's own monotonic clock. */
  readonly at: number
}

/** How effects reach the world: resolves when it has taken notice, rejects when the signal aborts. */
export type Tell = (deed: Deed, signal: AbortSignal) => Promise<void>

/** Effects that are kept waiting. */
export interface Held {
  /** Those told of so far. */
  readonly seen: readonly Seen[]
  /** Lets them go on, and all that come later. */
  release(): void
}

const time = new SystemTime()

export class Sink {
  readonly seen: Seen[] = []
  readonly #holds = new Set<{ which: (seen: Seen) => boolean; seen: Seen[]; go: Promise<void> }>()
  readonly #sockets = new Set<Socket>()
  #server: Server | null = null

  /** Listens on a free port of the loopback. */
  static async open(): Promise<Sink> {
    const sink = new Sink()
    const server = createServer((socket) => sink.#serve(socket))
    sink.#server = server
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return sink
  }

  get port(): number {
    const address = this.#server?.address()
    return typeof address === 'object' && address ? address.port : 0
  }

  /** The world for effects of this very process. */
  readonly tell: Tell = (deed, signal) => unlessAborted(this.#note(deed, process.pid), signal)

  /** Keeps these effects waiting from now on. */
  hold(which: (seen: Seen) => boolean): Held {
    let release = () => {}
    const go = new Promise<void>((resolve) => (release = resolve))
    const held = { which, seen: [] as Seen[], go }
    this.#holds.add(held)
    return {
      seen: held.seen,
      release: () => {
        this.#holds.delete(held)
        release()
      },
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server?.close(() => resolve()) ?? resolve())
  }

  async #note(deed: Deed, pid: number): Promise<void> {
    const seen = { ...deed, pid, at: time.monotonic() }
    this.seen.push(seen)
    for (const hold of this.#holds) {
      if (!hold.which(seen)) continue
      hold.seen.push(seen)
      await hold.go
    }
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    // A teller that was killed resets its connection; the reader passes that on.
    const lines = createInterface({ input: socket }).on('error', () => {})
    lines.on('line', async (line) => {
      const { id, pid, ...deed } = JSON.parse(line)
      await this.#note(deed, pid)
      socket.write(`${id}\n`)
    })
  }
}

/** The world as another process reaches it. */
export function worldAt(port: number): Tell {
  const waiting = new Map<number, () => void>()
  const socket = connect(port, '127.0.0.1')
  createInterface({ input: socket }).on('line', (id) => {
    waiting.get(Number(id))?.()
    waiting.delete(Number(id))
  })
  let told = 0
  return (deed, signal) => {
    const id = ++told
    const heard = new Promise<void>((resolve) => waiting.set(id, resolve))
    socket.write(`${JSON.stringify({ id, pid: process.pid, ...deed })}\n`)
    return unlessAborted(heard, signal)
  }
}

function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new Error('nobody waits for this effect any more'))
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
