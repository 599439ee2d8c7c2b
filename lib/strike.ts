// A strike: a process died, and this task was in its hands.
// Promise: only what it had in hand is struck: tasks that were due when it claimed their resource, or that its last
// commit left due at once, and that have been settled by nobody since.

import type { Runner } from './database.ts'
import { keyed } from './keyed.ts'

/** A claim whose claimant is gone without a word. */
export interface Death {
  readonly resourceId: string
  /** The fence it held. */
  readonly fence: number
  /** When it claimed the resource, in milliseconds since 1970. */
  readonly since: number
  readonly who: string
}

/** So many processes a task takes down before it is parked. */
export const LIVES = 3
/** Who is silent for so many of its own pulses counts as gone. */
export const SILENT_PULSES = 3

/** SQL: is this row of `workers` silent for too long, without a goodbye? @param now milliseconds since 1970 */
export const isSilent = (row: string, now: string): string =>
  `(${row}.stopped_at IS NULL AND ${row}.seen_at <
    to_timestamp(${now} / 1000.0) - ${SILENT_PULSES} * ${row}.pulse_ms * interval '1 millisecond')`

/** SQL: what to call the claimant of this id if it died; null if it lives, said goodbye, or was never heard of. */
export const diedBefore = (id: string, now: string): string =>
  `(SELECT concat(w.id, ' (process ', w.pid, ' on ', w.host, ')') FROM workers w WHERE w.id = ${id} AND ${isSilent('w', now)})`

/** Counts the deaths, for whatever was in hand. */
export async function strike(
  runner: Runner,
  deaths: readonly Death[],
  nowMs: number,
): Promise<void> {
  await runner.query(STRIKE, [JSON.stringify(deaths), nowMs])
}

/** SQL: had a claim, of this fence and since then, the task `t`, whose due entry is `d`, in hand? */
export const inHand = (since: string, fence: string): string =>
  `(d.due_at <= ${since} OR EXISTS (
     SELECT 1 FROM transitions x WHERE x.task_id = t.id AND x.step = t.step AND x.fence = ${fence} AND (d.due_at <= x.at) IS TRUE))`

const STRIKE = `
  WITH d AS MATERIALIZED (
    SELECT d.task_id, d.due_at, v.* FROM json_to_recordset($1) AS v("resourceId" uuid, fence bigint, since double precision, who text)
    JOIN dues d ON ${keyed('d.resource_id', 'v."resourceId"')} WHERE d.due_at <= to_timestamp($2 / 1000.0)),
  struck AS (
    SELECT t.id, d.who FROM d JOIN tasks t ON t.id = d.task_id
    WHERE t.id = ANY(ARRAY(SELECT task_id FROM d)) AND t.status = 'running'
      AND ${inHand('to_timestamp(d.since / 1000.0)', 'd.fence')}
    ORDER BY t.id FOR NO KEY UPDATE OF t)
  UPDATE tasks t SET strikes = strikes + 1, struck_by = array_append(struck_by, struck.who)
  FROM struck WHERE ${keyed('t.id', 'struck.id')}`
