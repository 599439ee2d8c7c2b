// The outbox of notices, for whoever delivers them.
// Promise: a notice is handed over once, in one transaction with what its teller writes down about it, and never before
// one that was written earlier; what is inhibited or under maintenance is held, and waits again when that is over; nothing is lost by a crash.

import type { Database, Runner } from '../lib/database.ts'
import { keyed } from '../lib/keyed.ts'
import type { Notice } from '../lib/notice.ts'
import type { Time } from '../lib/time.ts'
import { inhibited } from './inhibition.ts'

/** The most that one look releases. */
const BATCH = 500

export class Notices {
  readonly #database: Database
  readonly #time: Time

  constructor(parts: { database: Database; time: Time }) {
    this.#database = parts.database
    this.#time = parts.time
  }

  /**
   * Hands over what waits, oldest first.
   * @param limit the most that is handed over at once
   * @param keep writes down who is to be told of what, in the same transaction; what it throws undoes all of it
   * @returns how many were handed over
   */
  async hand(
    limit: number,
    keep: (runner: Runner, notices: readonly Notice[]) => Promise<void>,
  ): Promise<number> {
    return this.#database.transaction(async (runner) => {
      await runner.query(ONE_AT_A_TIME, [this.#database.schema])
      const { rows } = await runner.query(HAND, [limit])
      if (rows.length > 0) await keep(runner, rows.sort((a, b) => a.seq - b.seq).map(noticeOf))
      return rows.length
    })
  }

  /**
   * Which of these may be told at this moment. The others go back: they are held while something above them in the
   * tree is wrong, or during maintenance.
   * @param runner the transaction in which the teller takes them off its own list
   */
  async sift(runner: Runner, ids: readonly string[]): Promise<ReadonlySet<string>> {
    const { rows } = await runner.query(HOLD, [ids, this.#time.now()])
    const held = new Set<string>(rows.map(({ id }) => id))
    return new Set(ids.filter((id) => !held.has(id)))
  }

  /**
   * Lets go of what is held for a reason that is gone; what was about an alarm that closed meanwhile is dropped.
   * @returns how many wait again
   */
  async release(): Promise<number> {
    const { rows } = await this.#database.query(RELEASE, [null, this.#time.now(), BATCH])
    return rows.filter(({ status }) => status === 'waiting').length
  }

  /**
   * Removes what was handed over or dropped before a moment.
   * @returns how many are gone; as many as the limit when there may be more
   */
  async prune(beforeMs: number, limit: number): Promise<number> {
    const { rowCount } = await this.#database.query(PRUNE, [beforeMs, limit])
    return rowCount ?? 0
  }
}

function noticeOf(row: any): Notice {
  const { id, type, severity, kind, task, message, labels, payload, episode, at } = row
  const { alarm_id: alarmId, resource_id: resourceId } = row
  const about = { alarmId, episode, kind, resourceId, task }
  return { id, type, severity, ...about, message, labels, payload, at }
}

/** Two tellers at once could hand over a close before its open is written down. The number is arbitrary. */
const ONE_AT_A_TIME = 'SELECT pg_advisory_xact_lock(730631, hashtext($1))'

const HAND = `
  WITH next AS (
    SELECT id FROM notices WHERE status = 'waiting' ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED)
  UPDATE notices n SET status = 'handed' FROM next WHERE ${keyed('n.id', 'next.id')} RETURNING n.*`

/** Is nobody to be told of this now, and why? Only of what opens or goes on; a close is told to whoever heard of it. */
const BLOCKED = `
  CASE WHEN n.type IN ('alarm.opened', 'alarm.reopened', 'alarm.repeated') AND ${inhibited('n.resource_id')} THEN 'inhibited'
  WHEN n.type <> 'alarm.closed' AND EXISTS (
    SELECT 1 FROM maintenances m
    WHERE m.from_at <= to_timestamp($2 / 1000.0) AND m.until_at > to_timestamp($2 / 1000.0)
      AND (m.kind IS NULL OR m.kind = n.kind)
      AND (m.name IS NULL OR m.name = (SELECT a.name FROM alarms a WHERE a.id = n.alarm_id))
      AND (m.resource_id IS NULL OR EXISTS (
        WITH RECURSIVE up AS (
          SELECT n.resource_id AS id, 1 AS depth
          UNION ALL SELECT r.parent_id, depth + 1 FROM resources r JOIN up ON r.id = up.id WHERE depth < 64)
        SELECT 1 FROM up WHERE up.id = m.resource_id))) THEN 'maintenance' END`

/** Of several that are held for one alarm, the first is enough. */
const HOLD = `
  WITH blocked AS (
    SELECT n.id, ${BLOCKED} AS why,
      EXISTS (SELECT 1 FROM notices o WHERE o.alarm_id = n.alarm_id AND o.status = 'held' AND o.id <> n.id) AS is_twin
    FROM notices n WHERE n.id = ANY($1::uuid[]))
  UPDATE notices n SET status = CASE WHEN is_twin THEN 'dropped' ELSE 'held' END, held_by = why
  FROM blocked b WHERE ${keyed('n.id', 'b.id')} AND why IS NOT NULL RETURNING n.id`

const RELEASE = `
  WITH looked AS (
    SELECT n.id, ${BLOCKED} AS why,
      EXISTS (SELECT 1 FROM alarms a WHERE a.id = n.alarm_id AND (a.state = 'closed' OR a.episode <> n.episode)) AS is_over
    FROM notices n WHERE n.status = 'held' AND $1::uuid IS NULL ORDER BY n.seq LIMIT $3 FOR UPDATE SKIP LOCKED)
  UPDATE notices n SET status = CASE WHEN is_over THEN 'dropped' ELSE 'waiting' END, held_by = NULL
  FROM looked l WHERE ${keyed('n.id', 'l.id')} AND (is_over OR why IS NULL) RETURNING n.id, n.status`

const PRUNE = `
  DELETE FROM notices WHERE id IN (
    SELECT id FROM notices WHERE status IN ('handed', 'dropped') AND at < to_timestamp($1 / 1000.0)
    ORDER BY at LIMIT $2)`
