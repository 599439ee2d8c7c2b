// Soon: what falls due before the next beat, kept in mind by the worker that made it due.
// Promise: a convenience only. What is forgotten here, for want of room or because the process ended, is
// found by the clock at its next beat.
import type { Ticket } from './contract.ts'
import type { Time } from './time.ts'

export interface SoonOptions {
  readonly time: Time
  /** What falls due later than this is the clock's business. */
  readonly withinMs: number
  push(tickets: readonly Ticket[]): void
}

/** The most resources kept in mind at once. */
const MOST = 10_000

export class Soon {
  readonly #options: SoonOptions
  readonly #waiting = new Map<string, { readonly at: number; readonly cancel: () => void }>()

  constructor(options: SoonOptions) {
    this.#options = options
  }

  /** Something of this resource is due at `dueAt` (epoch ms): a ticket then, to its queue, if that is soon. */
  note(resourceId: string, dueAt: number, queue?: string): void {
    const { time, withinMs, push } = this.#options
    const inMs = dueAt - time.now()
    const known = this.#waiting.get(resourceId)
    if (inMs <= 0 || inMs > withinMs || (known && known.at <= dueAt)) return
    if (!known && this.#waiting.size >= MOST) return
    known?.cancel()
    const cancel = time.after(inMs, () => {
      this.#waiting.delete(resourceId)
      push([{ resourceId, isUrgent: true, ...(queue !== undefined && { queue }) }])
    })
    this.#waiting.set(resourceId, { at: dueAt, cancel })
  }

  /** Forgets everything. */
  clear(): void {
    for (const { cancel } of this.#waiting.values()) cancel()
    this.#waiting.clear()
  }
}
