// The turnstile: how many tickets may go straight to the queue, beside what the clock brings.
// Promise: while the queue is full a few each second pass, to its front, so that what is started beside a backlog begins
// before that is over; all others are left to the clock, which is told and brings them in their turn. The queue is asked how full it
// is once in a while, never for each ticket. When it brims over, nothing passes.
import type { Queue, Ticket } from './contract.ts'
import type { Time } from './time.ts'

export interface TurnstileOptions {
  readonly queue: Pick<Queue, 'push' | 'depth'>
  readonly time: Time
  /** Told of those that found no room. */
  readonly leave: (tickets: readonly Ticket[]) => Promise<void>
  /** The most tickets that may wait. */
  readonly most?: number
  /** So many pass in a second while it is full. */
  readonly guests?: number
}

/** Tickets that may wait before whoever brings more holds back. */
export const MOST_WAITING = 5_000
/** A queue so many times as full as it should be takes nothing any more: how full it is, is an estimate. */
export const BRIM = 4
/** So many pass on one answer: processes that ask at once overshoot by no more than this each. */
const GRANT = 500
/** What is begun beside a backlog at once, by each process: too few to hold the backlog up. */
const GUESTS = 100
/** While it is full it is not asked again sooner than this. */
const ASK_MS = 200

export class Turnstile {
  readonly #options: TurnstileOptions
  #room = 0
  #askedAt = Number.NEGATIVE_INFINITY
  #asking: Promise<boolean> | null = null
  #isBrimming = false
  #guests = 0
  #guestsSince = Number.NEGATIVE_INFINITY

  constructor(options: TurnstileOptions) {
    this.#options = options
  }

  /** Pushes those there is room for. @returns how many were left to the clock. @throws what the queue says */
  async push(tickets: readonly Ticket[]): Promise<number> {
    let left = tickets
    while (left.length > 0) {
      if (this.#room === 0 && !(await this.#ask())) break
      const some = left.slice(0, this.#room)
      this.#room -= some.length
      left = left.slice(some.length)
      if (some.length > 0) await this.#options.queue.push(some)
    }
    const guests = left.slice(0, this.#welcome(left.length))
    if (guests.length > 0)
      await this.#options.queue.push(guests.map((ticket) => ({ ...ticket, isUrgent: true })))
    const others = left.slice(guests.length)
    if (others.length > 0) await this.#options.leave(others)
    return others.length
  }

  /** How many of so many may pass although it is full. */
  #welcome(count: number): number {
    if (count === 0 || this.#isBrimming) return 0
    const { time, guests = GUESTS } = this.#options
    const now = time.monotonic()
    if (now - this.#guestsSince >= 1_000) {
      this.#guestsSince = now
      this.#guests = 0
    }
    const welcome = Math.min(count, guests - this.#guests)
    this.#guests += welcome
    return welcome
  }

  /** Is there room? */
  #ask(): Promise<boolean> {
    this.#asking ??= this.#look().finally(() => {
      this.#asking = null
    })
    return this.#asking
  }

  async #look(): Promise<boolean> {
    const { queue, time, most = MOST_WAITING } = this.#options
    if (this.#isTooSoon(time.monotonic())) return false
    const depth = await queue.depth()
    this.#isBrimming = depth >= BRIM * most
    this.#room = Math.min(GRANT, Math.max(0, most - depth))
    this.#askedAt = this.#room === 0 ? time.monotonic() : Number.NEGATIVE_INFINITY
    return this.#room > 0
  }

  #isTooSoon(now: number): boolean {
    return now - this.#askedAt < ASK_MS
  }
}
