// A move: one cause through the machine, its actions performed, ready to be stored.
// Promise: writes nothing; whatever user code throws comes out of here, with the task as it was.
import type { Json } from '../lib/codec.ts'
import { advance, begin, type MachineEvent, type Rest } from '../lib/machine.ts'
import type { Step } from '../lib/rest.ts'
import { type Cause, eventOf, payloadOf } from './cause.ts'
import type { TaskDefinition } from './kind.ts'
import { toSnapshot } from './memory.ts'
import type { Desktop, Round } from './round.ts'

/** What a step is to leave behind. */
export interface Move {
  readonly cause: Cause
  readonly event: string
  readonly rest: Rest
  readonly emitted: readonly MachineEvent[]
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
}

/**
 * Computes and performs.
 * @returns null when no state accepts the event
 * @throws what guards, assigns and actions throw; the error of an effect nobody handles; VALUE_NOT_STORABLE
 */
export async function move(options: MoveOptions): Promise<Move | null> {
  const { round, taskId, cause, desktop } = options
  const { sealer } = round.parts
  const event = eventOf(cause, sealer)
  const { rest, changed, acts, emitted, ...failed } = compute(options, event)
  if ('error' in failed) throw failed.error
  if (!changed && cause.kind === 'mail') return null
  const key = `${taskId}:${options.step}`
  for (const { exec, info, params } of acts) {
    await exec({ ...info, resource: desktop.resource, key }, params)
  }
  const snapshot = toSnapshot(rest, sealer)
  return { cause, event: event.type, rest, emitted, snapshot, payload: payloadOf(cause, sealer) }
}

/** The timer that fired and the effect that ended are gone, whatever the machine makes of them. */
function compute({ round, definition, rest, step, cause }: MoveOptions, event: MachineEvent): Step {
  const { machine } = definition
  const now = round.time.now()
  if (!rest) return begin(machine, event.input, step, now)
  const timerId = cause.kind === 'timer' ? cause.timer.id : null
  const effectId = cause.kind === 'effect' ? cause.errand.effect.id : null
  const timers = rest.timers.filter(({ id }) => id !== timerId)
  const effects = rest.effects.filter(({ id }) => id !== effectId)
  return advance(machine, { ...rest, timers, effects }, event, step, now)
}
