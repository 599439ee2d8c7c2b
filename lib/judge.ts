// Who wins: units compared, under row locks, with what the database holds now.
// Promise: lock order is leases, resources, tasks, each by id, so that batches wait rather than deadlock;
// a unit judged lost has written nothing and will write nothing.
import type { Runner } from './database.ts'
import type { Outcome, Unit } from './unit.ts'

/** Locks what the units compare themselves with; answers the loser's outcome, undefined for a winner. */
export async function judge(
  runner: Runner,
  units: readonly Unit[],
): Promise<(Outcome | undefined)[]> {
  const [fences, versions, steps] = await locked(runner, units)
  return units.map(({ fence, fields, step }): Outcome | undefined => {
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
}

/**
 * What the units compare themselves with, locked. A claim raises the fence by UPDATE, so it waits for
 * every commit under the old fence, and they for it.
 */
async function locked(runner: Runner, units: readonly Unit[]): Promise<[Locked, Locked, Locked]> {
  const wanted = [
    ids(units.map(({ fence }) => fence?.resourceId)),
    ids(units.map(({ fields }) => fields?.resourceId)),
    ids(units.map(({ step }) => step?.taskId)),
  ]
  const found: [Locked, Locked, Locked] = [new Map(), new Map(), new Map()]
  if (wanted.every(({ length }) => length === 0)) return found
  const { rows } = await runner.query(LOCKED, wanted)
  for (const { which, id, number } of rows) found[which as 0 | 1 | 2].set(id, number)
  return found
}

type Locked = Map<string, number>

const ids = (wanted: readonly (string | undefined)[]) => [
  ...new Set(wanted.filter((id) => id !== undefined)),
]

const LOCKED = `
  WITH f AS MATERIALIZED (
    SELECT resource_id AS id, fence FROM leases WHERE resource_id = ANY($1::uuid[]) ORDER BY 1 FOR SHARE),
  v AS MATERIALIZED (
    SELECT id, version FROM resources WHERE id = ANY($2::uuid[]) ORDER BY 1 FOR NO KEY UPDATE),
  s AS MATERIALIZED (
    SELECT id, step FROM tasks WHERE id = ANY($3::uuid[]) AND finished_at IS NULL ORDER BY 1 FOR NO KEY UPDATE)
  SELECT 0 AS which, id, fence AS number FROM f
  UNION ALL SELECT 1, id, version FROM v UNION ALL SELECT 2, id, step FROM s`
