// Time, handed in. The only file that touches Date, performance and timers.
// Promise: every decision about "due" uses one clock, the database's, followed by a monotonic
// count; a wall clock that jumps on this machine moves nothing.

/** What a room may know of time. Specs hand in one that only moves when told to. */
export interface Time {
  /** Now, in milliseconds since 1970, by the database's clock as last read. */
  now(): number
  /** A count of milliseconds that never goes back; for deadlines inside this process. */
  monotonic(): number
  /** Resolves after `ms`, or at once when the signal aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls back once after `ms`; the returned function cancels. Keeps no process alive. */
  after(ms: number, call: () => void): () => void
  /** Somebody whose word counts has said that it is so late already. @param atMs milliseconds since 1970 */
  heard?(atMs: number): void
}

/** Clocks that follow one database are no further apart: what claims more is not believed. */
const MOST_AHEAD_MS = 1_000

/** setTimeout fires at once beyond 2^31-1 ms; longer sleeps are cut to this and taken again. */
const LONGEST_MS = 2_147_483_647

/** The real clock: monotonic, set by the database's answer to "what time is it?". */
export class SystemTime implements Time {
  #offsetMs = Date.now() - performance.now()

  /** Follows the database's clock: `remoteMs` was read half-way between the two local readings. */
  follow(remoteMs: number, sentAt: number, gotAt: number): void {
    this.#offsetMs = remoteMs - (sentAt + gotAt) / 2
  }

  now(): number {
    return Math.round(performance.now() + this.#offsetMs)
  }

  /**
   * Never behind what it has heard of: what somebody stored as due now, and sent a ticket for, is due here too, though
   * our clock is a few milliseconds behind theirs (Lamport, "Time, Clocks, and the Ordering of Events", 1978).
   */
  heard(atMs: number): void {
    const aheadMs = atMs - performance.now() - this.#offsetMs
    if (aheadMs > 0 && aheadMs <= MOST_AHEAD_MS) this.#offsetMs += aheadMs
  }

  monotonic(): number {
    return performance.now()
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, Math.min(Math.max(ms, 0), LONGEST_MS))
      signal?.addEventListener('abort', done, { once: true })
    })
  }

  after(ms: number, call: () => void): () => void {
    const timer = setTimeout(call, Math.min(Math.max(ms, 0), LONGEST_MS))
    timer.unref()
    return () => clearTimeout(timer)
  }
}

/** Lets the event loop turn once, so that sockets and timers get their say between long works. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
