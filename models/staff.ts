// The staff of one process: its clock and its worker, started and stopped on request.
// Promise: started twice is started once; closing drains the worker before anything is taken away.

import { Clock } from '../lib/clock.ts'
import type { Sealer } from '../lib/codec.ts'
import type { Ticket } from '../lib/contract.ts'
import { asError } from '../lib/errors.ts'
import type { Escort } from '../lib/escort.ts'
import type { Events } from '../lib/events.ts'
import type { Porter } from '../lib/porter.ts'
import { Quay } from '../lib/routes.ts'
import { Soon } from '../lib/soon.ts'
import type { Store } from '../lib/store.ts'
import type { Time } from '../lib/time.ts'
import { MOST_WAITING } from '../lib/turnstile.ts'
import type { NewRun } from '../lib/unit.ts'
import { within } from '../lib/within.ts'
import type { Breakers } from './breakers.ts'
import type { Library } from './library.ts'
import type { Notices } from './notices.ts'
import type { Committed } from './outbox.ts'
import type { TickParts } from './parts.ts'
import { Patrol } from './patrol.ts'
import { type Duty, type Place, type Plugin, wrapped } from './plugin.ts'
import type { Registry } from './registry.ts'
import type { RequestParts } from './requests.ts'
import { ResourceTicker } from './resource.ts'
import type { Rooms } from './rooms.ts'
import { Roster } from './roster.ts'
import type { KindRouting } from './routing.ts'
import { Shift } from './shift.ts'
import { Steward } from './steward.ts'
import type { Verbs } from './verbs.ts'

export interface StaffParts {
  readonly rooms: Rooms
  readonly store: Store
  readonly time: Time
  readonly events: Events
  readonly registry: Registry
  readonly routing: KindRouting
  readonly sealer: Sealer
  readonly requests: RequestParts
  readonly desk: Committed & Pick<Verbs, 'start'>
  readonly library: Library
  readonly plugins: readonly Plugin[]
  readonly breakers: Breakers
  readonly porter: Porter
  readonly notices: Notices
  /** How late a task may be before an alarm says so. */
  readonly overdueMs: number
  push(tickets: readonly Ticket[]): Promise<void>
}

/** Tickets of one look, and tickets that may wait before a clock holds back. */
const MOST = { tickets: 1_000, waiting: MOST_WAITING }
/** How often a clock asks the database what time it is. */
const ASK_MS = 30_000
/** How often the steward of a clock makes its round. */
const ROUND_MS = 60_000

export class Staff {
  readonly #parts: StaffParts
  readonly #patrol: Patrol
  readonly #duties: { readonly place: Place; readonly duty: Duty }[] = []
  #deafen: () => void = () => {}
  #clock: Clock | null = null
  #watch: Roster | null = null
  #presence: Roster | null = null
  #shift: Shift | null = null
  #soon: Soon | null = null
  #askedAt = Number.NEGATIVE_INFINITY
  #steward: Steward | null = null
  #round: Promise<void> | null = null
  #roundAt = Number.NEGATIVE_INFINITY

  constructor(parts: StaffParts) {
    this.#parts = parts
    const { rooms, events } = parts
    const { toldMs } = rooms.config
    this.#patrol = new Patrol({ ...parts, knex: rooms.database.knex, toldMs })
    this.#deafen = events.on('ticket.refused', ({ reason, queue }) => {
      void this.#patrol.unreadable(reason, queue)
    })
  }

  /** Works on what it has a hand free for: what is due already needs no queue to come here. @returns the others */
  spare(tickets: readonly Ticket[]): readonly Ticket[] {
    const shift = this.#shift
    return shift ? tickets.filter((ticket) => !shift.offer(ticket)) : tickets
  }

  /** A hand that is free comes for a run while it is started, and claims it behind its start. */
  escort(run: Pick<NewRun, 'id' | 'resourceId' | 'queue'>): Escort | null {
    if (!this.#shift) return null
    const { resourceId, queue } = run
    const ticket = { resourceId, ...(queue !== undefined && { queue }) }
    return this.#parts.store.escorts.add(run, () => this.#shift?.offer(ticket))
  }

  startClock(): void {
    if (this.#clock) return
    const { store: due, time, events, rooms } = this.#parts
    const { queues, config } = rooms
    this.#clock = new Clock({
      due,
      queue: new Quay(config.queue, queues),
      time,
      events,
      beatMs: config.beatMs,
      most: MOST,
      onBeat: () => this.#beat(),
    })
    this.#watch = this.#roster('clock')
    void this.#watch.enter().catch((thrown) => this.#watch?.failed(thrown))
    this.#begin('clock')
    this.#clock.start()
  }

  async startWorker(): Promise<void> {
    if (this.#shift) return
    const { time, events, rooms } = this.#parts
    const { config } = rooms
    const { quotaSteps, quotaMs } = config
    const presence = this.#roster('worker')
    this.#presence = presence
    const { id: owner } = presence
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
      ...{ requests, owner, presence, quota, lookMs, children, offspring },
      soon: (...due) => soon.note(...due),
    })
    const ticker = wrapped(rounds, this.#parts.plugins, events)
    this.#shift = new Shift({ ...this.#parts, ticker })
    await presence.enter()
    this.#begin('worker')
    await this.#shift.start()
  }

  async stopWorker(): Promise<void> {
    await this.#shift?.stop()
    await this.#end('worker')
    this.#soon?.clear()
    this.#shift = null
    const presence = this.#presence
    this.#presence = null
    await presence?.leave()
  }

  async close(): Promise<void> {
    await Promise.all([this.#clock?.stop(), this.#watch?.leave(), this.stopWorker()])
    this.#watch = null
    await this.#end('clock')
    // What the user's `gc.each` does may take for ever; whatever it was about is found again.
    const { time, rooms } = this.#parts
    await within(time, rooms.config.graceMs, this.#round ?? Promise.resolve())
    await this.#patrol.idle()
    this.#deafen()
    this.#clock = null
  }

  #roster(role: 'clock' | 'worker'): Roster {
    const { rooms, time, events, routing } = this.#parts
    const { database, config } = rooms
    const queues =
      role === 'worker' ? routing.served : new Map(routing.names.map((name) => [name, null]))
    return new Roster({ database, config, time, events }, role, queues)
  }

  /** What plugins do beside the house; one that cannot begin is told, and keeps nobody from the work. */
  #begin(place: Place): void {
    const { rooms, events, time, notices, plugins, registry } = this.#parts
    const { database, config, queue, queues } = rooms
    for (const plugin of plugins) {
      try {
        const premises = { events, time, config, database, queue, queues, notices, registry }
        const duty = plugin.duty?.(premises, place)
        if (duty) this.#duties.push({ place, duty })
      } catch (thrown) {
        events.emit('plugin.failed', { plugin: plugin.name, error: asError(thrown) })
      }
    }
  }

  async #end(place: Place): Promise<void> {
    const ended = this.#duties.filter((one) => one.place === place)
    for (const one of ended) this.#duties.splice(this.#duties.indexOf(one), 1)
    const { time, rooms } = this.#parts
    const stops = ended.map(({ duty }) => duty.stop().catch(() => {}))
    await within(time, rooms.config.graceMs, Promise.all(stops))
  }

  /** The steward works beside the clock, never in its way. */
  async #beat(): Promise<void> {
    const { time, rooms } = this.#parts
    if (time.monotonic() - this.#roundAt >= ROUND_MS) {
      this.#roundAt = time.monotonic()
      this.#steward ??= new Steward({ ...this.#parts, knex: rooms.database.knex })
      this.#round = this.#steward.round()
    }
    void this.#patrol.round()
    await this.#ask()
  }

  async #ask(): Promise<void> {
    const { time, rooms } = this.#parts
    if (time.monotonic() - this.#askedAt < ASK_MS) return
    this.#askedAt = time.monotonic()
    await rooms.database.ask(time)
  }
}
