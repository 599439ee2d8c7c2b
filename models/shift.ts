// The shift: the workers of one process, one for each queue it serves, each with places of its own.
// Promise: they share nothing a full one could take from another but the process itself; they end together.
import type { Ticker, Ticket } from '../lib/contract.ts'
import { Detour } from '../lib/detour.ts'
import type { Events } from '../lib/events.ts'
import { Keeper } from '../lib/lock.ts'
import type { Time } from '../lib/time.ts'
import { Worker } from '../lib/worker.ts'
import type { Rooms } from './rooms.ts'
import type { KindRouting } from './routing.ts'

export interface ShiftParts {
  readonly rooms: Pick<Rooms, 'queues' | 'lock' | 'config'>
  readonly routing: Pick<KindRouting, 'served'>
  readonly ticker: Ticker
  readonly time: Time
  readonly events: Events
  push(tickets: readonly Ticket[]): Promise<void>
}

export class Shift {
  readonly #workers: ReadonlyMap<string, Worker>
  readonly #byDefault: string

  constructor({ rooms, routing, ticker, time, events, push }: ShiftParts) {
    const { queues, lock, config } = rooms
    const { lockTtlMs, toldMs, graceMs } = config
    const keeper = new Keeper({ lock, time, events, ttlMs: lockTtlMs })
    const detour = new Detour({ time, lapseMs: toldMs, push })
    const redirect = (ticket: Ticket) => detour.send(ticket)
    const common = { keeper, ticker, time, events, graceMs, redirect }
    this.#byDefault = config.queue
    this.#workers = new Map(
      [...queues].flatMap(([name, queue]) => {
        const concurrency = routing.served.get(name)
        if (concurrency === undefined) return []
        return [[name, new Worker({ ...common, name, queue, concurrency })] as const]
      }),
    )
  }

  /** Works on it here and now, if a hand of its queue is free. */
  offer(ticket: Ticket): boolean {
    return this.#workers.get(ticket.queue ?? this.#byDefault)?.offer(ticket) ?? false
  }

  /** @throws what the first queue says that cannot be taken from */
  async start(): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.start()))
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop()))
  }
}
