// The allowance: what is left of the quota of a kind to one resource, while it is ticked.
// Promise: it holds whoever ticks the resource, one process after another; what is under way when it is used up may come
// to its end, and nothing else begins before the period is over; kinds without a quota have none, and ask for nothing.
import type { Claim } from '../lib/claim.ts'
import type { Time } from '../lib/time.ts'
import type { Kind } from './kind.ts'
import { DELETING } from './life.ts'
import type { TickParts } from './parts.ts'
import { type Quota, wordsOf } from './quota.ts'

/** How the reason of a due entry begins that is put off to the end of a period; the quota follows. */
export const USED_UP = 'quota:'

export class Allowance {
  readonly #parts: TickParts
  readonly #kind: Kind
  readonly #quota: Quota
  readonly #claim: Claim
  readonly #time: Time
  #periodAt: number
  #steps = 0
  /** Of the period, before `#since`. */
  #ms = 0
  #since: number
  #toldOf: number | null = null

  private constructor(parts: TickParts, kind: Kind, quota: Quota, claim: Claim) {
    this.#parts = parts
    this.#kind = kind
    this.#quota = quota
    this.#claim = claim
    this.#time = parts.time
    this.#periodAt = this.#time.now()
    this.#since = this.#time.monotonic()
    const { used } = claim
    if (!used || !this.#isNow(used.periodAt)) return
    this.#periodAt = used.periodAt
    this.#steps = used.steps
    this.#ms = used.ms
    // Whoever used the last of it has told.
    if (this.#what) this.#toldOf = used.periodAt
  }

  /** What is being deleted is not kept from its end. */
  static of(parts: TickParts, kind: Kind, claim: Claim): Allowance | null {
    const { quota } = kind
    return quota && claim.state !== DELETING ? new Allowance(parts, kind, quota, claim) : null
  }

  /** Counts what rounds have used that did not come to their end. */
  async recall(): Promise<void> {
    const { resourceId, fence: before, used } = this.#claim
    const after = used?.fence ?? 0
    if (after >= before - 1) return
    const sinceAt = Math.max(used?.periodAt ?? 0, this.#time.now() - this.#quota.perMs)
    const found = await this.#parts.porter?.untold({ resourceId, after, before, sinceAt })
    if (!found) return
    this.#periodAt = Math.min(this.#periodAt, found.periodAt)
    this.#steps += found.steps
    this.#ms += found.ms
  }

  /** One step was committed. */
  count(): void {
    this.#roll()
    this.#steps += 1
  }

  /** Is nothing left of it until the period is over? The first to ask then tells. */
  get isUsedUp(): boolean {
    this.#roll()
    const what = this.#what
    if (what && this.#toldOf !== this.#periodAt) {
      this.#toldOf = this.#periodAt
      const { resourceId } = this.#claim
      const { at, words } = this.#end(what)
      this.#parts.events.emit('quota.used', { resourceId, kind: this.#kind.name, quota: words, at })
      this.#parts.soon(resourceId, at, this.#kind.route.queue)
    }
    return what !== null
  }

  /** The due entry of what is put off. */
  putOff(): { at: number; reason: string } {
    const { at, words } = this.#end(this.#what ?? 'steps')
    return { at, reason: USED_UP + words }
  }

  /** Keeps what was used, for whoever ticks the resource next. */
  async close(): Promise<void> {
    this.#roll()
    const { resourceId, fence } = this.#claim
    const usage = { fence, periodAt: this.#periodAt, steps: this.#steps, ms: this.#usedMs }
    await this.#parts.porter?.charge(resourceId, usage)
  }

  get #usedMs(): number {
    return this.#ms + this.#time.monotonic() - this.#since
  }

  get #what(): 'steps' | 'ms' | null {
    const { steps, ms } = this.#quota
    if (steps !== null && this.#steps >= steps) return 'steps'
    return ms !== null && this.#usedMs >= ms ? 'ms' : null
  }

  #end(what: 'steps' | 'ms'): { at: number; words: string } {
    return { at: this.#periodAt + this.#quota.perMs, words: wordsOf(this.#quota, what) }
  }

  /** A clock that was set back ends the period too: nobody is to wait for a moment that far away. */
  #isNow(periodAt: number): boolean {
    const now = this.#time.now()
    return periodAt <= now && now < periodAt + this.#quota.perMs
  }

  #roll(): void {
    if (this.#isNow(this.#periodAt)) return
    this.#periodAt = this.#time.now()
    this.#since = this.#time.monotonic()
    this.#steps = 0
    this.#ms = 0
  }
}
