// Who is next at the one session of the embedded database.
// Promise: one turn at a time, in the order they were asked for; a guest in a transaction holds the
// session until it ends, and one that rests in it while others wait is brought to an end.
import { asError } from '../errors.ts'
import { type Time, turn } from '../time.ts'

/** Something to be done for a guest when it is its turn. */
interface Turn<Guest> {
  readonly guest: Guest
  take(): Promise<void>
}

export interface TurnsOptions<Guest> {
  readonly time: Time
  /** How long a holder may rest while others wait, in milliseconds. */
  readonly stuckMs: number
  /** The holder rested too long. */
  onStuck(holder: Guest, waiting: number): void
  /** A turn threw, which none should: nothing can be trusted after it. */
  onBroken(error: Error): void
}

export class Turns<Guest> {
  readonly #options: TurnsOptions<Guest>
  #line: Turn<Guest>[] = []
  #holder: Guest | null = null
  #working: Promise<void> | null = null
  #stopWatching: (() => void) | null = null

  constructor(options: TurnsOptions<Guest>) {
    this.#options = options
  }

  /** Whose transaction is open; nobody else is served until it ends. */
  get holder(): Guest | null {
    return this.#holder
  }

  set holder(guest: Guest | null) {
    this.#holder = guest
  }

  /** Joins the line. */
  ask(guest: Guest, take: () => Promise<void>): void {
    this.#line.push({ guest, take })
    this.#work()
  }

  /** Takes a guest out of the line. */
  drop(guest: Guest): void {
    this.#line = this.#line.filter((turn) => turn.guest !== guest)
  }

  /** Sends everybody away. */
  clear(): void {
    this.#line = []
    this.#holder = null
    this.#stopWatching?.()
  }

  /** Resolves when nobody is served and nobody can be. */
  async quiet(): Promise<void> {
    while (this.#working) await this.#working
  }

  #work(): void {
    this.#working ??= this.#workOff().finally(() => {
      this.#working = null
      // Somebody may have come between the last look and now.
      if (this.#line[this.#nextIndex()]) this.#work()
      else this.#watch()
    })
  }

  async #workOff(): Promise<void> {
    for (let next = this.#next(); next; next = this.#next()) {
      try {
        await next.take()
      } catch (thrown) {
        this.#options.onBroken(asError(thrown))
      }
      // A query keeps the event loop for itself; between two, timers and sockets get theirs.
      await turn()
    }
  }

  #next(): Turn<Guest> | undefined {
    const index = this.#nextIndex()
    if (index < 0) return undefined
    this.#stopWatching?.()
    return this.#line.splice(index, 1)[0]
  }

  #nextIndex(): number {
    if (this.#holder === null) return this.#line.length > 0 ? 0 : -1
    return this.#line.findIndex(({ guest }) => guest === this.#holder)
  }

  /** The holder rests and others wait. They may wait for each other: then only this ends it. */
  #watch(): void {
    if (this.#holder === null || this.#line.length === 0 || this.#stopWatching) return
    const cancel = this.#options.time.after(this.#options.stuckMs, () => {
      this.#stopWatching = null
      const waiting = this.#line.length
      if (this.#holder !== null && waiting > 0) this.#options.onStuck(this.#holder, waiting)
    })
    this.#stopWatching = () => {
      this.#stopWatching = null
      cancel()
    }
  }
}
