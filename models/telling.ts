// What is told of a step that was committed: events on the bus, after the fact.

import type { Time } from '../lib/time.ts'
import type { Change } from './change.ts'
import type { Move } from './move.ts'
import type { Round } from './round.ts'

export interface Naming {
  readonly kind: string
  readonly resourceId: string
  readonly taskId: string
  readonly task: string
  readonly step: number
}

/** Tells a committed step, what it emitted, and the end of the run if it was that. */
export function tellStep(
  {
    parts: { events },
    time,
  }: { readonly parts: Pick<Round['parts'], 'events'>; readonly time: Time },
  naming: Naming,
  { cause, emitted, logged, rest }: Move,
  names: { readonly from: string; readonly to: string; readonly event: string },
): void {
  const lateMs = cause.kind === 'start' ? 0 : Math.max(0, time.now() - cause.at)
  const { kind, resourceId, taskId, task, step } = naming
  const { from, to, event: because } = names
  // Written out: it is told of every step.
  events.emit('task.stepped', {
    kind,
    resourceId,
    taskId,
    task,
    step,
    from,
    to,
    event: because,
    lateMs,
  })
  const run = { kind, resourceId, taskId, task }
  for (const event of emitted) events.emit('task.emitted', { ...run, type: event.type, event })
  for (const { label, value } of logged) events.emit('task.logged', { ...run, label, value })
  if (rest.status === 'done') events.emit('task.finished', { ...naming, status: 'done' })
}

/** Tells that a task cannot go on: parked, or failed towards the machine that spawned it. */
export function tellEnd(
  { parts: { events } }: Round,
  naming: Naming,
  { step }: Change,
  error: Error,
): void {
  if (step?.status === 'failed') events.emit('task.finished', { ...naming, status: 'failed' })
  else events.emit('task.panicked', { ...naming, error })
}
