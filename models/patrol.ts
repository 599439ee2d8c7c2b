// The patrol: what alarms need done when nothing happens. Their timers fire, what is overdue is noticed, what is old goes.
// Promise: bounded at every look; any number may be about, for an alarm is stepped under its row; what fails is told and
// done again at the next round.
import type { AlarmAbout, AlarmSignal } from '../lib/alarm.ts'
import type { Knex } from '../lib/database.ts'
import { asError } from '../lib/errors.ts'
import type { Events } from '../lib/events.ts'
import { newId } from '../lib/id.ts'
import type { Store } from '../lib/store.ts'
import { storable } from '../lib/text.ts'
import type { Time } from '../lib/time.ts'

export interface PatrolParts {
  readonly knex: Knex
  readonly store: Pick<Store, 'commit'>
  readonly time: Time
  readonly events: Events
  /** How late a task may be before an alarm says so. */
  readonly overdueMs: number
  /** How long a pushed ticket is trusted. */
  readonly toldMs: number
}

/** Alarms of one look. */
const BATCH = 200
/** Due entries that are counted for what is overdue. */
const MOST_LATE = 10_000
/** How often it is asked what is overdue, and what is old. */
const LATE_MS = 30_000
const OLD_MS = 3_600_000
/** What is closed, over or told for so long is not kept. */
const KEPT_DAYS = 30
/** Unreadable tickets are forgiven when none came for so long. */
const QUIET_MS = 900_000

export class Patrol {
  readonly #parts: PatrolParts
  #round: Promise<void> | null = null
  #lateAt = Number.NEGATIVE_INFINITY
  #oldAt = Number.NEGATIVE_INFINITY
  #ticketsAt = Number.NEGATIVE_INFINITY

  constructor(parts: PatrolParts) {
    this.#parts = parts
  }

  /** One round; two at once are one. Never rejects. */
  async round(): Promise<void> {
    this.#round ??= this.#work()
      .catch((thrown) => this.#parts.events.emit('steward.failed', { error: asError(thrown) }))
      .finally(() => {
        this.#round = null
      })
    await this.#round
  }

  /** When nothing is under way. Never rejects. */
  async idle(): Promise<void> {
    await this.#round
  }

  /** A ticket could not be opened: somebody should know, once. Never rejects. */
  async unreadable(reason: string, queue: string): Promise<void> {
    const { time, events } = this.#parts
    if (time.monotonic() - this.#ticketsAt < LATE_MS) return
    this.#ticketsAt = time.monotonic()
    const about: AlarmAbout = {
      ...house('tickets', 'error'),
      message: `Messages on the queue ${queue} cannot be opened: ${storable(reason, 500)}`,
      playbook:
        'Give all processes the same keys; see `escapement keys status`. Messages that were dropped are issued again.',
    }
    const signal: AlarmSignal = { key: `tickets/${queue}`, event: { type: 'RAISE', about }, ...BY }
    await this.#commit([signal]).catch((thrown) =>
      events.emit('steward.failed', { error: asError(thrown) }),
    )
  }

  async #work(): Promise<void> {
    const { time } = this.#parts
    await this.#timers()
    if (time.monotonic() - this.#lateAt >= LATE_MS) {
      this.#lateAt = time.monotonic()
      await this.#late()
    }
    if (time.monotonic() - this.#oldAt >= OLD_MS) {
      this.#oldAt = time.monotonic()
      await this.#old()
    }
  }

  async #timers(): Promise<void> {
    const { knex, time } = this.#parts
    for (;;) {
      const { rows } = await knex.raw(
        'SELECT key FROM alarms WHERE due_at <= to_timestamp(?::double precision / 1000.0) ORDER BY due_at LIMIT ?',
        [time.now(), BATCH],
      )
      await this.#commit(rows.map(({ key }: any) => ({ key, event: { type: 'TICK' }, ...BY })))
      if (rows.length < BATCH) return
    }
  }

  /** One alarm for each task name that is late, however many of its runs are. */
  async #late(): Promise<void> {
    const { knex, time, overdueMs, toldMs } = this.#parts
    const now = time.now()
    const late = await knex.raw(LATE, {
      now,
      before: now - overdueMs,
      told: now + toldMs,
      most: MOST_LATE,
    })
    const raised = late.rows.map(({ kind, name, count, since }: any): AlarmSignal => {
      const about: AlarmAbout = {
        ...house('overdue', 'warning'),
        ...{ kind, task: name },
        message: `Task ${name} of ${kind} is late: ${count}${count >= MOST_LATE ? ' or more' : ''} due, the oldest since ${new Date(since).toISOString()}`,
        playbook:
          'See `escapement workers`, `escapement due` and `escapement breakers`: whoever ticks these is away, held or too slow.',
        detail: { count, since },
      }
      return { key: `overdue/${kind}.${name}`, event: { type: 'RAISE', about }, ...BY }
    })
    const keys = new Set(raised.map(({ key }: AlarmSignal) => key))
    const open = await knex('alarms')
      .whereNot({ state: 'closed' })
      .where((either) =>
        either
          .where({ name: 'overdue', resource_id: null })
          .orWhere((tickets) =>
            tickets
              .where({ name: 'tickets' })
              .whereRaw('last_seen_at < to_timestamp(?::double precision / 1000.0)', [
                now - QUIET_MS,
              ]),
          ),
      )
      .limit(1_000)
      .select('key')
    const over = open.filter(({ key }) => !keys.has(key))
    await this.#commit([
      ...raised,
      ...over.map(({ key }) => ({ key, event: { type: 'CLEAR' } as const, ...BY })),
    ])
  }

  /** Rows about what is long over. */
  async #old(): Promise<void> {
    const { knex, time } = this.#parts
    const before = time.now() - KEPT_DAYS * 24 * OLD_MS
    for (const statement of OLD) await knex.raw(statement, [before, MOST_LATE])
  }

  async #commit(alarms: readonly AlarmSignal[]): Promise<void> {
    if (alarms.length > 0) await this.#parts.store.commit([{ id: newId(this.#parts.time), alarms }])
  }
}

const BY = { actor: 'the house', reason: null }

const house = (name: string, severity: AlarmAbout['severity']): AlarmAbout => ({
  ...{ name, severity, kind: null, resourceId: null, taskId: null, task: null, closes: 'told' },
  ...{ message: '', playbook: null, labels: {}, detail: null, forMs: 0, clearForMs: 0, flap: null },
})

/** What is late stands near the front of what is to be looked at, so that the cost follows what is due. */
const LATE = `
  SELECT r.kind, split_part(t.name, '/', 1) AS name, count(*)::integer AS count, min(d.due_at) AS since
  FROM (SELECT task_id, resource_id, due_at FROM dues
        WHERE look_at <= to_timestamp(:told / 1000.0) AND due_at < to_timestamp(:before / 1000.0)
        ORDER BY look_at LIMIT :most) d
  JOIN tasks t ON t.id = d.task_id JOIN resources r ON r.id = d.resource_id
  WHERE :now::double precision IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 100`

/** Of notices those that nobody takes; whoever takes them lets go of the others in his own time. */
const OLD = [
  `DELETE FROM alarms WHERE id IN (
     SELECT id FROM alarms WHERE state = 'closed' AND last_seen_at < to_timestamp(?::double precision / 1000.0) LIMIT ?)`,
  `DELETE FROM notices WHERE id IN (
     SELECT id FROM notices WHERE status = 'waiting' AND at < to_timestamp(?::double precision / 1000.0) LIMIT ?)`,
  `DELETE FROM maintenances WHERE id IN (
     SELECT id FROM maintenances WHERE until_at < to_timestamp(?::double precision / 1000.0) LIMIT ?)`,
  `DELETE FROM hold_changes WHERE id IN (
     SELECT id FROM hold_changes WHERE at < to_timestamp(?::double precision / 1000.0) LIMIT ?)`,
]
