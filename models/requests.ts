// Requests as rows: verbs turned into the parts of a unit, checked against the definitions.
// Promise: what is refused is refused here, before anything is written, whoever asks.
import { distance } from 'fastest-levenshtein'
import { isHeard } from '../lib/blueprint.ts'
import { encode, type Json } from '../lib/codec.ts'
import { toMs } from '../lib/duration.ts'
import { fault } from '../lib/errors.ts'
import type { HoldSignal, Scope } from '../lib/hold.ts'
import { newId } from '../lib/id.ts'
import { named, weighed } from '../lib/limits.ts'
import type { NewEvent, NewResource, NewRun, Report, RunStop, Unit } from '../lib/unit.ts'
import { type AvailabilityStatus, mayFollow } from './availability.ts'
import { endOf } from './ending.ts'
import { type Kind, LIFE } from './kind.ts'
import { DELETING } from './life.ts'
import type {
  Because,
  DeleteOptions,
  EventInput,
  PauseOptions,
  RequestParts,
  SendOptions,
  StopOptions,
  Target,
} from './verbs.ts'

export type { RequestParts } from './verbs.ts'

export const authorOf = ({ actor, reason }: Because, { actor: byDefault }: { actor: string }) => ({
  actor: actor ?? byDefault,
  reason: reason ?? null,
})

/** @throws TASK_UNKNOWN, VALUE_NOT_STORABLE, EVENT_TOO_LARGE */
export function newRun(
  parts: RequestParts,
  target: Target,
  args: unknown,
  because: Because,
): NewRun {
  const { name, version } = target.kind.task(target.task)
  return {
    id: newId(parts.time),
    resourceId: target.resourceId,
    task: name,
    version,
    evenStopped: name === LIFE,
    origin: null,
    ...target.kind.laneOf(name),
    ...target.kind.route,
    ...renamed(target),
    args:
      args === undefined
        ? null
        : weighed(encode(args, parts.sealer), `What ${name} is started with`),
    ...authorOf(because, parts),
  }
}

/** The end of a task, or of all but the life for null. @throws TASK_UNKNOWN */
export function newStop(
  parts: RequestParts,
  kind: Kind,
  resourceId: string,
  task: string | null,
  { force = false, ...because }: StopOptions,
): RunStop {
  const name = task === null ? null : kind.task(task).name
  const exits = kind.exitsOf(name)
  return {
    resourceId,
    task: name,
    ...(task !== null && renamed({ kind, resourceId, task })),
    ...kind.route,
    except: task === null ? LIFE : null,
    ...(force && { force }),
    ...(exits.length > 0 && { exits }),
    ...authorOf(because, parts),
  }
}

/**
 * The begin of a deletion: whatever life the resource leads is over, and one that ends with its row begins.
 * @throws RESOURCE_UNDELETABLE when its life knows no such end
 */
export function newDeletion(
  parts: RequestParts,
  kind: Kind,
  resourceId: string,
  { cascade = false, ...because }: DeleteOptions,
): Required<Pick<Unit, 'stops' | 'marks' | 'starts'>> {
  const life = { kind, resourceId, task: LIFE }
  if (!kind.task(LIFE).states.includes(DELETING))
    throw fault('RESOURCE_UNDELETABLE', { kind: kind.name, id: resourceId })
  const author = authorOf(because, parts)
  return {
    stops: [newStop(parts, kind, resourceId, LIFE, because)],
    marks: [{ resourceId, state: DELETING, event: '__delete__', ...author }],
    starts: [newRun(parts, life, { delete: { cascade, ...author } }, because)],
  }
}

/** @throws ARGUMENT_INVALID for a status that is none */
export function newReport(
  parts: RequestParts,
  resourceId: string,
  status: AvailabilityStatus,
  because: Because,
): Report {
  return { resourceId, status, from: mayFollow(status), ...authorOf(because, parts) }
}

/** @throws ARGUMENT_INVALID for a moment that has passed */
export function newPause(
  parts: RequestParts,
  resourceId: string,
  options: PauseOptions,
): HoldSignal {
  const until = endOf(options, parts.time.now())
  const scope: Scope = `resource:${resourceId}`
  return { scope, by: 'pause', event: 'shut', until, ...authorOf(options, parts) }
}

export function newResume(parts: RequestParts, resourceId: string, because: Because): HoldSignal {
  const scope: Scope = `resource:${resourceId}`
  return { scope, by: 'pause', event: 'open', until: null, ...authorOf(because, parts) }
}

/** @throws TASK_UNKNOWN, EVENT_UNKNOWN, EVENT_TOO_LARGE, VALUE_NOT_STORABLE, ARGUMENT_INVALID */
export function newEvent(
  parts: RequestParts,
  target: Target,
  event: EventInput,
  options: SendOptions,
): NewEvent {
  const { type, ...payload } = typeof event === 'string' ? { type: event } : event
  checkEvent(target, type)
  const { dedupKey, expiresIn } = options
  const isEmpty = Object.keys(payload).length === 0
  return {
    id: newId(parts.time),
    resourceId: target.resourceId,
    task: target.kind.task(target.task).name,
    ...target.kind.route,
    ...renamed(target),
    type,
    payload: isEmpty ? null : weighed(encode(payload, parts.sealer), `The event ${type}`),
    dedupKey: dedupKey === undefined ? null : named('The dedup key', dedupKey),
    sender: null,
    recipient: null,
    expiresAt: expiresIn === undefined ? null : parts.time.now() + toMs(expiresIn, 'expiresIn'),
    ...authorOf(options, parts),
  }
}

/** Old names go with a request only where there are any. */
function renamed({ kind, task }: Target): { was?: readonly string[] } {
  const [, ...was] = kind.namesOf(task)
  return was.length > 0 ? { was } : {}
}

/** @throws FIELDS_INVALID, FIELD_UNKNOWN, VALUE_NOT_STORABLE */
export function newResource(
  parts: RequestParts,
  kind: Kind,
  given: Readonly<Record<string, unknown>>,
  parentId: string | null,
  because: Because,
): NewResource {
  const fields: Record<string, Json> = kind.fields.encodeNew(given, parts.sealer)
  return { id: newId(parts.time), kind: kind.name, parentId, fields, ...authorOf(because, parts) }
}

/** A machine that names wildcards takes any event; others only those they name. */
function checkEvent({ kind, task }: Target, type: string): void {
  const { events } = kind.task(task)
  if (named('The event type', type).startsWith('xstate.')) {
    throw fault('ARGUMENT_INVALID', {
      what: 'The event type',
      reason: `${JSON.stringify(type)} cannot be sent`,
    })
  }
  if (events.some((descriptor) => isHeard(type, descriptor))) return
  const near = [...events].sort((a, b) => distance(a, type) - distance(b, type))
  throw fault('EVENT_UNKNOWN', {
    kind: kind.name,
    task,
    event: type,
    known: near.join(', ') || 'none',
  })
}
