// Deliveries for people: what became of them, dead letters sent again, old ones removed.
// Promise: an empty choice chooses nothing; only dead letters are sent again, with who asked for it and why; whoever
// heard that an alarm is open is remembered until its close was told.
import type { Database } from '../../lib/database.ts'
import type { Time } from '../../lib/time.ts'
import { CLOSED, OPENS } from './tables.ts'

export type DeliveryStatus = 'gathering' | 'sending' | 'sent' | 'dead' | 'empty'
export const DELIVERY_STATUSES: readonly DeliveryStatus[] = [
  'gathering',
  'sending',
  'sent',
  'dead',
  'empty',
]

/** A delivery as people see it. */
export interface Delivery {
  readonly id: string
  readonly route: string
  readonly group: string
  readonly status: DeliveryStatus
  readonly notices: number
  /** What its first notice says. */
  readonly message: string | null
  readonly attempt: number
  readonly error: string | null
  readonly createdAt: number
  readonly dueAt: number | null
  readonly endedAt: number | null
  readonly actor: string | null
  readonly reason: string | null
}

/** Which deliveries; each condition that is given must hold. */
export interface Choice {
  readonly ids?: readonly string[]
  readonly route?: string
  readonly all?: boolean
}

export interface ListOptions {
  readonly status?: DeliveryStatus
  readonly route?: string
  /** The latest so many. Default 100. */
  readonly limit?: number
}

/** Rows that one pruning removes at most. */
const BATCH = 1_000

export class Deliveries {
  readonly #database: Database
  readonly #time: Time

  constructor(parts: { database: Database; time: Time }) {
    this.#database = parts.database
    this.#time = parts.time
  }

  /** The latest first. */
  async list({ status, route, limit = 100 }: ListOptions = {}): Promise<Delivery[]> {
    const params = [status ?? null, route ?? null, limit]
    return (await this.#database.query(LIST, params)).rows.map(deliveryOf)
  }

  /** How many dead letters a choice means. */
  async dead(choice: Choice): Promise<number> {
    const { rows } = await this.#database.query(
      `SELECT count(*) AS count FROM deliveries ${CHOSEN}`,
      chosen(choice),
    )
    return rows[0].count
  }

  /**
   * Sends dead letters again, with all their attempts before them.
   * @returns how many
   */
  async retry(
    choice: Choice,
    { actor, reason }: { actor: string; reason: string | null },
  ): Promise<number> {
    const params = [...chosen(choice), this.#time.now(), actor, reason]
    return (await this.#database.query(RETRY, params)).rowCount ?? 0
  }

  /**
   * Removes what ended before a moment, and gives up what waits for a route that nobody has.
   * @param routes those there are
   * @returns false when there may be more
   */
  async prune(beforeMs: number, routes: readonly string[]): Promise<boolean> {
    await this.#database.query(STRANDED, [beforeMs, this.#time.now(), routes])
    const { rowCount } = await this.#database.query(PRUNE, [beforeMs, BATCH, OPENS, CLOSED])
    return (rowCount ?? 0) < BATCH
  }
}

function chosen({ ids, route, all = false }: Choice): unknown[] {
  return [ids ?? null, route ?? null, all]
}

function deliveryOf(row: any): Delivery {
  const {
    id,
    route,
    group_key: group,
    status,
    count: notices,
    message,
    attempt,
    error,
    actor,
    reason,
  } = row
  const isOver = row.ended_at !== null
  const times = {
    createdAt: row.created_at,
    dueAt: isOver ? null : row.due_at,
    endedAt: row.ended_at,
  }
  return { id, route, group, status, notices, message, attempt, error, ...times, actor, reason }
}

const LIST = `
  SELECT d.*, n.notice ->> 'message' AS message FROM (
    SELECT * FROM deliveries
    WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR route = $2) ORDER BY seq DESC LIMIT $3) d
  LEFT JOIN LATERAL (
    SELECT notice FROM delivery_notices n WHERE n.delivery_id = d.id ORDER BY n.seq LIMIT 1) n ON true
  ORDER BY d.seq DESC`

const CHOSEN = `
  WHERE status = 'dead' AND ($3 OR $1::uuid[] IS NOT NULL OR $2::text IS NOT NULL)
    AND ($1::uuid[] IS NULL OR id = ANY($1::uuid[])) AND ($2::text IS NULL OR route = $2)`

const RETRY = `
  UPDATE deliveries SET status = 'sending', ended_at = NULL, retried_from = attempt,
    due_at = to_timestamp($4 / 1000.0), actor = $5, reason = $6 ${CHOSEN}`

const STRANDED = `
  UPDATE deliveries SET status = 'dead', ended_at = to_timestamp($2 / 1000.0), error = 'There is no route of this name.'
  WHERE status IN ('gathering', 'sending') AND due_at < to_timestamp($1 / 1000.0) AND route <> ALL($3::text[])`

/** The latest word of an open alarm stays, or nobody would know whom to tell of its close. */
const PRUNE = `
  DELETE FROM deliveries WHERE id IN (
    SELECT d.id FROM deliveries d
    WHERE d.ended_at < to_timestamp($1 / 1000.0) AND NOT EXISTS (
      SELECT 1 FROM delivery_notices o
      WHERE o.delivery_id = d.id AND o.type = ANY($3::text[]) AND NOT EXISTS (
        SELECT 1 FROM delivery_notices l
        WHERE l.route = o.route AND l.alarm_id = o.alarm_id AND l.episode IS NOT DISTINCT FROM o.episode
          AND l.seq > o.seq AND (l.type = $4 OR l.type = ANY($3::text[]))))
    ORDER BY d.ended_at LIMIT $2)`
