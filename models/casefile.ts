// A case file: everything stored that says why a resource moves or does not, read in one moment.
// Promise: reads only; all of it is of one snapshot of the database.
import type { Knex } from '../lib/database.ts'
import { inHand, isSilent } from '../lib/strike.ts'
import { runInfo } from './row.ts'
import type { RunInfo } from './verbs.ts'

/** A run, and all that is stored about it. */
export interface CaseRun extends RunInfo {
  readonly machineVersion: string
  readonly origin: any
  readonly snapshot: unknown
  readonly tries: any
  readonly strikes: number
  readonly struckBy: readonly string[]
  readonly dueReason: string | null
  /** The line of its last step: who, why, when. */
  readonly last: { readonly actor: string; readonly reason: string | null; readonly at: number }
  readonly mailbox: number
  readonly failure: CaseFailure | null
  readonly alarms: readonly CaseAlarm[]
  /** Had the last claim of its resource this in hand, and has nobody settled it since? */
  readonly isInHand: boolean
}

export interface CaseFailure {
  readonly class: string
  readonly code: string | null
  readonly message: string
  readonly effect: string | null
  readonly attempt: number
  readonly step: number
  readonly playbook: string | null
  readonly dependency: string | null
  readonly at: number
}

export interface CaseAlarm {
  readonly name: string
  readonly state: string
  readonly severity: string
  readonly message: string
  readonly owner: string | null
  readonly at: number
}

export interface CaseHold {
  readonly scope: string
  readonly by: 'pause' | 'breaker' | 'limit'
  readonly state: string
  readonly actor: string
  readonly reason: string | null
  readonly since: number
  readonly until: number | null
}

export interface CaseFile {
  readonly nowMs: number
  readonly queue: string
  readonly resource: {
    readonly id: string
    readonly kind: string
    readonly state: string
    readonly parent: { readonly id: string; readonly kind: string; readonly state: string } | null
    readonly children: number
    readonly owner: string | null
    readonly fence: number
    readonly claimedAt: number | null
    /** What is known of the owner; null when it never was on the roster. */
    readonly worker: {
      readonly host: string
      readonly pid: number
      readonly isAlive: boolean
    } | null
  } | null
  readonly tombstone: {
    readonly actor: string
    readonly reason: string | null
    readonly at: number
  } | null
  readonly runs: readonly CaseRun[]
  readonly alarms: readonly CaseAlarm[]
  readonly holds: readonly CaseHold[]
  /** How many are alive, of those who serve this queue; workers, whatever they serve. */
  readonly alive: { readonly worker: number; readonly clock: number; readonly any: number }
  /** Resources that were due before this one. */
  readonly ahead: number
}

/** Live runs of one resource beyond this are not looked at. */
const MOST_RUNS = 200
/** Resources before it are counted up to here. */
const MOST_AHEAD = 10_000
/** Whatever is due is looked at by then: the longest time a ticket is trusted. */
const MOST_TOLD_MS = 600_000

/**
 * Reads the file of a resource.
 * @param names of the task asked about, its earlier ones among them; null for the whole resource
 * @param scopesOf what may be held, by the runs that were found
 */
export function readCase(
  knex: Knex,
  asked: { id: string; names: readonly string[] | null; queue: string; nowMs: number },
  scopesOf: (runs: readonly CaseRun[]) => string[],
): Promise<CaseFile> {
  const { id, names, queue, nowMs } = asked
  const reading = async (trx: Knex): Promise<CaseFile> => {
    const rows = async (text: string, values: Knex.RawBinding | any) =>
      (await trx.raw(text, { nowMs, ...values })).rows as any[]
    const [found] = await rows(RESOURCE, { id })
    const [tombstone = null] = found ? [] : await rows(TOMBSTONE, { id })
    const runs = found
      ? (await rows(RUNS, { id, names: names && [...names], most: MOST_RUNS })).map(runOf)
      : []
    const dueAt = Math.min(...runs.map(({ dueAt }) => dueAt ?? Number.POSITIVE_INFINITY))
    const isLate = dueAt <= nowMs
    const [{ ahead }] = isLate ? await rows(AHEAD, { id, dueAt, most: MOST_AHEAD }) : [{ ahead: 0 }]
    const [alive] = await rows(ALIVE, { queue })
    return {
      ...{ nowMs, queue, tombstone, runs, ahead, alive },
      resource: found ? resourceOf(found) : null,
      alarms: await rows(ALARMS, { id }),
      holds: await rows(HOLDS, { scopes: scopesOf(runs) }),
    }
  }
  return knex.transaction((trx) => reading(trx as unknown as Knex), {
    isolationLevel: 'repeatable read',
    readOnly: true,
  })
}

function resourceOf(row: any): CaseFile['resource'] {
  const { id, kind, state, children, owner, fence, claimed_at: claimedAt } = row
  const { parent_id, parent_kind, parent_state, host, pid, is_alive: isAlive } = row
  return {
    ...{ id, kind, state, children, owner, fence, claimedAt },
    parent: parent_id && { id: parent_id, kind: parent_kind, state: parent_state },
    worker: host === null ? null : { host, pid, isAlive },
  }
}

function runOf(row: any): CaseRun {
  return {
    ...runInfo(row),
    machineVersion: row.machine_version,
    origin: row.origin,
    snapshot: row.snapshot,
    tries: row.tries,
    strikes: row.strikes,
    struckBy: row.struck_by ?? [],
    dueReason: row.reason,
    last: row.last,
    mailbox: row.mailbox,
    failure: row.failure,
    alarms: row.alarms ?? [],
    isInHand: row.is_in_hand ?? false,
  }
}

const MS = (column: string) => `floor(extract(epoch FROM ${column}) * 1000)::float8`
const NOW = ':nowMs::float8'

const RESOURCE = `
  SELECT r.id, r.kind, r.state, p.id AS parent_id, p.kind AS parent_kind, p.state AS parent_state,
    (SELECT count(*)::int FROM resources c WHERE c.parent_id = r.id) AS children,
    l.owner, l.fence, l.claimed_at, w.host, w.pid,
    w.stopped_at IS NULL AND NOT ${isSilent('w', NOW)} AS is_alive
  FROM resources r LEFT JOIN resources p ON p.id = r.parent_id
  LEFT JOIN leases l ON l.resource_id = r.id LEFT JOIN workers w ON w.id = l.owner
  WHERE r.id = :id`

const TOMBSTONE =
  'SELECT actor, reason, at FROM tombstones WHERE resource_id = :id ORDER BY id DESC LIMIT 1'

const ALARM = `name, state, severity, message, owner, ${MS('coalesce(opened_at, first_seen_at)')} AS at`
const OPEN = `state NOT IN ('closed', 'pending')`

/** Live runs, and the latest that has ended of the task asked about; of a resource without a live run, the latest. */
const RUNS = `
  WITH asked AS (
    (SELECT * FROM tasks WHERE resource_id = :id AND finished_at IS NULL ORDER BY id LIMIT :most)
    UNION
    (SELECT * FROM tasks WHERE resource_id = :id AND finished_at IS NOT NULL
       AND (:names::text[] IS NULL OR name = ANY(:names::text[])) ORDER BY started_at DESC, id DESC LIMIT 1))
  SELECT t.*, d.due_at, d.reason, x.snapshot,
    (SELECT json_build_object('actor', y.actor, 'reason', y.reason, 'at', ${MS('y.at')}) FROM transitions y
     WHERE y.task_id = t.id ORDER BY y.step DESC LIMIT 1) AS last,
    (SELECT count(*)::int FROM events e WHERE e.task_id = t.id AND e.consumed_at IS NULL) AS mailbox,
    (SELECT row_to_json(f) FROM (
       SELECT class, code, message, effect, attempt, step, playbook, dependency, ${MS('at')} AS at FROM failures
       WHERE task_id = t.id ORDER BY failures.at DESC, id DESC LIMIT 1) f) AS failure,
    (SELECT json_agg(a) FROM (SELECT ${ALARM} FROM alarms WHERE task_id = t.id AND ${OPEN} LIMIT 20) a) AS alarms,
    l.owner IS NOT NULL AND ${inHand('l.claimed_at', 'l.fence')} AS is_in_hand
  FROM asked t LEFT JOIN dues d ON d.task_id = t.id LEFT JOIN leases l ON l.resource_id = t.resource_id
  LEFT JOIN transitions x ON x.task_id = t.id AND x.step = t.rest_step`

const ALARMS = `SELECT ${ALARM} FROM alarms WHERE resource_id = :id AND task_id IS NULL AND ${OPEN} LIMIT 20`

const HOLDS = `
  SELECT scope, by, state, actor, reason, since, until FROM holds
  WHERE scope = ANY(:scopes::text[]) AND state <> 'open' AND (until IS NULL OR until > to_timestamp(${NOW} / 1000.0)) ORDER BY since`

const ALIVE = `
  SELECT count(*) FILTER (WHERE role = 'worker' AND serves)::int AS worker, count(*) FILTER (WHERE role = 'clock' AND serves)::int AS clock,
    count(*) FILTER (WHERE role = 'worker')::int AS any
  FROM (SELECT w.*, CASE WHEN queues IS NULL THEN queue = :queue ELSE jsonb_exists(queues, :queue) END AS serves FROM workers w) w
  WHERE w.stopped_at IS NULL AND NOT ${isSilent('w', NOW)}`

const AHEAD = `
  SELECT count(*)::int AS ahead FROM (
    SELECT DISTINCT resource_id FROM dues
    WHERE look_at <= to_timestamp((${NOW} + ${MOST_TOLD_MS}) / 1000.0) AND due_at < to_timestamp(:dueAt / 1000.0) AND resource_id <> :id
    LIMIT :most) before`
