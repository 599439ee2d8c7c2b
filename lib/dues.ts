// What is due: the two questions a clock and a worker ask of the index on time, and looks that are brought forward.
// Promise: cost follows what is due; two clocks at once take different resources; nothing is marked as
// done, only as told, and that lapses by itself; what is held is put off, and stands before nobody.

import { type Boarding, board, MOST_NEWEST } from './boarding.ts'
import { expire, letGo, survey } from './bolts.ts'
import type { Berth, Ticket } from './contract.ts'
import type { Runner } from './database.ts'
import type { Dealer } from './dealer.ts'
import type { HoldChange } from './hold.ts'
import { keyed } from './keyed.ts'
import type { Routing } from './routes.ts'
import { kindOf, ORDINARY, standing } from './share.ts'
import { IN_LINE } from './slots.ts'
import { takingBy } from './taking.ts'

export interface DueQuestion {
  readonly limit: number
  readonly nowMs: number
  readonly toldMs: number
  /** Only what is on time. */
  readonly isFull: boolean
  /** The queue of this clock. */
  readonly queue: string
  /** Who gives out the places when there are too few. */
  readonly dealer: Dealer
  /** Where there are several queues: which kinds travel on each, and what each has room for. */
  readonly routing?: Routing
  readonly berths?: readonly Berth[]
}

/** Of what was taken of one kind. */
export interface Lateness {
  readonly kind: string
  readonly count: number
  readonly lateMs: number
}

export interface DueAnswer {
  readonly tickets: Ticket[]
  readonly nextAt: number | null
  readonly lateness: readonly Lateness[]
  /** Does anybody wait for a slot? */
  readonly isInLine: boolean
  /** Holds whose time was over. */
  readonly changes: readonly HoldChange[]
}

/**
 * What is due for no longer than this is on time. What a verb made due has a ticket already, and is met here only when
 * that is no longer trusted: it is on time for as much longer, or whatever is started in a storm would wait for its end.
 */
const ON_TIME_MS = 2_000

/**
 * Takes what is due and puts off the next look at it by `toldMs`. Where more is due than that, shares have their parts
 * of it, oldest first, and the newest of all a place.
 */
export async function takeDue(runner: Runner, asked: DueQuestion): Promise<DueAnswer> {
  const { limit, isFull, nowMs, toldMs, routing } = asked
  const { names, berths } = queuesOf(asked)
  const { isSomeOver, heldQueues, isSomeHeld } = await survey(runner, names, nowMs)
  const open = berths.filter(({ queue }) => !heldQueues.includes(queue))
  const changes = isSomeOver ? await expire(runner, nowMs) : []
  if (isSomeOver) await letGo(runner, nowMs)
  if (open.length === 0)
    return { tickets: [], nextAt: null, lateness: [], isInLine: false, changes }
  const glance = (await runner.query(GLANCE, [nowMs, limit + 1])).rows[0]
  const beside = { isInLine: glance.in_line as boolean, changes }
  if (glance.count === 0) return { tickets: [], nextAt: glance.at, lateness: [], ...beside }
  const taking = takingBy(runner, asked, isSomeHeld)
  const { rows } = taking
  const onTimeMs = toldMs + ON_TIME_MS
  const newest = newestOf(asked)
  const isMore = glance.count > limit - newest
  const isApart = names.length > 1 && (isMore || isFull || open.length < names.length)
  const from = { ...asked, ...taking, runner, onTimeSince: nowMs - onTimeMs }
  const isLeft =
    isApart && routing ? await board({ ...from, routing, open }) : await fill(from, isMore, newest)
  const { at } = (await runner.query(NEXT, [nowMs])).rows[0]
  const isAtOnce = isApart ? isLeft : glance.count > limit && !isFull
  return {
    tickets: ticketsOf(rows, nowMs, onTimeMs, names.length > 1 ? routing : undefined),
    nextAt: isAtOnce && rows.length > 0 ? nowMs : at,
    lateness: latenessOf(rows, nowMs),
    ...beside,
  }
}

/** The queues of the house, and what each has room for. */
function queuesOf({ queue, routing, berths, limit, isFull }: DueQuestion) {
  const names = routing?.names ?? [queue]
  return { names, berths: berths ?? names.map((name) => ({ queue: name, places: limit, isFull })) }
}

const newestOf = ({ isFull, limit }: DueQuestion) =>
  isFull ? MOST_NEWEST : Math.min(MOST_NEWEST, Math.floor(limit / 4))

/** Fills the places of one look, whichever queue they are on. */
async function fill(
  from: Omit<Boarding, 'routing' | 'open'> & DueQuestion,
  isMore: boolean,
  newest: number,
): Promise<void> {
  const { runner, limit, isFull, nowMs, onTimeSince, dealer, rows, look, take } = from
  if (isMore && !isFull) {
    const lanes = await dealer.lanes(runner, nowMs)
    const deal = (some: string) => look('dealt', limit, [some])
    rows.push(...(await dealer.deal(lanes, limit - newest, deal)))
  }
  if (!isFull) await take('oldest', limit - newest)
  // Where there is no room for more of a backlog, none of it is told of again.
  if (isMore || isFull) await take('newest', rows.length + newest, [isFull ? onTimeSince : 0])
}

interface Best extends Omit<Ticket, 'resourceId'> {
  standing: number
  due_at: number
  isUrgent: boolean
}

/** One for each resource, with the best of its tasks: what is to be done first comes first. */
function ticketsOf(
  rows: readonly any[],
  nowMs: number,
  onTimeMs: number,
  routing?: Routing,
): Ticket[] {
  const best = new Map<string, Best>()
  for (const { resource_id: id, due_at, rank, share } of rows) {
    const known = best.get(id)
    const one = {
      standing: standing(rank, nowMs - due_at),
      due_at,
      isUrgent: rank <= ORDINARY && nowMs - due_at < onTimeMs,
      ...(routing && { queue: routing.queueOf(kindOf(share)) }),
    }
    if (!known) best.set(id, one)
    else {
      known.standing = Math.min(known.standing, one.standing)
      known.due_at = Math.min(known.due_at, due_at)
      known.isUrgent ||= one.isUrgent
    }
  }
  return [...best]
    .sort(([, a], [, b]) => a.standing - b.standing || a.due_at - b.due_at)
    .map(([resourceId, { standing: _, due_at: __, ...ticket }]) => ({ resourceId, ...ticket }))
}

/** How late the oldest of each kind is. */
function latenessOf(rows: readonly any[], nowMs: number): Lateness[] {
  const kinds = new Map<string, { count: number; lateMs: number }>()
  for (const { share, due_at } of rows) {
    const { count, lateMs } = kinds.get(kindOf(share)) ?? { count: 0, lateMs: 0 }
    kinds.set(kindOf(share), { count: count + 1, lateMs: Math.max(lateMs, nowMs - due_at) })
  }
  return [...kinds].map(([kind, one]) => ({ kind, ...one }))
}

/** How much is due, as far as one look can take it, and when the next is. */
const GLANCE = `
  SELECT (SELECT count(*)::integer FROM (
      SELECT 1 FROM dues WHERE look_at <= to_timestamp($1 / 1000.0) ORDER BY look_at LIMIT $2) d) AS count,
    (SELECT min(look_at) FROM dues WHERE look_at > to_timestamp($1 / 1000.0)) AS at,
    EXISTS (SELECT 1 FROM dues WHERE reason LIKE '${IN_LINE}%') AS in_line`

const NEXT = 'SELECT min(look_at) AS at FROM dues WHERE look_at > to_timestamp($1 / 1000.0)'

/**
 * What was made due and found no room in the queue is looked at with the next beat, not when its ticket, which it never
 * had, would be overdue. What somebody has under his hands is passed by: he looks at it himself.
 */
export async function hasten(runner: Runner, ids: readonly string[], nowMs: number): Promise<void> {
  await runner.query(HASTEN, [ids, nowMs])
}

const HASTEN = `
  UPDATE dues SET look_at = dues.due_at FROM (
    SELECT task_id FROM dues WHERE resource_id = ANY($1) AND due_at <= to_timestamp($2 / 1000.0)
      AND (look_at > to_timestamp($2 / 1000.0)) IS TRUE FOR UPDATE SKIP LOCKED) d
  WHERE ${keyed('dues.task_id', 'd.task_id')}`

/** Which of these resources have something due now? */
export async function dueNow(
  runner: Runner,
  ids: readonly string[],
  nowMs: number,
): Promise<boolean[]> {
  const { rows } = await runner.query(
    'SELECT DISTINCT resource_id FROM dues WHERE resource_id = ANY($1) AND due_at <= to_timestamp($2 / 1000.0)',
    [[...new Set(ids)], nowMs],
  )
  const due = new Set(rows.map(({ resource_id }) => resource_id))
  return ids.map((id) => due.has(id))
}
