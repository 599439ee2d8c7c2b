// The carrier: messages in and out of BullMQ, held at arm's length: text in, text out, wherever they lie.
// Promise: it logs nothing, keeps and retries nothing, and can be closed when its server does not answer.
import { type Hand, Hands, type HandsOptions } from './queue-hands.ts'
import { within } from './within.ts'

/** How long an answer is waited for when closing. */
const PATIENCE_MS = 5_000
/** So many messages in each place are looked at to tell how much the others hold. */
const LOOKED_AT = 3
/** In so many places, spread evenly over what waits. */
const LOOKS = 12
const JOB = 'tick'
/** BullMQ tells its own events to a stream that nobody reads here. */
const KEPT_EVENTS = 100

/** Carries messages from any number of senders to any number of takers, at least once or never. */
export class Carrier {
  readonly #options: HandsOptions
  readonly #queue
  readonly #takers = new Set<{ stop(): Promise<void> }>()

  constructor(options: HandsOptions) {
    const { name, backend, onError } = options
    this.#options = options
    this.#queue = new backend.classes.Queue(name, {
      ...backend.sending,
      streams: { events: { maxLen: KEPT_EVENTS } },
    })
    this.#queue.on('error', onError)
  }

  /** Gives them no job id, so nothing is deduplicated: a kept job would swallow later ones. @param isFirst they go before what waits */
  async send(messages: readonly string[], { isFirst: lifo = false } = {}): Promise<void> {
    // Of those that go in front the last is in front of all: that is to be the first of these.
    const [first, ...more] = lifo ? [...messages].reverse() : messages
    if (first === undefined) return
    // On Postgres a bulk of one costs five times an add: it makes tables for the occasion.
    if (more.length === 0) await this.#queue.add(JOB, first, { lifo })
    else
      await this.#queue.addBulk(
        [first, ...more].map((data) => ({ name: JOB, data, opts: { lifo } })),
      )
  }

  /**
   * How much waits: counted when there are few messages, else what a few hold, here and there along the line,
   * stands for all.
   * @param countOf how much a message holds
   */
  async waiting(countOf: (message: unknown) => number): Promise<number> {
    const messages = await this.#queue.getWaitingCount()
    if (messages === 0) return 0
    // Full bundles of a clock and lone tickets lie in stretches: the ends alone would speak for one of them.
    const apart = (messages - LOOKED_AT) / (LOOKS - 1)
    const looks =
      messages > LOOKS * LOOKED_AT
        ? Array.from({ length: LOOKS }, (_, n) => this.#look(Math.floor(n * apart), LOOKED_AT))
        : [this.#look(0, messages)]
    const counts = (await Promise.all(looks)).flat().map(countOf)
    const sum = counts.reduce((before, count) => before + count, 0)
    return counts.length === 0 ? messages : Math.ceil((messages * sum) / counts.length)
  }

  /** Others can write there: what makes BullMQ stumble is not looked at. */
  async #look(from: number, count: number): Promise<unknown[]> {
    const jobs = await this.#queue
      .getJobs(['waiting'], from, from + count - 1, true)
      .catch(() => [])
    return jobs.map(({ data }) => data)
  }

  /**
   * Starts taking messages.
   * @throws MIGRATIONS_PENDING, or what the server says when it refuses us
   */
  async take<Item>(hand: Hand<Item>): Promise<Hands<Item>> {
    const taker = new Hands(this.#options, hand)
    this.#takers.add(taker)
    try {
      await taker.begin()
      return taker
    } catch (error) {
      this.#takers.delete(taker)
      await taker.stop()
      throw error
    }
  }

  /** Stops the takers, which finish what they have in hand. */
  async close(): Promise<void> {
    await Promise.all([...this.#takers].map((taker) => taker.stop()))
    await within(this.#options.time, PATIENCE_MS, this.#queue.close())
  }
}
