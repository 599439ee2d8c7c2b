// The aftermath of a commit that did not end well: what may be repeated, and what was in fact committed.
// Promise: an unknown COMMIT is looked up, never guessed: a unit leaves its id in what it writes.

import type { Runner } from './database.ts'
import { fault } from './errors.ts'
import { keyed } from './keyed.ts'
import type { Outcome, Unit } from './unit.ts'

/** Deadlock or serialisation failure: the transaction was taken back whole, so it may be repeated. */
export function isRace(thrown: unknown): boolean {
  const { code } = thrown as { code?: string }
  return code === '40P01' || code === '40001'
}

/** Bad data or a broken constraint: the fault of one unit, not of its company. */
export function isOfTheData(thrown: unknown): boolean {
  const { code } = thrown as { code?: string }
  return typeof code === 'string' && /^2[23]/.test(code)
}

/**
 * The outcomes of a batch whose COMMIT got no answer. A batch is one transaction, so one unit found
 * means that all of them are there.
 * @returns null when nothing was committed, so that the batch may be sent again
 * @throws COMMIT_UNKNOWN when no unit of the batch leaves anything to look for
 */
export async function readBack(
  runner: Runner,
  units: readonly Unit[],
  cause?: Error,
): Promise<Outcome[] | null> {
  const moves = units.flatMap(movesOf)
  const others = units.filter((unit) => isFromOutside(unit)).map(({ id }) => id)
  const removals = units.filter(({ removes = [] }) => removes.length > 0).map(({ id }) => id)
  const latches = units.filter(({ holds = [] }) => holds.length > 0).map(({ id }) => id)
  const signals = units.filter(({ alarms = [] }) => alarms.length > 0).map(({ id }) => id)
  const traces = [moves, others, removals, latches, signals]
  if (traces.every(({ length }) => length === 0)) {
    throw fault('COMMIT_UNKNOWN', { reason: cause?.message ?? 'it leaves no trace' }, cause)
  }
  const { rows } = await runner.query(
    `SELECT x.unit_id, x.task_id, x.step FROM transitions x
     JOIN unnest($1::uuid[], $2::integer[]) AS v(task_id, step) ON ${keyed('x.task_id', 'v.task_id')} AND x.step = v.step
     UNION SELECT unit_id, NULL, NULL FROM changes WHERE unit_id = ANY($3)
     UNION SELECT unit_id, NULL, NULL FROM tombstones WHERE unit_id = ANY($4)
     UNION SELECT unit_id, NULL, NULL FROM alarm_changes WHERE unit_id = ANY($5)
     UNION SELECT unit_id, NULL, NULL FROM hold_changes WHERE unit_id = ANY($6)`,
    [
      moves.map(({ taskId }) => taskId),
      moves.map(({ step }) => step),
      others,
      removals,
      signals,
      latches,
    ],
  )
  const found = new Set(rows.map(({ unit_id }) => unit_id))
  const first = rows.filter(({ step }) => step === 1)
  const begunBy = (id: string) =>
    first.filter(({ unit_id }) => unit_id === id).map(({ task_id }) => task_id)
  const isKnown = (unit: Unit) =>
    movesOf(unit).length > 0 || isFromOutside(unit) || removals.includes(unit.id)
  if (!units.some(({ id }) => found.has(id))) return null
  return units.map((unit) =>
    found.has(unit.id) || !isKnown(unit)
      ? done(unit, begunBy(unit.id))
      : { kind: 'desynchronized' },
  )
}

/** The rows were there to be counted when the unit was written; what it asked for is what we can say now. */
function done(
  { starts = [], sends = [], stops = [], reports = [], holds = [] }: Unit,
  begun: readonly string[],
): Outcome {
  const started = starts.map(({ id }) => id)
  return {
    kind: 'committed',
    started,
    begun: started.filter((id) => begun.includes(id)),
    delivered: sends.length,
    stopped: stops.length,
    isQuiet: false,
    isRung: true,
    reported: reports.length,
    alarmed: [],
    held: holds.map(({ scope }) => scope),
  }
}

/** The lines of history a unit writes, by their key. */
function movesOf({ step, starts = [] }: Unit): { taskId: string; step: number }[] {
  const moved = step?.transition ? [{ taskId: step.taskId, step: step.step }] : []
  const begun = starts.filter(({ first }) => first).map(({ id }) => ({ taskId: id, step: 1 }))
  return [...moved, ...starts.map(({ id }) => ({ taskId: id, step: 0 })), ...begun]
}

/** Does it leave a line among the changes made from outside? */
function isFromOutside({ fence, fields, reports = [], marks = [], ...unit }: Unit): boolean {
  const { creates = [], stops = [], sends = [] } = unit
  const lines = creates.length + stops.length + sends.length + reports.length + marks.length
  return !fence && (fields?.author !== undefined || lines > 0)
}
