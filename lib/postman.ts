// The postman: mail into mailboxes and out of them, and what the history keeps of it.
// Promise: mail of one unit arrives in the order it was sent; a ring is never lost; what was taken out without a
// step is on record.
import type { Runner } from './database.ts'
import { type Entry, type Moment, NOW, type Table } from './table.ts'

export class Postman {
  readonly #runner: Runner
  readonly #moment: Moment
  readonly #table: Table

  constructor(runner: Runner, moment: Moment, table: Table) {
    this.#runner = runner
    this.#moment = moment
    this.#table = table
  }

  async sends(entry: Entry): Promise<void> {
    const rows = await this.#table.rows(
      entry.unit.sends ?? [],
      `INSERT INTO events (event_id, task_id, type, payload, dedup_key, sender, recipient, actor, reason, unit_id, sent_at, expires_at)
       SELECT v.id, t.id, v.type, v.payload, v."dedupKey", v.sender, v.recipient, v.actor, v.reason, $3, ${NOW},
         to_timestamp(v."expiresAt" / 1000.0)
       FROM ROWS FROM (json_to_recordset($1) AS (id uuid, "resourceId" uuid, task text, type text, payload jsonb,
         "dedupKey" text, sender text, recipient text, "expiresAt" double precision, actor text, reason text, was text[]))
         WITH ORDINALITY AS v(id, "resourceId", task, type, payload, "dedupKey", sender, recipient, "expiresAt", actor, reason, was, nth)
       JOIN tasks t ON t.resource_id = v."resourceId" AND (t.name = v.task OR t.name = ANY(v.was)) AND t.finished_at IS NULL ORDER BY nth
       ON CONFLICT DO NOTHING RETURNING task_id AS "taskId"`,
      entry.unit.id,
    )
    entry.delivered += rows.length
    await this.#table.rows(
      rows,
      `UPDATE dues d SET wakes = wakes + 1, reason = 'event', due_at = least(due_at, ${NOW}),
         look_at = least(look_at, to_timestamp(($2 + $3) / 1000.0))
       FROM json_to_recordset($1) AS v("taskId" uuid) WHERE d.task_id = v."taskId"`,
      this.#moment.toldMs,
    )
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
          names: [stop.task ?? '*'],
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
    await this.#table.rows(
      rows,
      `INSERT INTO changes (resource_id, event, fields, actor, reason, unit_id, at)
       SELECT "resourceId", event, names, actor, reason, "unitId", ${NOW}
       FROM json_to_recordset($1) AS v("resourceId" uuid, event text, names text[], actor text, reason text, "unitId" uuid)`,
    )
  }
}
