// The porter: who may pass. What is due and not held, for the clock; a breaker on trial, for the worker.
// Promise: what is held stands before nobody; holds whose time is over are found within a beat, and told.
import { letGo, probe } from './bolts.ts'
import type { Berth, Found } from './contract.ts'
import type { Database } from './database.ts'
import { Dealer } from './dealer.ts'
import { hasten, takeDue } from './dues.ts'
import type { Events } from './events.ts'
import type { Probe } from './hold.ts'
import type { Routing } from './routes.ts'
import type { WeightOf } from './share.ts'
import { attend, callIn, type Entrant, enter, leave } from './slots.ts'
import type { Time } from './time.ts'
import { coalesced } from './trips.ts'
import { charge, type Untold, type Usage, untold } from './usage.ts'

export interface PorterParts {
  readonly database: Database
  readonly time: Time
  readonly events: Events
  /** How long a pushed ticket is trusted before the clock looks again. */
  readonly toldMs: number
  /** The queue of this process. */
  readonly queue?: string
  /** Which kinds travel on which queue; without it all on that one. */
  readonly routing?: Routing
  /** How the places of one look are weighed, when there are too few. */
  readonly weightOf?: WeightOf
}

export class Porter {
  readonly queue: string
  readonly #parts: PorterParts
  readonly #dealer: Dealer
  readonly #charges = coalesced((asked: readonly { resourceId: string; usage: Usage }[]) =>
    charge(this.#parts.database, asked),
  )
  readonly #ticketless = coalesced(async (asked: readonly (readonly string[])[]) => {
    const { database, time } = this.#parts
    await hasten(database, asked.flat(), time.now())
    return asked
  })
  /** The last line that was attended to, while there are more than one look goes through. */
  #line = ''

  constructor(parts: PorterParts) {
    this.#parts = parts
    this.queue = parts.queue ?? 'ticks'
    this.#dealer = new Dealer(parts.weightOf)
  }

  /** @inheritDoc Due.due */
  async due(limit: number, isFull: boolean, berths?: readonly Berth[]): Promise<Found> {
    const { database, time, events, toldMs, routing } = this.#parts
    const { queue } = this
    const { changes, lateness, isInLine, ...taken } = await takeDue(database, {
      isFull,
      limit,
      nowMs: time.now(),
      toldMs,
      queue,
      dealer: this.#dealer,
      ...(routing && { routing }),
      ...(berths && { berths }),
    })
    const { nextAt } = isInLine ? await this.#attend() : { nextAt: null }
    for (const change of changes) events.emit('hold.changed', change)
    for (const one of lateness) events.emit('due.taken', one)
    const moments = [taken.nextAt, nextAt].filter((at) => at !== null)
    return {
      tickets: taken.tickets,
      nextAt: moments.length > 0 ? Math.min(...moments) : null,
      lateMs: Math.max(0, ...lateness.map(({ lateMs }) => lateMs)),
    }
  }

  /** Resources with something due that found no room in their queue: the clock looks at them with its next beat. */
  async hasten(resourceIds: readonly string[]): Promise<void> {
    await this.#ticketless.ask(resourceIds)
  }

  /** Lets one through a breaker on trial, waited for as long as `trustMs`. */
  probe(scope: string, trustMs: number): Promise<Probe> {
    const { database, time } = this.#parts
    return probe(database, scope, { nowMs: time.now(), trustMs })
  }

  /** Takes a slot of a limit, or keeps the one it has; false: it waits in line. */
  enter(one: Entrant): Promise<boolean> {
    const { database, time } = this.#parts
    return enter(database, one, time.now())
  }

  /** Gives a slot back. @returns the resources of those called in for it */
  leave(one: Entrant): Promise<string[]> {
    const { database, time } = this.#parts
    return leave(database, one, time.now())
  }

  /** Calls in who waits longest, for what is free. @returns their resources */
  callIn(key: string): Promise<string[]> {
    const { database, time } = this.#parts
    return callIn(database, key, time.now())
  }

  /** Keeps what a resource has used of its quota. */
  async charge(resourceId: string, usage: Usage): Promise<void> {
    await this.#charges.ask({ resourceId, usage })
  }

  /** What rounds have used that did not come to their end. */
  untold(asked: Untold): ReturnType<typeof untold> {
    return untold(this.#parts.database, asked)
  }

  async #attend(): Promise<{ nextAt: number | null }> {
    const { database, time } = this.#parts
    const { nextAt, last } = await attend(database, time.now(), this.#line)
    this.#line = last
    return { nextAt }
  }

  /** Makes due what open holds had put off; what one call leaves, the clock does. @returns how many */
  letGo(): Promise<number> {
    const { database, time } = this.#parts
    return letGo(database, time.now())
  }
}
