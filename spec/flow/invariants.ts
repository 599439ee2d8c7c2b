// The checker: what must be true of a house when its work is done, whatever was done to it meanwhile.
// Promise: reads only; each breach is a sentence; a checker that objects to nothing proves nothing, so
// checker.spec.ts plants each breach.
import type { Redis } from 'ioredis'
import type { Seen } from '../support/sink.ts'
import { CANARY, COUNTED_STEPS } from './processes/workload.ts'

export type Sql = (text: string, params?: readonly unknown[]) => Promise<any[]>

/** A step as its process reported it. */
export interface Reported {
  readonly taskId: string
  readonly step: number
  readonly from: string
  readonly to: string
  readonly event: string
}

/** What is looked at. */
export interface Evidence {
  readonly sql: Sql
  readonly schema: string
  /** How many vessels were made. */
  readonly vessels: number
  readonly seen: readonly Seen[]
  /** Steps that processes said they had committed. */
  readonly reported: readonly Reported[]
  /** Everything that was printed. */
  readonly output: string
  readonly redis: Redis | null
  /** Tickets that killed processes may have had in hand: the queue keeps those for a minute. */
  readonly lostHands?: number
}

/** Each finds only what must not be, at whatever moment. */
const ALWAYS: Readonly<Record<string, string>> = {
  'histories with a hole or without a beginning': `
    SELECT task_id FROM transitions GROUP BY task_id
    HAVING min(step) <> 0 OR max(step) + 1 <> count(*) OR count(DISTINCT step) <> count(*)`,
  'steps that do not begin where the last one ended': `
    SELECT * FROM (SELECT from_state, lag(to_state) OVER task AS before FROM transitions
                   WINDOW task AS (PARTITION BY task_id ORDER BY step)) AS steps
    WHERE before IS NOT NULL AND from_state <> before`,
  'tasks that are not where their history ends': `
    SELECT t.id FROM tasks t LEFT JOIN LATERAL (
      SELECT step, to_state FROM transitions WHERE task_id = t.id ORDER BY step DESC LIMIT 1) x ON true
    WHERE x.step IS DISTINCT FROM t.step OR x.to_state IS DISTINCT FROM t.state`,
  'fields that did not count every step, or counted one twice': `
    SELECT r.id FROM resources r LEFT JOIN (
      SELECT t.resource_id, count(*) FILTER (WHERE t.name = 'climb') AS climbs,
             count(*) FILTER (WHERE t.name = 'pulse')
               + count(*) FILTER (WHERE t.name = 'pulse' AND x.to_state = 'ringing') AS pulses
      FROM tasks t JOIN transitions x ON x.task_id = t.id WHERE x.step >= 2 GROUP BY 1) n ON n.resource_id = r.id
    WHERE coalesce(n.climbs, 0) <> (r.fields->>'climbs')::int
       OR coalesce(n.pulses, 0) <> (r.fields->>'pulses')::int`,
  'steps under an older fence than the step before': `
    SELECT * FROM (SELECT fence, max(fence) OVER (PARTITION BY task_id ORDER BY step) AS highest
                   FROM transitions) AS steps
    WHERE fence < highest`,
}

/** And these once everything has come to its end. */
const QUESTIONS: Readonly<Record<string, string>> = {
  ...ALWAYS,
  'resources whose tasks did not take all their steps': `
    SELECT id FROM resources WHERE (fields->>'climbs')::int <> ${COUNTED_STEPS}
      OR (fields->>'pulses')::int <> ${COUNTED_STEPS}`,
  'tasks that are not done': `SELECT id FROM tasks WHERE status <> 'done' OR finished_at IS NULL`,
  'due entries left': 'SELECT task_id FROM dues',
  'events nobody took': 'SELECT id FROM events WHERE consumed_at IS NULL',
  'failures nobody planted': `SELECT id FROM failures WHERE message <> 'the rung broke'`,
  'locks left': 'SELECT key FROM locks WHERE expires_at > clock_timestamp()',
}

/** Of an actor `e` in a snapshot: what its address says, unless it is said beside it. */
export const ACTOR_ID = `coalesce(e->>'id', e->'address'->'$actor'->>0)`
export const ARMED_AT = `coalesce(e->>'armedAt', substring(e->'address'->'$actor'->>2 FROM '@([0-9]+)$'))`

/** The keys of all effects that led to a step: the step before has the effect and its incarnation. */
export const COMMITTED_KEYS = `
  SELECT x.task_id || ':' || ${ARMED_AT} || ':' || ${ACTOR_ID} AS key
  FROM transitions x JOIN transitions b ON b.task_id = x.task_id AND b.step = x.base,
       jsonb_path_query(b.snapshot, '$.actors[*] ? ((!exists(@.kind) || @.kind == "effect") && !exists(@.ended))') AS e
  WHERE x.event = 'xstate.done.actor.' || ${ACTOR_ID}`

/** Effects of a vessel that lead to a step: five rungs, a knock and a ring. */
export const EFFECTS_EACH = 7

/** All breaches of a house whose work is done; none if all is well. */
export async function breachesIn(evidence: Evidence): Promise<string[]> {
  const { sql, vessels } = evidence
  const breaches = await answersTo(QUESTIONS, sql)
  const [tasks] = await sql('SELECT count(*) AS count FROM tasks')
  if (tasks.count !== 2 * vessels) breaches.push(`${tasks.count} tasks of ${vessels} vessels`)
  breaches.push(...(await unseen(evidence)))
  breaches.push(...(await unkept(evidence)))
  breaches.push(...(await canariesInTables(evidence)))
  if (evidence.output.includes(CANARY)) breaches.push('a secret was printed')
  if (evidence.redis) breaches.push(...(await remainsIn(evidence.redis, evidence)))
  return breaches
}

/** Breaches in the middle of things: histories, fences and fields, and what was reported and is not stored. */
export async function breachesMidway(
  evidence: Pick<Evidence, 'sql' | 'reported'>,
): Promise<string[]> {
  return [...(await answersTo(ALWAYS, evidence.sql)), ...(await unkept(evidence))]
}

async function answersTo(questions: typeof QUESTIONS, sql: Sql): Promise<string[]> {
  const breaches: string[] = []
  for (const [what, question] of Object.entries(questions)) {
    const { length } = await sql(question)
    if (length > 0) breaches.push(`${length} ${what}`)
  }
  return breaches
}

/** Every committed effect was seen by the world, and the world saw no effect of nobody. */
async function unseen({ sql, seen, vessels }: Evidence): Promise<string[]> {
  const rows = await sql(COMMITTED_KEYS)
  const keys = new Set(seen.map(({ key }) => key))
  const missing = rows.filter(({ key }) => !keys.has(key))
  const breaches = missing.length > 0 ? [`${missing.length} steps without their effect`] : []
  const expected = EFFECTS_EACH * vessels
  if (rows.length !== expected)
    breaches.push(`${rows.length} effects led to a step, not ${expected}`)
  if (keys.size !== expected) breaches.push(`${keys.size} effects were seen, not ${expected}`)
  return breaches
}

/** A step that a process said it had committed is there, as it was said. */
async function unkept({ sql, reported }: Pick<Evidence, 'sql' | 'reported'>): Promise<string[]> {
  const [gone] = await sql(
    `SELECT count(*) FILTER (WHERE x.step IS NULL) AS missing, count(*) FILTER (WHERE (x.from_state, x.to_state, x.event)
       IS DISTINCT FROM (v."from", v."to", v.event) AND x.step IS NOT NULL) AS other
     FROM json_to_recordset($1) AS v("taskId" uuid, step integer, "from" text, "to" text, event text)
     LEFT JOIN transitions x ON x.task_id = v."taskId" AND x.step = v.step`,
    [JSON.stringify(reported)],
  )
  return [
    ...(gone.missing > 0 ? [`${gone.missing} steps were reported and are gone`] : []),
    ...(gone.other > 0 ? [`${gone.other} steps were reported otherwise than they are stored`] : []),
  ]
}

/** No table of ours shows a secret, in whatever column. */
async function canariesInTables({ sql, schema }: Evidence): Promise<string[]> {
  const tables = await sql(
    `SELECT table_schema AS schema, table_name AS name FROM information_schema.tables
     WHERE table_schema = ANY($1) AND table_type = 'BASE TABLE'`,
    [[schema, `${schema}_queue`]],
  )
  const breaches: string[] = []
  for (const { schema, name } of tables) {
    const [{ count }] = await sql(
      `SELECT count(*) AS count FROM "${schema}"."${name}" t WHERE to_json(t)::text LIKE '%${CANARY}%'`,
    )
    if (count > 0) breaches.push(`${count} rows of ${name} show a secret`)
  }
  return breaches
}

/** No lock is held, no ticket is in hand, and no key shows a secret. */
async function remainsIn(redis: Redis, { schema, lostHands = 0 }: Evidence): Promise<string[]> {
  const breaches: string[] = []
  const keys: string[] = []
  for await (const page of redis.scanStream({ count: 1_000 })) keys.push(...(page as string[]))
  for (const key of keys) {
    if (key.startsWith(`${schema}:lock:`)) breaches.push(`the lock ${key} is held`)
    if (key.startsWith(`{${schema}}`) && key.endsWith(':active')) {
      const inHand = await redis.llen(key)
      if (inHand > lostHands) breaches.push(`${inHand} tickets are in hand`)
    }
    if ((await contents(redis, key)).includes(CANARY))
      breaches.push(`the key ${key} shows a secret`)
  }
  return breaches
}

/** A key and all its value, whatever its type. */
async function contents(redis: Redis, key: string): Promise<string> {
  const read: Record<string, (() => Promise<unknown>) | undefined> = {
    string: () => redis.get(key),
    hash: () => redis.hgetall(key),
    list: () => redis.lrange(key, 0, -1),
    set: () => redis.smembers(key),
    zset: () => redis.zrange(key, '0', '-1'),
    stream: () => redis.xrange(key, '-', '+'),
  }
  return `${key} ${JSON.stringify(await read[await redis.type(key)]?.())}`
}

/** How often the world saw more of an effect than it had to: each attempt once is the least. */
export function repeated(seen: readonly Seen[]): number {
  return seen.length - new Set(seen.map(({ key, attempt }) => `${key}#${attempt}`)).size
}
