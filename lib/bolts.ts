// The bolts: what is done about holds, statement by statement. Ends those whose time is over, puts off what is held and due, lets go
// what was put off, and lets one at a time through a breaker on trial.
// Promise: bounded batches, any number of processes at once; without holds it asks one short question a beat.

import type { Runner } from './database.ts'
import type { HoldChange, Probe } from './hold.ts'
import { keyed } from './keyed.ts'
import { HELD } from './latch.ts'

/** Rows of one statement, and statements of one round: more is left to the next beat. */
const BATCH = 1_000
const BATCHES = 10
const QUEUE = 'queue:'
/** Counts older than any policy looks back. */
const OLD_MS = 3_600_000

/** What there is to do: how it is with the queues, with tasks and resources, with holds whose time is over. */
export interface Survey {
  /** The names of those that are held. */
  readonly heldQueues: readonly string[]
  readonly isSomeHeld: boolean
  readonly isSomeOver: boolean
}

/** @param queues those of whoever asks */
export async function survey(
  runner: Runner,
  queues: readonly string[],
  nowMs: number,
): Promise<Survey> {
  const scopes = queues.map((queue) => QUEUE + queue)
  const { rows } = await runner.query(SURVEY, [scopes, nowMs])
  const [{ queued, held, ended }] = rows
  return {
    heldQueues: (queued ?? []).map((scope: string) => scope.slice(QUEUE.length)),
    isSomeHeld: held ?? false,
    isSomeOver: ended ?? false,
  }
}

/** Ends holds whose time is over: a breaker goes on trial, the others are open. @returns what changed */
export async function expire(runner: Runner, nowMs: number): Promise<HoldChange[]> {
  const { rows } = await runner.query(EXPIRE, [nowMs, BATCH])
  const changes = rows.map(
    ({ scope, by, state }): HoldChange => ({
      ...{ scope, by, until: null },
      event: state === 'trial' ? 'trial' : 'expired',
    }),
  )
  const tried = changes.filter(({ event }) => event === 'trial').map(({ scope }) => scope)
  // The first of them is the trial; the others come by their own time, or when it has succeeded.
  for (const scope of tried) await runner.query(LET_GO, [nowMs, [scope], 1])
  if (tried.length > 0) await runner.query(OLD_COUNTS, [nowMs - OLD_MS])
  return changes
}

/** Makes due what open holds had put off, and takes their rows away once nothing is left. @returns how many */
export async function letGo(runner: Runner, nowMs: number): Promise<number> {
  let count = 0
  for (let batch = 0; batch < BATCHES; batch++) {
    const { rows: open } = await runner.query(OPENED)
    if (open.length === 0) break
    const { rows } = await runner.query(LET_GO, [nowMs, open.map(({ scope }) => scope), BATCH])
    count += rows.length
    if (rows.length < BATCH) break
  }
  await runner.query(DONE)
  return count
}

/** Lets one through a breaker whose time is over. @param trustMs how long it is waited for */
export async function probe(
  runner: Runner,
  scope: string,
  { nowMs, trustMs }: { nowMs: number; trustMs: number },
): Promise<Probe> {
  const { rows: won } = await runner.query(PROBE, [scope, nowMs, trustMs])
  if (won.length > 0) return 'ours'
  const { rows } = await runner.query(
    "SELECT coalesce(probe_at, until) AS until FROM holds WHERE scope = $1 AND by = 'breaker' AND state <> 'open'",
    [scope],
  )
  return rows.length > 0 ? { until: rows[0].until } : 'open'
}

/** Stands a hold at the moment $n? A breaker whose time is over is on trial: that is decided at the claim. */
const stands = (n: number) =>
  `state = 'shut' AND (until IS NULL OR until > to_timestamp($${n} / 1000.0))`

const SURVEY = `
  SELECT json_agg(DISTINCT scope) FILTER (WHERE scope = ANY($1) AND ${stands(2)}) AS queued,
    bool_or(scope ~ '^(resource|task):' AND ${stands(2)}) AS held,
    bool_or(state = 'open' OR state = 'shut' AND until <= to_timestamp($2 / 1000.0)) AS ended FROM holds`

const EXPIRE = `
  WITH ended AS (
    SELECT scope, by FROM holds WHERE state = 'shut' AND until <= to_timestamp($1 / 1000.0)
    ORDER BY scope, by LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED),
  over AS (
    UPDATE holds h SET state = CASE WHEN h.by = 'breaker' THEN 'trial' ELSE 'open' END, probe_at = NULL
    FROM ended e WHERE h.scope = e.scope AND h.by = e.by RETURNING h.scope, h.by, h.state),
  told AS (
    INSERT INTO hold_changes (scope, by, event, actor, reason, unit_id, at)
    SELECT scope, by, CASE WHEN state = 'trial' THEN 'trial' ELSE 'expired' END, 'clock', 'its time is over',
      gen_random_uuid(), to_timestamp($1 / 1000.0) FROM over)
  SELECT * FROM over`

/** Open, and nothing else holds the same. */
const OPENED = `
  SELECT DISTINCT scope FROM holds h WHERE state = 'open'
    AND NOT EXISTS (SELECT 1 FROM holds o WHERE o.scope = h.scope AND o.state <> 'open') LIMIT 1000`

const SCOPES = `string_to_array(substr(d.reason, ${HELD.length + 1}), ' ')`

const LET_GO = `
  WITH put_off AS (
    SELECT d.task_id FROM dues d WHERE d.reason LIKE '${HELD}%' AND ${SCOPES} && $2::text[]
    ORDER BY d.task_id LIMIT $3 FOR UPDATE SKIP LOCKED)
  UPDATE dues d SET due_at = to_timestamp($1 / 1000.0), look_at = to_timestamp($1 / 1000.0), reason = 'let go'
  FROM put_off WHERE ${keyed('d.task_id', 'put_off.task_id')} RETURNING d.task_id`

const DONE = `
  DELETE FROM holds h WHERE state = 'open' AND (
    EXISTS (SELECT 1 FROM holds o WHERE o.scope = h.scope AND o.state <> 'open')
    OR NOT EXISTS (SELECT 1 FROM dues d WHERE d.reason LIKE '${HELD}%' AND h.scope = ANY(${SCOPES})))`

const PROBE = `
  UPDATE holds SET state = 'trial', probe_at = to_timestamp(($2 + $3) / 1000.0)
  WHERE scope = $1 AND by = 'breaker'
    AND (state = 'trial' OR state = 'shut' AND until <= to_timestamp($2 / 1000.0))
    AND (probe_at IS NULL OR probe_at <= to_timestamp($2 / 1000.0)) RETURNING scope`

const OLD_COUNTS = 'DELETE FROM breaker_counts WHERE at < to_timestamp($1 / 1000.0)'
