// Waiting for something that was named, with a deadline.
// Promise: a spec that waits in vain says what it waited for. Only here may a spec touch a timer.
import type { EventName, Events, EventTable } from '../../lib/events.ts'

/** Polling starts brisk and calms down, so a long wait costs little of a shared processor. */
const FIRST_PAUSE_MS = 2
const LAST_PAUSE_MS = 50

export interface Waiting {
  /** What is awaited, as the end of the sentence "waited in vain until …". */
  readonly what: string
  /** How long to wait, in real milliseconds; 10 s unless told. */
  readonly deadlineMs?: number
}

/**
 * Asks again and again until the answer is true, and returns it.
 * A condition that throws counts as "not yet"; its last error is the cause of the failure.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { what, deadlineMs = 10_000 }: Waiting,
): Promise<NonNullable<T>> {
  const startedAt = performance.now()
  let cause: unknown
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.5, LAST_PAUSE_MS)) {
    try {
      const answer = await within(condition(), deadlineMs - (performance.now() - startedAt), what)
      if (answer) return answer
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() - startedAt >= deadlineMs) throw inVain(what, deadlineMs, cause)
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

/** The value of a promise, or a failure naming `what` when it takes longer than `ms`. */
export async function within<T>(value: T | PromiseLike<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(inVain(what, ms)), Math.max(0, ms))
  })
  try {
    return await Promise.race([value, late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * The next event of this name that pleases the predicate. Listens from the moment of the call, so
 * call it before doing what causes the event.
 */
export function signalOf<N extends EventName>(
  events: Events,
  name: N,
  predicate: (payload: EventTable[N]) => boolean = () => true,
  deadlineMs = 10_000,
): Promise<EventTable[N]> {
  let stopListening = () => {}
  const heard = new Promise<EventTable[N]>((resolve, reject) => {
    stopListening = events.on(name, (payload) => {
      try {
        if (predicate(payload)) resolve(payload)
      } catch (error) {
        reject(error)
      }
    })
  })
  return within(heard, deadlineMs, `the event ${name} was heard`).finally(() => stopListening())
}

function inVain(what: string, ms: number, cause?: unknown): Error {
  const last = cause instanceof Error ? ` (last error: ${cause.message})` : ''
  return new Error(`waited in vain for ${Math.round(ms)} ms until ${what}${last}`, { cause })
}
