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
}

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
