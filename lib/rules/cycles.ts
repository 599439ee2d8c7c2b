// The rule about eventless cycles: `always` that lead back to where they were, within one step.
// Promise: a cycle without a guard is an error, for it never ends; one with guards may end, and is told.
import { nodesOf, type StateNode } from '../blueprint.ts'
import type { AnyStateMachine } from '../machine-type.ts'
import { eventlessMoves, type Move } from './moves.ts'
import type { Found } from './rule.ts'

/** Cycles of eventless transitions, each told at its first state. */
export function endless(machine: AnyStateMachine): Found[] {
  const leaves = nodesOf(machine).filter(({ type }) => type === 'atomic' || type === 'final')
  const moves = new Map(leaves.map((leaf) => [leaf, eventlessMoves(machine, leaf)]))
  const told = new Set<StateNode>()
  const cycles = (isWanted: (move: Move) => boolean, tell: (way: StateNode[]) => Found) =>
    leaves.flatMap((leaf) => {
      if (told.has(leaf)) return []
      const way = wayBack(leaf, (at) => (moves.get(at) ?? []).filter(isWanted))
      if (way === null) return []
      for (const at of way) told.add(at)
      return [tell(way)]
    })
  return [...cycles(({ isCertain }) => isCertain, certain), ...cycles(() => true, possible)]
}

function certain(way: StateNode[]): Found {
  const problem = `its eventless transitions lead round without a guard and without end: ${named(way)}`
  const wayOut = 'give one of these `always` a guard, or let it wait for an event or a delay'
  return { at: way[0], problem, wayOut }
}

function possible(way: StateNode[]): Found {
  const problem = `its eventless transitions lead round for as long as their guards say so: ${named(way)}`
  const wayOut = 'make sure a guard ends it, or let one of these `always` wait for an event'
  return { at: way[0], severity: 'warning', problem, wayOut }
}

const named = (way: StateNode[]): string => {
  const ids = [...way, way[0]].map(({ id }) => id)
  return ids.length > 6 ? [...ids.slice(0, 5), '…', ids[0]].join(' -> ') : ids.join(' -> ')
}

/** The shortest way from a leaf back to itself, the leaf first; null for none. */
function wayBack(leaf: StateNode, movesOf: (at: StateNode) => Move[]): StateNode[] | null {
  const cameFrom = new Map<StateNode, StateNode>()
  const waiting = [leaf]
  // The list grows while it is walked.
  for (const at of waiting) {
    for (const { to } of movesOf(at)) {
      if (to === leaf) return wayTo(at, cameFrom)
      if (cameFrom.has(to)) continue
      cameFrom.set(to, at)
      waiting.push(to)
    }
  }
  return null
}

function wayTo(last: StateNode, cameFrom: Map<StateNode, StateNode>): StateNode[] {
  const way = [last]
  for (let at = cameFrom.get(last); at; at = cameFrom.get(at)) way.unshift(at)
  return way
}
