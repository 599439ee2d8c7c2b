// The tally: successes behind breakers that this process has seen and not written.
// Promise: bounded by the seconds a policy looks back; drawn once, with the next failure. An estimate: what a process
// takes with it when it ends is not counted.
import type { BreakerPolicy, Count } from '../lib/hold.ts'

const SECOND_MS = 1_000

export class Tally {
  readonly #oks = new Map<string, Map<number, number>>()

  /** Something behind the breaker went well. */
  ok(scope: string, nowMs: number, { withinMs }: BreakerPolicy): void {
    const seconds = this.#oks.get(scope) ?? new Map<number, number>()
    this.#oks.set(scope, seconds)
    const at = Math.floor(nowMs / SECOND_MS) * SECOND_MS
    const known = seconds.get(at)
    seconds.set(at, (known ?? 0) + 1)
    if (known !== undefined) return
    for (const old of seconds.keys()) if (old <= nowMs - withinMs) seconds.delete(old)
  }

  /** All of it, to be written. */
  draw(scope: string, nowMs: number, { withinMs }: BreakerPolicy): Count['oks'] {
    const seconds = this.#oks.get(scope) ?? new Map<number, number>()
    this.#oks.delete(scope)
    return [...seconds].flatMap(([at, ok]) => (at > nowMs - withinMs ? [{ at, ok }] : []))
  }
}
