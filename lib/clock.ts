// The clock: each beat, ask who is due and push one ticket each. It keeps no state.
// Promise: cost follows what is due; any number of clocks may run; a beat that fails is told and the
// next one asks again, so nothing is lost while a database or a queue is away.
import type { Due } from './contract.ts'
import { asError } from './errors.ts'
import type { Events } from './events.ts'
import type { Quay } from './routes.ts'
import type { Time } from './time.ts'

export interface ClockOptions {
  readonly due: Due
  readonly queue: Pick<Quay, 'push' | 'berths'>
  readonly time: Time
  readonly events: Events
  /** The longest wait between two looks. */
  readonly beatMs: number
  /** The most tickets of one look, and the most that may wait in a queue; beyond those only what is on time is pushed. */
  readonly most: { readonly tickets: number; readonly waiting: number }
  /** Called before each look; follows the database's clock. */
  readonly onBeat?: () => Promise<void>
}

/** No shorter wait than this between two looks, however much is due. */
const LEAST_WAIT_MS = 5

export class Clock {
  readonly #options: ClockOptions
  readonly #stopped = new AbortController()
  #beating: Promise<void> | null = null

  constructor(options: ClockOptions) {
    this.#options = options
  }

  /** Begins to beat. */
  start(): void {
    this.#beating ??= this.#run()
  }

  /** Ends after the beat in hand. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#beating
  }

  /**
   * One beat.
   * @returns milliseconds to wait before the next
   */
  async beat(): Promise<number> {
    const { due, queue, time, events, beatMs, most, onBeat } = this.#options
    await onBeat?.()
    const berths = await queue.berths(most)
    if (berths.length === 0) return beatMs
    const isFull = berths.every((berth) => berth.isFull)
    // So many find a place whichever queue they are for.
    const limit = Math.min(...berths.map(({ places }) => places))
    const { tickets, nextAt, lateMs } = await due.due(limit, isFull, berths)
    if (tickets.length > 0) await queue.push(tickets)
    events.emit('clock.beat', { tickets: tickets.length, lateMs })
    const untilNext = nextAt === null || isFull ? beatMs : nextAt - time.now()
    return Math.max(LEAST_WAIT_MS, Math.min(beatMs, untilNext))
  }

  async #run(): Promise<void> {
    const { time, events, beatMs } = this.#options
    let beats = 0
    events.emit('clock.started', { beatMs })
    while (!this.#stopped.signal.aborted) {
      const waitMs = await this.beat().catch((thrown) => {
        events.emit('clock.failed', { error: asError(thrown) })
        return beatMs
      })
      beats += 1
      await time.sleep(waitMs, this.#stopped.signal)
    }
    events.emit('clock.stopped', { beats })
  }
}
