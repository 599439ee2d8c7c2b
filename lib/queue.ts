// The queue: tickets in, tickets out, sealed on the way.
// Promise: nobody can read a ticket while it waits, or make one; what does not open is told and
// dropped; a taker that can open nothing says so. A ticket is a hint: losing one costs time only.

import type { Queue, Taker, Ticket } from './contract.ts'
import { Envelope } from './envelope.ts'
import { asError } from './errors.ts'
import type { Events } from './events.ts'
import { type Backend, Carrier } from './queue-carrier.ts'
import type { Time } from './time.ts'

export { migrateQueue, postgresBackend, redisBackend } from './queue-carrier.ts'

/** So many in a row that will not open: the fault is more likely ours than theirs. */
const BLIND_AFTER = 20
const EXPIRED = / has expired\.$/
/** Errors in the background are told at most this often. */
const TELL_EVERY_MS = 1_000

export interface TicketQueueOptions {
  readonly name: string
  readonly backend: Backend
  readonly envelope: Envelope
  readonly events: Events
  readonly time: Time
  /** Called when a taker has refused 20 messages in a row: it should take no more. */
  readonly onBlind?: () => void
}

/** Tickets over Redis or Postgres, unreadable and unforgeable on the way. */
export class TicketQueue implements Queue {
  readonly #options: TicketQueueOptions
  readonly #carrier: Carrier
  #toldAt = Number.NEGATIVE_INFINITY

  constructor(options: TicketQueueOptions) {
    this.#options = options
    this.#carrier = new Carrier({ ...options, onError: (error) => this.#failed(error) })
  }

  /** @throws what Redis or Postgres says; then some may have been pushed, which harms nobody */
  async push(tickets: readonly Ticket[]): Promise<void> {
    const { envelope } = this.#options
    await this.#carrier.send(tickets.map((ticket) => envelope.seal(ticket)))
  }

  /**
   * Starts taking tickets.
   * @param work settles a ticket for good; what it throws is told as 'queue.failed'
   * @throws MIGRATIONS_PENDING, or what Redis or Postgres says when it refuses us
   */
  async take(
    work: (ticket: Ticket) => Promise<void>,
    { concurrency }: { concurrency: number },
  ): Promise<Taker> {
    const { onBlind } = this.#options
    let refusedInARow = 0
    return this.#carrier.take(async (message) => {
      const ticket = this.#open(message)
      if (ticket instanceof Error) {
        // What has expired had a good seal: a backlog after an outage is no sign of a wrong key.
        if (!EXPIRED.test(ticket.message) && ++refusedInARow === BLIND_AFTER) onBlind?.()
        return
      }
      refusedInARow = 0
      await work(ticket).catch((thrown) => this.#failed(asError(thrown)))
    }, concurrency)
  }

  async depth(): Promise<number> {
    return this.#carrier.waiting()
  }

  async close(): Promise<void> {
    await this.#carrier.close()
  }

  /** The ticket, or why it was refused. */
  #open(message: unknown): Ticket | Error {
    const { envelope, events } = this.#options
    try {
      return envelope.open(message)
    } catch (thrown) {
      const error = asError(thrown)
      events.emit('ticket.refused', {
        reason: error.message,
        keyId: Envelope.keyIdOf(message),
      })
      return error
    }
  }

  #failed(error: Error): void {
    const { events, time } = this.#options
    if (time.monotonic() - this.#toldAt < TELL_EVERY_MS) return
    this.#toldAt = time.monotonic()
    events.emit('queue.failed', { error })
  }
}
