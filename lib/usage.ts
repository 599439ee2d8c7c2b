// The usage of a resource: what it has used of the quota of its kind, kept beside its fence.
// Promise: read with the claim and written once a round; what a worker used that died is found in the history.

import type { Runner } from './database.ts'
import { keyed } from './keyed.ts'
import { prepared } from './prepared.ts'

/** What was used within the period that began then; as of this fence, all of it is told. */
export interface Usage {
  readonly periodAt: number
  readonly steps: number
  readonly ms: number
  readonly fence: number
}

/** Of which rounds nothing was told: those of fences after the one, and before the other. */
export interface Untold {
  readonly resourceId: string
  readonly after: number
  readonly before: number
  readonly sinceAt: number
}

/** The columns of a claimed lease. */
export const USAGE = 'period_at, used_steps, used_ms, used_fence'

export function usageOf(row: any): Usage | null {
  const { period_at: periodAt, used_steps: steps, used_ms: ms, used_fence: fence } = row
  return periodAt === null ? null : { periodAt, steps, ms, fence }
}

/** Keeps what a round has used, if its fence still stands. */
export async function charge(
  runner: Runner,
  asked: readonly { resourceId: string; usage: Usage }[],
): Promise<null[]> {
  const sorted = [...asked].sort((a, b) => (a.resourceId < b.resourceId ? -1 : 1))
  const column = (of: (usage: Usage) => number) => sorted.map(({ usage }) => of(usage))
  const ids = sorted.map(({ resourceId }) => resourceId)
  const fences = column(({ fence }) => fence)
  const spent = [column(({ periodAt }) => periodAt), column(({ steps }) => steps)]
  await runner.query(CHARGE, [ids, fences, ...spent, column(({ ms }) => Math.round(ms))])
  return asked.map(() => null)
}

/** What the history tells of rounds that told nothing; null when they did nothing. */
export async function untold(
  runner: Runner,
  { resourceId, after, before, sinceAt }: Untold,
): Promise<Pick<Usage, 'periodAt' | 'steps' | 'ms'> | null> {
  const { rows } = await runner.query(UNTOLD, [resourceId, after, before, sinceAt])
  const { steps, first, last } = rows[0]
  return steps === 0 ? null : { steps, periodAt: first, ms: last - first }
}

const CHARGE = prepared(`
  WITH v AS (SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::double precision[], $4::integer[], $5::integer[])
    AS v(id, fence, at, steps, ms)),
  l AS MATERIALIZED (
    SELECT resource_id FROM leases JOIN v ON v.id = resource_id AND v.fence = leases.fence
    WHERE resource_id = ANY($1) ORDER BY resource_id FOR NO KEY UPDATE OF leases)
  UPDATE leases SET period_at = to_timestamp(v.at / 1000.0), used_steps = v.steps, used_ms = v.ms, used_fence = v.fence
  FROM v JOIN l ON l.resource_id = v.id WHERE ${keyed('leases.resource_id', 'v.id')}`)

const UNTOLD = `
  SELECT count(*)::integer AS steps, min(x.at) AS first, max(x.at) AS last
  FROM tasks t JOIN transitions x ON ${keyed('x.task_id', 't.id')}
  WHERE t.resource_id = $1 AND x.fence > $2 AND x.fence < $3 AND (x.step > 0 AND x.at >= to_timestamp($4 / 1000.0)) IS TRUE`
