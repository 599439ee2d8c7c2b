// What is due: the two questions a clock and a worker ask of the index on time.
// Promise: cost follows what is due; two clocks at once take different resources; nothing is marked as
// done, only as told, and that lapses by itself.
import type { Ticket } from './contract.ts'
import type { Runner } from './database.ts'

/** Takes what is due, oldest first, and puts off the next look at it by `toldMs`. */
export async function takeDue(
  runner: Runner,
  { limit, nowMs, toldMs }: { limit: number; nowMs: number; toldMs: number },
): Promise<{ tickets: Ticket[]; nextAt: number | null; lateMs: number }> {
  const { rows } = await runner.query(TAKE, [nowMs, limit, toldMs])
  rows.sort((a, b) => a.due_at - b.due_at)
  const ids = new Set<string>(rows.map(({ resource_id }) => resource_id))
  const lateMs = rows.length > 0 ? Math.max(0, nowMs - rows[0].due_at) : 0
  const next = await runner.query(NEXT, [nowMs])
  return {
    tickets: [...ids].map((resourceId) => ({ resourceId })),
    nextAt: next.rows[0].at,
    lateMs,
  }
}

const TAKE = `
  WITH picked AS (
    SELECT task_id FROM dues WHERE look_at <= to_timestamp($1 / 1000.0)
    ORDER BY look_at LIMIT $2 FOR UPDATE SKIP LOCKED)
  UPDATE dues SET look_at = to_timestamp(($1 + $3) / 1000.0) FROM picked
  WHERE dues.task_id = picked.task_id RETURNING dues.resource_id, dues.due_at`

const NEXT = 'SELECT min(look_at) AS at FROM dues WHERE look_at > to_timestamp($1 / 1000.0)'

/** Which of these resources have something due now? */
export async function dueNow(
  runner: Runner,
  ids: readonly string[],
  nowMs: number,
): Promise<boolean[]> {
  const { rows } = await runner.query(
    'SELECT DISTINCT resource_id FROM dues WHERE resource_id = ANY($1) AND due_at <= to_timestamp($2 / 1000.0)',
    [[...new Set(ids)], nowMs],
  )
  const due = new Set(rows.map(({ resource_id }) => resource_id))
  return ids.map((id) => due.has(id))
}
