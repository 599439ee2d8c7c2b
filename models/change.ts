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

/** A unit without its envelope: the round adds the id and the fence. */
export type Change = Omit<Unit, 'id' | 'fence' | 'fields'> & {
  desktop?: Desktop | undefined
  state?: string
  /** Is somebody told who may help before an alarm opens? */
  isHandled?: boolean
}
