// Actors that live: callbacks and observables, which have no state of their own that could be kept.
// Promise: the one place where an actor of XState is started; it can reach nobody but its machine, and what it
// says is an event for that machine like any other.
import { createActor } from 'xstate'
import { actorLogic } from './blueprint.ts'
import { INERT } from './cast.ts'
import { runnableOf } from './effect.ts'
import type { AnyStateMachine } from './machine-type.ts'
import type { Actor, MachineEvent } from './rest.ts'

export interface LiveActor {
  tell(event: MachineEvent): void
  stop(): void
}

/** Is this the logic of a callback or an observable: something to be started, that is no promise and no machine? */
export function isLive(logic: any): boolean {
  return (
    typeof logic?.start === 'function' && !('__xstatenode' in logic) && runnableOf(logic) === null
  )
}

/** Is the source of this actor one that lives? */
export const livesBy = (machine: AnyStateMachine, src: string): boolean =>
  isLive(actorLogic(machine, src))

/**
 * Starts one.
 * @param say hears what it sends to its machine, its snapshots and its end among it
 */
export function startLive(
  machine: AnyStateMachine,
  { id, src, input, sync, systemId }: Actor,
  say: (event: MachineEvent) => void,
): LiveActor {
  const _relay = (_source: unknown, target: any, event: MachineEvent) => target._send(event)
  const system = { ...INERT, _bookId: () => id, _relay }
  const parent = { system, _send: (event: MachineEvent) => say(plain(event)) }
  const options = { id, input, parent, syncSnapshot: sync === true, systemId }
  const actor: any = createActor(actorLogic(machine, src) as any, options as any)
  actor.start()
  return { tell: (event) => actor.send(event), stop: () => actor._stop() }
}

/** A snapshot of an observable holds its subscription; what its machine is to hear is the value. */
function plain(event: MachineEvent): MachineEvent {
  if (!event.type.startsWith('xstate.snapshot.')) return event
  const { status, context, output } = event.snapshot
  return { ...event, snapshot: { status, context, output } }
}
