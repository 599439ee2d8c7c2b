// The dispatch: tickets of verbs and ticks, each to its queue, as long as there is room there.
// Promise: never rejects, for the clock covers what is lost; a full queue holds up no other; what finds no room in one
// is the clock's to bring, at its next beat.
import type { Queue, Ticket } from '../lib/contract.ts'
import { asError } from '../lib/errors.ts'
import type { Events } from '../lib/events.ts'
import { Routes } from '../lib/routes.ts'
import type { Time } from '../lib/time.ts'
import { Turnstile } from '../lib/turnstile.ts'

export interface DispatchParts {
  readonly queues: ReadonlyMap<string, Pick<Queue, 'push' | 'depth'>>
  readonly byDefault: string
  readonly time: Time
  readonly events: Events
  /** What has something due and no ticket is to be looked at soon. */
  hasten(resourceIds: readonly string[]): Promise<void>
}

export class Dispatch {
  readonly #routes: Routes<Turnstile>
  readonly #events: Events

  constructor({ queues, byDefault, time, events, hasten }: DispatchParts) {
    const leave = (tickets: readonly Ticket[]) => hasten(tickets.map((one) => one.resourceId))
    const gates = [...queues].map(
      ([name, queue]) => [name, new Turnstile({ queue, time, leave })] as const,
    )
    this.#routes = new Routes(byDefault, new Map(gates))
    this.#events = events
  }

  async push(tickets: readonly Ticket[]): Promise<void> {
    await this.#routes.push(tickets).catch((thrown) => {
      this.#events.emit('queue.failed', { error: asError(thrown) })
    })
  }
}
