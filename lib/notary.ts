// The notary: units in one transaction, judged together; the winners are written, and the news told afterwards.
// Promise: an outcome for each unit in the order given; nothing is told before it was committed.
import type { Runner } from './database.ts'
import type { Events } from './events.ts'
import { judge } from './judge.ts'
import { Scribe } from './scribe.ts'
import { type Entry, entryOf, type Moment } from './table.ts'
import type { Outcome, Unit } from './unit.ts'

export interface Written {
  readonly outcomes: Outcome[]
  /** What became of the units that won. */
  readonly entries: readonly Entry[]
}

/** Writes what wins, in a transaction that others end. */
export async function write(
  runner: Runner,
  units: readonly Unit[],
  moment: Moment,
): Promise<Written> {
  const { verdicts, alarmed } = await judge(runner, units)
  const entries = units.map(entryOf)
  const won = entries.filter((_, index) => !verdicts[index])
  if (won.length > 0) await new Scribe(runner, moment).write(won, alarmed)
  const outcomes = entries.map(
    (
      {
        unit: _u,
        removed: _r,
        signals: _s,
        rang: _a,
        latched: _l,
        reported: { length: reported },
        ...done
      },
      index,
    ): Outcome => verdicts[index] ?? { kind: 'committed', ...done, reported },
  )
  return { outcomes, entries: won }
}

/** Tells of units that lost, and of what a row tells everybody. */
export function tell(events: Events, units: readonly Unit[], { outcomes, entries }: Written): void {
  for (const [index, { kind }] of outcomes.entries()) tellLoss(events, units[index] as Unit, kind)
  for (const { reported, removed, rang, latched, unit } of entries) {
    for (const one of rang) events.emit('alarm.changed', one)
    for (const one of latched) events.emit('hold.changed', one)
    for (const one of reported) events.emit('resource.availability', one)
    const { actor = '', reason = null } = unit.removes?.[0] ?? {}
    for (const one of removed) events.emit('resource.deleted', { ...one, actor, reason })
  }
}

function tellLoss(events: Events, { fence, step }: Unit, kind: Outcome['kind']): void {
  const resourceId = fence?.resourceId ?? step?.resourceId ?? ''
  const taskId = step?.taskId ?? null
  if (kind === 'fenced') {
    events.emit('unit.fenced', { resourceId, taskId, fence: fence?.fence ?? 0 })
  } else if (kind === 'desynchronized') {
    events.emit('unit.desynchronized', { resourceId, taskId, step: step?.expected ?? -1 })
  }
}
