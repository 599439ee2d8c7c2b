// What the rules of resources are shown: their rows, their runs and their alarms, as this transaction sees them.
import type { Watched } from './alarm.ts'
import type { Runner } from './database.ts'

/** Reads resources that were locked before, so that no change of somebody else's goes unseen by both. */
export async function watchedIn(runner: Runner, ids: readonly string[]): Promise<Watched[]> {
  const { rows } = await runner.query(WATCHED, [ids])
  return rows.map(({ id, kind, parent_id, state, availability, fields, tasks, active }) => ({
    resourceId: id,
    kind,
    parentId: parent_id,
    state,
    availability,
    fields,
    tasks: tasks ?? [],
    active: active ?? [],
  }))
}

const WATCHED = `
  SELECT r.id, r.kind, r.parent_id, r.state, r.availability, coalesce(r.lost_and_found, '{}') || r.fields AS fields,
    (SELECT json_agg(t) FROM (
      SELECT DISTINCT ON (name) id AS "taskId", name AS task, status, state, step,
        floor(extract(epoch FROM moved_at) * 1000) AS "movedAt"
      FROM tasks WHERE resource_id = r.id AND origin IS NULL
      ORDER BY name, (finished_at IS NULL) DESC, started_at DESC, id DESC) t) AS tasks,
    (SELECT json_agg(json_build_object('key', a.key, 'isClearing', a.is_clearing))
     FROM alarms a WHERE a.resource_id = r.id AND a.state <> 'closed') AS active
  FROM resources r WHERE r.id = ANY($1::uuid[]) ORDER BY r.id`
