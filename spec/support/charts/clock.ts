// A clock for a live actor of XState, which sees whose timers it keeps.
// Promise: SimulatedClock as it is; it only notes when timers of several actors are due at one moment.
import { SimulatedClock } from 'xstate'

interface Timeout {
  readonly start: number
  readonly timeout: number
}

export class WatchedClock extends SimulatedClock {
  /** Were timers of several actors ever due at one moment? */
  isTied = false
  readonly #owners = new Map<Timeout, unknown>()
  #owner: unknown

  /** From now on a timer is known by the actor that armed it. */
  watch(system: any): void {
    const { schedule } = system.scheduler
    system.scheduler.schedule = (source: unknown, ...armed: unknown[]) => {
      this.#owner = source
      schedule(source, ...armed)
    }
  }

  override setTimeout(fn: (...given: any[]) => void, timeout: number): any {
    const id = super.setTimeout(fn, timeout)
    this.#owners.set(this.#timeouts.get(id) as Timeout, this.#owner)
    return id
  }

  override increment(ms: number): void {
    const now = this.now() + ms
    const due = [...this.#timeouts.values()].filter((one) => endOf(one) <= now)
    this.isTied ||= new Set(due.map((one) => this.#owners.get(one))).size > 1
    super.increment(ms)
  }

  /** When the first of them is due. */
  nextAt(): number {
    return Math.min(...[...this.#timeouts.values()].map(endOf), Number.POSITIVE_INFINITY)
  }

  get #timeouts(): Map<unknown, Timeout> {
    return (this as any).timeouts
  }
}

const endOf = ({ start, timeout }: Timeout) => start + timeout
