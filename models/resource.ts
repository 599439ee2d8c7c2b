// A resource's turn: claim it, give each due task a turn, look again until nothing more is due.
// Promise: one round at a time per resource in this process; a task's trouble is its own; a nudge while
// the round runs is never lost.
import type { Sealer } from '../lib/codec.ts'
import type { Lease, Ticker, Ticket, Verdict } from '../lib/contract.ts'
import type { Events } from '../lib/events.ts'
import type { Claim, Store, StoredTask } from '../lib/store.ts'
import type { Time } from '../lib/time.ts'
import type { Registry } from './registry.ts'
import type { RequestParts } from './requests.ts'
import { Round, RoundLost } from './round.ts'
import { Turn } from './task.ts'
import type { Verbs } from './verbs.ts'

export interface TickParts {
  readonly store: Pick<Store, 'claim' | 'look' | 'commit' | 'dueNow'>
  readonly time: Time
  readonly events: Events
  readonly registry: Registry
  readonly sealer: Sealer
  readonly requests: RequestParts
  readonly desk: Pick<Verbs, 'status'>
  /** Pushes tickets; does not throw, for the clock covers what is lost. */
  push(tickets: readonly Ticket[]): Promise<void>
  /** The name of this worker in leases and history. */
  readonly owner: string
  /** How much one tick may do before others get their turn. */
  readonly quota: { readonly steps: number; readonly ms: number }
}

export class ResourceTicker implements Ticker {
  readonly #parts: TickParts
  readonly #rounds = new Map<string, Round>()

  constructor(parts: TickParts) {
    this.#parts = parts
  }

  async tick(resourceId: string, lease: Lease): Promise<Verdict> {
    const { store, owner, registry, events, time } = this.#parts
    const startedAt = time.monotonic()
    const claim = await store.claim(resourceId, owner)
    // A kind this program does not know belongs to another one's workers.
    if (!claim || !registry.has(claim.kind)) return { kind: 'done' }
    const round = new Round(this.#parts, registry.find(claim.kind), claim, lease)
    this.#rounds.set(resourceId, round)
    events.emit('tick.started', { resourceId })
    try {
      const verdict = await this.#run(round, claim)
      const elapsedMs = Math.round(time.monotonic() - startedAt)
      events.emit('tick.done', { resourceId, kind: claim.kind, steps: round.steps, elapsedMs })
      return verdict
    } finally {
      this.#rounds.delete(resourceId)
    }
  }

  dueNow(resourceId: string): Promise<boolean> {
    return this.#parts.store.dueNow(resourceId)
  }

  nudge(resourceId: string): boolean {
    const round = this.#rounds.get(resourceId)
    round?.nudge()
    return round !== undefined
  }

  /** Turns of tasks run side by side: an effect that takes long holds up only its own task. */
  async #run(round: Round, first: Claim): Promise<Verdict> {
    const turns = new Map<string, Turn>()
    const troubles: unknown[] = []
    const admit = (stored: StoredTask) => {
      if (turns.get(stored.id)?.deliver(stored)) return
      const turn = new Turn(round, stored)
      turns.set(stored.id, turn)
      void turn
        .run()
        .catch((thrown) => troubles.push(thrown))
        .finally(() => {
          turns.delete(stored.id)
          round.bell.ring()
        })
    }
    first.tasks.forEach(admit)
    while (turns.size > 0 || round.nudged) {
      if (!round.nudged) await round.bell.heard()
      const nudged = round.takeNudge()
      if (round.lost || troubles.length > 0) {
        for (const turn of turns.values()) turn.hurry()
      } else if (nudged) {
        if (round.spent && turns.size === 0) break
        // Held up by a running effect anyway, so the others may as well go on.
        if (round.spent) round.refresh()
        const claim = await round.look().catch((thrown) => void troubles.push(thrown))
        claim?.tasks.forEach(admit)
      }
    }
    const trouble = troubles.find((thrown) => !(thrown instanceof RoundLost))
    if (trouble) throw trouble
    return { kind: round.spent ? 'again' : 'done' }
  }
}
