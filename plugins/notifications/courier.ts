// The courier of one route: takes the deliveries that are due, sends each, and writes down how it went.
// Promise: two couriers never send one delivery at the same time; one that dies is relieved when its time is over, and
// the delivery is sent again under the same id; those of one group go in their order; what fails is tried again, later
// and later, and kept as a dead letter in the end.
import { backoffMs } from '../../lib/backoff.ts'
import type { Database, Runner } from '../../lib/database.ts'
import { asError } from '../../lib/errors.ts'
import type { Events } from '../../lib/events.ts'
import type { Notice } from '../../lib/notice.ts'
import { isRetryable, retryAfterOf } from '../../lib/retry.ts'
import type { Time } from '../../lib/time.ts'
import { LATE, within } from '../../lib/within.ts'
import type { Notices } from '../../models/index.ts'
import { messageOf } from './message.ts'
import type { Route } from './route.ts'
import { CLOSED, OPENS } from './tables.ts'
import type { Channel } from './target.ts'

export interface CourierParts {
  readonly database: Database
  readonly notices: Pick<Notices, 'sift'>
  readonly events: Events
  readonly time: Time
  readonly route: Route
  readonly channel: Channel
  /** Aborted when nothing new is to be begun. */
  readonly leaving: AbortSignal
  mask(text: string): string
}

/** Deliveries of one look. */
const LOOK = 50
/** How much longer than an attempt may take a delivery is left to whoever tries it. */
const LEASE_MS = 10_000

interface Claimed {
  readonly id: string
  readonly attempt: number
  readonly retriedFrom: number
}

export class Courier {
  readonly #parts: CourierParts
  readonly #stopped = new AbortController()

  constructor(parts: CourierParts) {
    this.#parts = parts
  }

  /** Sends what is due. @returns milliseconds until there is more to do; null when nothing waits */
  async round(): Promise<number | null> {
    const { database, route, time, leaving } = this.#parts
    const { rows } = await database.query(DUE, [route.name, time.now(), LOOK])
    const waiting = [...rows]
    const hand = async () => {
      for (let row = waiting.shift(); row && !leaving.aborted; row = waiting.shift()) {
        await this.#deliver(row.id, row.attempt)
      }
    }
    const hands = Array.from({ length: Math.min(route.concurrency, rows.length) }, hand)
    // All are waited for, whatever one of them meets: nobody is left at work when the house closes.
    const met = (await Promise.allSettled(hands)).find(({ status }) => status === 'rejected')
    if (met) throw (met as PromiseRejectedResult).reason
    if (rows.length === LOOK) return 0
    const next = (await database.query(NEXT, [route.name])).rows[0].at as number | null
    return next === null ? null : Math.max(0, next - time.now())
  }

  /** Gives up on what is under way: it counts as an attempt that failed. */
  async close(): Promise<void> {
    this.#stopped.abort()
    await this.#parts.channel.close()
  }

  async #deliver(id: string, seen: number): Promise<void> {
    const { database, route, time } = this.#parts
    const leaseMs = route.timeoutMs + LEASE_MS
    const params = [id, seen, time.now(), leaseMs]
    const [row] = (await database.query(CLAIM, params)).rows
    if (!row) return
    const claimed = { id, attempt: row.attempt, retriedFrom: row.retried_from }
    const notices = await this.#settled(claimed)
    if (notices.length === 0) return
    const failure = await this.#tell(claimed, notices)
    if (failure === null) await this.#sent(claimed, notices.length)
    else await this.#failed(claimed, failure)
  }

  /** What of it may be told at this moment; the rest leaves it. */
  async #settled({ id, attempt }: Claimed): Promise<Notice[]> {
    const { database, notices, time } = this.#parts
    return database.transaction(async (runner) => {
      const { rows } = await runner.query(NOTICES, [id])
      const ids = rows.map(({ notice_id: one }) => one)
      const allowed = await notices.sift(runner, ids)
      await this.#leave(
        runner,
        id,
        ids.filter((one) => !allowed.has(one)),
      )
      // After a first attempt nobody knows what the other side has heard: then a close is told in any case.
      const vain = (await runner.query(VAIN, [id, attempt === 1, CLOSED, OPENS])).rows
      const left = vain.map(({ notice_id: one }) => one)
      await this.#leave(runner, id, left)
      const gone = new Set(left)
      const told = rows.filter(({ notice_id: one }) => allowed.has(one) && !gone.has(one))
      await runner.query(COUNT, [id, attempt, told.length, time.now()])
      return told.map(({ notice }) => notice)
    })
  }

  async #leave(runner: Runner, id: string, notices: readonly string[]): Promise<void> {
    if (notices.length > 0) await runner.query(LEAVE, [id, notices])
  }

  /** @returns what went wrong; null when the other side has it */
  async #tell({ id, attempt }: Claimed, notices: readonly Notice[]): Promise<Error | null> {
    const { route, channel, time } = this.#parts
    const over = new AbortController()
    const abort = () => over.abort()
    const cancel = time.after(route.timeoutMs, abort)
    this.#stopped.signal.addEventListener('abort', abort, { once: true })
    try {
      const message = messageOf(route, { id, attempt, at: time.now(), notices })
      const telling = channel.tell(message, over.signal)
      // A channel that does not hear the signal is not waited for either.
      const told = await within(time, route.timeoutMs + LEASE_MS / 2, telling)
      return told === LATE ? new Error('it did not come to an end') : null
    } catch (thrown) {
      return asError(thrown)
    } finally {
      cancel()
      this.#stopped.signal.removeEventListener('abort', abort)
    }
  }

  async #sent({ id, attempt }: Claimed, notices: number): Promise<void> {
    const { database, events, route, time } = this.#parts
    const { rowCount } = await database.query(SENT, [id, attempt, time.now()])
    if (rowCount)
      events.emit('notice.delivered', { deliveryId: id, route: route.name, notices, attempt })
  }

  async #failed({ id, attempt, retriedFrom }: Claimed, failure: Error): Promise<void> {
    const { database, events, route, time, mask } = this.#parts
    const isLast = attempt - retriedFrom >= route.attempts || !isRetryable(failure)
    const waitMs = Math.max(
      backoffMs(route.backoff, attempt - retriedFrom),
      retryAfterOf(failure, time.now()) ?? 0,
    )
    const message = mask(failure.message)
    const params = [id, attempt, isLast, time.now(), time.now() + waitMs, message]
    const { rowCount } = await database.query(FAILED, params)
    if (!rowCount) return
    const { code, name } = failure as Error & { code?: unknown }
    const error = Object.assign(new Error(message), {
      name,
      ...(typeof code === 'string' && { code }),
    })
    events.emit('notice.failed', { deliveryId: id, route: route.name, attempt, isLast, error })
  }
}

const UNFINISHED = `status IN ('gathering', 'sending')`
/** One after another within a group, so that a close does not overtake its open. */
const IS_FIRST = `NOT EXISTS (
  SELECT 1 FROM deliveries e
  WHERE e.route = d.route AND e.group_key = d.group_key AND e.seq < d.seq AND e.${UNFINISHED})`

const DUE = `
  SELECT id, attempt FROM deliveries d
  WHERE route = $1 AND ${UNFINISHED} AND due_at <= to_timestamp($2 / 1000.0) AND ${IS_FIRST}
  ORDER BY due_at LIMIT $3`

const NEXT = `SELECT min(due_at) AS at FROM deliveries d WHERE route = $1 AND ${UNFINISHED} AND ${IS_FIRST}`

const CLAIM = `
  UPDATE deliveries SET status = 'sending', attempt = attempt + 1, due_at = to_timestamp(($3::float8 + $4) / 1000.0)
  WHERE id = $1 AND attempt = $2 AND ${UNFINISHED} AND due_at <= to_timestamp($3::float8 / 1000.0)
  RETURNING attempt, retried_from`

const NOTICES = 'SELECT notice_id, notice FROM delivery_notices WHERE delivery_id = $1 ORDER BY seq'

/**
 * A close of which nobody here heard the open, in this delivery or in one that was sent or may have been; and an open
 * whose close was told meanwhile.
 */
const VAIN = `
  SELECT n.notice_id FROM delivery_notices n
  WHERE n.delivery_id = $1 AND n.alarm_id IS NOT NULL AND (
    ($2 AND n.type = $3 AND NOT EXISTS (
      SELECT 1 FROM delivery_notices o JOIN deliveries d ON d.id = o.delivery_id
      WHERE o.route = n.route AND o.alarm_id = n.alarm_id AND o.episode IS NOT DISTINCT FROM n.episode
        AND o.type = ANY($4::text[]) AND (d.status IN ('sent', 'dead') OR d.id = $1)))
    OR (n.type = ANY($4::text[]) AND EXISTS (
      SELECT 1 FROM delivery_notices c JOIN deliveries d ON d.id = c.delivery_id
      WHERE c.route = n.route AND c.alarm_id = n.alarm_id AND c.episode IS NOT DISTINCT FROM n.episode
        AND c.type = $3 AND d.status = 'sent')))`

const LEAVE = 'DELETE FROM delivery_notices WHERE delivery_id = $1 AND notice_id = ANY($2::uuid[])'

const COUNT = `
  UPDATE deliveries SET count = $3::integer,
    status = CASE WHEN $3::integer = 0 THEN 'empty' ELSE status END,
    ended_at = CASE WHEN $3::integer = 0 THEN to_timestamp($4 / 1000.0) END
  WHERE id = $1 AND attempt = $2`

const SENT = `
  UPDATE deliveries SET status = 'sent', error = NULL, ended_at = to_timestamp($3 / 1000.0)
  WHERE id = $1 AND attempt = $2 AND status = 'sending'`

const FAILED = `
  UPDATE deliveries SET status = CASE WHEN $3 THEN 'dead' ELSE status END, error = $6,
    ended_at = CASE WHEN $3 THEN to_timestamp($4::float8 / 1000.0) END, due_at = to_timestamp($5::float8 / 1000.0)
  WHERE id = $1 AND attempt = $2 AND status = 'sending'`
