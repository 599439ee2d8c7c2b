// The blueprint: what a machine says of itself before anything runs.
// Promise: reads definitions only; knows the inside of XState's state nodes so that nobody else has to.
import type { AnyStateMachine } from './machine-type.ts'

/** A state node as XState keeps it; the root is one too. */
export type StateNode = any

/** An action wherever it is named: at a state, or among those provided by name. */
export interface Deed {
  /** The state, or `actions.NAME` for one that is provided. */
  readonly at: StateNode | string
  readonly action: any
}

/** Every state node of a machine, the root among them, in the order they are written. */
export function nodesOf(machine: AnyStateMachine): StateNode[] {
  return beneath(machine.root)
}

/** A state and all within it. */
export function beneath(node: StateNode): StateNode[] {
  return [node, ...Object.values(node.states).flatMap(beneath)]
}

/** The states around a state, the nearest first. */
export function ancestorsOf(node: StateNode): StateNode[] {
  return node.parent ? [node.parent, ...ancestorsOf(node.parent)] : []
}

/** Every transition of a state but its initial one, in the order they are written. */
export function transitionsOf(node: StateNode): any[] {
  return [...[...node.transitions.values()].flat(), ...(node.always ?? [])]
}

/** Of transitions for one event, those that can ever be taken: none after one that asks nothing. */
export function takable(transitions: readonly any[]): any[] {
  const last = transitions.findIndex(({ guard }) => guard === undefined)
  return last < 0 ? [...transitions] : transitions.slice(0, last + 1)
}

/** The states that are entered by default with a state: it, its first child, every region. */
export function entered(node: StateNode): StateNode[] {
  if (node.type === 'compound') {
    const first = initialOf(node)?.target[0]
    return [node, ...(first ? entered(first) : [])]
  }
  if (node.type !== 'parallel') return [node]
  return [node, ...regionsOf(node).flatMap(entered)]
}

/** The regions of a parallel state. */
export const regionsOf = (node: StateNode): StateNode[] =>
  Object.values(node.states).filter(({ type }: any) => type !== 'history')

/** All that may be entered by going to a state: with it, around it, and in the regions beside it. */
export function enteredBy(target: StateNode): StateNode[] {
  if (target.type === 'history') {
    const defaults = historyDefaults(target).filter((found) => found !== null)
    return [target, ...defaults.flatMap(enteredBy)]
  }
  const around = ancestorsOf(target)
  const beside = around.flatMap((at, index) => {
    if (at.type !== 'parallel') return []
    const way = around[index - 1] ?? target
    return regionsOf(at).filter((region) => region !== way)
  })
  return [...around, ...entered(target), ...beside.flatMap(entered)]
}

/** The transition into a state's first child; null for none, or for a child that is not there. */
export function initialOf(node: StateNode): any {
  try {
    const { initial } = node
    // XState also finds a child named as a member of every object, `constructor` say.
    return Object.values(node.states).includes(initial.target[0]) ? initial : null
  } catch {
    return null // XState looks for the child only when it gets there
  }
}

/** Where a history state leads when there is nothing to remember; null where a target is not there. */
export function historyDefaults(node: StateNode): (StateNode | null)[] {
  const { parent, machine, config } = node
  if (config.target === undefined) {
    return [parent.type === 'parallel' ? parent : (initialOf(parent)?.target[0] ?? null)]
  }
  return [config.target].flat().map((target: string) => {
    const [first = '', ...keys] = target.split(/(?<!\\)\./).map((key) => key.replaceAll('\\.', '.'))
    const named = first.startsWith('#')
    const start = named ? machine.idMap.get(first.slice(1)) : childOf(parent, first)
    return keys.reduce((at, key) => childOf(at, key), start) ?? null
  })
}

const childOf = (node: StateNode, key: string): StateNode | undefined =>
  node && Object.hasOwn(node.states, key) ? node.states[key] : undefined

/** Every invoke of a machine: the state that makes it and the name of its source. */
export function invokesOf(machine: AnyStateMachine): { path: string; src: string }[] {
  return nodesOf(machine).flatMap((node) =>
    node.invoke.map(({ src }: any) => ({ path: node.id, src })),
  )
}

/** The logic behind an invoke's source, inline ones included; undefined when none is provided. */
export function actorLogic(machine: AnyStateMachine, src: string): unknown {
  const inline = /^xstate\.invoke\.(\d+)\.(.*)$/.exec(src)
  if (!inline) return machine.implementations.actors[src as never]
  const node = (machine as any).idMap.get(inline[2])
  return [node?.config.invoke].flat()[Number(inline[1])]?.src
}

/** Is this logic a statechart, and so a task when it is spawned? */
export function isMachine(logic: unknown): logic is AnyStateMachine {
  return typeof logic === 'object' && logic !== null && '__xstatenode' in logic && 'root' in logic
}

/** The name under which a machine can find an actor's logic again; null when it has none. */
export function nameOfLogic(machine: AnyStateMachine, src: unknown): string | null {
  if (typeof src === 'string') return actorLogic(machine, src) === undefined ? null : src
  const named = Object.entries(machine.implementations.actors).find(([, logic]) => logic === src)
  return named?.[0] ?? null
}

/** Has some state of the machine a transition for this event, by name or by wildcard? */
export function takes(machine: AnyStateMachine, type: string): boolean {
  return machine.events.some((descriptor: string) => isHeard(type, descriptor))
}

/** The names of the states of a machine, as `stateName` writes them for its simple states. */
export function stateNames(machine: AnyStateMachine): string[] {
  return namesBeneath(machine.root)
}

/** Every event type a machine names, wildcards included; XState's own are left out. */
export function eventNames(machine: AnyStateMachine): string[] {
  return machine.events.filter((name: string) => !name.startsWith('xstate.'))
}

/** Would a transition for this descriptor be asked about this event? */
export function isHeard(event: string, descriptor: string): boolean {
  if (descriptor === event || descriptor === '*') return true
  return descriptor.endsWith('.*') && `${event}.`.startsWith(descriptor.slice(0, -1))
}

/** Every action of a machine, those of XState's own timers left out. */
export function deedsOf(machine: AnyStateMachine): Deed[] {
  const atStates = nodesOf(machine).flatMap((node) =>
    [
      ...[...node.entry, ...node.exit].filter((action) => !isOwnTimer(action)),
      ...(initialOf(node)?.actions ?? []),
      ...transitionsOf(node).flatMap(({ actions }) => actions),
    ].map((action) => ({ at: node, action })),
  )
  const provided = Object.entries(machine.implementations.actions)
  return [...atStates, ...provided.map(([name, action]) => ({ at: `actions.${name}`, action }))]
}

/** Does this action belong to an `after`? */
export const isOwnTimer = ({ event, sendId }: any): boolean =>
  String(event?.type ?? sendId).startsWith('xstate.after.')

/** A guard, and the guards it is made of. */
export function guardsIn(guard: any): any[] {
  if (guard === undefined || guard === null) return []
  return [guard, ...(Array.isArray(guard.guards) ? guard.guards.flatMap(guardsIn) : [])]
}

/** The event types the states of a snapshot name, wildcards included, without asking any guard. */
export function nextEvents(awake: { _nodes: readonly any[] }): string[] {
  const types = awake._nodes.flatMap((node) => node.ownEvents as string[])
  return [...new Set(types)].filter((type) => !type.startsWith('xstate.'))
}

/** Actions, guards, actors and delays a machine names but was not given, with the state that names them. */
export function missingNames(machine: AnyStateMachine) {
  const { actions, guards, actors, delays } = machine.implementations
  const missing: { at: StateNode | string; what: string; name: string }[] = []
  const need = (at: StateNode | string, what: string, name: unknown, given: object) => {
    if (typeof name !== 'string' || name.startsWith('xstate.') || Object.hasOwn(given, name)) return
    missing.push({ at, what, name })
  }
  for (const node of nodesOf(machine)) {
    for (const { src } of node.invoke) need(node, 'actor', src, actors)
    for (const delay of Object.keys(node.config.after ?? {})) {
      if (!Number.isFinite(Number(delay))) need(node, 'delay', delay, delays)
    }
    for (const { guard } of transitionsOf(node)) {
      for (const part of guardsIn(guard)) need(node, 'guard', nameOf(part), guards)
    }
  }
  for (const { at, action } of deedsOf(machine)) {
    need(at, 'action', nameOf(action), actions)
    need(at, 'delay', action?.delay, delays)
    if (action?.type === 'xstate.spawnChild') need(at, 'actor', action.src, actors)
  }
  for (const [name, guard] of Object.entries(guards)) {
    for (const part of guardsIn(guard)) need(`guards.${name}`, 'guard', nameOf(part), guards)
  }
  return missing
}

const nameOf = (part: any) => (typeof part === 'object' && part !== null ? part.type : part)

function namesBeneath(node: any): string[] {
  return Object.values(node.states).flatMap((child: any) => [
    child.path.join('.'),
    ...namesBeneath(child),
  ])
}

/** An event that an active state names, and whether a guard has its word in it. */
export interface Accepted {
  readonly event: string
  readonly state: string
  readonly isGuarded: boolean
}

/** What the active states of a snapshot accept, the innermost first, without asking any guard. */
export function accepted(awake: { _nodes: readonly any[] }): Accepted[] {
  const nodes = [...awake._nodes].sort((a, b) => b.path.length - a.path.length)
  return nodes.flatMap((node) =>
    (node.ownEvents as string[])
      .filter((event) => !event.startsWith('xstate.'))
      .map((event) => {
        const ways: readonly { guard?: unknown }[] = node.transitions.get(event) ?? []
        const isGuarded = ways.every(({ guard }) => guard !== undefined)
        return { event, state: node.path.join('.') || node.key, isGuarded }
      }),
  )
}
