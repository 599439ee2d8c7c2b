// The teller: everything there is to do to get notices told, round after round.
// Promise: any number of tellers may be about; one that throws says so and goes on; a receiver that hangs keeps nobody
// waiting but its own route; whatever is asked of the database is bounded.
import { asError } from '../../lib/errors.ts'
import { within } from '../../lib/within.ts'
import type { Duty, Premises } from '../../models/index.ts'
import { masking } from './clean.ts'
import { Courier } from './courier.ts'
import { Deliveries } from './deliveries.ts'
import { Guard } from './guard.ts'
import { Intake } from './intake.ts'
import type { Settings } from './options.ts'
import type { Route } from './route.ts'

export type TellerParts = Pick<Premises, 'database' | 'events' | 'time' | 'notices'> & {
  readonly guard?: Guard
}

/** Notices taken out of the outbox at once, and how often in one round. */
const HAND = 500
const HANDS = 20
const RELEASE_MS = 5_000
const PRUNE_MS = 60_000
/** The longest pause between two looks. */
const LOOK_MS = 1_000
/** How long those under way may take to end by themselves when the house closes. */
const GRACE_MS = 5_000

export class Teller implements Duty {
  readonly #parts: TellerParts
  readonly #settings: Settings
  readonly #intake: Intake
  readonly #deliveries: Deliveries
  readonly #couriers: readonly Courier[]
  readonly #stopped = new AbortController()
  #loops: Promise<unknown> = Promise.resolve()
  #releasedAt = Number.NEGATIVE_INFINITY
  #prunedAt = Number.NEGATIVE_INFINITY

  constructor(settings: Settings, parts: TellerParts) {
    this.#parts = parts
    this.#settings = settings
    const { time } = parts
    const { routes, allowPrivate } = settings
    this.#intake = new Intake({ routes, time })
    this.#deliveries = new Deliveries(parts)
    const guard = parts.guard ?? new Guard(allowPrivate)
    this.#couriers = routes.map((route) => this.#courier(route, guard))
  }

  /** Begins its loops: one that looks after the outbox, and one for each route. */
  start(): this {
    const loops = [() => this.#office(), ...this.#couriers.map((courier) => () => courier.round())]
    this.#loops = Promise.all(loops.map((work) => this.#loop(work)))
    return this
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await within(this.#parts.time, GRACE_MS, this.#loops)
    await this.close()
    await this.#loops
  }

  /** Lets go of its connections; for one that was not started. */
  async close(): Promise<void> {
    await Promise.all(this.#couriers.map((courier) => courier.close()))
  }

  /**
   * Does everything that can be done now.
   * @returns milliseconds until there is more to do; null when nothing waits
   */
  async round(): Promise<number | null> {
    const pause = await this.#office()
    const next = await Promise.all(this.#couriers.map((courier) => courier.round()))
    const soonest = Math.min(
      ...[pause === 0 ? 0 : null, ...next].map((ms) => ms ?? Number.POSITIVE_INFINITY),
    )
    return Number.isFinite(soonest) ? soonest : null
  }

  /** The outbox and the archive. @returns 0 when more lies in the outbox */
  async #office(): Promise<number | null> {
    const { notices, time } = this.#parts
    const nowMs = time.monotonic()
    if (nowMs - this.#releasedAt >= RELEASE_MS) {
      this.#releasedAt = nowMs
      await notices.release()
    }
    let handed = HAND
    for (let hand = 0; hand < HANDS && handed === HAND; hand++) {
      handed = await notices.hand(HAND, (runner, some) => this.#intake.keep(runner, some))
    }
    if (nowMs - this.#prunedAt >= PRUNE_MS) await this.#prune(nowMs)
    return handed === HAND ? 0 : LOOK_MS
  }

  async #prune(nowMs: number): Promise<void> {
    const { notices, time } = this.#parts
    const { keepMs, routes } = this.#settings
    const before = time.now() - keepMs
    const isClear = await this.#deliveries.prune(
      before,
      routes.map(({ name }) => name),
    )
    const gone = await notices.prune(before, PRUNED)
    // What is left is looked for at the next round.
    if (isClear && gone < PRUNED) this.#prunedAt = nowMs
  }

  async #loop(work: () => Promise<number | null>): Promise<void> {
    const { time, events } = this.#parts
    const { signal } = this.#stopped
    while (!signal.aborted) {
      const pauseMs = await work().catch((thrown) => {
        events.emit('plugin.failed', { plugin: 'notifications', error: asError(thrown) })
        return LOOK_MS
      })
      await time.sleep(Math.min(pauseMs ?? LOOK_MS, LOOK_MS), signal)
    }
  }

  #courier(route: Route, guard: Guard): Courier {
    const { database, notices, events, time } = this.#parts
    const { name, timeoutMs, concurrency, to } = route
    const mask = masking(to.secrets.map((secret) => secret.reveal()))
    const channel = to.open({ route: name, guard, time, events, timeoutMs, concurrency, mask })
    const leaving = this.#stopped.signal
    return new Courier({ database, notices, events, time, route, channel, leaving, mask })
  }
}

const PRUNED = 5_000
