// The places of machines in the tree of one resource: who spawned each, and whom it can find by a system id.
// Promise: as the round saw them last; a task that can find nobody has the same place at every step.
import { Address, idOf, parentOf, rootOf } from '../lib/address.ts'
import type { Claim } from '../lib/claim.ts'
import type { Place } from '../lib/machine.ts'
import type { StepChange } from '../lib/unit.ts'

type Named = Claim['system'][number][1]

export class Places {
  #system: Map<string, Named>
  readonly #alone = new Map<string, Place>()

  constructor(system: Claim['system']) {
    this.#system = new Map(system)
  }

  /** What was read last. */
  see(system: Claim['system']): void {
    this.#system = new Map(system)
  }

  /** A task has moved, and may have named actors or let them go. */
  moved({ task, system, finished }: StepChange): void {
    if (system && !finished) this.#system.set(task, system as never)
    else this.#system.delete(task)
  }

  of(task: string): Place {
    if (this.#system.size > 0) return placeIn(task, this.#found(rootOf(task)))
    const known = this.#alone.get(task) ?? placeIn(task, [])
    this.#alone.set(task, known)
    return known
  }

  /** Whom the tasks of a tree can find. */
  #found(root: string): (readonly [string, Address])[] {
    const trees = [...this.#system].filter(([name]) => rootOf(name) === root)
    return trees.flatMap(([, named]) =>
      Object.entries(named).map(([id, address]) => [id, new Address(...address)] as const),
    )
  }
}

/** The place of a task that can find only those. */
export function placeIn(task: string, system: readonly (readonly [string, Address])[]): Place {
  const parent = parentOf(task)
  return {
    task,
    id: idOf(task),
    parent: parent === null ? null : new Address(idOf(parent), parent),
    system: new Map(system),
  }
}
