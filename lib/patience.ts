// Patience: how long a state may last before somebody should look, as `meta.stuckAfter` of a machine says.
// Promise: read once for each machine; a machine that says nothing costs nothing.
import { nodesOf } from './blueprint.ts'
import { type Duration, toMs } from './duration.ts'
import type { AnyStateMachine } from './machine-type.ts'

const known = new WeakMap<AnyStateMachine, ReadonlyMap<string, number>>()

/**
 * How long a task may be in a state before an alarm says that it is stuck.
 * @param state as `stateName` writes it; of regions side by side, the least patient counts
 * @returns milliseconds; null when the state and those around it say nothing
 */
export function stuckAfterMs(machine: AnyStateMachine, state: string): number | null {
  const patience = patienceOf(machine)
  if (patience.size === 0) return null
  const found = pathsIn(state).flatMap((path) => patience.get(path) ?? [])
  return found.length === 0 ? null : Math.min(...found)
}

/** @throws ARGUMENT_INVALID for a `meta.stuckAfter` that is no duration */
export function patienceOf(machine: AnyStateMachine): ReadonlyMap<string, number> {
  let patience = known.get(machine)
  if (!patience) {
    patience = new Map(
      nodesOf(machine).flatMap(({ path, meta, id }) => {
        const after = meta?.stuckAfter as Duration | undefined
        return after === undefined
          ? []
          : [[path.join('.'), toMs(after, `meta.stuckAfter of ${id}`)] as const]
      }),
    )
    known.set(machine, patience)
  }
  return patience
}

/** The states a name stands for, and those around them. */
function pathsIn(state: string): string[] {
  const leaves = state.startsWith('{') ? leavesOf(JSON.parse(state), []) : [state.split('.')]
  return leaves.flatMap((path) => path.map((_, depth) => path.slice(0, depth + 1).join('.')))
}

function leavesOf(value: unknown, above: readonly string[]): string[][] {
  if (typeof value === 'string') return [[...above, ...value.split('.')]]
  return Object.entries(value as object).flatMap(([key, part]) => leavesOf(part, [...above, key]))
}
