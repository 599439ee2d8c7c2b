// A move: one cause through the machine, its actions performed, ready to be stored.
// Promise: writes nothing; whatever user code throws comes out of here, with the task as it was.
import type { Json } from '../lib/codec.ts'
import { fault } from '../lib/errors.ts'
import { advance, begin, type MachineEvent, type Place, type Rest } from '../lib/machine.ts'
import { movedId } from '../lib/moved.ts'
import type { Actor, Step } from '../lib/rest.ts'
import type { Time } from '../lib/time.ts'
import { LATE, within } from '../lib/within.ts'
import { type Cause, endedBy, eventOf, payloadOf } from './cause.ts'
import type { NewWork, TaskOptions } from './declared.ts'
import type { Desktop } from './desktop.ts'
import type { TaskDefinition } from './kind.ts'
import { toSnapshot } from './memory.ts'
import type { Round } from './round.ts'

/** What a step is to leave behind. */
export interface Move extends Pick<Step, 'rest' | 'emitted' | 'logged' | 'sent' | 'born' | 'left'> {
  readonly cause: Cause
  readonly event: string
  readonly snapshot: Json
  /** The cause as the history keeps it. */
  readonly payload: Json | null
}

export interface MoveOptions {
  readonly round: { readonly time: Time; readonly parts: Pick<Round['parts'], 'sealer'> }
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
  const key = `${taskId}:${options.step}`
  const note = (text: string) => desktop.outbox.note(text)
  const told = named(
    eventOf(cause, { sealer, machine: definition.machine, rest: options.rest }),
    options,
  )
  const prepare = options.rest ? undefined : definition.options.new
  const event = prepare
    ? { ...told, input: await prepared(options, prepare, { input: told.input, key, note }) }
    : told
  const step = compute(options, event)
  if (isRefused(step, options.cause)) return null
  for (const { exec, info, params } of step.acts) {
    await exec({ ...info, resource: desktop.resource, key, note }, params)
  }
  return moved(step, options, event)
}

/** What is known of a step before anybody works on it. */
type Bare = Omit<MoveOptions, 'desktop' | 'taskId'>

/** The same where nothing is waited for, neither `new` nor an action; undefined where something is. */
export function movedAtOnce(options: Bare): Move | null | undefined {
  const { round, cause, definition, rest } = options
  if (!rest && definition.options.new) return undefined
  const { sealer } = round.parts
  const event = named(eventOf(cause, { sealer, machine: definition.machine, rest }), options)
  const step = compute(options, event)
  if (isRefused(step, cause)) return null
  return step.acts.length > 0 ? undefined : moved(step, options, event)
}

/** Did no state accept it? @throws the error the machine has ended with */
function isRefused({ rest, error, changed }: Step, cause: Cause): boolean {
  if (rest.status === 'error') throw error
  return !changed && (cause.kind === 'mail' || cause.kind === 'said') && !endedBy(cause)
}

function moved(step: Step, { cause, round }: Bare, event: MachineEvent): Move {
  const { sealer } = round.parts
  const { rest, emitted, logged, sent, born, left } = step
  const snapshot = toSnapshot(rest, sealer)
  const payload = payloadOf(cause, sealer)
  return { rest, emitted, logged, sent, born, left, cause, event: event.type, snapshot, payload }
}

/** What a child tells may name the state that invoked it, by the name it had then. */
function named(event: MachineEvent, { definition, cause }: Bare): MachineEvent {
  const { states } = definition.options
  if (!states || cause.kind !== 'mail' || cause.mail.sender === null) return event
  return { ...event, type: movedId(definition.machine, event.type, states) }
}

/** How long `new` may take: it is no effect, so it has no policy of its own. */
const PREPARE_MS = 60_000

/** The machine's input, as the task's own `new` makes it. */
async function prepared(
  { round, desktop }: MoveOptions,
  prepare: NonNullable<TaskOptions['new']>,
  work: Omit<NewWork, 'resource'>,
): Promise<unknown> {
  const asked = Promise.resolve(prepare({ ...work, resource: desktop.resource }))
  const input = await within(round.time, PREPARE_MS, asked)
  if (input === LATE) throw fault('EFFECT_TIMEOUT', { effect: 'new', timeoutMs: PREPARE_MS })
  return input
}

/** The timer that fired is gone and the actor that ended has ended, whatever the machine makes of it. */
function compute(options: Bare, event: MachineEvent): Step {
  const { round, definition, rest, step, cause, place } = options
  const { machine } = definition
  const now = round.time.now()
  if (!rest) return begin(machine, event.input, step, now, place)
  const fired = cause.kind === 'timer' ? cause.timer : undefined
  const left = rest.timers.filter((timer) => timer !== fired)
  if (fired?.to) return delivered({ ...rest, timers: left }, fired.to, fired.event)
  const ended = endedBy(cause)
  const actors = ended === null ? rest.actors : rest.actors.map((actor) => over(actor, ended))
  return advance(machine, resting(rest, left, actors), event, step, now, place, fired)
}

/** The actor of this address has ended. Written out for the same reason. */
function over(actor: Actor, ended: string): Actor {
  const { id, src, input, armedAt, kind, address, keyId, systemId, sync } = actor
  if (address.sessionId !== ended) return actor
  if (keyId !== undefined || systemId !== undefined || sync) return { ...actor, ended: true }
  return { id, src, input, armedAt, kind, address, ended: true }
}

/** The rest with these timers and actors. Most have no more parts than are written out here, which is faster than a copy. */
function resting(rest: Rest, timers: Rest['timers'], actors: Rest['actors']): Rest {
  const { value, context, order, history, output, status } = rest
  if (order || history || output !== undefined) return { ...rest, timers, actors }
  return { value, context, status, timers, actors }
}

/** A delayed event for somebody else is sent on; the machine itself does not hear of it. */
function delivered(rest: Rest, to: Step['sent'][number]['to'], event: MachineEvent): Step {
  const nothing = { acts: [], emitted: [], logged: [], born: [], left: [] }
  return { ...nothing, rest, changed: true, sent: [{ to, event }] }
}
