// The narrow doors between rooms: types only, no behaviour.
// A room is handed what it calls; it never imports the room that calls it.

/** What travels on the queue: identity only. Duplicates, losses and replays are harmless. */
export interface Ticket {
  readonly resourceId: string
  /** What is on time goes before a backlog. Said to the queue, and not written on the ticket. */
  readonly isUrgent?: boolean
  /** The queue it travels on, where that is not the house's. Said to whoever pushes it, and not written on it either. */
  readonly queue?: string
  /** When it was sealed, in milliseconds since 1970: known of one that was opened. */
  readonly issuedAt?: number
}

/**
 * The right to tick a resource now. Aborts when it is lost, with an error as its reason; correctness rests on the
 * fence, not on it.
 */
export interface Lease {
  readonly signal: AbortSignal
  /** Calls back once, when the lease is lost or recalled, or at once if it is. Costs less than a signal, which every tick would pay. */
  heed?(call: (why: Error) => void): void
  /** Milliseconds of certain ownership left, by the monotonic clock; 0 or less once it may be lost. */
  remainingMs(): number
}

/** What a tick answers. One switch, in the worker, decides what follows. */
export type Verdict =
  /** Settled: nothing of it is due at once, as far as this tick knows; what came since asked for the lease. */
  | { readonly kind: 'done'; readonly isSettled?: boolean }
  | { readonly kind: 'again' }
  /** The whole queue is held: nobody needs to come back before the clock does. */
  | { readonly kind: 'held' }
  /** It belongs on that queue: whoever serves it ticks it, in a place of its own. */
  | { readonly kind: 'elsewhere'; readonly queue: string }
  | { readonly kind: 'failed'; readonly error: Error }

/** One turn of a resource. The worker's only way into the models. */
export interface Ticker {
  /** @param queue whose place it takes; what belongs on another is not ticked */
  tick(resourceId: string, lease: Lease, queue?: string): Promise<Verdict>
  /** Is something of this resource due at this moment? Asked once the lease is given back, if anybody may have come for it. */
  dueNow(resourceId: string): Promise<boolean>
  /**
   * Tells a tick of this resource that runs in this process to look again; false if none does, and none has looked
   * since `issuedAt`, when somebody wrote the ticket at hand.
   */
  nudge(resourceId: string, issuedAt?: number): boolean
}

/** What a clock has found. */
export interface Found {
  readonly tickets: Ticket[]
  /** The earliest due time still to come, if any, in milliseconds since 1970. */
  readonly nextAt: number | null
  /** How late the oldest of them is. */
  readonly lateMs: number
}

/** What a queue has room for at one look of a clock. */
export interface Berth {
  readonly queue: string
  readonly places: number
  /** Only what is on time finds a place. */
  readonly isFull: boolean
}

/** Who is due? The clock's only way into the store. */
export interface Due {
  /**
   * Takes up to `limit` resources with something due and keeps other clocks from them for as long as a ticket is
   * trusted: the oldest, and some of the newest, so that a backlog stands before nobody who is on time.
   * @param isFull only what is on time: the queue has no room for more of a backlog
   * @param berths the same of each queue, where there are several; one that is not named is given nothing
   */
  due(limit: number, isFull?: boolean, berths?: readonly Berth[]): Promise<Found>
}

/** Tickets in, tickets out. Delivery is at least once, unordered, and may lose everything. */
export interface Queue {
  push(tickets: readonly Ticket[]): Promise<void>
  /** Starts taking tickets, `concurrency` at a time, each acknowledged when `work` resolves. */
  take(work: (ticket: Ticket) => Promise<void>, options: { concurrency: number }): Promise<Taker>
  /** How many tickets wait. */
  depth(): Promise<number>
  close(): Promise<void>
}

/** A running consumer of a queue. */
export interface Taker {
  /** Works on this at once, as if it had come by the queue; false when no hand is free. */
  offer?(ticket: Ticket): boolean
  /** Stops taking and resolves when the work in hand is settled. */
  stop(): Promise<void>
}

/** Mutual exclusion for efficiency. Never trusted for correctness. */
export interface Lock {
  /** Tries once. Null when somebody else holds the key. */
  acquire(key: string, ttlMs: number): Promise<Hold | null>
  close(): Promise<void>
}

/** A key held until its time runs out. */
export interface Hold {
  /** Prolongs to `ttlMs` from now; false when it was already lost. */
  extend(ttlMs: number): Promise<boolean>
  /** Gives the key back if it is still ours; harmless otherwise. False when surely nobody asked for it meanwhile. */
  release(): Promise<boolean>
}
