// The postman: mail into mailboxes and out of them, and what the history keeps of it.
// Promise: mail of one unit arrives in the order it was sent; a ring is never lost; what was taken out without a
// step is on record.

import type { Runner } from './database.ts'
import { keyed } from './keyed.ts'
import { prepared } from './prepared.ts'
import { type Entry, type Moment, NOW, type Table } from './table.ts'

/** The most mail that waits in one mailbox before senders from outside are refused. */
export const MOST_WAITING = 10_000

export class Postman {
  readonly #runner: Runner
  readonly #moment: Moment
  readonly #table: Table

  constructor(runner: Runner, moment: Moment, table: Table) {
    this.#runner = runner
    this.#moment = moment
    this.#table = table
  }

  /**
   * Puts mail into mailboxes, in the order of the entries. A mailbox that is full refuses what comes from
   * outside; the mail of a step is part of its commit and always fits.
   */
  async sends(entries: readonly Entry[]): Promise<void> {
    const wanted = entries.flatMap((entry) =>
      (entry.unit.sends ?? []).map((sent) => ({
        ...sent,
        unitId: entry.unit.id,
        isBounded: !entry.unit.fence,
      })),
    )
    const rows = await this.#table.rows(wanted, DELIVER, MOST_WAITING)
    const rung = await this.#table.rows(rows, RING, this.#moment.toldMs)
    const taskOf = new Map<string, string>(rows.map(({ id, taskId }) => [id, taskId]))
    const told = new Set<string>(rung.filter(({ told }) => told).map(({ taskId }) => taskId))
    for (const entry of entries) {
      const found = (entry.unit.sends ?? []).flatMap(({ id }) => taskOf.get(id) ?? [])
      entry.delivered += found.length
      if (found.length > 0) entry.isQuiet = found.every((taskId) => told.has(taskId))
      // The first of a batch tells for the others.
      for (const taskId of found) told.add(taskId)
    }
  }

  /** A consumed event goes; one with a dedup key stays, without its payload, so its twin is refused. */
  async consumes(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await this.#runner.query(
      `WITH kept AS (UPDATE events SET consumed_at = ${NOW}, payload = NULL
                     WHERE id = ANY($1::bigint[]) AND dedup_key IS NOT NULL)
       DELETE FROM events WHERE id = ANY($1::bigint[]) AND dedup_key IS NULL`,
      [ids, this.#moment.nowMs],
    )
  }

  /** What somebody sent or stopped from outside, for the history; a step's doings are in its transition. */
  async outside(entries: readonly Entry[]): Promise<void> {
    const rows = entries.flatMap(({ unit, delivered, stopped }) => {
      const sends = delivered > 0 ? (unit.sends ?? []) : []
      const stops = stopped > 0 ? (unit.stops ?? []) : []
      return [
        ...sends.map((sent) => ({
          ...sent,
          event: '__send__',
          names: [sent.task, sent.type],
          unitId: unit.id,
        })),
        ...stops.map((stop) => ({
          ...stop,
          event: '__stop__',
          names: [stop.task ?? '*', ...(stop.force ? ['force'] : [])],
          unitId: unit.id,
        })),
      ]
    })
    await this.#changes(rows)
  }

  /** Mail that was taken away without a step. */
  async ignores(entries: readonly Entry[]): Promise<void> {
    const rows = entries.flatMap(({ unit: { id, ignored = [] } }) =>
      ignored.map(({ task, type, why, ...mail }) => ({
        ...mail,
        event: '__ignored__',
        names: [task, type, why],
        unitId: id,
      })),
    )
    await this.#changes(rows)
  }

  async #changes(rows: readonly object[]): Promise<void> {
    await this.#table.rows(rows, CHANGES)
  }
}

/**
 * Ids are given out in order, so from the first waiting to the last there are at most so many: only a mailbox that
 * may be full by that is counted. Runs are asked of each resource alone (OFFSET 0): as a join it may read all live ones.
 */
const DELIVER = prepared(`
  WITH v AS MATERIALIZED (
    SELECT t.id AS "taskId", v.*, row_number() OVER (PARTITION BY t.id ORDER BY nth) AS place
    FROM ROWS FROM (json_to_recordset($1) AS (id uuid, "resourceId" uuid, task text, type text, payload jsonb,
      "dedupKey" text, sender text, recipient text, "expiresAt" double precision, actor text, reason text,
      "unitId" uuid, "isBounded" boolean, was text[]))
      WITH ORDINALITY AS v(id, "resourceId", task, type, payload, "dedupKey", sender, recipient, "expiresAt", actor,
        reason, "unitId", "isBounded", was, nth)
    CROSS JOIN LATERAL (
      SELECT id FROM tasks WHERE resource_id = v."resourceId" AND (name = v.task OR name = ANY(v.was))
        AND finished_at IS NULL AND status <> 'stopping' OFFSET 0) t),
  boxes AS (
    SELECT "taskId", count(*) AS coming,
      coalesce((SELECT max(id) FROM events WHERE task_id = "taskId" AND consumed_at IS NULL)
             - (SELECT min(id) FROM events WHERE task_id = "taskId" AND consumed_at IS NULL) + 1, 0) AS span
    FROM v GROUP BY 1),
  room AS MATERIALIZED (
    SELECT "taskId", CASE WHEN span + coming <= $3 THEN coming ELSE $3
      - (SELECT count(*) FROM events WHERE task_id = "taskId" AND consumed_at IS NULL) END AS places
    FROM boxes)
  INSERT INTO events (event_id, task_id, type, payload, dedup_key, sender, recipient, actor, reason, unit_id, sent_at, expires_at)
  SELECT id, "taskId", type, payload, "dedupKey", sender, recipient, actor, reason, "unitId", ${NOW},
    to_timestamp("expiresAt" / 1000.0)
  FROM v JOIN room USING ("taskId") WHERE place <= places OR NOT "isBounded" ORDER BY nth
  ON CONFLICT DO NOTHING RETURNING event_id AS id, task_id AS "taskId"`)

/** Makes tasks due. `told` are those whose earlier mail waits too, and for which somebody has a ticket already. */
const RING = prepared(`
  WITH was AS MATERIALIZED (
    SELECT task_id, reason = 'event' AND due_at <= ${NOW} AND look_at > ${NOW} AS told
    FROM dues WHERE task_id = ANY(ARRAY(SELECT "taskId" FROM json_to_recordset($1) AS v("taskId" uuid)))
    ORDER BY task_id FOR NO KEY UPDATE)
  UPDATE dues d SET wakes = wakes + 1, reason = 'event', due_at = least(due_at, ${NOW}),
    look_at = least(look_at, to_timestamp(($2 + $3) / 1000.0))
  FROM was WHERE ${keyed('d.task_id', 'was.task_id')} RETURNING d.task_id AS "taskId", was.told`)

const CHANGES = prepared(`
  INSERT INTO changes (resource_id, event, fields, actor, reason, unit_id, at)
  SELECT "resourceId", event, names, actor, reason, "unitId", ${NOW}
  FROM json_to_recordset($1) AS v("resourceId" uuid, event text, names text[], actor text, reason text, "unitId" uuid)`)
