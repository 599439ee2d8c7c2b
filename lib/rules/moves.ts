// Eventless moves: from one resting place, where `always` may lead within the same step.
// Promise: a move is called certain only when XState cannot but make it; one that changes nothing is none,
// for XState stops there.
import {
  ancestorsOf,
  beneath,
  entered,
  isOwnTimer,
  regionsOf,
  type StateNode,
  takable,
} from '../blueprint.ts'
import type { AnyStateMachine } from '../machine-type.ts'

/** From a simple state to one that is active afterwards. */
export interface Move {
  readonly to: StateNode
  readonly isCertain: boolean
}

/** Where the `always` of a simple state and of those around it may lead. */
export function eventlessMoves(machine: AnyStateMachine, leaf: StateNode): Move[] {
  const around = [leaf, ...ancestorsOf(leaf)]
  if (leaf.type === 'final' && leaf.parent === machine.root && !isRegion(leaf)) return []
  // A region that is final may end the whole.
  let isCertain = leaf.type !== 'final'
  const moves: Move[] = []
  for (const at of around) {
    for (const transition of takable(at.always ?? [])) {
      const isGuarded = transition.guard !== undefined
      if (isGuarded || isRivalled(at) || around.some(hasRivals)) isCertain = false
      moves.push(...landings(machine, leaf, transition, isCertain))
      if (!isGuarded) return moves
    }
  }
  return moves
}

const asksNothing = ({ always }: StateNode): boolean => always !== undefined

/** Has a region beside this one eventless transitions too? Theirs may come first. */
const hasRivals = (region: StateNode): boolean =>
  besideOf(region).flatMap(beneath).some(asksNothing)

/** The same of the states around: a region beside may be about to take one of theirs. */
function isRivalled(node: StateNode): boolean {
  const around = ancestorsOf(node)
  const parallel = around.findIndex(({ type }) => type === 'parallel')
  return parallel >= 0 && around.slice(parallel).some(asksNothing)
}

const isRegion = ({ parent }: StateNode): boolean => parent?.type === 'parallel'

/** The other regions, where this is one. */
const besideOf = (region: StateNode): StateNode[] =>
  isRegion(region) ? regionsOf(region.parent).filter((one) => one !== region) : []

function landings(
  machine: AnyStateMachine,
  leaf: StateNode,
  transition: any,
  isCertain: boolean,
): Move[] {
  const { target = [], actions } = transition
  const domain = target.length > 0 ? domainOf(transition) : leaf
  const places: StateNode[] = target.flatMap((to: StateNode) => landingsOf(to, domain))
  const isUnsure = target.some(({ type }: StateNode) => type === 'history')
  if (target.length > 0 && !places.includes(leaf)) {
    return places.map((to) => ({ to, isCertain: isCertain && !isUnsure }))
  }
  const change = changeOf(machine, [...actions, ...reentered(leaf, domain)])
  if (change === 'none' && changeOf(machine, besides(leaf, domain)) === 'none') return []
  return [{ to: leaf, isCertain: isCertain && !isUnsure && change === 'certain' }]
}

/** The innermost state that a transition does not leave; null for one that leaves even the root. */
function domainOf({ source, target, reenter }: any): StateNode | null {
  const isWithin = (node: StateNode, at: StateNode) => ancestorsOf(node).includes(at)
  const isInside = target.every((to: StateNode) => to === source || isWithin(to, source))
  if (!reenter && isInside) return source
  const common = ancestorsOf(source).find((at) => target.every((to: any) => isWithin(to, at)))
  return common ?? null
}

/** The simple states that are entered by going to a state, when all within the domain was left. */
function landingsOf(target: StateNode, domain: StateNode | null): StateNode[] {
  if (target.type === 'history') return simple(beneath(target.parent))
  if (target === domain) return simple(entered(target))
  const around = ancestorsOf(target)
  const newly = domain === null ? around : around.slice(0, around.indexOf(domain) + 1)
  const beside = [target, ...newly.slice(0, -1)].flatMap(besideOf)
  return simple([target, ...beside].flatMap(entered))
}

const simple = (nodes: StateNode[]): StateNode[] =>
  nodes.filter(({ type }) => type === 'atomic' || type === 'final')

/** What is done when a simple state, and all around it up to the domain, is left and entered again. */
function reentered(leaf: StateNode, domain: StateNode | null): any[] {
  return leaf === domain ? [] : [leaf, ...upTo(leaf, domain)].flatMap(done)
}

/** What may be done meanwhile in the regions beside. */
function besides(leaf: StateNode, domain: StateNode | null): any[] {
  if (leaf === domain) return []
  return [leaf, ...upTo(leaf, domain)].flatMap(besideOf).flatMap(beneath).flatMap(done)
}

/** The states around a state, as far as the domain and without it. */
function upTo(node: StateNode, domain: StateNode | null): StateNode[] {
  const around = ancestorsOf(node)
  return domain === null ? around : around.slice(0, Math.max(around.indexOf(domain), 0))
}

const done = ({ type, entry, exit, invoke, parent }: StateNode): any[] => [
  ...[...entry, ...exit].filter((action) => !isOwnTimer(action)),
  ...invoke.map(() => ({ type: 'xstate.spawnChild' })),
  ...Object.values(parent?.states ?? {}).filter(({ type }: any) => type === 'history'),
  // A final state that is entered again says "done" again.
  ...(type === 'final' ? [{ type: 'done' }] : []),
]

/** What makes XState look for eventless transitions once more, though the states are the same. */
const CHANGES = /^xstate\.(assign|spawnChild|stopChild)$/
/** What may: actions nobody knows yet, an event that may lead elsewhere first, and a memory renewed. */
const MAY_CHANGE = /^xstate\.(enqueueActions|raise)$|^history$|^done$/

function changeOf(machine: AnyStateMachine, actions: any[]): 'none' | 'possible' | 'certain' {
  const types = actions.map((action) => {
    const name = typeof action === 'string' ? action : action.type
    const found: any = (machine.implementations.actions as any)[name] ?? action
    return found.delay === undefined ? String(found.type) : 'a timer'
  })
  if (types.some((type) => CHANGES.test(type))) return 'certain'
  return types.some((type) => MAY_CHANGE.test(type)) ? 'possible' : 'none'
}
