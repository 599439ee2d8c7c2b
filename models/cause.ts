// A cause: what moves a machine. A start, an event from the mailbox, a timer, or an effect that ended.

import type { StoredEvent } from '../lib/claim.ts'
import { decode, encode, encodeError, type Json, type Sealer } from '../lib/codec.ts'
import type { MachineEvent, Timer } from '../lib/machine.ts'
import type { Author } from '../lib/unit.ts'
import type { Errand } from './errand.ts'

export type Cause =
  | { readonly kind: 'start'; readonly at: number; readonly input: unknown }
  | { readonly kind: 'mail'; readonly at: number; readonly mail: StoredEvent }
  | { readonly kind: 'timer'; readonly at: number; readonly timer: Timer }
  | { readonly kind: 'effect'; readonly at: number; readonly errand: Errand }

/** The name of a cause's event, known even when its payload cannot be read. */
export function nameOf(cause: Cause): string {
  if (cause.kind === 'start') return '__start__'
  if (cause.kind === 'timer') return cause.timer.event.type
  if (cause.kind === 'mail') return cause.mail.type
  const outcome = cause.errand.ending?.kind === 'error' ? 'error' : 'done'
  return `xstate.${outcome}.actor.${cause.errand.effect.id}`
}

/** The event XState is to see. Effects report as the actors they stand for would. */
export function eventOf(cause: Cause, sealer: Sealer): MachineEvent {
  switch (cause.kind) {
    case 'start':
      return { type: '__start__', input: decode(cause.input, sealer) ?? undefined }
    case 'timer':
      return cause.timer.event
    case 'mail':
      return { ...(decode(cause.mail.payload, sealer) as object | null), type: cause.mail.type }
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

/** What the history keeps of the event. @throws VALUE_NOT_STORABLE */
export function payloadOf(cause: Cause, sealer: Sealer): Json | null {
  if (cause.kind === 'mail') return cause.mail.payload as Json | null
  if (cause.kind !== 'effect') return null
  const { ending } = cause.errand
  if (ending?.kind === 'error') return { error: encodeError(ending.error, { stack: false }) }
  return ending?.kind === 'output' && ending.output !== undefined
    ? { output: encode(ending.output, sealer) }
    : null
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
  errand: Errand | null,
  nowMs: number,
): Cause | null {
  const causes: Cause[] = timers
    .filter(({ dueAt }) => dueAt <= nowMs)
    .map((timer) => ({ kind: 'timer', at: timer.dueAt, timer }))
  if (mail) causes.push({ kind: 'mail', at: mail.sentAt, mail })
  if (errand) causes.push({ kind: 'effect', at: errand.endedAt, errand })
  return causes.sort((a, b) => a.at - b.at)[0] ?? null
}

/** When the first timer is due; null without timers. */
export function nextTimerAt(rest: { readonly timers: readonly Timer[] } | null): number | null {
  const times = rest?.timers.map(({ dueAt }) => dueAt) ?? []
  return times.length > 0 ? Math.min(...times) : null
}
