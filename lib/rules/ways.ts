// Rules about the ways through a machine: states nobody gets to, states nobody gets out of.
// Promise: in doubt there is a way, so what is reported is certain whatever guards say.
import {
  ancestorsOf,
  beneath,
  enteredBy,
  nodesOf,
  regionsOf,
  type StateNode,
  takable,
} from '../blueprint.ts'
import type { AnyStateMachine } from '../machine-type.ts'
import type { Found } from './rule.ts'

/** States that no transition leads to; of states within one another the outermost. */
export function unreachable(machine: AnyStateMachine): Found[] {
  const reached = reachedIn(machine)
  return nodesOf(machine)
    .filter((node) => !reached.has(node) && (!node.parent || reached.has(node.parent)))
    .map((node) => ({
      at: node,
      problem: 'no transition leads to it',
      wayOut: 'lead to it from a state that can be reached, or remove it',
    }))
}

function reachedIn(machine: AnyStateMachine): Set<StateNode> {
  const reached = new Set<StateNode>(enteredBy(machine.root))
  // The set grows while it is walked.
  for (const node of reached) {
    for (const { target = [] } of ways(node)) {
      for (const found of target.flatMap(enteredBy)) reached.add(found)
    }
  }
  return reached
}

/** The transitions of a state that can be taken. */
const ways = (node: StateNode): any[] =>
  // What a wrong target leads to has no transitions.
  [...(node.transitions?.values() ?? []), node.always ?? []].flatMap(takable)

/** Resting places without a way out that do not end anything. */
export function deadEnds(machine: AnyStateMachine): Found[] {
  const reached = reachedIn(machine)
  return nodesOf(machine)
    .filter((node) => node.type === 'atomic' && reached.has(node) && !hasWayOut(node))
    .map((node) => ({
      at: node,
      problem: 'nothing leads out of it and it is not final, so its task rests there for ever',
      wayOut: "make it type: 'final', or give it a transition",
    }))
}

function hasWayOut(node: StateNode): boolean {
  return [node, ...ancestorsOf(node)].some((at) => moves(at) || isLeftFromBeside(at))
}

/** Something happens here: a transition, an actor that runs, an end by the clock. */
function moves(node: StateNode): boolean {
  if (node.invoke.length > 0 || node.meta?.timeoutMs !== undefined) return true
  // "Done" of a state with a dead end in it never comes.
  return ways(node).some(
    ({ eventType, target, actions }) =>
      eventType !== `xstate.done.state.${node.id}` && (target || actions.length > 0),
  )
}

/** Does another region of the same parallel state lead out of it? */
function isLeftFromBeside(region: StateNode): boolean {
  if (region.parent?.type !== 'parallel') return false
  return regionsOf(region.parent).some((beside) => {
    if (beside === region) return false
    const inside = new Set(beneath(beside))
    return [...inside].some((at) =>
      ways(at).some(({ target = [] }) => target.some((to: StateNode) => !inside.has(to))),
    )
  })
}

/** Final states with transitions: what is final is not left. */
export function leftFinals(machine: AnyStateMachine): Found[] {
  return nodesOf(machine)
    .filter((node) => node.type === 'final' && (node.transitions.size > 0 || node.always))
    .map((node) => ({
      at: node,
      problem: 'it is final and has transitions, which are not meant to be taken',
      wayOut: 'take its transitions away, or do not call it final',
    }))
}
