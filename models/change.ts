// A change: what one effect, action or step wants committed, before the round puts it under its fence.
import type { Unit } from '../lib/unit.ts'
import type { Resource } from './handle.ts'
import type { Outbox, OutboxParts } from './outbox.ts'
import type { View } from './sheet.ts'

/** This round may not write any more: somebody else moved the resource, or may be about to. */
export class RoundLost extends Error {
  override readonly name = 'RoundLost'
}

/** The requests of a machine and those of its actions go in one commit, the machine's first. */
export function together(
  machine: Partial<Unit>,
  { starts, stops, sends, ...others }: OutboxParts,
): OutboxParts {
  return {
    ...others,
    starts: [...(machine.starts ?? []), ...starts],
    stops: [...(machine.stops ?? []), ...stops],
    sends: [...(machine.sends ?? []), ...sends],
  }
}

/** The run a change was for has ended meanwhile: it was stopped from outside. The round goes on. */
export class RunEnded extends Error {
  override readonly name = 'RunEnded'
}

/** What the code of a step had to say goes on its line of the history. */
export function noted(
  { step }: Partial<Unit>,
  { outbox: { message } }: Desktop,
): Pick<Unit, 'step'> {
  if (!step?.transition || message === null) return {}
  return { step: { ...step, transition: { ...step.transition, message } } }
}

/** What one effect or action works on: the resource it sees, and what it will leave in the commit. */
export interface Desktop {
  readonly resource: Resource
  readonly view: View
  readonly outbox: Outbox
}

/** A unit without its envelope: the round adds the id and the fence. */
export type Change = Omit<Unit, 'id' | 'fence' | 'fields'> & {
  desktop?: Desktop | undefined
  state?: string
}
