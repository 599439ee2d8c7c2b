// Who wins: units compared, under row locks, with what the database holds now.
// Promise: lock order is leases, resources, tasks, each by id, so that batches wait rather than deadlock;
// a unit judged lost has written nothing and will write nothing.
import type { Runner } from './database.ts'
import { prepared } from './prepared.ts'
import type { Outcome, Unit } from './unit.ts'

export interface Judged {
  /** The loser's outcome, undefined for a winner; in the order of the units. */
  readonly verdicts: readonly (Outcome | undefined)[]
  /** Tasks that have an alarm which may close when they move. */
  readonly alarmed: ReadonlySet<string>
}

/** Locks what the units compare themselves with, and resources whose rules will be asked. */
export async function judge(runner: Runner, units: readonly Unit[]): Promise<Judged> {
  const { numbers, alarmed } = await locked(runner, units)
  const [fences, versions, steps] = numbers
  const verdicts = units.map(({ fence, fields, step }): Outcome | undefined => {
    if (fence && fences.get(fence.resourceId) !== fence.fence) return { kind: 'fenced' }
    if (step && steps.get(step.taskId) !== step.expected) return { kind: 'desynchronized' }
    const version = fields && versions.get(fields.resourceId)
    if (fields && version === undefined) return { kind: 'desynchronized' }
    if (fields && fields.version !== null && version !== fields.version)
      return { kind: 'desynchronized' }
    // Later units of the same batch build on this one.
    if (fields) versions.set(fields.resourceId, (version as number) + 1)
    if (step) steps.set(step.taskId, step.finished ? -1 : step.step)
    return undefined
  })
  return { verdicts, alarmed }
}

/**
 * What the units compare themselves with, locked. A claim raises the fence by UPDATE, so it waits for
 * every commit under the old fence, and they for it.
 */
async function locked(
  runner: Runner,
  units: readonly Unit[],
): Promise<{ numbers: [Locked, Locked, Locked]; alarmed: Set<string> }> {
  const wanted = [
    ids(units.map(({ fence }) => fence?.resourceId)),
    ids(units.flatMap(({ fields, watches = [] }) => [fields?.resourceId, ...watches])),
    ids(units.map(({ step }) => step?.taskId)),
  ]
  const numbers: [Locked, Locked, Locked] = [new Map(), new Map(), new Map()]
  const alarmed = new Set<string>()
  if (wanted.every(({ length }) => length === 0)) return { numbers, alarmed }
  const { rows } = await runner.query(LOCKED, wanted)
  for (const { which, id, number, is_alarmed } of rows) {
    numbers[which as 0 | 1 | 2].set(id, number)
    if (is_alarmed) alarmed.add(id)
  }
  return { numbers, alarmed }
}

type Locked = Map<string, number>

const ids = (wanted: readonly (string | undefined)[]) => [
  ...new Set(wanted.filter((id) => id !== undefined)),
]

const LOCKED = prepared(`
  WITH f AS MATERIALIZED (
    SELECT resource_id AS id, fence FROM leases WHERE resource_id = ANY($1::uuid[]) ORDER BY 1 FOR SHARE),
  v AS MATERIALIZED (
    SELECT id, version FROM resources WHERE id = ANY($2::uuid[]) ORDER BY 1 FOR NO KEY UPDATE),
  s AS MATERIALIZED (
    SELECT id, step, is_alarmed, finished_at FROM tasks WHERE id = ANY($3::uuid[]) ORDER BY 1 FOR NO KEY UPDATE)
  SELECT 0 AS which, id, fence AS number, false AS is_alarmed FROM f
  UNION ALL SELECT 1, id, version, false FROM v UNION ALL SELECT 2, id, step, is_alarmed FROM s WHERE finished_at IS NULL`)
