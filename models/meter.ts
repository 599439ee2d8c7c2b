// The meter: what the ends of effects and steps mean to the breakers they are behind.
// Promise: what shuts a breaker goes along in the commit of the failure; a success is kept in mind, and written only
// where it ends a trial; whoever asks to be left alone until a moment is, and that is no failure.
import { isOwnMistake } from '../lib/blame.ts'
import type { BreakerPolicy, Count, HoldSignal, Scope } from '../lib/hold.ts'
import { retryAfterOf } from '../lib/retry.ts'
import type { Cause } from './cause.ts'
import type { Errand } from './errand.ts'
import type { TaskDefinition } from './kind.ts'
import type { Round } from './round.ts'

/** What goes along with a change. */
export interface Toll {
  readonly counts?: readonly Count[]
  readonly holds?: readonly HoldSignal[]
}

const NOTHING: Toll = {}

export class Meter {
  readonly #round: Round
  readonly #definition: TaskDefinition

  constructor(round: Round, definition: TaskDefinition) {
    this.#round = round
    this.#definition = definition
  }

  /** An attempt of an effect has ended. */
  attempt({ ending, runnable }: Errand): Toll {
    const { dependency } = runnable.policy
    const policy = dependency && this.#round.parts.breakers?.of(`dependency:${dependency}`)
    if (!policy) return NOTHING
    const scope: Scope = `dependency:${dependency}`
    if (ending?.kind !== 'error') return this.#ok(scope, policy)
    const now = this.#round.time.now()
    const waitMs = retryAfterOf(ending.error, now)
    if (waitMs !== null) return waitMs > 0 ? { holds: [this.#limit(scope, now + waitMs)] } : {}
    if (isOwnMistake(ending.error)) return this.#trialPassed(scope)
    return this.#failed(scope, policy)
  }

  /** A step is made of it. To have begun is no success yet; to have come to the end is. */
  step(cause: Cause, isDone: boolean): Toll {
    if (cause.kind === 'start' && !isDone) return NOTHING
    if (cause.kind !== 'effect') return this.#task(false)
    const { errand } = cause
    return together(this.attempt(errand), this.#task(errand.ending?.kind === 'error'))
  }

  /** The task cannot go on; by this effect, if it was one. */
  panic(cause: Cause | null): Toll {
    return together(
      cause?.kind === 'effect' ? this.attempt(cause.errand) : NOTHING,
      this.#task(true),
    )
  }

  #task(isFailed: boolean): Toll {
    const { breaker: policy } = this.#definition.terms
    if (!policy) return NOTHING
    const scope = this.#round.barrier.scopeOf(this.#definition.name)
    return isFailed ? this.#failed(scope, policy) : this.#ok(scope, policy)
  }

  #ok(scope: Scope, policy: BreakerPolicy): Toll {
    this.#round.parts.breakers?.tally.ok(scope, this.#round.time.now(), policy)
    return this.#trialPassed(scope)
  }

  #trialPassed(scope: Scope): Toll {
    if (!this.#round.barrier.takeTrial(scope)) return NOTHING
    const { owner: actor } = this.#round.parts
    const reason = 'the trial succeeded'
    return { holds: [{ scope, by: 'breaker', event: 'passed', until: null, actor, reason }] }
  }

  #failed(scope: Scope, policy: BreakerPolicy): Toll {
    const { breakers, owner: actor } = this.#round.parts
    this.#round.barrier.takeTrial(scope)
    const oks = breakers?.tally.draw(scope, this.#round.time.now(), policy) ?? []
    return { counts: [{ scope, oks, failed: 1, policy, actor }] }
  }

  #limit(scope: Scope, until: number): HoldSignal {
    const { owner: actor } = this.#round.parts
    const reason = 'it asked to be left alone until then'
    return { scope, by: 'limit', event: 'shut', until, actor, reason }
  }
}

/** Both of them. */
export function together(one: Toll, other: Toll): Toll {
  if (one === NOTHING) return other
  if (other === NOTHING) return one
  const counts = [...(one.counts ?? []), ...(other.counts ?? [])]
  const holds = [...(one.holds ?? []), ...(other.holds ?? [])]
  return { ...(counts.length > 0 && { counts }), ...(holds.length > 0 && { holds }) }
}
