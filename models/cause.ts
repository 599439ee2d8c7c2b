// A cause: what moves a machine. A start, an event from the mailbox, a timer, or an actor the worker runs for it.
import { actorLogic, isMachine } from '../lib/blueprint.ts'
import type { StoredEvent } from '../lib/claim.ts'
import { decode, encodeError, encodeRow, type Json, type Sealer } from '../lib/codec.ts'
import type { AnyStateMachine, MachineEvent, Rest, Timer } from '../lib/machine.ts'
import type { Author } from '../lib/unit.ts'
import { wake } from '../lib/wake.ts'
import type { Errand } from './errand.ts'

export type Cause =
  | { readonly kind: 'start'; readonly at: number; readonly input: unknown }
  | { readonly kind: 'mail'; readonly at: number; readonly mail: StoredEvent }
  | { readonly kind: 'timer'; readonly at: number; readonly timer: Timer }
  /** An actor that runs here has said something to its machine. */
  | {
      readonly kind: 'said'
      readonly at: number
      readonly sender: string
      readonly event: MachineEvent
    }
  | { readonly kind: 'effect'; readonly at: number; readonly errand: Errand }

/** The name of a cause's event, known even when its payload cannot be read. */
export function nameOf(cause: Cause): string {
  if (cause.kind === 'start') return '__start__'
  if (cause.kind === 'timer') return cause.timer.event.type
  if (cause.kind === 'mail') return cause.mail.type
  if (cause.kind === 'said') return cause.event.type
  const outcome = cause.errand.ending?.kind === 'error' ? 'error' : 'done'
  return `xstate.${outcome}.actor.${cause.errand.effect.id}`
}

/** The actor that has ended by this, by its session; null when nobody has. */
export function endedBy(cause: Cause): string | null {
  if (cause.kind === 'effect') return cause.errand.effect.address.sessionId
  if (cause.kind !== 'mail' && cause.kind !== 'said') return null
  const { sender } = cause.kind === 'mail' ? cause.mail : cause
  return sender !== null && /^xstate\.(done|error)\.actor\./.test(nameOf(cause)) ? sender : null
}

/** News of a child that its parent has left or replaced meanwhile: nobody waits for them. */
export function isStale({ type, sender }: StoredEvent, rest: Rest | null): boolean {
  if (sender === null || !/^xstate\.(done\.actor|error\.actor|snapshot)\./.test(type)) return false
  return !rest?.actors.some(({ address, ended }) => address.sessionId === sender && !ended)
}

interface Hearing {
  readonly sealer: Sealer
  readonly machine: AnyStateMachine
  readonly rest: Rest | null
}

/** The event XState is to see. Effects report as the actors they stand for would. */
export function eventOf(cause: Cause, hearing: Hearing): MachineEvent {
  switch (cause.kind) {
    case 'start':
      return { type: '__start__', input: decode(cause.input, hearing.sealer) ?? undefined }
    case 'timer':
      return cause.timer.event
    case 'said':
      return cause.event
    case 'mail':
      return mailed(cause.mail, hearing)
    case 'effect': {
      const { effect, ending } = cause.errand
      if (ending?.kind !== 'error') {
        const output = ending?.kind === 'output' ? ending.output : undefined
        return { type: `xstate.done.actor.${effect.id}`, output, actorId: effect.id }
      }
      return { type: `xstate.error.actor.${effect.id}`, error: ending.error, actorId: effect.id }
    }
  }
}

/** A child's snapshot comes as data, and is a snapshot again here, with all its questions. */
function mailed({ type, payload, sender }: StoredEvent, { sealer, machine, rest }: Hearing) {
  const event = { ...(decode(payload, sealer) as object | null), type } as MachineEvent
  if (sender === null || !type.startsWith('xstate.snapshot.')) return event
  const child = rest?.actors.find(({ address }) => address.sessionId === sender)
  const logic = child && actorLogic(machine, child.src)
  if (!isMachine(logic)) return event
  const snapshot = wake(logic, { timers: [], actors: [], ...event.snapshot })
  return { ...event, snapshot }
}

/** What the history keeps of the event. @throws VALUE_NOT_STORABLE */
export function payloadOf(cause: Cause, sealer: Sealer): Json | null {
  if (cause.kind === 'mail') return cause.mail.payload as Json | null
  if (cause.kind === 'said') return saidPayload(cause.event, sealer)
  if (cause.kind !== 'effect') return null
  const { ending } = cause.errand
  if (ending?.kind === 'error') return { error: encodeError(ending.error, { stack: false }) }
  return ending?.kind === 'output' && ending.output !== undefined
    ? encodeRow({ output: ending.output }, sealer)
    : null
}

/** An error is told as the failures of effects are: without the class it had. */
function saidPayload({ type: _, ...payload }: MachineEvent, sealer: Sealer): Json | null {
  return Object.keys(payload).length === 0 ? null : encodeRow(payload, sealer)
}

/** Whoever sent the event did it; what the machine does of itself is the worker's doing. */
export function authorOf(cause: Cause, owner: string): Author {
  if (cause.kind === 'mail') return { actor: cause.mail.actor, reason: cause.mail.reason }
  return { actor: owner, reason: null }
}

/** The earliest of what is due: the order things would have had, had no process ever slept. */
export function earliest(
  timers: readonly Timer[],
  mail: StoredEvent | undefined,
  others: readonly (Cause | null)[],
  nowMs: number,
): Cause | null {
  // Mail from the task's own tree is part of what has happened already: XState works it off before any clock
  // gets its turn. Of one moment, mail from outside comes before timers.
  let first: Cause | null = mail
    ? { kind: 'mail', at: mail.sender === null ? mail.sentAt : 0, mail }
    : null
  for (const timer of timers)
    if (timer.dueAt <= nowMs && (!first || timer.dueAt < first.at))
      first = { kind: 'timer', at: timer.dueAt, timer }
  for (const other of others) if (other && (!first || other.at < first.at)) first = other
  return first
}

/** When the first timer is due; null without timers. */
export function nextTimerAt(rest: { readonly timers: readonly Timer[] } | null): number | null {
  const times = rest?.timers.map(({ dueAt }) => dueAt) ?? []
  return times.length > 0 ? Math.min(...times) : null
}
