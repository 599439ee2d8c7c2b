// Panics by the thousand: one run that was really parked, copied row by row with names of its own.
// Promise: a copy is what a tick leaves behind, so whatever acts on the one can act on all of them.
import type { House } from './house.ts'

const copied = (table: string, which: string, more: string) => `
  INSERT INTO ${table} SELECT c.* FROM ${table} x, names m,
    LATERAL jsonb_populate_record(NULL::${table}, to_jsonb(x) || jsonb_build_object(${more})) c
  WHERE x.${which} RETURNING 1`

const OWN = `'resource_id', m.rid, 'task_id', m.tid`

const COPY = `
  WITH names AS (
    SELECT gen_random_uuid() AS rid, gen_random_uuid() AS tid FROM generate_series(1, $2::int)),
  one AS (SELECT id, resource_id FROM tasks WHERE id = $1),
  a AS (${copied('resources', 'id = (SELECT resource_id FROM one)', `'id', m.rid`)}),
  b AS (${copied('leases', 'resource_id = (SELECT resource_id FROM one)', OWN)}),
  c AS (${copied('tasks', 'id = $1', `'id', m.tid, 'resource_id', m.rid`)}),
  d AS (${copied('transitions', 'task_id = $1', OWN)}),
  e AS (${copied('dues', 'task_id = $1', OWN)}),
  f AS (${copied('failures', 'task_id = $1', `${OWN}, 'id', gen_random_uuid()`)}),
  g AS (${copied('alarms', 'task_id = $1', `${OWN}, 'id', gen_random_uuid(), 'key', m.rid || substr(x.key, 37)`)})
  SELECT 1`

/** Copies a parked run and its resource so many times. */
export async function copyPanic({ sql }: House, taskId: string, count: number): Promise<void> {
  await sql(COPY, [taskId, count])
}
