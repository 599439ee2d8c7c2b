// The queue: tickets in, tickets out, sealed on the way; what is pushed together travels in bundles.
// Promise: nobody can read a ticket while it waits, or make one; what does not open is told and
// dropped; a taker that can open nothing says so. A ticket is a hint: losing one costs time only.

import { Coalescer } from './coalescer.ts'
import type { Queue, Taker, Ticket } from './contract.ts'
import { bundlesOf, Envelope } from './envelope.ts'
import { asError, isFault } from './errors.ts'
import type { Events } from './events.ts'
import type { Backend } from './queue-backend.ts'
import { Carrier } from './queue-carrier.ts'
import type { Time } from './time.ts'

export { migrateQueue, postgresBackend, redisBackend } from './queue-backend.ts'

/** So many in a row that will not open: the fault is more likely ours than theirs. */
const BLIND_AFTER = 20
const EXPIRED = / has expired\.$/
/** The most pushes that go together. */
const MOST_PUSHES = 1_000
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
  readonly #pushes = new Coalescer<readonly Ticket[], void>({
    trip: async (pushes) => {
      await this.#send(pushes.flat())
      return []
    },
    most: MOST_PUSHES,
    trips: 1,
    isPersonal: (error) => isFault(error, 'ARGUMENT_INVALID'),
  })
  #toldAt = Number.NEGATIVE_INFINITY

  constructor(options: TicketQueueOptions) {
    this.#options = options
    this.#carrier = new Carrier({ ...options, onError: (error) => this.#failed(error) })
  }

  /** Goes at once; what is pushed meanwhile goes together. @throws what Redis or Postgres says; then some may have been pushed, which harms nobody */
  async push(tickets: readonly Ticket[]): Promise<void> {
    if (tickets.length > 0) await this.#pushes.ask(tickets)
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
    const failed = (thrown: unknown) => this.#failed(asError(thrown))
    let refusedInARow = 0
    const unpack = (message: unknown): readonly Ticket[] => {
      const tickets = this.#open(message)
      if (Array.isArray(tickets)) refusedInARow = 0
      // What has expired had a good seal: a backlog after an outage is no sign of a wrong key.
      else if (!EXPIRED.test(tickets.message) && ++refusedInARow === BLIND_AFTER) onBlind?.()
      return Array.isArray(tickets) ? tickets : []
    }
    return this.#carrier.take({
      concurrency,
      unpack,
      work: (ticket) => work(ticket).catch(failed),
      giveBack: (tickets) => this.#send(tickets, true).catch(failed),
    })
  }

  /** Counted in the clear part of a few messages; of more than those, an estimate. */
  async depth(): Promise<number> {
    return this.#carrier.waiting(Envelope.countOf)
  }

  async close(): Promise<void> {
    await this.#carrier.close()
  }

  /** Urgent ones and others never share a bundle. What was given back had its turn before: it goes first. */
  async #send(tickets: readonly Ticket[], isBack = false): Promise<void> {
    const batches = [true, false].map((isFirst) => ({
      isFirst,
      messages: bundlesOf(
        tickets.filter(({ isUrgent = false }) => (isBack || isUrgent) === isFirst),
      ).map((bundle) => this.#options.envelope.seal(...bundle)),
    }))
    for (const { messages, isFirst } of batches) await this.#carrier.send(messages, { isFirst })
  }

  /** The tickets, or why they were refused. */
  #open(message: unknown): Ticket[] | Error {
    const { envelope, events, name: queue } = this.#options
    try {
      return envelope.open(message)
    } catch (thrown) {
      const error = asError(thrown)
      const keyId = Envelope.keyIdOf(message)
      events.emit('ticket.refused', { reason: error.message, keyId, queue })
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
