// The herald: what is said of a resource from outside its life, for its row and its history.
// Promise: a report that may not follow what was said before, or says it again, changes nothing.

import type { Runner } from './database.ts'
import { keyed } from './keyed.ts'
import { prepared } from './prepared.ts'
import { type Entry, type Moment, NOW, Table } from './table.ts'

export class Herald {
  readonly #table: Table

  constructor(runner: Runner, moment: Moment) {
    this.#table = new Table(runner, moment)
  }

  async write(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      const { id, marks = [], reports = [] } = entry.unit
      await this.#table.rows(marks, MARK, id)
      // One by one: a second report of a unit is held against the first.
      for (const report of reports)
        entry.reported.push(...(await this.#table.rows([report], REPORT, id)))
    }
  }
}

const MARK = prepared(`
  WITH v AS (
    SELECT * FROM json_to_recordset($1) AS v("resourceId" uuid, state text, event text, actor text, reason text)),
  marked AS (
    UPDATE resources r SET state = v.state, updated_at = ${NOW} FROM v WHERE ${keyed('r.id', 'v."resourceId"')} RETURNING r.id)
  INSERT INTO changes (resource_id, event, fields, actor, reason, unit_id, at)
  SELECT v."resourceId", v.event, '{}', v.actor, v.reason, $3, ${NOW} FROM v JOIN marked ON marked.id = v."resourceId"`)

const REPORT = prepared(`
  WITH v AS (
    SELECT v.*, r.kind, coalesce(r.availability->>'status', 'unknown') AS was
    FROM json_to_recordset($1) AS v("resourceId" uuid, status text, "from" jsonb, actor text, reason text)
    JOIN resources r ON ${keyed('r.id', 'v."resourceId"')} FOR NO KEY UPDATE OF r),
  said AS (
    UPDATE resources r SET updated_at = ${NOW}, availability = jsonb_build_object(
      'status', v.status, 'reason', v.reason, 'since', $2::double precision, 'by', v.actor)
    FROM v WHERE ${keyed('r.id', 'v."resourceId"')} AND v.status <> v.was AND v."from" ? v.was
    RETURNING r.id, v.kind, v.was, v.status, v.actor, v.reason),
  told AS (
    INSERT INTO changes (resource_id, event, fields, actor, reason, unit_id, at)
    SELECT id, '__availability__', ARRAY[was, status], actor, reason, $3, ${NOW} FROM said)
  SELECT id AS "resourceId", kind, was AS "from", status AS "to" FROM said`)
