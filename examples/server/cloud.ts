// A small cloud to practise on: machines that boot, run and die, behind HTTP, in this very process.
// Promise: as trying as a real one. It is slow, sometimes says "too many requests" or fails, sometimes
// fails after it has done the work, and one machine it rents out dies. An idempotency key it has seen
// gets the answer it got before. It forgets everything when the process ends.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

export interface Machine {
  readonly id: string
  readonly plan: string
  /** Whose machine it is, in the customer's own words. */
  readonly owner: string
  readonly state: 'booting' | 'running' | 'dead'
  /** Known once it runs. */
  readonly ip: string | null
  readonly password: string
}

export interface CloudOptions {
  /** The same seed gives the same troubles in the same order. */
  readonly seed?: number
  /** How many of a hundred requests go wrong. */
  readonly troublesPercent?: number
  /** How long a machine boots, in milliseconds. */
  readonly bootMs?: number
  /** The machine, counted from 1, that dies, and how long after it was ordered. */
  readonly death?: { readonly machine: number; readonly afterMs: number } | null
}

interface Request {
  readonly method: string
  readonly url: URL
  readonly key: string | undefined
  readonly body: string
}

interface Answer {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

export class Cloud {
  readonly #options: Required<CloudOptions>
  readonly #machines = new Map<string, Machine>()
  readonly #answered = new Map<string, { body: string; answer: Answer }>()
  readonly #dice: () => number
  #ordered = 0

  constructor(options: CloudOptions = {}) {
    const death = { machine: 3, afterMs: 4_000 }
    this.#options = { seed: 1, troublesPercent: 10, bootMs: 800, death, ...options }
    this.#dice = diceOf(this.#options.seed)
  }

  get machines(): Machine[] {
    return [...this.#machines.values()]
  }

  /** Listens on a free port of this machine, without keeping the process alive. Answers the address. */
  async listen(): Promise<string> {
    const server = createServer((request, response) => void this.#serve(request, response))
    server.on('connection', (socket) => socket.unref())
    server.unref()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await read(incoming)
    await pause(5 + this.#dice() * 35)
    const { status, body, headers } = this.#weather(() => this.#answer(request))
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(body === undefined ? undefined : JSON.stringify(body))
  }

  /** On a bad day the answer is lost: sometimes the work with it, sometimes not. */
  #weather(work: () => Answer): Answer {
    if (this.#dice() * 100 >= this.#options.troublesPercent) return work()
    const trouble = this.#dice()
    if (trouble < 0.3) return { status: 429, headers: { 'retry-after': '1' } }
    if (trouble < 0.6) work()
    return { status: 500, body: { error: 'something broke' } }
  }

  #answer(request: Request): Answer {
    const { method, url, body } = request
    const [, things, id, verb] = url.pathname.split('/')
    if (things !== 'machines') return notFound
    if (method === 'POST' && !id) return this.#once(request, () => this.#order(JSON.parse(body)))
    if (method === 'GET' && !id) return this.#owned(url.searchParams.get('owner'))
    const machine = this.#machines.get(id ?? '')
    if (!machine) return notFound
    if (method === 'GET') return { status: 200, body: machine }
    if (method === 'DELETE') return this.#remove(machine)
    if (method === 'POST' && verb === 'kill') return this.#kill(machine)
    return { status: 405, body: { error: `nobody can ${method} a machine` } }
  }

  /** The same key and the same body: the same answer. The same key and another body: a conflict. */
  #once({ key, body }: Request, work: () => Answer): Answer {
    if (key === undefined) return { status: 400, body: { error: 'an Idempotency-Key is needed' } }
    const before = this.#answered.get(key)
    if (before && before.body !== body) {
      return { status: 409, body: { error: `the key ${key} was used for something else` } }
    }
    const answer = before?.answer ?? work()
    this.#answered.set(key, { body, answer })
    return answer
  }

  #order({ plan, owner }: Pick<Machine, 'plan' | 'owner'>): Answer {
    const number = ++this.#ordered
    const password = `pw-${this.#dice().toString(36).slice(2)}`
    const machine: Machine = { id: `m${number}`, plan, owner, state: 'booting', ip: null, password }
    this.#machines.set(machine.id, machine)
    const { bootMs, death } = this.#options
    this.#later(bootMs * (0.5 + this.#dice()), machine.id, {
      state: 'running',
      ip: `10.0.0.${number}`,
    })
    if (death?.machine === number) this.#later(death.afterMs, machine.id, { state: 'dead' })
    return { status: 201, body: machine }
  }

  #owned(owner: string | null): Answer {
    return { status: 200, body: this.machines.filter((machine) => machine.owner === owner) }
  }

  #remove({ id }: Machine): Answer {
    this.#machines.delete(id)
    return { status: 204 }
  }

  #kill(machine: Machine): Answer {
    this.#machines.set(machine.id, { ...machine, state: 'dead' })
    return { status: 202 }
  }

  #later(ms: number, id: string, change: Partial<Machine>): void {
    setTimeout(() => {
      const machine = this.#machines.get(id)
      if (machine) this.#machines.set(id, { ...machine, ...change })
    }, ms).unref()
  }
}

const notFound: Answer = { status: 404, body: { error: 'there is no such thing' } }

async function read(incoming: IncomingMessage): Promise<Request> {
  let body = ''
  for await (const chunk of incoming) body += chunk
  const url = new URL(incoming.url ?? '/', 'http://cloud')
  const { method = 'GET', headers } = incoming
  return { method, url, key: headers['idempotency-key'] as string | undefined, body }
}

/** Random numbers in [0, 1) that a seed decides. Source: mulberry32, by Tommy Ettinger, public domain. */
function diceOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

let address: Promise<string> | null = null

/** The cloud of this process, opened when it is first asked for. */
export function theCloud(): Promise<string> {
  address ??= new Cloud().listen()
  return address
}
