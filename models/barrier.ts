// The barrier: what holds the tasks of one resource, as the round saw it last.
// Promise: asks nobody but for a trial; what is held is put off to the end of its hold, and found again by its reason;
// exit machines, and all of a resource that is being deleted, pass pauses.
import { EXIT, rootOf } from '../lib/address.ts'
import { backoffMs } from '../lib/backoff.ts'
import type { Claim, StoredTask } from '../lib/claim.ts'
import type { Hold, Scope } from '../lib/hold.ts'
import { HELD } from '../lib/latch.ts'
import type { Kind } from './kind.ts'
import { DELETING } from './life.ts'
import type { TickParts } from './parts.ts'

/** Held until a moment, or until somebody lets go. */
export interface Stand {
  readonly scope: Scope
  readonly until: number | null
  /** Nobody comes at the very moment it ends, but for the one who is sent. */
  readonly isSpread: boolean
}

type Passage = Stand | 'trial' | null
type Whom = Pick<StoredTask, 'task' | 'origin'>

/** How long a trial of unknown length is waited for. */
const TRUST_MS = 60_000

export class Barrier {
  readonly #parts: TickParts
  readonly #kind: Kind
  readonly #resourceId: string
  #holds: readonly Hold[] = []
  #isDeleting = false
  /** Trials that are ours: won, and then on their way. */
  readonly #ours = new Map<Scope, 'won' | 'sent'>()
  /** Tasks that are the trial of their breaker, by their root. */
  readonly #passing = new Set<string>()
  readonly #asking = new Map<Scope, Promise<void>>()

  constructor(parts: TickParts, kind: Kind, claim: Claim) {
    this.#parts = parts
    this.#kind = kind
    this.#resourceId = claim.resourceId
    this.see(claim)
  }

  /** What was read last. */
  see({ holds, state }: Pick<Claim, 'holds' | 'state'>): void {
    this.#holds = holds
    this.#isDeleting = state === DELETING
    for (const scope of this.#ours.keys())
      if (!holds.some((hold) => hold.scope === scope)) this.#ours.delete(scope)
  }

  /** Is the queue of its kind held? */
  get isQueueHeld(): boolean {
    const { porter } = this.#parts
    if (porter === undefined) return false
    const { queue = porter.queue } = this.#kind.route
    return this.#standing(this.passage([`queue:${queue}`])) !== null
  }

  /** Takes the task no step now? What runs for it may end. */
  stops(task: Whom): boolean {
    return this.#holds.length > 0 && (this.isQueueHeld || this.over(task) !== null)
  }

  /** What the task is put off by; null when it may go on. */
  over(task: Whom): Stand | null {
    if (this.#holds.length === 0) return null
    return this.#standing(this.passage(this.#scopesOf(task)))
  }

  scopeOf(task: string): Scope {
    return `task:${this.#kind.name}.${rootOf(this.#kind.today(task))}`
  }

  /** The tasks that are held, each by what; one of a breaker on trial may be let through. */
  async sift(tasks: readonly StoredTask[]): Promise<Map<StoredTask, Stand>> {
    const held = new Map<StoredTask, Stand>()
    if (this.#holds.length === 0) return held
    for (const task of tasks) {
      const scope = this.scopeOf(task.task)
      if (this.passage(this.#scopesOf(task)) === 'trial') await this.ask(scope, TRUST_MS)
      const stand = this.over(task)
      if (stand) held.set(task, stand)
      else if (this.#ours.has(scope)) {
        this.sent(scope)
        this.#passing.add(rootOf(task.task))
      }
    }
    return held
  }

  /** May something pass that needs all of these? */
  passage(scopes: readonly Scope[]): Passage {
    let found: Passage = null
    for (const hold of this.#holds) {
      if (!scopes.includes(hold.scope)) continue
      const passage = this.#through(hold)
      if (passage === null) continue
      if (passage === 'trial') found ??= passage
      else if (found === null || found === 'trial' || isLonger(passage, found)) found = passage
    }
    return found
  }

  /** Asks to be the one whom the breaker lets through; `passage` answers differently then. */
  ask(scope: Scope, trustMs: number | null): Promise<void> {
    const asked =
      this.#asking.get(scope) ??
      this.#ask(scope, trustMs ?? TRUST_MS).finally(() => this.#asking.delete(scope))
    this.#asking.set(scope, asked)
    return asked
  }

  /** The trial, if it is ours, is on its way: nobody else passes. */
  sent(scope: Scope): void {
    if (this.#ours.has(scope)) this.#ours.set(scope, 'sent')
  }

  /** Was that the trial, which has ended? */
  takeTrial(scope: Scope): boolean {
    return this.#ours.delete(scope)
  }

  /** The due entry of what is put off. */
  putOff({ scope, until, isSpread }: Stand): { at: number | null; reason: string } {
    const reason = HELD + scope
    if (until === null || !isSpread) return { at: until, reason }
    const spreadMs = Math.max(1, (until - this.#parts.time.now()) / 10)
    return { at: until + backoffMs({ firstMs: spreadMs, mostMs: spreadMs }, 1), reason }
  }

  async #ask(scope: Scope, trustMs: number): Promise<void> {
    const { porter, time } = this.#parts
    const answer = porter ? await porter.probe(scope, trustMs) : 'open'
    const isIt = (hold: Hold) => hold.scope === scope && hold.by === 'breaker'
    const probeAt = time.now() + trustMs
    if (answer === 'ours') this.#ours.set(scope, 'won')
    this.#holds = this.#holds.flatMap((hold): Hold[] => {
      if (!isIt(hold)) return [hold]
      if (answer === 'open') return []
      if (answer === 'ours') return [{ ...hold, state: 'trial', probeAt }]
      return [
        {
          ...hold,
          state: answer.until === null ? 'shut' : 'trial',
          ...answer,
          probeAt: answer.until,
        },
      ]
    })
  }

  #scopesOf({ task, origin }: Whom): Scope[] {
    if (this.#isDeleting || origin?.src.includes(EXIT)) return []
    const own: Scope[] = this.#passing.has(rootOf(task)) ? [] : [this.scopeOf(task)]
    return [`resource:${this.#resourceId}`, ...own]
  }

  #through({ scope, by, state, until, probeAt }: Hold): Passage {
    const now = this.#parts.time.now()
    const isSpread = by !== 'pause'
    if (state === 'shut' && (until === null || until > now)) return { scope, until, isSpread }
    if (by !== 'breaker' || this.#ours.get(scope) === 'won') return null
    return probeAt !== null && probeAt > now ? { scope, until: probeAt, isSpread } : 'trial'
  }

  #standing(passage: Passage): Stand | null {
    return passage === 'trial' ? null : passage
  }
}

const isLonger = (one: Stand, other: Stand) =>
  other.until !== null && (one.until === null || one.until > other.until)
