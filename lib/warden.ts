// The warden: alarms raised, moved and closed within the commit that brings it about, and the notices of it.
// Promise: one row for each key, whoever raises it and however many at once; what a machine decides is written as it
// decides it; a task without alarms and a resource without rules cost nothing here.

import type { AlarmLogic, AlarmResult, AlarmSignal, StoredAlarm } from './alarm.ts'
import type { Author } from './author.ts'
import type { Runner } from './database.ts'
import { keyed } from './keyed.ts'
import type { NewNotice } from './notice.ts'
import { prepared } from './prepared.ts'
import { type Entry, type Moment, NOW, type Rang, Table } from './table.ts'
import { watchedIn } from './watched.ts'

/** What this commit has ended, so that alarms about it may close. */
export interface Ended {
  /** Runs that were stopped, and resources that are gone. */
  readonly tasks: readonly ({ readonly taskId: string } & Author)[]
  readonly resources: readonly string[]
}

interface Asked extends AlarmSignal {
  /** The unit it is part of; null for what follows from others. */
  readonly entry: Entry
  readonly isOwn: boolean
}

export class Warden {
  readonly #runner: Runner
  readonly #moment: Moment
  readonly #table: Table
  readonly #logic: AlarmLogic

  constructor(runner: Runner, moment: Moment, logic: AlarmLogic) {
    this.#runner = runner
    this.#moment = moment
    this.#table = new Table(runner, moment)
    this.#logic = logic
  }

  /** @param alarmed tasks of these units that had an alarm before them */
  async write(
    entries: readonly Entry[],
    alarmed: ReadonlySet<string>,
    ended: Ended,
  ): Promise<void> {
    const asked = [
      ...(await this.#settled(entries, alarmed, ended)),
      ...(await this.#ruled(entries)),
      ...entries.flatMap((entry) =>
        [...(entry.unit.alarms ?? []), ...entry.signals].map((one) => ({
          ...one,
          entry,
          isOwn: true,
        })),
      ),
    ]
    if (asked.length > 0) await this.#step(asked)
    const notices = entries.flatMap(({ unit }) =>
      (unit.notices ?? []).map((notice) => ({ ...notice, unitId: unit.id })),
    )
    await this.#notices(notices)
  }

  /** Alarms that close because their task has moved, is parked no more, or is gone. */
  async #settled(
    entries: readonly Entry[],
    alarmed: ReadonlySet<string>,
    ended: Ended,
  ): Promise<Asked[]> {
    const moved = new Map<string, Entry>()
    for (const entry of entries) {
      const { step } = entry.unit
      if (step?.transition && alarmed.has(step.taskId)) moved.set(step.taskId, entry)
    }
    const stopped = new Map(ended.tasks.map((one) => [one.taskId, one]))
    const tasks = [...moved.keys(), ...stopped.keys()]
    if (tasks.length + ended.resources.length === 0) return []
    const { rows } = await this.#runner.query(CLOSING, [tasks, ended.resources])
    return rows.flatMap(({ key, closes, task_id }): Asked[] => {
      const entry = moved.get(task_id)
      if (entry && !closesBy(entry, closes)) return []
      const by = entry?.unit.step?.transition ?? stopped.get(task_id)
      const { actor = 'the house', reason = null } = by ?? {}
      const author = {
        actor,
        reason: reason ?? (entry ? 'the task went on' : 'what it is about has ended'),
      }
      const company = entry ?? (entries[0] as Entry)
      return [{ key, event: { type: 'CLEAR' }, ...author, entry: company, isOwn: false }]
    })
  }

  /** What the rules say of the resources these units have changed. */
  async #ruled(entries: readonly Entry[]): Promise<Asked[]> {
    const by = new Map<string, Entry>()
    for (const entry of entries) for (const id of entry.unit.watches ?? []) by.set(id, entry)
    if (by.size === 0) return []
    const watched = await watchedIn(this.#runner, [...by.keys()])
    return watched.flatMap((one) =>
      this.#logic
        .judge(one, this.#moment.nowMs)
        .map((signal) => ({ ...signal, entry: by.get(one.resourceId) as Entry, isOwn: false })),
    )
  }

  async #step(asked: readonly Asked[]): Promise<void> {
    const keys = [...new Set(asked.map(({ key }) => key))].sort()
    const stored = await this.#stored(keys)
    const before = new Map(stored)
    const changes: object[] = []
    const notices: (NewNotice & { unitId: string })[] = []
    for (const { entry, isOwn, ...signal } of asked) {
      const { key, actor, reason, event } = signal
      const step = this.#logic.step(stored.get(key) ?? null, signal, this.#moment.nowMs)
      const { alarm, from, to, changed, refused } = step
      const result: AlarmResult = { key, changed, from, to, refused }
      if (isOwn) entry.alarmed.push(result)
      if (!alarm) continue
      stored.set(key, alarm)
      const unitId = entry.unit.id
      notices.push(...step.notices.map((notice) => ({ ...notice, unitId })))
      // A sign more of what is known already is a number in its row, and no line.
      if (from === to && event.type !== 'NOTE' && event.type !== 'ACKNOWLEDGE') continue
      const line = { alarmId: alarm.id, version: alarm.version, event: event.type }
      changes.push({ ...line, from: from ?? 'closed', to, actor, reason, unitId })
      entry.rang.push(newsOf(alarm, from, event.type))
    }
    const written = [...stored].flatMap(([key, row]) => (before.get(key) === row ? [] : [row]))
    await this.#rows(written, before)
    await this.#table.rows(changes, CHANGES)
    await this.#notices(notices)
    await this.#flag(written)
  }

  async #stored(keys: readonly string[]): Promise<Map<string, StoredAlarm>> {
    const { rows } = await this.#runner.query(
      'SELECT * FROM alarms WHERE key = ANY($1) ORDER BY key FOR UPDATE',
      [keys],
    )
    return new Map(rows.map((row) => [row.key, storedAlarm(row)]))
  }

  async #rows(alarms: readonly StoredAlarm[], before: ReadonlyMap<string, unknown>): Promise<void> {
    await this.#table.rows(
      alarms.filter(({ key }) => before.has(key)),
      UPDATE,
    )
    const made = alarms.filter(({ key }) => !before.has(key))
    const born = await this.#table.rows(made, INSERT)
    // Somebody else opened one of them between our look and our write: all of it is done again, on top of that.
    if (born.length < made.length)
      throw Object.assign(new Error('an alarm was opened twice at once'), { code: '40001' })
  }

  async #notices(notices: readonly object[]): Promise<void> {
    await this.#table.rows(notices, NOTICES)
  }

  /** A task is told whether its next step may close an alarm. */
  async #flag(alarms: readonly StoredAlarm[]): Promise<void> {
    const tasks = alarms.flatMap(({ taskId, closes }) =>
      taskId && closes !== 'told' ? [taskId] : [],
    )
    if (tasks.length > 0) await this.#runner.query(FLAG, [[...new Set(tasks)]])
  }
}

const PARKED = ['panicked', 'stranded']

function closesBy({ unit: { step } }: Entry, closes: string): boolean {
  if (!step) return false
  if (closes === 'freed') return !PARKED.includes(step.status)
  return closes === 'moved' && step.transition?.from !== step.transition?.to
}

function newsOf(alarm: StoredAlarm, from: string | null, event: string): Rang {
  const { id: alarmId, key, name, severity, kind, resourceId, state: to } = alarm
  return { alarmId, key, name, severity, kind, resourceId, from: from ?? 'closed', to, event }
}

/** A row as it is read. */
export function storedAlarm(row: any): StoredAlarm {
  const { id, key, name, kind, task, closes, severity, message, playbook, labels, detail } = row
  const { state, count, episode, owner, note, rest, version } = row
  return {
    ...{ id, key, name, kind, task, closes, severity, message, playbook, labels, detail },
    ...{ state, count, episode, owner, note, rest, version },
    resourceId: row.resource_id,
    taskId: row.task_id,
    isClearing: row.is_clearing,
    firstSeenAt: row.first_seen_at,
    lastSeenAt: row.last_seen_at,
    openedAt: row.opened_at,
    closedAt: row.closed_at,
    dueAt: row.due_at,
  }
}

/** Found before they are put in order (OFFSET 0): to be had in it, all alarms there are might be read. */
const CLOSING = `
  SELECT * FROM (
    SELECT key, closes, task_id FROM alarms WHERE (state <> 'closed') IS TRUE AND task_id = ANY($1::uuid[]) AND closes <> 'told' OFFSET 0) t
  UNION SELECT * FROM (
    SELECT key, closes, NULL::uuid FROM alarms WHERE state <> 'closed' AND resource_id = ANY($2::uuid[]) OFFSET 0) r ORDER BY key`

const ROW = `
  json_to_recordset($1) AS v(id uuid, key text, name text, kind text, "resourceId" uuid, "taskId" uuid, task text,
    closes text, severity text, state text, "isClearing" boolean, message text, playbook text, labels jsonb,
    detail jsonb, count integer, episode integer, owner text, note text, "firstSeenAt" double precision,
    "lastSeenAt" double precision, "openedAt" double precision, "closedAt" double precision, rest jsonb,
    "dueAt" double precision, version bigint)`

const at = (name: string) => `to_timestamp("${name}" / 1000.0)`

const INSERT = prepared(`
  INSERT INTO alarms (id, key, name, kind, resource_id, task_id, task, closes, severity, state, is_clearing, message,
    playbook, labels, detail, count, episode, owner, note, first_seen_at, last_seen_at, opened_at, closed_at, rest,
    due_at, version)
  SELECT id, key, name, kind, "resourceId", "taskId", task, closes, severity, state, "isClearing", message,
    playbook, labels, detail, count, episode, owner, note, ${at('firstSeenAt')}, ${at('lastSeenAt')}, ${at('openedAt')},
    ${at('closedAt')}, rest, ${at('dueAt')}, version
  FROM ${ROW} WHERE $2::double precision IS NOT NULL ORDER BY key ON CONFLICT DO NOTHING RETURNING key`)

const UPDATE = prepared(`
  UPDATE alarms a SET name = v.name, kind = v.kind, resource_id = v."resourceId", task_id = v."taskId", task = v.task,
    closes = v.closes, severity = v.severity, state = v.state, is_clearing = v."isClearing", message = v.message,
    playbook = v.playbook, labels = v.labels, detail = v.detail, count = v.count, episode = v.episode,
    owner = v.owner, note = v.note, first_seen_at = ${at('firstSeenAt')}, last_seen_at = ${at('lastSeenAt')},
    opened_at = ${at('openedAt')}, closed_at = ${at('closedAt')}, rest = v.rest, due_at = ${at('dueAt')},
    version = v.version
  FROM ${ROW} WHERE ${keyed('a.id', 'v.id')} AND $2::double precision IS NOT NULL`)

const CHANGES = prepared(`
  INSERT INTO alarm_changes (alarm_id, version, event, from_state, to_state, actor, reason, unit_id, at)
  SELECT "alarmId", version, event, "from", "to", actor, reason, "unitId", ${NOW}
  FROM json_to_recordset($1) AS v("alarmId" uuid, version bigint, event text, "from" text, "to" text, actor text,
    reason text, "unitId" uuid)`)

const NOTICES = prepared(`
  INSERT INTO notices (id, type, severity, alarm_id, episode, kind, resource_id, task, message, labels, payload, unit_id, at)
  SELECT id, type, severity, "alarmId", episode, kind, "resourceId", task, message, labels, payload, "unitId", ${NOW}
  FROM json_to_recordset($1) AS v(id uuid, type text, severity text, "alarmId" uuid, episode integer, kind text,
    "resourceId" uuid, task text, message text, labels jsonb, payload jsonb, "unitId" uuid)`)

const FLAG = `
  UPDATE tasks t SET is_alarmed = EXISTS (
    SELECT 1 FROM alarms a WHERE ${keyed('a.task_id', 't.id')} AND (a.state <> 'closed') IS TRUE AND a.closes <> 'told')
  WHERE t.id = ANY($1::uuid[])`
