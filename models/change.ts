// A change: what one effect, action or step wants committed, before the round puts it under its fence.
import type { Unit } from '../lib/unit.ts'
import type { OutboxParts } from './asking.ts'
import type { Desktop } from './desktop.ts'

/** This round may not write any more: somebody else moved the resource, or may be about to. */
export class RoundLost extends Error {
  override readonly name = 'RoundLost'
}

/** The requests of a machine and those of its actions go in one commit, the machine's first. */
export function together(
  machine: Partial<Unit>,
  { starts, stops, sends, alarms, notices, holds, ...others }: OutboxParts,
): OutboxParts {
  return {
    ...others,
    starts: [...(machine.starts ?? []), ...starts],
    stops: [...(machine.stops ?? []), ...stops],
    sends: [...(machine.sends ?? []), ...sends],
    holds: [...(machine.holds ?? []), ...holds],
    alarms: [...(machine.alarms ?? []), ...alarms],
    notices: [...(machine.notices ?? []), ...notices],
  }
}

/** The run a change was for has ended meanwhile: it was stopped from outside. The round goes on. */
export class RunEnded extends Error {
  override readonly name = 'RunEnded'
}

/** What the code of a step had to say goes on its line of the history. */
export function noted({ step }: Partial<Unit>, { message }: Desktop): Pick<Unit, 'step'> {
  if (!step?.transition || message === null) return {}
  return { step: { ...step, transition: { ...step.transition, message } } }
}

export const NONE: readonly never[] = []

/** The parts of a change that a round's unit takes over as they are, whether they are there or not. */
type Carried = Omit<Unit, 'id' | 'fence' | 'fields'>

/**
 * A unit made of a change. All units of ticks are of one shape, absent parts written out as undefined: what is read
 * thousands of times a second is then found where it was the last time.
 */
export function enveloped(
  change: Carried,
  id: string,
  fence: NonNullable<Unit['fence']>,
  fields: Unit['fields'] | null,
): Unit {
  const whole: { readonly [Part in keyof Unit]-?: Unit[Part] | undefined } = {
    id,
    fence,
    fields: fields ?? undefined,
    step: change.step,
    due: change.due,
    consumes: change.consumes,
    creates: change.creates,
    starts: change.starts,
    stops: change.stops,
    sends: change.sends,
    failures: change.failures,
    ignored: change.ignored,
    ends: change.ends,
    marks: change.marks,
    reports: change.reports,
    removes: change.removes,
    alarms: change.alarms,
    watches: change.watches,
    notices: change.notices,
    holds: change.holds,
    counts: change.counts,
  }
  return whole as Unit
}

/** A unit without its envelope: the round adds the id and the fence. */
export type Change = Omit<Unit, 'id' | 'fence' | 'fields'> & {
  desktop?: Desktop | undefined
  state?: string
  /** Is somebody told who may help before an alarm opens? */
  isHandled?: boolean
}
