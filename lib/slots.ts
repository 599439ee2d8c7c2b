// The slots: how many of one key may go on at once, or begin within a period; whoever finds none waits in line.
// Promise: whoever goes on has locked a row, and there are as many rows as the limit allows; a slot that frees is kept
// for the one that waits longest, and it is told; what the dead held is free within a beat; without anybody in line the
// clock asks nothing.

import type { Runner } from './database.ts'
import { keyed } from './keyed.ts'
import { isSilent } from './strike.ts'

/** How the reason of a due entry begins that waits for a slot; the key follows. */
export const IN_LINE = 'slot:'
/** How long a slot is kept for one that was told. */
const KEPT_MS = 10_000
/** Lines of one look of a clock, and slots of one line given out at once. */
const MOST_LINES = 200
const MOST_GRANTS = 500
/** Somebody of whom no row says anything is gone for sure after so long. */
const FORGOTTEN_MS = 3_600_000

/** Who wants to go on. */
export interface Entrant {
  readonly key: string
  readonly most: number
  /** Of a rate, how long whoever begins keeps its slot; null: until it leaves. */
  readonly perMs: number | null
  readonly taskId: string
  readonly resourceId: string
  readonly owner: string
  readonly fence: number
}

/** Takes a slot, or keeps the one it has. @returns false when there is none, or others wait */
export async function enter(runner: Runner, one: Entrant, nowMs: number): Promise<boolean> {
  const { key, most, perMs, taskId, resourceId, owner, fence } = one
  const until = perMs === null ? null : nowMs + perMs
  const params = [key, nowMs, taskId, resourceId, owner, fence, most, until]
  const take = async () => (await runner.query(ENTER, params)).rows.length > 0
  if (await take()) return true
  // Rows are made when the first wants one, whoever else wants one then; those of a limit that was lowered go.
  await runner.query(MAKE, [key, nowMs, most])
  return take()
}

/** Gives a slot back. @returns the resources of those that may go on for it */
export async function leave(
  runner: Runner,
  { key, taskId, owner }: Pick<Entrant, 'key' | 'taskId' | 'owner'>,
  nowMs: number,
): Promise<string[]> {
  await runner.query(LEAVE, [key, taskId, owner])
  return callIn(runner, key, nowMs)
}

/** Keeps free slots for those that wait longest, and makes them due. @returns their resources */
export async function callIn(runner: Runner, key: string, nowMs: number): Promise<string[]> {
  const { rows } = await runner.query(CALL, [key, nowMs, nowMs + KEPT_MS, MOST_GRANTS])
  return rows.map(({ resource_id }) => resource_id)
}

/** What a clock does for those in line: frees what the dead held, and calls in. @returns when the next slot frees */
export async function attend(
  runner: Runner,
  nowMs: number,
  after: string,
): Promise<{ nextAt: number | null; last: string }> {
  await runner.query(BURY, [nowMs, FORGOTTEN_MS])
  const { rows } = await runner.query(KEYS, [IN_LINE + after, MOST_LINES])
  const keys: string[] = rows.map(({ reason }) => reason.slice(IN_LINE.length))
  for (const key of keys) await callIn(runner, key, nowMs)
  const { rows: next } = await runner.query(NEXT, [keys, nowMs])
  return { nextAt: next[0].at, last: keys.length < MOST_LINES ? '' : (keys.at(-1) ?? '') }
}

const NOW = 'to_timestamp($2 / 1000.0)'
/** Comes before all ids. */
const NOBODY = '00000000-0000-0000-0000-000000000000'
const FREE = `(until IS NULL OR until <= ${NOW})`

/** Its own, kept or from before a death; else a free one, unless others wait for it. */
const ENTER = `
  WITH own AS (
    SELECT n FROM slots WHERE key = $1 AND task_id = $3 AND n < $7 ORDER BY n LIMIT 1 FOR UPDATE),
  free AS (
    SELECT n FROM slots WHERE key = $1 AND n < $7 AND ${FREE} AND NOT EXISTS (SELECT 1 FROM own)
      AND NOT EXISTS (SELECT 1 FROM dues WHERE reason LIKE '${IN_LINE}%' AND reason = '${IN_LINE}' || $1 AND task_id <> $3)
    ORDER BY n LIMIT 1 FOR UPDATE SKIP LOCKED)
  UPDATE slots s SET task_id = $3, resource_id = $4, owner = $5, fence = $6,
    until = coalesce(to_timestamp($8::double precision / 1000.0), 'infinity')
  FROM (SELECT n FROM own UNION ALL SELECT n FROM free) x WHERE s.key = $1 AND s.n = x.n RETURNING s.n`

const MAKE = `
  WITH gone AS (DELETE FROM slots WHERE key = $1 AND n >= $3 AND ${FREE})
  INSERT INTO slots (key, n) SELECT $1, n FROM generate_series(0, $3::integer - 1) AS n
  ON CONFLICT DO NOTHING`

const LEAVE = `
  UPDATE slots SET task_id = NULL, resource_id = NULL, owner = NULL, fence = NULL, until = NULL
  WHERE key = $1 AND task_id = $2 AND owner = $3`

/** Asked for by its index on reason and id: by an equality the planner may read all that is due, in the order of ids. */
const CALL = `
  WITH free AS (
    SELECT n, row_number() OVER (ORDER BY n) AS place FROM (
      SELECT n FROM slots WHERE key = $1 AND ${FREE} ORDER BY n LIMIT $4 FOR UPDATE SKIP LOCKED) f),
  waiting AS (
    SELECT task_id, resource_id, row_number() OVER (ORDER BY task_id) AS place FROM (
      SELECT task_id, resource_id FROM dues WHERE reason LIKE '${IN_LINE}%'
        AND (reason, task_id) >= ('${IN_LINE}' || $1, '${NOBODY}') AND reason <= '${IN_LINE}' || $1
      ORDER BY reason, task_id LIMIT (SELECT count(*) FROM free) FOR UPDATE SKIP LOCKED) w),
  kept AS (
    UPDATE slots s SET task_id = w.task_id, resource_id = w.resource_id, owner = NULL, fence = NULL,
      until = to_timestamp($3 / 1000.0)
    FROM free f JOIN waiting w USING (place) WHERE s.key = $1 AND s.n = f.n)
  UPDATE dues d SET due_at = ${NOW}, look_at = ${NOW}, reason = 'called in'
  FROM waiting w WHERE ${keyed('d.task_id', 'w.task_id')} RETURNING d.resource_id`

/** The dead may come back: what they held is another's then, so they must not commit under their fence. */
const BURY = `
  WITH dead AS (
    SELECT s.key, s.n, s.resource_id, s.fence FROM slots s LEFT JOIN workers w ON w.id = s.owner
    LEFT JOIN leases l ON ${keyed('l.resource_id', 's.resource_id')}
    WHERE s.until = 'infinity' AND (w.stopped_at IS NOT NULL OR ${isSilent('w', '$1')}
      OR w.id IS NULL AND coalesce(l.claimed_at < to_timestamp(($1 - $2) / 1000.0), true))
    FOR UPDATE OF s SKIP LOCKED),
  fenced AS (
    UPDATE leases l SET fence = l.fence + 1 FROM dead d WHERE ${keyed('l.resource_id', 'd.resource_id')} AND l.fence = d.fence)
  UPDATE slots s SET task_id = NULL, resource_id = NULL, owner = NULL, fence = NULL, until = NULL
  FROM dead d WHERE s.key = d.key AND s.n = d.n`

const KEYS = `
  WITH RECURSIVE lines AS (
    (SELECT reason FROM dues WHERE reason LIKE '${IN_LINE}%' AND reason > $1 ORDER BY reason LIMIT 1)
    UNION ALL
    SELECT n.reason FROM lines l, LATERAL (
      SELECT reason FROM dues WHERE reason LIKE '${IN_LINE}%' AND reason > l.reason ORDER BY reason LIMIT 1) n)
  SELECT reason FROM lines LIMIT $2`

const NEXT = `SELECT min(until) AS at FROM slots WHERE key = ANY($1) AND until > ${NOW} AND until < 'infinity'`
