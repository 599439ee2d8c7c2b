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
  const fences = await locked(
    runner,
    FENCES,
    units.map(({ fence }) => fence?.resourceId),
  )
  const versions = await locked(
    runner,
    VERSIONS,
    units.map(({ fields }) => fields?.resourceId),
  )
  const steps = await locked(
    runner,
    STEPS,
    units.map(({ step }) => step?.taskId),
  )
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

/** A claim raises the fence by UPDATE, so it waits for every commit under the old one, and they for it. */
const FENCES =
  'SELECT resource_id AS id, fence AS is FROM leases WHERE resource_id = ANY($1) ORDER BY 1 FOR SHARE'
const VERSIONS =
  'SELECT id, version AS is FROM resources WHERE id = ANY($1) ORDER BY 1 FOR NO KEY UPDATE'
const STEPS =
  'SELECT id, step AS is FROM tasks WHERE id = ANY($1) AND finished_at IS NULL ORDER BY 1 FOR NO KEY UPDATE'

async function locked(
  runner: Runner,
  sql: string,
  wanted: readonly (string | undefined)[],
): Promise<Map<string, number>> {
  const ids = [...new Set(wanted.filter((id) => id !== undefined))]
  if (ids.length === 0) return new Map()
  const { rows } = await runner.query(sql, [ids])
  return new Map(rows.map(({ id, is }) => [id, is]))
}
