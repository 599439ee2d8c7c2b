// A process that dies: a worker whose calls to store, queue and lock, and whose effects, are counted, and one is its last.
// Promise: no switch in the house; only what a port is asked and answers is tampered with. Death is final:
// whatever the dead one still tries reaches nobody, and nothing it kept in memory is seen again.
import type { Ticket } from '../../lib/contract.ts'
import { Events } from '../../lib/events.ts'
import type { Time } from '../../lib/time.ts'
import { Worker } from '../../lib/worker.ts'
import type { App } from '../../models/app.ts'
import { Desk } from '../../models/desk.ts'
import { Joiner } from '../../models/joiner.ts'
import { Library } from '../../models/library.ts'
import { Lookout } from '../../models/lookout.ts'
import type { TickParts } from '../../models/parts.ts'
import { ResourceTicker } from '../../models/resource.ts'
import { ALONE } from '../support/drive.ts'

/** The call a process dies of. */
export interface Peril {
  /** Counted from 1. */
  readonly at: number
  /** Before the port did its work, or after it was done and before anybody heard. */
  readonly when: 'before' | 'after'
}

/** Calls under way, of all processes, dead ones included. */
export interface Traffic {
  underWay: number
}

const PORTS = ['claim', 'look', 'finished', 'dueNow', 'commit'] as const
/** Live actors keep a tick going: it looks by itself only now and then. */
const LOOK_MS = 3_600_000

export class Process {
  /** Calls so far. */
  calls = 0
  /** The port it died of; null while it lives. */
  hit: string | null = null
  readonly app: App
  readonly #peril: Peril | null
  readonly #traffic: Traffic
  readonly #worker: Worker
  readonly #end = new AbortController()
  readonly #working = new Set<string>()
  /** Keys that were asked for while they were held. */
  readonly #wanted = new Set<string>()

  constructor(app: App, time: Time, traffic: Traffic, peril: Peril | null) {
    this.app = app
    this.#peril = peril
    this.#traffic = traffic
    const queue = { push: (tickets: readonly Ticket[]) => this.#push(tickets) }
    this.#worker = new Worker({
      queue: queue as never,
      name: 'ticks',
      redirect: async () => {},
      keeper: { hold: (key, work) => this.#hold(key, work) },
      ticker: new ResourceTicker(this.#parts(time, queue.push)),
      time,
      events: new Events(),
      concurrency: 10,
      graceMs: 0,
    })
  }

  get isDead(): boolean {
    return this.hit !== null || this.#end.signal.aborted
  }

  /** Does it tick this resource at the moment? */
  isAt(resourceId: string): boolean {
    return this.#working.has(resourceId)
  }

  /** Works a ticket, in the background; one for a resource it ticks already makes it look again. */
  take(resourceId: string): void {
    if (!this.isDead) void this.#worker.work({ resourceId })
  }

  /** Ends it without a word. */
  kill(): void {
    this.#end.abort(new Error('killed'))
  }

  /** One call through a port. @throws once the process is dead */
  async call<T>(port: string, work: () => Promise<T> | T): Promise<T> {
    if (this.isDead) throw new Error('this process is no more')
    this.calls += 1
    const isLast = this.calls === this.#peril?.at
    if (isLast && this.#peril?.when === 'before') this.#die(port)
    this.#traffic.underWay += 1
    try {
      const answer = await work()
      if (isLast) this.#die(port)
      if (this.isDead) throw new Error('this process is no more')
      return answer
    } finally {
      this.#traffic.underWay -= 1
    }
  }

  #die(port: string): never {
    this.hit = port
    this.kill()
    throw new Error(`planted: died of ${port}`)
  }

  async #push(tickets: readonly Ticket[]): Promise<void> {
    await this.call('push', () => {})
    // On its way through the queue: whoever pushes does not wait for the work.
    queueMicrotask(() => {
      for (const { resourceId } of tickets) this.take(resourceId)
    })
  }

  async #hold<T>(key: string, work: (lease: never) => Promise<T>) {
    await this.call('acquire', () => {})
    if (this.#working.has(key)) {
      this.#wanted.add(key)
      return { held: false } as const
    }
    this.#working.add(key)
    const lease = {
      signal: this.#end.signal,
      remainingMs: () => (this.isDead ? 0 : Number.POSITIVE_INFINITY),
    }
    try {
      const value = await work(lease as never)
      return { held: true, value, isWanted: this.#wanted.delete(key) } as const
    } finally {
      this.#working.delete(key)
      if (!this.isDead) await this.call('release', () => {})
    }
  }

  #parts(time: Time, push: TickParts['push']): TickParts {
    const { registry, rooms } = this.app
    const store = {} as TickParts['store']
    for (const port of PORTS) {
      const method = (this.app.store[port] as (...all: unknown[]) => any).bind(this.app.store)
      const counted = (...asked: unknown[]) => this.call(port, () => method(...asked))
      Object.assign(store, { [port]: counted })
    }
    const { knex } = rooms.database
    const sealer = {
      seal: (text: string) => rooms.keyring.seal('fields', text, time.now()),
      open: (sealed: string) => rooms.keyring.open('fields', sealed, time.now()),
    }
    const requests = { time, sealer, actor: 'victim' }
    const events = new Events()
    const seats = {
      lookout: new Lookout({ knex, events, time, sealer }),
      joiner: new Joiner({ database: rooms.database, time, alarms: this.app.store.alarms }),
    }
    const desk = new Desk({
      ...{ store: this.app.store, knex, requests, events, registry, push },
      ...seats,
    })
    const library = new Library({ knex, registry, sealer, desk })
    const quota = { steps: 50, ms: 60_000 }
    return {
      ...{ store, time, events, registry, sealer, requests, desk, quota, presence: ALONE },
      push: (tickets) => push(tickets).catch(() => {}),
      owner: 'victim',
      lookMs: LOOK_MS,
      soon: () => {},
      children: (...asked) => library.children(...asked),
      offspring: (...asked) => library.offspring(...asked),
    }
  }
}
