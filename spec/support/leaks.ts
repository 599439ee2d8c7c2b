// What a house must not leave behind when it is closed.
// Promise: reads only; each leak is a sentence that says what was found and how much of it.
import type { Redis } from 'ioredis'
import type { Database } from '../../lib/database.ts'
import type { App } from '../../models/app.ts'
import { until } from './wait.ts'

/** A session that rests inside a transaction which has touched a table of ours. */
const RESTING = `
  SELECT DISTINCT a.pid, a.query FROM pg_stat_activity a JOIN pg_locks l USING (pid)
  JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE a.state LIKE 'idle in transaction%' AND a.pid <> pg_backend_pid() AND n.nspname = ANY($1)`

/** Each question finds only what should not be; it is asked when nothing works in the house any more. */
const QUESTIONS: Readonly<Record<string, string>> = {
  'locks left': 'SELECT key FROM locks WHERE expires_at > now()',
  'live tasks without a due entry': `
    SELECT t.id FROM tasks t LEFT JOIN dues d ON d.task_id = t.id
    WHERE t.finished_at IS NULL AND d.task_id IS NULL`,
  'due entries of finished tasks': `
    SELECT d.task_id FROM dues d JOIN tasks t ON t.id = d.task_id WHERE t.finished_at IS NOT NULL`,
  'running tasks with mail that nobody will look at': `
    SELECT DISTINCT t.id FROM tasks t JOIN dues d ON d.task_id = t.id JOIN events e ON e.task_id = t.id
    WHERE t.status = 'running' AND e.consumed_at IS NULL AND d.due_at IS NULL AND d.reason NOT LIKE 'held:%'`,
  'due entries no clock will look at': `
    SELECT task_id FROM dues WHERE due_at IS NOT NULL AND look_at IS NULL`,
  'histories with a hole': `
    SELECT t.id FROM tasks t JOIN transitions x ON x.task_id = t.id
    GROUP BY t.id, t.step HAVING count(*) <> t.step + 1 - min(x.step) OR max(x.step) <> t.step`,
  'due entries put off by a hold that is gone': `
    SELECT task_id FROM dues WHERE reason LIKE 'held:%' AND due_at IS NULL AND NOT EXISTS (
      SELECT 1 FROM holds WHERE scope = ANY(string_to_array(substr(reason, 6), ' ')))`,
  'resources without a lease row': `
    SELECT r.id FROM resources r LEFT JOIN leases l ON l.resource_id = r.id WHERE l.resource_id IS NULL`,
}

/** Where a history begins is said by whoever has removed what was before. */
const BEGINNINGS = `
  SELECT t.id FROM tasks t JOIN transitions x ON x.task_id = t.id`
const ANEW = `${BEGINNINGS} GROUP BY t.id HAVING min(x.step) <> 0`
const LATER = `${BEGINNINGS} LEFT JOIN retired_steps s ON s.task_id = t.id
  GROUP BY t.id, s.first_step HAVING min(x.step) <> coalesce(s.first_step, 0)`

/** What an app leaves open while it lives: looked for before it is closed, when its worker has stopped. */
export async function left(app: App): Promise<string[]> {
  await app.stopWorker()
  const { database, config } = app.rooms
  if (config.setting === 'embedded') return []
  const schemas = [config.schema, `${config.schema}_queue`]
  const resting = async () => (await database.query(RESTING, [schemas])).rows
  const isClean = async () => (await resting()).length === 0
  try {
    await until(isClean, { what: 'no transaction rested', deadlineMs: 2_000 })
    return []
  } catch {
    return (await resting()).map(({ query }) => `a transaction rests after "${query.slice(0, 60)}"`)
  }
}

/** What is left in the tables and keys of a house that was closed. */
export async function leaksIn(database: Database, redis: Redis | null): Promise<string[]> {
  const leaks: string[] = []
  for (const [what, sql] of Object.entries(QUESTIONS)) {
    const { rows } = await database.query(sql)
    if (rows.length > 0) leaks.push(`${rows.length} ${what}`)
  }
  const kept = await database.query(`SELECT to_regclass('retired_steps') IS NULL AS "isWhole"`)
  const headless = await database.query(kept.rows[0].isWhole ? ANEW : LATER)
  if (headless.rows.length > 0) leaks.push(`${headless.rows.length} histories without a beginning`)
  const tickets = redis ? await inRedis(redis, database.schema) : await inPostgres(database)
  if (tickets > 0) leaks.push(`${tickets} tickets in hand`)
  const locks = (await redis?.keys(`${database.schema}:lock:*`)) ?? []
  if (locks.length > 0) leaks.push(`${locks.length} locks left`)
  return leaks
}

async function inRedis(redis: Redis, schema: string): Promise<number> {
  const lists = await redis.keys(`{${schema}}:*:active`)
  const lengths = await Promise.all(lists.map((list) => redis.llen(list)))
  return lengths.reduce((sum, length) => sum + length, 0)
}

async function inPostgres(database: Database): Promise<number> {
  const table = `"${database.schema}_queue".job`
  const { rows } = await database.query(`SELECT count(*) FROM ${table} WHERE state = 'active'`)
  return rows[0].count
}
