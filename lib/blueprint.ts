// The blueprint: what a machine says of itself before anything runs.
// Promise: reads definitions only; knows the inside of XState's state nodes so that nobody else has to.
import type { AnyStateMachine } from './machine-type.ts'

/** Every state node of a machine, the root among them. */
function nodesOf(machine: AnyStateMachine): any[] {
  const beneath = (node: any): any[] => [node, ...Object.values(node.states).flatMap(beneath)]
  return beneath(machine.root)
}

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
  const { invoke } = machine.getStateNodeById(inline[2] as string).config
  const invokes = Array.isArray(invoke) ? invoke : [invoke]
  return invokes[Number(inline[1])]?.src
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
  return machine.events.some(
    (name: string) =>
      name === type || name === '*' || (name.endsWith('.*') && type.startsWith(name.slice(0, -1))),
  )
}

/** The names of the states of a machine, as `stateName` writes them for its simple states. */
export function stateNames(machine: AnyStateMachine): string[] {
  return namesBeneath(machine.root)
}

/** Every event type a machine names, wildcards included; XState's own are left out. */
export function eventNames(machine: AnyStateMachine): string[] {
  return machine.events.filter((name: string) => !name.startsWith('xstate.'))
}

/** Actions, guards, actors and delays a machine names but was not given, with the state that names them. */
export function missingParts(machine: AnyStateMachine): { path: string; reason: string }[] {
  const { actions, guards, actors, delays } = machine.implementations
  const missing: { path: string; reason: string }[] = []
  const need = (path: string, what: string, name: unknown, given: object) => {
    if (typeof name !== 'string' || name.startsWith('xstate.') || Object.hasOwn(given, name)) return
    missing.push({ path, reason: `the ${what} "${name}" has no implementation` })
  }
  const nameOf = (part: any) => (typeof part === 'object' && part !== null ? part.type : part)
  for (const node of nodesOf(machine)) {
    for (const part of [...node.entry, ...node.exit]) need(node.id, 'action', nameOf(part), actions)
    for (const { src } of node.invoke) need(node.id, 'actor', src, actors)
    for (const delay of Object.keys(node.config.after ?? {})) {
      if (!Number.isFinite(Number(delay))) need(node.id, 'delay', delay, delays)
    }
    for (const transition of [...node.transitions.values(), node.always ?? []].flat()) {
      for (const part of transition.actions) need(node.id, 'action', nameOf(part), actions)
      need(node.id, 'guard', nameOf(transition.guard), guards)
    }
  }
  return missing
}

function namesBeneath(node: any): string[] {
  return Object.values(node.states).flatMap((child: any) => [
    child.path.join('.'),
    ...namesBeneath(child),
  ])
}
