// Names that lead nowhere: parts that were not given, children that are not there, states no id finds.
// Promise: what XState would find out on its way, in the middle of a step, is found before the first.
import {
  historyDefaults,
  initialOf,
  missingNames,
  nodesOf,
  type StateNode,
  transitionsOf,
} from '../blueprint.ts'
import type { AnyStateMachine } from '../machine-type.ts'
import type { Found } from './rule.ts'

/** Actions, guards, actors and delays that are named but not provided. */
export function missing(machine: AnyStateMachine): Found[] {
  return missingNames(machine).map(({ at, what, name }) => ({
    at,
    problem: `the ${what} "${name}" has no implementation`,
    wayOut: `provide it in setup({ ${what}s }), or correct the name`,
  }))
}

/** Targets that are no states: of first transitions, of histories, and those XState takes for states. */
export function lostTargets(machine: AnyStateMachine): Found[] {
  const nodes = nodesOf(machine)
  const known = new Set(nodes)
  return nodes.flatMap((node) =>
    lostNames(node, known).map(([what, name]) => ({
      at: node,
      problem: `its ${what} ${JSON.stringify(name) ?? 'undefined'} is no state`,
      wayOut: `let ${what} name a state that is there`,
    })),
  )
}

function lostNames(node: StateNode, known: Set<StateNode>): [what: string, name: unknown][] {
  if (node.type === 'history') {
    return historyDefaults(node).includes(null) ? [['target', node.config.target]] : []
  }
  // XState refuses other targets itself, but not the names of members every object has.
  const lost: [string, unknown][] = transitionsOf(node)
    .filter(({ target = [] }) => !target.every((to: StateNode) => known.has(to)))
    .map(({ target }) => ['target', String(target[0]?.key ?? target[0]?.name)])
  const isLost = node.type === 'compound' && initialOf(node) === null
  return isLost ? [['initial', node.config.initial], ...lost] : lost
}

/** States that XState does not find by their own id: it is used twice, or has a dot in it. */
export function lostIds(machine: AnyStateMachine): Found[] {
  const nodes = nodesOf(machine)
  const remembers = nodes.some(({ type }) => type === 'history')
  return nodes.flatMap((node): Found[] => {
    const { id } = node
    if ((machine as any).idMap.get(id) !== node) {
      const problem = `the id "${id}" is used twice, so events, timers and histories mix the two states up`
      return [{ at: node, problem, wayOut: 'give each state an id of its own' }]
    }
    if (isFound(machine, node)) return []
    // Only histories and actors without a name are looked up by id.
    const isNeeded = remembers || node.invoke.some(({ src }: any) => src.startsWith('xstate.'))
    const problem = `XState does not find it by its id "${id}", for a name in it has a dot`
    const wayOut = 'write ids of machines and names and ids of states without dots'
    return [{ at: node, problem, wayOut, severity: isNeeded ? 'error' : 'warning' }]
  })
}

function isFound(machine: AnyStateMachine, node: unknown): boolean {
  try {
    return machine.getStateNodeById((node as { id: string }).id) === node
  } catch {
    return false
  }
}
