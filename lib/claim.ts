// A claim: a resource under its fence, with everything in it that is due, as one statement sees it.
// Promise: rings and mail are read in one snapshot, so mail not seen here has a ring not counted here.

import type { Runner, Sequence } from './database.ts'
import type { Hold } from './hold.ts'
import { keyed } from './keyed.ts'
import { prepared } from './prepared.ts'
import { type Death, diedBefore, strike } from './strike.ts'
import type { Origin, RunStatus } from './unit.ts'
import { USAGE, type Usage, usageOf } from './usage.ts'

/** A resource as it was when it was claimed, or looked at again. */
export interface Claim {
  readonly resourceId: string
  readonly kind: string
  readonly state: string
  readonly parentId: string | null
  readonly availability: unknown
  readonly fields: Record<string, unknown>
  readonly version: number
  readonly fence: number
  /** When it was asked for; of a look, when that was. */
  readonly claimedAt: number
  /** Tasks with actors that can be found by a system id, and these: `[task, { id: [id, task, actor] }]`. */
  readonly system: readonly [string, Record<string, [string, string, string | null]>][]
  readonly tasks: readonly StoredTask[]
  /** What holds the resource, and all that holds tasks, queues and dependencies. */
  readonly holds: readonly Hold[]
  /** What it has used of the quota of its kind, when that was last told; of a claim, not of a look. */
  used: Usage | null
}

export interface StoredTask {
  readonly id: string
  readonly task: string
  readonly machineVersion: string
  readonly step: number
  readonly restStep: number
  readonly status: RunStatus
  readonly state: string
  readonly tries: unknown
  readonly origin: Origin | null
  readonly snapshot: unknown
  /** When it last moved; of a parked task, when it was parked. */
  readonly movedAt: number
  /** How many processes died over it since it last moved, and which. */
  readonly strikes: number
  readonly struckBy: readonly string[]
  /** What the run was started with. */
  readonly args: unknown
  readonly dueAt: number
  readonly wakes: number
  readonly mail: readonly StoredEvent[]
  /** More mail waits than was read: whoever has taken this looks again. */
  readonly hasMore: boolean
}

export interface StoredEvent {
  readonly id: string
  readonly type: string
  readonly payload: unknown
  readonly actor: string
  readonly reason: string | null
  /** The child that sent it, and the actor of the task that it is for. */
  readonly sender: string | null
  readonly recipient: string | null
  readonly sentAt: number
  readonly expiresAt: number | null
}

/** Bounds of one look: a resource with more due tasks, or a task with more mail, gets another turn. */
export const MOST_TASKS = 200
const MOST_MAIL = 100

/** Who wants to tick what. A claimant that cannot tell the dead from the silent does not judge them. */
export interface Claimant {
  readonly resourceId: string
  readonly owner: string
  readonly isJudge: boolean
}

/** Raises the fences of resources and reads them; null for one there is none of. */
export async function claim(
  runner: Sequence,
  asked: readonly Claimant[],
  nowMs: number,
): Promise<(Claim | null)[]> {
  // Two claims of one resource are two fences: the later one is raised after the earlier.
  const owners = new Map(asked.map(({ resourceId, owner }) => [resourceId, owner]))
  if (owners.size < asked.length) return oneByOne(asked, (one) => claim(runner, [one], nowMs))
  const ids = [...owners.keys()]
  const [raised, seen] = await runner.inTurn([
    [RAISE, [ids, [...owners.values()], nowMs]],
    [LOOK, [ids, nowMs]],
  ])
  const rows = raised?.rows ?? []
  const judges = new Set(asked.filter(({ isJudge }) => isJudge).map((one) => one.resourceId))
  const deaths = rows.filter(({ died, resource_id }) => died !== null && judges.has(resource_id))
  if (deaths.length > 0) await strike(runner, deaths.map(deathOf), nowMs)
  const fences = new Map<string, number>(rows.map(({ resource_id, fence }) => [resource_id, fence]))
  const held = asked.map(({ resourceId }) => ({ resourceId, fence: fences.get(resourceId) ?? 0 }))
  const used = new Map(rows.map((row) => [row.resource_id, usageOf(row)]))
  // What was struck is read again, with its strikes.
  const claims =
    deaths.length > 0 ? await look(runner, held, nowMs) : claimsOf(held, seen?.rows ?? [], nowMs)
  for (const one of claims) if (one) one.used = used.get(one.resourceId) ?? null
  return claims
}

async function oneByOne<Q, A>(asked: readonly Q[], ask: (one: Q) => Promise<A[]>): Promise<A[]> {
  const answers: A[] = []
  for (const one of asked) answers.push(...(await ask(one)))
  return answers
}

/**
 * Nobody waits until the disk has it: a claim that a crash of the server takes away takes nothing with it, for whatever
 * is committed under it lies behind it in the log. So that nobody is given the number of a lost one, a fence is the
 * server's time in microseconds, or one more than the last; see docs/decisions/0023-claims-need-no-flush.md.
 */
const RAISE = prepared(`
  WITH wanted AS (
    SELECT resource_id, v.claimant, fence AS last, owner AS before, claimed_at AS since FROM leases JOIN unnest($1::uuid[], $2::text[]) AS v(id, claimant) ON v.id = resource_id
    WHERE resource_id = ANY($1) ORDER BY resource_id FOR NO KEY UPDATE OF leases)
  UPDATE leases SET fence = greatest(last + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint), owner = wanted.claimant, claimed_at = to_timestamp($3 / 1000.0)
  FROM wanted WHERE ${keyed('leases.resource_id', 'wanted.resource_id')} RETURNING leases.resource_id, fence, last, since, ${USAGE},
    set_config('synchronous_commit', 'off', true),
    CASE WHEN before <> claimant THEN ${diedBefore('before', '$3')} END AS died`)

const deathOf = ({ resource_id: resourceId, last, since, died }: any): Death => ({
  resourceId,
  fence: last,
  since,
  who: died,
})

/** Reads resources and what is due in them. A statement of its own, so it sees all that was committed. */
export async function look(
  runner: Runner,
  asked: readonly { resourceId: string; fence: number }[],
  nowMs: number,
): Promise<(Claim | null)[]> {
  const ids = [...new Set(asked.map(({ resourceId }) => resourceId))]
  const { rows } = await runner.query(LOOK, [ids, nowMs])
  return claimsOf(asked, rows, nowMs)
}

function claimsOf(
  asked: readonly { resourceId: string; fence: number }[],
  rows: readonly any[],
  nowMs: number,
): (Claim | null)[] {
  const found = new Map<string, any[]>(asked.map(({ resourceId }) => [resourceId, []]))
  for (const row of rows) found.get(row.resource_id)?.push(row)
  return asked.map(({ resourceId, fence }) =>
    claimOf(resourceId, fence, nowMs, found.get(resourceId)),
  )
}

/** Which of these runs have ended, or are stopping: nothing more is done for them. */
export async function finished(runner: Runner, taskIds: readonly string[]): Promise<string[]> {
  if (taskIds.length === 0) return []
  const { rows } = await runner.query(
    "SELECT id FROM tasks WHERE id = ANY($1) AND (finished_at IS NOT NULL OR status = 'stopping')",
    [taskIds],
  )
  return rows.map(({ id }) => id)
}

function claimOf(
  resourceId: string,
  fence: number,
  claimedAt: number,
  rows: any[] = [],
): Claim | null {
  const [first] = rows
  if (!first) return null
  return {
    resourceId,
    fence,
    claimedAt,
    kind: first.kind,
    state: first.resource_state,
    parentId: first.parent_id,
    availability: first.availability,
    fields: first.fields,
    version: first.version,
    system: first.actors ?? [],
    holds: [...(first.shared_holds ?? []), ...(first.own_holds ?? [])],
    tasks: rows.filter(({ id }) => id).map(storedTask),
    used: null,
  }
}

function storedTask(row: any): StoredTask {
  return {
    id: row.id,
    task: row.name,
    machineVersion: row.machine_version,
    step: row.step,
    restStep: row.rest_step,
    status: row.status,
    state: row.state,
    tries: row.tries,
    origin: row.origin,
    movedAt: row.moved_at,
    strikes: row.strikes,
    struckBy: row.struck_by ?? [],
    snapshot: row.snapshot,
    args: row.args,
    dueAt: row.due_at,
    wakes: row.wakes,
    mail: (row.mail ?? []).slice(0, MOST_MAIL),
    hasMore: row.mail?.length > MOST_MAIL,
  }
}

/** Holds that stand or have a trial, as JSON. */
const holdsOf = (which: string) => `(
    SELECT json_agg(json_build_object('scope', h.scope, 'by', h.by, 'state', h.state, 'actor', h.actor, 'reason', h.reason,
      'round', h.round, 'since', floor(extract(epoch FROM h.since) * 1000), 'until', floor(extract(epoch FROM h.until) * 1000),
      'probeAt', floor(extract(epoch FROM h.probe_at) * 1000)))
    FROM holds h WHERE ${which} AND h.state <> 'open')`

const LOOK = prepared(`
  SELECT ${holdsOf(`left(h.scope, 9) <> 'resource:'`)} AS shared_holds, ${holdsOf(`h.scope = 'resource:' || r.id`)} AS own_holds,
     r.id AS resource_id, r.kind, r.parent_id, r.state AS resource_state, r.availability, coalesce(r.lost_and_found, '{}') || r.fields AS fields, r.version,
    (SELECT json_agg(json_build_array(s.name, s.system)) FROM tasks s
     WHERE s.resource_id = r.id AND s.system IS NOT NULL AND s.finished_at IS NULL) AS actors, t.*
  FROM resources r LEFT JOIN LATERAL (
    SELECT t.id, t.name, t.machine_version, t.step, t.rest_step, t.status, t.state, t.tries, t.origin, t.moved_at, t.strikes, t.struck_by,
           x.snapshot, CASE WHEN t.rest_step = 0 THEN x.payload END AS args, d.due_at, d.wakes,
           (SELECT json_agg(json_build_object('id', e.id::text, 'type', e.type, 'payload', e.payload,
                     'actor', e.actor, 'reason', e.reason, 'sender', e.sender, 'recipient', e.recipient, 'sentAt', floor(extract(epoch FROM e.sent_at) * 1000),
                     'expiresAt', floor(extract(epoch FROM e.expires_at) * 1000)) ORDER BY e.id)
            FROM (SELECT * FROM events WHERE task_id = t.id AND consumed_at IS NULL ORDER BY id LIMIT ${MOST_MAIL + 1}) e) AS mail
    FROM dues d JOIN tasks t ON ${keyed('t.id', 'd.task_id')}
    JOIN transitions x ON ${keyed('x.task_id', 't.id')} AND x.step = t.rest_step
    WHERE d.resource_id = r.id AND d.due_at <= to_timestamp($2 / 1000.0)
    ORDER BY d.due_at LIMIT ${MOST_TASKS}) t ON true
  WHERE r.id = ANY($1)`)
