// Rules about actors: what is invoked and spawned, and who hears of its failure.
import {
  actorLogic,
  ancestorsOf,
  deedsOf,
  isHeard,
  isMachine,
  nameOfLogic,
  nodesOf,
} from '../blueprint.ts'
import { runnableOf } from '../effect.ts'
import { isLive } from '../machine-live.ts'
import type { AnyStateMachine } from '../machine-type.ts'
import type { Found } from './rule.ts'

/** Logic that is invoked or provided and cannot be carried on or begun again by another process. */
export function undurable(machine: AnyStateMachine): Found[] {
  const invoked = nodesOf(machine).flatMap((node) =>
    node.invoke.map(({ src }: { src: string }) => ({ at: node, src })),
  )
  const used = new Set(invoked.map(({ src }) => src))
  const spare = Object.keys(machine.implementations.actors).filter((src) => !used.has(src))
  const all = [...invoked, ...spare.map((src) => ({ at: `actors.${src}`, src }))]
  return all.flatMap(({ at, src }) => {
    const logic = actorLogic(machine, src)
    // What is not there at all is another rule's.
    if (logic === undefined || isMachine(logic) || runnableOf(logic) || isLive(logic)) return []
    const problem = `the actor "${src}" is neither an effect(…), a fromPromise(…), a machine, a callback nor an observable`
    return [{ at, problem, wayOut: 'write a fromTransition(…) as a machine' }]
  })
}

/** `spawnChild` of logic itself: no other process could tell which logic that was. */
export function spawnUnnamed(machine: AnyStateMachine): Found[] {
  return deedsOf(machine)
    .filter(
      ({ action }) =>
        action?.type === 'xstate.spawnChild' && nameOfLogic(machine, action.src) === null,
    )
    .filter(({ action }) => typeof action.src !== 'string')
    .map(({ at }) => ({
      at,
      problem: 'it spawns an actor that has no name, so no other process could go on with it',
      wayOut: "provide it in setup({ actors }) and write spawnChild('name')",
    }))
}

/** Invokes whose failure no state hears of. */
export function failureUnhandled(machine: AnyStateMachine): Found[] {
  return nodesOf(machine).flatMap((node) =>
    node.invoke.flatMap(({ id, src }: { id: string; src: string }) => {
      const event = `xstate.error.actor.${id}`
      const around = [node, ...ancestorsOf(node)]
      const heard = around.some((at) =>
        [...at.transitions.keys()].some((name: string) => isHeard(event, name)),
      )
      if (heard) return []
      const name = src.startsWith('xstate.invoke.') ? id : src
      const problem = `nobody hears when "${name}" fails, so its task would be parked as panicked`
      return [{ at: node, problem, wayOut: 'give the invoke an onError, or a state around it' }]
    }),
  )
}
