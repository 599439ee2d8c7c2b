// The taking: what is due is taken, in one order or another, and put off by as long as a ticket is trusted.
// Promise: two clocks at once take different entries; what is held is put off in passing, and is not taken.

import type { Runner } from './database.ts'
import { DEALT, type TakeShares } from './dealer.ts'
import { keyed } from './keyed.ts'
import { HELD } from './latch.ts'
import { ORDINARY } from './share.ts'

/** In which order what is due is taken; 'newest of': of some kinds only. */
export type Order = 'oldest' | 'newest' | 'newest of' | 'dealt'

/** The ways to take what is due, as the statement in use does it. */
export interface Taking {
  /** What was taken. */
  readonly rows: any[]
  /** Takes once. @returns the rows that were touched, those that are held among them */
  look(order: Order, most: number, more?: readonly unknown[]): ReturnType<TakeShares>
  /** Takes until there are so many rows, or nothing is left. */
  take(order: Order, most: number, more?: readonly unknown[]): Promise<void>
}

/** Among so many as can be looked at since the shortest time, the newest are looked for. */
const MOST_YOUNG = 2_000
/** Held entries are put off in passing; so many looks are taken to find as many others. */
const MOST_LOOKS = 20

/** @param isSomeHeld is there a hold to be asked about? */
export function takingBy(
  runner: Runner,
  { nowMs, toldMs }: { readonly nowMs: number; readonly toldMs: number },
  isSomeHeld: boolean,
): Taking {
  const statement = isSomeHeld ? TAKE_UNHELD : TAKE
  const rows: any[] = []
  const look: Taking['look'] = async (order, most, more = []) =>
    (await runner.query(statement(order), [nowMs, most, toldMs, ...more])).rows as any[]
  const take: Taking['take'] = async (order, most, more) => {
    for (let looks = 0; looks < MOST_LOOKS && rows.length < most; looks++) {
      const taken = await look(order, most - rows.length, more)
      rows.push(...taken.filter(({ is_held }) => !is_held))
      if (!taken.some(({ is_held }) => is_held)) break
    }
  }
  return { rows, look, take }
}

/** The newest are those of no low priority that fell due last: told of again, a backlog is as new to look at as what is on time. */
const PICKED = (order: Order) =>
  order === 'dealt'
    ? DEALT
    : order === 'oldest'
      ? `picked AS (
    SELECT task_id, resource_id FROM dues WHERE look_at <= to_timestamp($1 / 1000.0)
    ORDER BY look_at LIMIT $2 FOR UPDATE SKIP LOCKED)`
      : `young AS (
    SELECT task_id, due_at, rank, share FROM dues WHERE look_at <= to_timestamp($1 / 1000.0) ORDER BY look_at DESC LIMIT ${MOST_YOUNG}),
  youngest AS (
    SELECT task_id FROM young WHERE due_at >= to_timestamp($4 / 1000.0) AND rank <= ${ORDINARY}
      ${order === 'newest of' ? "AND (split_part(share, '/', 1) = ANY($5)) = $6" : ''} ORDER BY due_at DESC LIMIT 2 * $2),
  picked AS (
    SELECT d.task_id, d.resource_id FROM youngest y JOIN dues d ON ${keyed('d.task_id', 'y.task_id')}
    WHERE (d.look_at <= to_timestamp($1 / 1000.0)) IS TRUE ORDER BY d.due_at DESC LIMIT $2 FOR UPDATE OF d SKIP LOCKED)`

const TAKE = (order: Order) => `
  WITH ${PICKED(order)}
  UPDATE dues SET look_at = to_timestamp(($1 + $3) / 1000.0) FROM picked
  WHERE ${keyed('dues.task_id', 'picked.task_id')} RETURNING dues.resource_id, dues.due_at, dues.rank, dues.share`

/**
 * The same while something is held. What a hold puts off, it puts off to its end, a breaker's a little beyond it, each
 * by another while. Exit machines and resources that are being deleted are not held.
 */
const TAKE_UNHELD = (order: Order) => `
  WITH ${PICKED(order)},
  found AS MATERIALIZED (
    SELECT p.task_id, h.scope, h.until + CASE WHEN h.by = 'breaker' THEN random() * 0.1 ELSE 0 END
      * (h.until - to_timestamp($1 / 1000.0)) AS until
    FROM picked p JOIN tasks t ON ${keyed('t.id', 'p.task_id')} JOIN resources r ON ${keyed('r.id', 'p.resource_id')}
    JOIN holds h ON h.scope = ANY(ARRAY[
      'resource:' || r.id, 'task:' || r.kind || '.' || split_part(t.name, '/', 1)])
    WHERE h.state = 'shut' AND (h.until IS NULL OR h.until > to_timestamp($1 / 1000.0))
      AND r.state <> 'deleting' AND NOT coalesce(t.origin->'src' ? '__exit__', false)
    FOR SHARE OF h),
  held AS (SELECT DISTINCT ON (task_id) * FROM found ORDER BY task_id, until DESC NULLS FIRST)
  UPDATE dues SET
    due_at = CASE WHEN held.scope IS NULL THEN dues.due_at ELSE held.until END,
    look_at = CASE WHEN held.scope IS NULL THEN to_timestamp(($1 + $3) / 1000.0) ELSE held.until END,
    reason = CASE WHEN held.scope IS NULL THEN dues.reason ELSE '${HELD}' || held.scope END
  FROM picked LEFT JOIN held USING (task_id)
  WHERE ${keyed('dues.task_id', 'picked.task_id')}
  RETURNING dues.resource_id, dues.due_at, dues.rank, dues.share, held.scope IS NOT NULL AS is_held`
