// The judge: is what became of a run under perils what became of the one that had none?
// Promise: reads only; each breach is a sentence. everywhere.spec.ts plants breaches and sees them found.
import { ACTOR_ID, ARMED_AT } from '../flow/invariants.ts'
import type { Seen } from './yard.ts'

type Sql = (text: string, params?: readonly unknown[]) => Promise<any[]>

/** All that is compared of a run. */
export interface Digest {
  /** Where each task ended: its name, status, state and last snapshot; the fields of each resource. */
  readonly ends: string[]
  /** How each task got there. */
  readonly ways: string[]
  /** The keys of the deeds the world saw, each once. */
  readonly deeds: string[]
  /** What must not be, whatever the run without perils did. */
  readonly breaches: string[]
  readonly tasks: Readonly<Record<string, string>>
  readonly context: Readonly<Record<string, unknown>> | null
}

/** Each finds only what must not be when a run has ended; $1 is the ids of its resources. */
const QUESTIONS: Readonly<Record<string, string>> = {
  'histories with a hole or without a beginning': `
    SELECT t.id FROM tasks t LEFT JOIN transitions x ON x.task_id = t.id WHERE t.resource_id = ANY($1)
    GROUP BY t.id, t.step
    HAVING min(x.step) <> 0 OR max(x.step) <> t.step OR count(*) <> t.step + 1`,
  'steps that do not begin where the last one ended': `
    SELECT * FROM (
      SELECT x.from_state, x.event, lag(x.to_state) OVER (PARTITION BY task_id ORDER BY x.step) AS before
      FROM transitions x JOIN tasks t ON t.id = x.task_id WHERE t.resource_id = ANY($1)) AS steps
    WHERE before IS NOT NULL AND from_state <> before AND before NOT LIKE '\\_\\_%'`,
  'steps under an older fence than the step before': `
    SELECT * FROM (
      SELECT x.fence, max(x.fence) OVER (PARTITION BY task_id ORDER BY x.step) AS highest
      FROM transitions x JOIN tasks t ON t.id = x.task_id WHERE t.resource_id = ANY($1)) AS steps
    WHERE fence < highest`,
  'tasks that have not ended': `
    SELECT id FROM tasks WHERE resource_id = ANY($1) AND finished_at IS NULL`,
  'due entries left': 'SELECT task_id FROM dues WHERE resource_id = ANY($1)',
  'mail nobody took': `
    SELECT e.id FROM events e JOIN tasks t ON t.id = e.task_id
    WHERE t.resource_id = ANY($1) AND e.consumed_at IS NULL`,
  'ends of children told twice': `
    SELECT t.id FROM tasks t JOIN transitions x ON x.task_id = t.id
    WHERE t.resource_id = ANY($1) AND EXISTS (
      SELECT 1 FROM tasks k WHERE k.resource_id = t.resource_id AND starts_with(k.name, t.name || '/')
        AND x.event IN ('xstate.done.actor.' || (k.origin->>'id'), 'xstate.error.actor.' || (k.origin->>'id')))
    GROUP BY t.id, t.resource_id, t.name, x.event
    HAVING count(*) > (
      SELECT count(*) FROM tasks k WHERE k.resource_id = t.resource_id AND starts_with(k.name, t.name || '/')
        AND x.event = CASE k.status WHEN 'done' THEN 'xstate.done.actor.' WHEN 'failed' THEN 'xstate.error.actor.' END
          || (k.origin->>'id'))`,
}

/** Everything there is to say of a run. */
export async function digestOf(sql: Sql, vessel: string, seen: readonly Seen[]): Promise<Digest> {
  const resources = await sql(
    'SELECT id, kind, state, fields FROM resources WHERE id = $1 OR parent_id = $1',
    [vessel],
  )
  const ids = resources.map(({ id }) => id)
  const tasks = await sql(
    `SELECT t.id, t.name, t.status, t.state, x.snapshot FROM tasks t
     LEFT JOIN transitions x ON x.task_id = t.id AND x.step = t.rest_step WHERE t.resource_id = ANY($1)
     ORDER BY t.started_at, t.id`,
    [ids],
  )
  const lines = await sql(
    `SELECT x.task_id, x.event, x.to_state FROM transitions x JOIN tasks t ON t.id = x.task_id
     WHERE t.resource_id = ANY($1) ORDER BY x.step`,
    [ids],
  )
  const breaches: string[] = []
  for (const [what, question] of Object.entries(QUESTIONS)) {
    const { length } = await sql(question, [ids])
    if (length > 0) breaches.push(`${length} ${what}`)
  }
  const names = new Map<string, string>(tasks.map(({ id, name }) => [id, plainName(name)]))
  const keys = seen.filter((one) => one.vessel === vessel).map(({ key }) => key)
  const unseen = (await sql(COMMITTED_KEYS, [ids])).filter(({ key }) => !keys.includes(key))
  if (unseen.length > 0) breaches.push(`${unseen.length} steps by effects the world never saw`)
  const wayOf = (taskId: string) =>
    lines
      .filter((line) => line.task_id === taskId)
      .map(({ event, to_state }) => `${event}>${to_state}`)
  return {
    ends: [
      ...tasks.map(({ name, status, state, snapshot }) =>
        plain(`${plainName(name)} ${status} ${state} ${shown(snapshot)}`),
      ),
      ...resources.map(({ kind, state, fields }) => `${kind} ${state} ${shown(fields)}`),
    ].sort(),
    ways: tasks.map(({ id }) => plain(`${names.get(id)}: ${wayOf(id).join(' ')}`)).sort(),
    deeds: [...new Set(keys.map((key) => plainKey(key, names)))].sort(),
    breaches,
    tasks: endsByName(tasks),
    context: tasks.find(({ name }) => name === 'main')?.snapshot?.context ?? null,
  }
}

/** How a run under perils differs from the one that had none; empty when it does not. */
export function differences(of: Digest, from: Digest, isLive: boolean): string[] {
  const parts = isLive ? (['ends'] as const) : (['ends', 'ways', 'deeds'] as const)
  return [
    ...of.breaches,
    ...parts.flatMap((part) => [
      ...of[part].filter((one) => !from[part].includes(one)).map((one) => `new ${part}: ${one}`),
      ...from[part].filter((one) => !of[part].includes(one)).map((one) => `gone ${part}: ${one}`),
      ...(of[part].length === from[part].length ? [] : [`other number of ${part}`]),
    ]),
  ]
}

/** The keys of all effects that led to a step: the step it was based on has the actor, with its incarnation. */
const COMMITTED_KEYS = `
  SELECT x.task_id || ':' || ${ARMED_AT} || ':' || ${ACTOR_ID} AS key
  FROM transitions x JOIN tasks t ON t.id = x.task_id
  JOIN transitions b ON b.task_id = x.task_id AND b.step = x.base,
    jsonb_array_elements(b.snapshot->'actors') AS e
  WHERE t.resource_id = ANY($1) AND x.event = 'xstate.done.actor.' || ${ACTOR_ID} AND coalesce(e->>'kind', 'effect') = 'effect'
    AND NOT coalesce((e->>'ended')::boolean, false) AND t.name <> 'life' AND coalesce(e->>'src', ${ACTOR_ID}) NOT IN ('two', 'pulse')`

/** Children are told apart by the step that spawned them; which it was is not what we compare. */
const plainName = (name: string) => name.replace(/(:|%3A)\d+(\.\d+)?/g, '')
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
const plain = (text: string) =>
  text.replace(UUID, '#').replace(/(\/[\w.-]+)(%3A\d+\.\d+)?:\d+(\.\d+)?/g, '$1')
const plainKey = (key: string, names: Map<string, string>) =>
  key.replace(UUID, (id) => names.get(id) ?? id)

/** Moments are no part of an end. */
function shown(snapshot: any): string {
  if (typeof snapshot?.value === 'undefined') return JSON.stringify(inOrder(snapshot))
  const { value, context, output, status } = snapshot
  return JSON.stringify(inOrder({ value, context, output, status }))
}

function inOrder(value: any): any {
  if (Array.isArray(value)) return value.map(inOrder)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, part]) => [key, inOrder(part)]),
  )
}

function endsByName(tasks: readonly any[]): Record<string, string> {
  const ends: Record<string, string> = {}
  for (const { name, status, state } of tasks) {
    const plainly = plainName(name)
    const end = `${status} ${state}`
    ends[plainly] = plainly in ends && ends[plainly] !== end ? `${ends[plainly]}, ${end}` : end
  }
  return ends
}
