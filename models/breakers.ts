// The breakers of an app: which there are, and when each shuts.
// Promise: checked when the app loads; a dependency an effect names has a breaker, declared or by default.
import { actorLogic, invokesOf, isMachine } from '../lib/blueprint.ts'
import { DEPENDENCY, runnableOf } from '../lib/effect.ts'
import { fault } from '../lib/errors.ts'
import type { BreakerPolicy, Scope } from '../lib/hold.ts'
import type { AnyStateMachine } from '../lib/machine.ts'
import type { TaskDefinition } from './kind.ts'
import { LIFE } from './kind.ts'
import { type BreakerOptions, ratingOf } from './rating.ts'
import type { Registry } from './registry.ts'
import { Tally } from './tally.ts'

/** What an app declares: dependency to policy. */
export type BreakerMap = Readonly<Record<string, BreakerOptions>>

export class Breakers {
  readonly tally = new Tally()
  readonly #policies = new Map<Scope, BreakerPolicy>()
  readonly #dependencies: readonly string[]

  /** @throws BREAKER_INVALID */
  constructor(declared: BreakerMap, registry: Registry) {
    const names = new Set(Object.keys(declared))
    for (const [name, options] of Object.entries(declared)) {
      const where = `the dependency "${name}"`
      if (!DEPENDENCY.test(name)) {
        const reason = 'its name has more than letters, digits, dashes and underscores'
        throw fault('BREAKER_INVALID', { where, reason })
      }
      this.#policies.set(`dependency:${name}`, ratingOf(options, where))
    }
    for (const kind of registry.kinds) {
      for (const task of [...kind.taskNames, LIFE]) {
        const definition = kind.task(task)
        for (const name of dependenciesOf(definition)) names.add(name)
        const { breaker } = definition.terms
        if (breaker) this.#policies.set(`task:${kind.name}.${task}`, breaker)
      }
    }
    this.#dependencies = [...names].sort()
    for (const name of names) this.of(`dependency:${name}`)
  }

  /** The dependencies that effects or the app name. */
  get dependencies(): readonly string[] {
    return this.#dependencies
  }

  get all(): readonly { readonly scope: Scope; readonly policy: BreakerPolicy }[] {
    const known = [...this.#policies].map(([scope, policy]) => ({ scope, policy }))
    return known.sort((a, b) => (a.scope < b.scope ? -1 : 1))
  }

  /** When it shuts; null for a task without one. */
  of(scope: Scope): BreakerPolicy | null {
    const known = this.#policies.get(scope)
    if (known || !scope.startsWith('dependency:')) return known ?? null
    const policy = ratingOf({}, scope)
    this.#policies.set(scope, policy)
    return policy
  }
}

/** What the effects of a task need, those of the machines it invokes or spawns among them. */
function dependenciesOf({ machine, options }: TaskDefinition): Set<string> {
  const found = new Set<string>()
  const seen = new Set<unknown>()
  const waiting: unknown[] = [machine, options.exit]
  for (const { exit } of Object.values(options.actors ?? {})) waiting.push(exit)
  while (waiting.length > 0) {
    const logic = waiting.pop()
    if (logic === undefined || seen.has(logic)) continue
    seen.add(logic)
    if (isMachine(logic)) waiting.push(...logicsOf(logic))
    else {
      const name = runnableOf(logic)?.policy.dependency
      if (name !== undefined) found.add(name)
    }
  }
  return found
}

const logicsOf = (machine: AnyStateMachine): unknown[] => [
  ...Object.values(machine.implementations.actors),
  ...invokesOf(machine).map(({ src }) => actorLogic(machine, src)),
]
