// The detour: tickets that came to the wrong queue, sent on to the right one.
// Promise: where processes disagree about the queue of a kind, no ticket goes in circles: each resource is sent on once
// in a while, and all else is left to the clock.
import type { Ticket } from './contract.ts'
import type { Time } from './time.ts'

export interface DetourOptions {
  readonly time: Time
  /** A resource is sent on once within this. */
  readonly lapseMs: number
  push(tickets: readonly Ticket[]): Promise<void>
}

/** The most resources kept in mind; whatever is beyond them is left to the clock. */
const MOST = 10_000

export class Detour {
  readonly #options: DetourOptions
  readonly #sent = new Set<string>()
  #since = Number.NEGATIVE_INFINITY

  constructor(options: DetourOptions) {
    this.#options = options
  }

  async send(ticket: Ticket): Promise<void> {
    const { time, lapseMs, push } = this.#options
    if (time.monotonic() - this.#since >= lapseMs) {
      this.#since = time.monotonic()
      this.#sent.clear()
    }
    if (this.#sent.has(ticket.resourceId) || this.#sent.size >= MOST) return
    this.#sent.add(ticket.resourceId)
    await push([ticket])
  }
}
