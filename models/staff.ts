// The staff of one process: its clock and its worker, started and stopped on request.
// Promise: started twice is started once; closing drains the worker before anything is taken away.

import { Clock } from '../lib/clock.ts'
import type { Sealer } from '../lib/codec.ts'
import type { Ticket } from '../lib/contract.ts'
import type { Events } from '../lib/events.ts'
import { newToken } from '../lib/id.ts'
import { Keeper } from '../lib/lock.ts'
import { Soon } from '../lib/soon.ts'
import type { Store } from '../lib/store.ts'
import type { Time } from '../lib/time.ts'
import { within } from '../lib/within.ts'
import { Worker } from '../lib/worker.ts'
import type { Library } from './library.ts'
import type { Committed } from './outbox.ts'
import type { TickParts } from './parts.ts'
import { type Plugin, wrapped } from './plugin.ts'
import type { Registry } from './registry.ts'
import type { RequestParts } from './requests.ts'
import { ResourceTicker } from './resource.ts'
import type { Rooms } from './rooms.ts'
import { Steward } from './steward.ts'
import type { Verbs } from './verbs.ts'

export interface StaffParts {
  readonly rooms: Rooms
  readonly store: Store
  readonly time: Time
  readonly events: Events
  readonly registry: Registry
  readonly sealer: Sealer
  readonly requests: RequestParts
  readonly desk: Committed & Pick<Verbs, 'start'>
  readonly library: Library
  readonly plugins: readonly Plugin[]
  push(tickets: readonly Ticket[]): Promise<void>
}

/** Tickets of one look, and tickets that may wait before a clock holds back. */
const MOST = { tickets: 1_000, waiting: 5_000 }
/** How often a clock asks the database what time it is. */
const ASK_MS = 30_000
/** How often the steward of a clock makes its round. */
const ROUND_MS = 60_000

export class Staff {
  readonly #parts: StaffParts
  #clock: Clock | null = null
  #worker: Worker | null = null
  #soon: Soon | null = null
  #askedAt = Number.NEGATIVE_INFINITY
  #steward: Steward | null = null
  #round: Promise<void> | null = null
  #roundAt = Number.NEGATIVE_INFINITY

  constructor(parts: StaffParts) {
    this.#parts = parts
  }

  startClock(): void {
    if (this.#clock) return
    const { store: due, time, events, rooms } = this.#parts
    const { queue, config } = rooms
    this.#clock = new Clock({
      due,
      queue,
      time,
      events,
      beatMs: config.beatMs,
      most: MOST,
      onBeat: () => this.#beat(),
    })
    this.#clock.start()
  }

  async startWorker(): Promise<void> {
    if (this.#worker) return
    const { time, events, rooms } = this.#parts
    const { queue, lock, config } = rooms
    const keeper = new Keeper({ lock, time, events, ttlMs: config.lockTtlMs })
    const { concurrency, graceMs, quotaSteps, quotaMs } = config
    const owner = `worker-${newToken().slice(0, 8)}`
    const requests = { ...this.#parts.requests, actor: owner }
    const quota = { steps: quotaSteps, ms: quotaMs }
    const lookMs = config.toldMs
    const { library } = this.#parts
    const children: TickParts['children'] = (...asked) => library.children(...asked)
    const offspring: TickParts['offspring'] = (...asked) => library.offspring(...asked)
    const soon = new Soon({ time, withinMs: config.beatMs, push: this.#parts.push })
    this.#soon = soon
    const rounds = new ResourceTicker({
      ...this.#parts,
      ...{ requests, owner, quota, lookMs, children, offspring },
      soon: (resourceId, dueAt) => soon.note(resourceId, dueAt),
    })
    const ticker = wrapped(rounds, this.#parts.plugins, events)
    this.#worker = new Worker({ queue, keeper, ticker, time, events, concurrency, graceMs })
    await this.#worker.start()
  }

  async stopWorker(): Promise<void> {
    await this.#worker?.stop()
    this.#soon?.clear()
    this.#worker = null
  }

  async close(): Promise<void> {
    await Promise.all([this.#clock?.stop(), this.stopWorker()])
    // What the user's `gc.each` does may take for ever; whatever it was about is found again.
    const { time, rooms } = this.#parts
    await within(time, rooms.config.graceMs, this.#round ?? Promise.resolve())
    this.#clock = null
  }

  /** The steward works beside the clock, never in its way. */
  async #beat(): Promise<void> {
    const { time, rooms } = this.#parts
    if (time.monotonic() - this.#roundAt >= ROUND_MS) {
      this.#roundAt = time.monotonic()
      this.#steward ??= new Steward({ ...this.#parts, knex: rooms.database.knex })
      this.#round = this.#steward.round()
    }
    await this.#ask()
  }

  async #ask(): Promise<void> {
    const { time, rooms } = this.#parts
    if (time.monotonic() - this.#askedAt < ASK_MS) return
    this.#askedAt = time.monotonic()
    await rooms.database.ask(time)
  }
}
