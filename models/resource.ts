// A resource's turn: claim it, give each due task a turn, look again until nothing more is due.
// Promise: one round at a time per resource in this process; a task's trouble is its own; a nudge while
// the round runs is never lost.
import type { Claim } from '../lib/claim.ts'
import type { Lease, Ticker, Verdict } from '../lib/contract.ts'
import { Recent } from '../lib/recent.ts'
import type { TickParts } from './parts.ts'
import { Round } from './round.ts'
import { leave, Turns } from './turns.ts'

export class ResourceTicker implements Ticker {
  readonly #parts: TickParts
  readonly #rounds = new Map<string, Round>()
  readonly #recent = new Recent()

  constructor(parts: TickParts) {
    this.#parts = parts
  }

  async tick(resourceId: string, lease: Lease, queue?: string): Promise<Verdict> {
    const { store, owner, registry, events, time, presence, routing } = this.#parts
    const startedAt = time.monotonic()
    const claim = await store.claim(resourceId, owner, presence.isJudge)
    if (!claim) return { kind: 'done' }
    const home = routing?.queueOf(claim.kind) ?? queue
    if (queue && home && home !== queue) {
      // Nothing of it was begun, and nobody died of it.
      await presence.release(resourceId, claim.fence)
      return { kind: 'elsewhere', queue: home }
    }
    if (!registry.has(claim.kind)) return leave(this.#parts, claim, claim.tasks)
    const round = new Round(this.#parts, registry.find(claim.kind), claim, lease)
    this.#rounds.set(resourceId, round)
    events.emit('tick.started', { resourceId, kind: round.kind.name })
    try {
      const verdict = await this.#run(round, claim)
      // A nudge that came while the round was ending has been answered with "busy".
      const isSettled = verdict.kind === 'done' && verdict.isSettled === true && !round.nudged
      if (isSettled) this.#recent.settled(resourceId, claim.claimedAt)
      const done = { resourceId, kind: round.kind.name, steps: round.steps }
      events.emit('tick.done', { ...done, elapsedMs: Math.round(time.monotonic() - startedAt) })
      return verdict.kind === 'done' ? { kind: 'done', isSettled } : verdict
    } finally {
      this.#rounds.delete(resourceId)
    }
  }

  dueNow(resourceId: string): Promise<boolean> {
    return this.#parts.store.dueNow(resourceId)
  }

  nudge(resourceId: string, issuedAt?: number): boolean {
    this.#rounds.get(resourceId)?.nudge()
    return this.#rounds.has(resourceId) || this.#recent.covers(resourceId, issuedAt)
  }

  /** Turns of tasks run side by side: an effect that takes long holds up only its own task. */
  async #run(round: Round, first: Claim): Promise<Verdict> {
    const turns = new Turns(round)
    const stopLooking = this.#lookNowAndThen(round)
    await turns.admit(first)
    while (turns.running > 0 || round.nudged) {
      if (!round.nudged) await round.bell.heard()
      const isNudged = round.takeNudge()
      if (round.lost || turns.trouble) turns.hurry()
      // A turn that ended because the resource had its share, while others last, has nobody else to come for it.
      else if (isNudged || (round.spent && turns.running > 0)) {
        if (round.spent && turns.running === 0) break
        // Held up by a running effect anyway, so the others may as well go on. Otherwise they all end now.
        if (round.spent && turns.isHeldUp) round.refresh()
        if (!round.spent) await turns.look()
        else {
          turns.nudge()
          await round.bell.heard()
        }
      }
    }
    stopLooking()
    const verdict = await turns.end()
    if (turns.trouble) throw turns.trouble
    return verdict
  }

  /** A nudge goes to this process only; what another one committed is seen by looking now and then. */
  #lookNowAndThen(round: Round): () => void {
    const { time, lookMs } = this.#parts
    const look = () => {
      round.nudge()
      stop = time.after(lookMs, look)
    }
    let stop = time.after(lookMs, look)
    return () => stop()
  }
}
