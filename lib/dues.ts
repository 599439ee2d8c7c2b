// What is due: the two questions a clock and a worker ask of the index on time.
// Promise: cost follows what is due; two clocks at once take different resources; nothing is marked as
// done, only as told, and that lapses by itself; what is held is put off, and stands before nobody.

import { expire, letGo, survey } from './bolts.ts'
import type { Ticket } from './contract.ts'
import type { Runner } from './database.ts'
import { DEALT, type Dealer } from './dealer.ts'
import type { HoldChange } from './hold.ts'
import { HELD } from './latch.ts'
import { kindOf, ORDINARY, standing } from './share.ts'
import { IN_LINE } from './slots.ts'

export interface DueQuestion {
  readonly limit: number
  readonly nowMs: number
  readonly toldMs: number
  /** Only what is on time. */
  readonly isFull: boolean
  /** The queue of this clock. */
  readonly queue: string
  /** Who gives out the places when there are too few. */
  readonly dealer: Dealer
}

/** Of what was taken of one kind. */
export interface Lateness {
  readonly kind: string
  readonly count: number
  readonly lateMs: number
}

export interface DueAnswer {
  readonly tickets: Ticket[]
  readonly nextAt: number | null
  readonly lateness: readonly Lateness[]
  /** Does anybody wait for a slot? */
  readonly isInLine: boolean
  /** Holds whose time was over. */
  readonly changes: readonly HoldChange[]
}

type Order = 'oldest' | 'newest' | 'dealt'
/** Newest entries of one look, where there are more than it may take. */
const MOST_NEWEST = 100
/** Among so many as can be looked at since the shortest time, the newest are looked for. */
const MOST_YOUNG = 2_000
/**
 * What is due for no longer than this is on time. What a verb made due has a ticket already, and is met here only when
 * that is no longer trusted: it is on time for as much longer, or whatever is started in a storm would wait for its end.
 */
const ON_TIME_MS = 2_000

/** Held entries are put off in passing; so many looks are taken to find as many others. */
const MOST_LOOKS = 20

/**
 * Takes what is due and puts off the next look at it by `toldMs`. Where more is due than that, shares have their parts
 * of it, oldest first, and the newest of all a place.
 */
export async function takeDue(runner: Runner, asked: DueQuestion): Promise<DueAnswer> {
  const { limit, isFull, nowMs, toldMs, queue, dealer } = asked
  const { isSomeOver, isQueueHeld, isSomeHeld } = await survey(runner, queue, nowMs)
  const changes = isSomeOver ? await expire(runner, nowMs) : []
  if (isSomeOver) await letGo(runner, nowMs)
  if (isQueueHeld) return { tickets: [], nextAt: null, lateness: [], isInLine: false, changes }
  const glance = (await runner.query(GLANCE, [nowMs, limit + 1])).rows[0]
  const beside = { isInLine: glance.in_line as boolean, changes }
  if (glance.count === 0) return { tickets: [], nextAt: glance.at, lateness: [], ...beside }
  const rows: any[] = []
  const onTimeMs = toldMs + ON_TIME_MS
  const look = async (order: Order, most: number, more: readonly unknown[] = []) => {
    const params = [nowMs, most, toldMs, ...more]
    return (await runner.query((isSomeHeld ? TAKE_UNHELD : TAKE)(order), params)).rows
  }
  const take = async (order: Order, most: number, more: readonly unknown[] = []) => {
    for (let looks = 0; looks < MOST_LOOKS && rows.length < most; looks++) {
      const taken = await look(order, most - rows.length, more)
      rows.push(...taken.filter(({ is_held }) => !is_held))
      if (!taken.some(({ is_held }) => is_held)) break
    }
  }
  const newest = isFull ? MOST_NEWEST : Math.min(MOST_NEWEST, Math.floor(limit / 4))
  const isMore = glance.count > limit - newest
  if (isMore && !isFull)
    rows.push(
      ...(await dealer.deal(runner, limit - newest, nowMs, (lanes) =>
        look('dealt', limit, [lanes]),
      )),
    )
  if (!isFull) await take('oldest', limit - newest)
  // Where there is no room for more of a backlog, none of it is told of again.
  if (isMore || isFull) await take('newest', rows.length + newest, [isFull ? nowMs - onTimeMs : 0])
  const { at } = (await runner.query(NEXT, [nowMs])).rows[0]
  const nextAt = glance.count > limit && !isFull && rows.length > 0 ? nowMs : at
  return {
    tickets: ticketsOf(rows, nowMs, onTimeMs),
    nextAt,
    lateness: latenessOf(rows, nowMs),
    ...beside,
  }
}

/** One for each resource, with the best of its tasks: what is to be done first comes first. */
function ticketsOf(rows: readonly any[], nowMs: number, onTimeMs: number): Ticket[] {
  const best = new Map<string, { standing: number; due_at: number; isUrgent: boolean }>()
  for (const { resource_id: id, due_at, rank } of rows) {
    const known = best.get(id)
    const one = {
      standing: standing(rank, nowMs - due_at),
      due_at,
      isUrgent: rank <= ORDINARY && nowMs - due_at < onTimeMs,
    }
    if (!known) best.set(id, one)
    else {
      known.standing = Math.min(known.standing, one.standing)
      known.due_at = Math.min(known.due_at, due_at)
      known.isUrgent ||= one.isUrgent
    }
  }
  return [...best]
    .sort(([, a], [, b]) => a.standing - b.standing || a.due_at - b.due_at)
    .map(([resourceId, { isUrgent }]) => ({ resourceId, isUrgent }))
}

/** How late the oldest of each kind is. */
function latenessOf(rows: readonly any[], nowMs: number): Lateness[] {
  const kinds = new Map<string, { count: number; lateMs: number }>()
  for (const { share, due_at } of rows) {
    const { count, lateMs } = kinds.get(kindOf(share)) ?? { count: 0, lateMs: 0 }
    kinds.set(kindOf(share), { count: count + 1, lateMs: Math.max(lateMs, nowMs - due_at) })
  }
  return [...kinds].map(([kind, one]) => ({ kind, ...one }))
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
    SELECT task_id, due_at, rank FROM dues WHERE look_at <= to_timestamp($1 / 1000.0) ORDER BY look_at DESC LIMIT ${MOST_YOUNG}),
  youngest AS (
    SELECT task_id FROM young WHERE due_at >= to_timestamp($4 / 1000.0) AND rank <= ${ORDINARY} ORDER BY due_at DESC LIMIT 2 * $2),
  picked AS (
    SELECT d.task_id, d.resource_id FROM dues d JOIN youngest USING (task_id)
    WHERE d.look_at <= to_timestamp($1 / 1000.0) ORDER BY d.due_at DESC LIMIT $2 FOR UPDATE OF d SKIP LOCKED)`

const TAKE = (order: Order) => `
  WITH ${PICKED(order)}
  UPDATE dues SET look_at = to_timestamp(($1 + $3) / 1000.0) FROM picked
  WHERE dues.task_id = picked.task_id RETURNING dues.resource_id, dues.due_at, dues.rank, dues.share`

/**
 * The same while something is held. What a hold puts off, it puts off to its end, a breaker's a little beyond it, each
 * by another while. Exit machines and resources that are being deleted are not held.
 */
const TAKE_UNHELD = (order: Order) => `
  WITH ${PICKED(order)},
  found AS MATERIALIZED (
    SELECT p.task_id, h.scope, h.until + CASE WHEN h.by = 'breaker' THEN random() * 0.1 ELSE 0 END
      * (h.until - to_timestamp($1 / 1000.0)) AS until
    FROM picked p JOIN tasks t ON t.id = p.task_id JOIN resources r ON r.id = p.resource_id
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
  WHERE dues.task_id = picked.task_id
  RETURNING dues.resource_id, dues.due_at, dues.rank, dues.share, held.scope IS NOT NULL AS is_held`

/** How much is due, as far as one look can take it, and when the next is. */
const GLANCE = `
  SELECT (SELECT count(*)::integer FROM (
      SELECT 1 FROM dues WHERE look_at <= to_timestamp($1 / 1000.0) ORDER BY look_at LIMIT $2) d) AS count,
    (SELECT min(look_at) FROM dues WHERE look_at > to_timestamp($1 / 1000.0)) AS at,
    EXISTS (SELECT 1 FROM dues WHERE reason LIKE '${IN_LINE}%') AS in_line`

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
