// A claim: a resource under its fence, with everything in it that is due, as one statement sees it.
// Promise: rings and mail are read in one snapshot, so mail not seen here has a ring not counted here.
import type { Runner } from './database.ts'
import type { Origin, RunStatus } from './unit.ts'

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
  /** Tasks with actors that can be found by a system id, and these: `[task, { id: [id, task, actor] }]`. */
  readonly system: readonly [string, Record<string, [string, string, string | null]>][]
  readonly tasks: readonly StoredTask[]
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
const MOST_TASKS = 200
const MOST_MAIL = 100
/** Raises the fences of resources and reads them; null for one there is none of. */
export async function claim(
  runner: Runner,
  asked: readonly { resourceId: string; owner: string }[],
  nowMs: number,
): Promise<(Claim | null)[]> {
  // Two claims of one resource are two fences: the later one is raised after the earlier.
  const owners = new Map(asked.map(({ resourceId, owner }) => [resourceId, owner]))
  if (owners.size < asked.length) return oneByOne(asked, (one) => claim(runner, [one], nowMs))
  const { rows } = await runner.query(RAISE, [[...owners.keys()], [...owners.values()], nowMs])
  const fences = new Map<string, number>(rows.map(({ resource_id, fence }) => [resource_id, fence]))
  const held = asked.map(({ resourceId }) => ({ resourceId, fence: fences.get(resourceId) ?? 0 }))
  return look(runner, held, nowMs)
}

async function oneByOne<Q, A>(asked: readonly Q[], ask: (one: Q) => Promise<A[]>): Promise<A[]> {
  const answers: A[] = []
  for (const one of asked) answers.push(...(await ask(one)))
  return answers
}

const RAISE = `
  WITH wanted AS (
    SELECT resource_id, v.claimant FROM leases JOIN unnest($1::uuid[], $2::text[]) AS v(id, claimant) ON v.id = resource_id
    ORDER BY resource_id FOR NO KEY UPDATE OF leases)
  UPDATE leases SET fence = fence + 1, owner = wanted.claimant, claimed_at = to_timestamp($3 / 1000.0)
  FROM wanted WHERE leases.resource_id = wanted.resource_id RETURNING leases.resource_id, fence`

/** Reads resources and what is due in them. A statement of its own, so it sees all that was committed. */
export async function look(
  runner: Runner,
  asked: readonly { resourceId: string; fence: number }[],
  nowMs: number,
): Promise<(Claim | null)[]> {
  const ids = [...new Set(asked.map(({ resourceId }) => resourceId))]
  const { rows } = await runner.query(LOOK, [ids, nowMs, MOST_TASKS, MOST_MAIL])
  const found = new Map<string, any[]>(ids.map((id) => [id, []]))
  for (const row of rows) found.get(row.resource_id)?.push(row)
  return asked.map(({ resourceId, fence }) => claimOf(resourceId, fence, found.get(resourceId)))
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

function claimOf(resourceId: string, fence: number, rows: any[] = []): Claim | null {
  const [first] = rows
  if (!first) return null
  const { kind, parent_id: parentId, resource_state: state, availability, fields, version } = first
  return {
    resourceId,
    kind,
    state,
    parentId,
    availability,
    fields,
    version,
    fence,
    system: first.actors ?? [],
    tasks: rows.filter(({ id }) => id).map(storedTask),
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
    snapshot: row.snapshot,
    args: row.args,
    dueAt: row.due_at,
    wakes: row.wakes,
    mail: (row.mail ?? []).slice(0, MOST_MAIL),
    hasMore: row.mail?.length > MOST_MAIL,
  }
}

const LOOK = `
  SELECT r.id AS resource_id, r.kind, r.parent_id, r.state AS resource_state, r.availability, coalesce(r.lost_and_found, '{}') || r.fields AS fields, r.version,
    (SELECT json_agg(json_build_array(s.name, s.system)) FROM tasks s
     WHERE s.resource_id = r.id AND s.system IS NOT NULL AND s.finished_at IS NULL) AS actors, t.*
  FROM resources r LEFT JOIN LATERAL (
    SELECT t.id, t.name, t.machine_version, t.step, t.rest_step, t.status, t.state, t.tries, t.origin, t.moved_at,
           x.snapshot, CASE WHEN t.rest_step = 0 THEN x.payload END AS args, d.due_at, d.wakes,
           (SELECT json_agg(json_build_object('id', e.id::text, 'type', e.type, 'payload', e.payload,
                     'actor', e.actor, 'reason', e.reason, 'sender', e.sender, 'recipient', e.recipient, 'sentAt', floor(extract(epoch FROM e.sent_at) * 1000),
                     'expiresAt', floor(extract(epoch FROM e.expires_at) * 1000)) ORDER BY e.id)
            FROM (SELECT * FROM events WHERE task_id = t.id AND consumed_at IS NULL ORDER BY id LIMIT $4 + 1) e) AS mail
    FROM dues d JOIN tasks t ON t.id = d.task_id
    JOIN transitions x ON x.task_id = t.id AND x.step = t.rest_step
    WHERE d.resource_id = r.id AND d.due_at <= to_timestamp($2 / 1000.0)
    ORDER BY d.due_at LIMIT $3) t ON true
  WHERE r.id = ANY($1)`
