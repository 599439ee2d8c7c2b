// The aftermath of a commit that did not end well: what may be repeated, and what was in fact committed.
// Promise: an unknown COMMIT is looked up, never guessed: a unit leaves its id in what it writes.
import type { Runner } from './database.ts'
import { fault } from './errors.ts'
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
  const traces = units.filter(leavesTrace).map(({ id }) => id)
  if (traces.length === 0)
    throw fault('COMMIT_UNKNOWN', { reason: cause?.message ?? 'it leaves no trace' }, cause)
  const { rows } = await runner.query(
    `SELECT unit_id FROM transitions WHERE unit_id = ANY($1)
     UNION SELECT unit_id FROM events WHERE unit_id = ANY($1)`,
    [traces],
  )
  if (rows.length === 0) return null
  const found = new Set(rows.map(({ unit_id }) => unit_id))
  return units.map((unit) =>
    found.has(unit.id) || !leavesTrace(unit) ? done(unit) : { kind: 'desynchronized' },
  )
}

/** The rows were there to be counted when the unit was written; what it asked for is what we can say now. */
function done({ starts = [], sends = [], stops = [] }: Unit): Outcome {
  return {
    kind: 'committed',
    started: starts.map(({ id }) => id),
    delivered: sends.length,
    stopped: stops.length,
  }
}

function leavesTrace({ step, starts = [], sends = [], stops = [] }: Unit): boolean {
  return Boolean(step?.transition) || starts.length + sends.length + stops.length > 0
}
