// The routes: several queues behind one door, a ticket to the queue it belongs on.
// Promise: with one queue they cost nothing; a ticket whose queue nobody here knows goes to the house's own.
import type { Berth, Queue, Ticket } from './contract.ts'
import { BRIM } from './turnstile.ts'
import type { Unit } from './unit.ts'

/** Which kinds travel on which queue. */
export interface Routing {
  /** The queue of the house: of every kind that names no other. */
  readonly byDefault: string
  /** All of them, the house's first. */
  readonly names: readonly string[]
  /** The queue of a kind, by any name it has or had; the house's for one that is not known. */
  queueOf(kind: string): string
  /** Every name of the kinds on a queue. */
  kindsOf(queue: string): readonly string[]
}

interface Door {
  push(tickets: readonly Ticket[]): Promise<unknown>
}

export class Routes<D extends Door> {
  readonly byDefault: string
  readonly doors: ReadonlyMap<string, D>

  /** @param doors the house's own among them */
  constructor(byDefault: string, doors: ReadonlyMap<string, D>) {
    this.byDefault = byDefault
    this.doors = doors
  }

  /** @throws what the first queue says that failed; the others were pushed to all the same */
  async push(tickets: readonly Ticket[]): Promise<void> {
    if (this.doors.size === 1) {
      await this.#door(this.byDefault).push(tickets)
      return
    }
    const sorted = new Map<D, Ticket[]>()
    for (const ticket of tickets) {
      const door = this.#door(ticket.queue ?? this.byDefault)
      const others = sorted.get(door)
      if (others) others.push(ticket)
      else sorted.set(door, [ticket])
    }
    await Promise.all([...sorted].map(([door, some]) => door.push(some)))
  }

  #door(queue: string): D {
    return (this.doors.get(queue) ?? this.doors.get(this.byDefault)) as D
  }
}

/** The queues of a house as a clock sees them. */
export class Quay extends Routes<Pick<Queue, 'push' | 'depth'>> {
  /**
   * What each has room for; one that brims over is left out.
   * @param most the tickets of one look, and those that may wait in a queue
   */
  async berths(most: { readonly tickets: number; readonly waiting: number }): Promise<Berth[]> {
    const berths = [...this.doors].map(async ([queue, door]) => {
      const depth = await door.depth()
      const room = Math.max(0, most.waiting - depth)
      const berth = { queue, places: Math.min(room, most.tickets), isFull: room === 0 }
      return depth >= BRIM * most.waiting ? [] : [berth]
    })
    return (await Promise.all(berths)).flat()
  }
}

/** Whom a unit makes due by what it starts, sends and stops, each with its queue if that is not the house's. */
export function rungBy({
  starts = [],
  sends = [],
  stops = [],
}: Partial<Unit>): Map<string, Ticket> {
  return new Map(
    [...starts, ...sends, ...stops].map(({ resourceId, queue }) => [
      resourceId,
      { resourceId, ...(queue !== undefined && { queue }) },
    ]),
  )
}
