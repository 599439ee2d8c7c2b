// A move: one cause through the machine, its actions performed, ready to be stored.
// Promise: writes nothing; whatever user code throws comes out of here, with the task as it was.
import type { Json } from '../lib/codec.ts'
import { advance, begin, type MachineEvent, type Place, type Rest } from '../lib/machine.ts'
import type { Step } from '../lib/rest.ts'
import { type Cause, endedBy, eventOf, payloadOf } from './cause.ts'
import type { TaskDefinition } from './kind.ts'
import { toSnapshot } from './memory.ts'
import type { Desktop, Round } from './round.ts'

/** What a step is to leave behind. */
export interface Move extends Pick<Step, 'rest' | 'emitted' | 'logged' | 'sent' | 'born' | 'left'> {
  readonly cause: Cause
  readonly event: string
  readonly snapshot: Json
  /** The cause as the history keeps it. */
  readonly payload: Json | null
}

export interface MoveOptions {
  readonly round: Round
  readonly definition: TaskDefinition
  readonly taskId: string
  /** Where the task rests; null before its first step. */
  readonly rest: Rest | null
  /** The number the step will have. */
  readonly step: number
  readonly cause: Cause
  readonly desktop: Desktop
  readonly place: Place
}

/**
 * Computes and performs.
 * @returns null when no state accepts the event
 * @throws what guards, assigns and actions throw; the error of an effect nobody handles; VALUE_NOT_STORABLE
 */
export async function move(options: MoveOptions): Promise<Move | null> {
  const { round, taskId, cause, desktop, definition } = options
  const { sealer } = round.parts
  const event = eventOf(cause, { sealer, machine: definition.machine, rest: options.rest })
  const { changed, acts, error, ...step } = compute(options, event)
  if (step.rest.status === 'error') throw error
  if (!changed && (cause.kind === 'mail' || cause.kind === 'said') && !endedBy(cause)) return null
  const key = `${taskId}:${options.step}`
  for (const { exec, info, params } of acts) {
    await exec({ ...info, resource: desktop.resource, key }, params)
  }
  const snapshot = toSnapshot(step.rest, sealer)
  return { ...step, cause, event: event.type, snapshot, payload: payloadOf(cause, sealer) }
}

/** The timer that fired is gone and the actor that ended has ended, whatever the machine makes of it. */
function compute(options: MoveOptions, event: MachineEvent): Step {
  const { round, definition, rest, step, cause, place } = options
  const { machine } = definition
  const now = round.time.now()
  if (!rest) return begin(machine, event.input, step, now, place)
  const fired = cause.kind === 'timer' ? cause.timer : undefined
  const left = rest.timers.filter((timer) => timer !== fired)
  if (fired?.to) return delivered({ ...rest, timers: left }, fired.to, fired.event)
  const ended = endedBy(cause)
  const actors = rest.actors.map((actor) =>
    ended !== null && actor.address.sessionId === ended
      ? { ...actor, ended: true as const }
      : actor,
  )
  return advance(machine, { ...rest, timers: left, actors }, event, step, now, place, fired)
}

/** A delayed event for somebody else is sent on; the machine itself does not hear of it. */
function delivered(rest: Rest, to: Step['sent'][number]['to'], event: MachineEvent): Step {
  const nothing = { acts: [], emitted: [], logged: [], born: [], left: [] }
  return { ...nothing, rest, changed: true, sent: [{ to, event }] }
}
