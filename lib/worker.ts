// The worker: take a ticket, hold its resource, tick it, settle. The one place a ticket's fate is decided.
// Promise: nothing a tick does or throws stops the worker; draining finishes what is in hand, and after
// its grace aborts it, leaving every task where its last commit left it.
import type { Queue, Taker, Ticker, Ticket, Verdict } from './contract.ts'
import { asError, fault } from './errors.ts'
import type { Events } from './events.ts'
import type { KeptLease } from './lease.ts'
import type { Keeper } from './lock.ts'
import type { Time } from './time.ts'
import { LATE, within } from './within.ts'

export interface WorkerOptions {
  readonly queue: Queue
  /** The name of that queue. */
  readonly name: string
  /** Sends a ticket on to the queue it belongs on. */
  readonly redirect: (ticket: Ticket) => Promise<void>
  readonly keeper: Pick<Keeper, 'hold'>
  readonly ticker: Ticker
  readonly time: Time
  readonly events: Events
  /** How many resources are ticked at once. */
  readonly concurrency: number
  /** How long draining waits for ticks in hand before it aborts them. */
  readonly graceMs: number
}

/** How a ticket fared, and whether somebody may have come for its resource meanwhile. */
type Attempt = { readonly verdict: Verdict | 'busy'; readonly isWanted: boolean }

const BUSY: Attempt = { verdict: 'busy', isWanted: false }

export class Worker {
  readonly #options: WorkerOptions
  readonly #leases = new Set<KeptLease>()
  #drained: Error | null = null
  #taker: Taker | null = null
  #inHand = 0

  constructor(options: WorkerOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { queue, concurrency, events, name } = this.#options
    this.#taker = await queue.take((ticket) => this.work(ticket), { concurrency })
    events.emit('worker.started', { concurrency, queue: name })
  }

  /** Takes nothing more, waits for what is in hand, aborts it after the grace. */
  async stop(): Promise<void> {
    const { time, events, graceMs, name: queue } = this.#options
    if (!this.#taker) return
    events.emit('worker.draining', { inHand: this.#inHand, queue })
    const stopping = this.#taker.stop()
    this.#taker = null
    const isLate = (await within(time, graceMs, stopping)) === LATE
    this.#drained = fault('WORKER_DRAINING')
    for (const lease of this.#leases) lease.recall(this.#drained)
    await stopping
    events.emit('worker.stopped', { reason: isLate ? 'grace ran out' : 'drained', queue })
  }

  /** Takes a ticket past the queue, if it has a hand free. */
  offer(ticket: Ticket): boolean {
    return this.#taker?.offer?.(ticket) ?? false
  }

  /** Works one ticket to its end. Never rejects. */
  async work(ticket: Ticket): Promise<void> {
    this.#inHand += 1
    await this.#settle(ticket, await this.#attempt(ticket)).catch((thrown) => {
      const about = { resourceId: ticket.resourceId, error: asError(thrown) }
      this.#options.events.emit('tick.failed', about)
    })
    this.#inHand -= 1
  }

  async #attempt({ resourceId, issuedAt }: Ticket): Promise<Attempt> {
    const { keeper, ticker } = this.#options
    // Ticked in this very process: the round that runs looks again, or one has seen what the ticket is about.
    if (ticker.nudge(resourceId, issuedAt)) return BUSY
    try {
      const answer = await keeper.hold(resourceId, (lease) => this.#tick(resourceId, lease))
      return answer.held ? { verdict: answer.value, isWanted: answer.isWanted } : BUSY
    } catch (thrown) {
      return { verdict: { kind: 'failed', error: asError(thrown) }, isWanted: false }
    }
  }

  /** What follows from each outcome; nobody else pushes, retries or drops. */
  async #settle(ticket: Ticket, { verdict, isWanted }: Attempt): Promise<void> {
    const { events, ticker, queue } = this.#options
    const { resourceId } = ticket
    // Whoever holds the resource asks, once it gave it back, whether more came due meanwhile.
    if (verdict === 'busy') return events.emit('tick.busy', { resourceId })
    switch (verdict.kind) {
      case 'again':
        return queue.push([ticket])
      case 'done':
        // What came meanwhile found the resource held, and said so: else there is nothing to ask for.
        if ((isWanted || !verdict.isSettled) && (await ticker.dueNow(resourceId)))
          await queue.push([ticket])
        return
      case 'held':
        return
      case 'elsewhere':
        return this.#options.redirect({ ...ticket, queue: verdict.queue })
      case 'failed':
        // The due entry stands: the clock brings the resource back when its ticket is overdue.
        return events.emit('tick.failed', { resourceId, error: verdict.error })
    }
  }

  /** Ticks under a lease that is recalled when draining has run out of patience. */
  async #tick(resourceId: string, lease: KeptLease): Promise<Verdict> {
    this.#leases.add(lease)
    if (this.#drained) lease.recall(this.#drained)
    try {
      return await this.#options.ticker.tick(resourceId, lease, this.#options.name)
    } finally {
      this.#leases.delete(lease)
    }
  }
}
