// The bench a queue is examined on.
// Promise: everybody on it shares one queue in one place; what is refused or fails is written down.
import type { Ticket } from '../../lib/contract.ts'
import { Envelope } from '../../lib/envelope.ts'
import { Events } from '../../lib/events.ts'
import { Keyring } from '../../lib/keyring.ts'
import { TicketQueue } from '../../lib/queue.ts'
import type { Backend } from '../../lib/queue-backend.ts'
import { SystemTime } from '../../lib/time.ts'
import type { FakeTime } from '../support/time.ts'
import { until } from '../support/wait.ts'

/** A place where messages lie, and an outsider's view of it. */
export interface Place {
  readonly backend: Backend
  /** Everything in the place, as text: keys and values, tables and rows. */
  readable(): Promise<string>
  /** How many messages the place keeps for this queue, in whatever state. */
  size(queue: string): Promise<number>
  /** How many of its own events the place keeps for this queue. */
  told(queue: string): Promise<number>
  close(): Promise<void>
}

interface Given {
  /** The keys this participant has; those of everybody else unless told. */
  readonly keyring?: Keyring
  /** Whose messages it makes and opens; its own unless told. */
  readonly audience?: string
  readonly envelopeTime?: FakeTime
  readonly onBlind?: () => void
  /** The time of the queue itself; the real one unless told. */
  readonly queueTime?: FakeTime
}

export const time = new SystemTime()
/** The keys everybody has. */
export const ring = Keyring.parse(Keyring.generate(7))
/** How long a message may wait. */
export const WEEK_MS = 7 * 24 * 3_600_000

/** One queue of an exam: as many participants as asked for, and one who plants messages by hand. */
export class Bench {
  readonly events = new Events()
  readonly refused: { reason: string; keyId: string | null }[] = []
  readonly failed: Error[] = []
  readonly #place: Place
  readonly #name: string
  readonly #closing: { close(): Promise<unknown> }[] = []

  constructor(place: Place, name: string) {
    this.#place = place
    this.#name = name
    this.events.on('ticket.refused', (refusal) => this.refused.push(refusal))
    this.events.on('queue.failed', ({ error }) => this.failed.push(error))
  }

  get name(): string {
    return this.#name
  }

  participant({
    keyring = ring,
    audience,
    envelopeTime,
    onBlind,
    queueTime,
  }: Given = {}): TicketQueue {
    const envelope = this.envelope(keyring, audience, envelopeTime)
    const { backend } = this.#place
    const at = { time: queueTime ?? time }
    const base = { name: this.#name, backend, envelope, events: this.events, ...at }
    const queue = new TicketQueue(onBlind ? { ...base, onBlind } : base)
    this.#closing.push(queue)
    return queue
  }

  envelope(keyring = ring, audience = this.#name, at: SystemTime | FakeTime = time): Envelope {
    return new Envelope({ keyring, queue: audience, time: at, ttlMs: WEEK_MS })
  }

  /** Puts messages straight where they lie, as whoever can write to Redis or Postgres could. */
  async plant(messages: readonly unknown[]): Promise<void> {
    const { classes, sending } = this.#place.backend
    const raw = new classes.Queue(this.#name, { ...sending, skipMetasUpdate: true })
    await raw.addBulk(messages.map((data) => ({ name: 'tick', data })))
    await raw.close()
  }

  async close(): Promise<void> {
    await Promise.all(this.#closing.map((queue) => queue.close()))
  }
}

/** Takes tickets and remembers whose they were. */
export class Collector {
  readonly got: string[] = []
  readonly work = async ({ resourceId }: Ticket) => {
    this.got.push(resourceId)
  }

  async has(count: number): Promise<void> {
    await until(() => this.got.length >= count, { what: `${count} tickets had arrived` })
  }
}
