// Panics: the runs that are parked, found, and acted on one by one or many at once.
// Promise: a question reads only; an act goes to a run that is still parked by what was asked about, and to nothing that
// was parked since; an empty question chooses nothing unless `all` says that it is meant.
import type { AlarmState } from '../lib/alarm.ts'
import type { Knex } from '../lib/database.ts'
import { fault } from '../lib/errors.ts'
import type { Severity } from '../lib/notice.ts'
import type { Time } from '../lib/time.ts'
import type { RunStatus } from '../lib/unit.ts'
import { type LaneOptions, lanes, type Tally } from './lanes.ts'
import type { ParkedAct, ParkedRun } from './panic.ts'
import type { Registry } from './registry.ts'
import type { Because, Verbs } from './verbs.ts'

/** A run that is parked, and why. */
export interface PanicLine {
  readonly kind: string
  readonly resourceId: string
  readonly task: string
  readonly taskId: string
  readonly status: RunStatus
  /** `panic`, `timeout`, `poison` or `stranded`: what its alarm is called. */
  readonly name: string
  /** Where it was. */
  readonly state: string
  readonly step: number
  /** When it was parked, in milliseconds since 1970. */
  readonly since: number
  /** Null when what is kept of it is gone. */
  readonly error: {
    readonly class: string
    readonly code: string | null
    readonly message: string
    readonly severity: Severity
  } | null
  /** The attempts of what failed. */
  readonly attempts: number
  /** What whoever is called should do. */
  readonly playbook: string | null
  readonly alarm: {
    readonly id: string
    readonly key: string
    readonly state: AlarmState
    readonly owner: string | null
  } | null
}

/** Everything given must hold. */
export interface PanicsWanted {
  readonly kind?: string
  readonly resourceId?: string
  readonly task?: string
  readonly taskId?: string
  /** Where it was. */
  readonly state?: string
  /** Of its error. */
  readonly code?: string
  readonly class?: string
  readonly name?: string
}

/** Which are meant. */
export interface PanicsChosen extends PanicsWanted {
  /** Every parked run, when nothing else is given. */
  readonly all?: boolean
}

export interface PanicsOptions extends Because, LaneOptions {
  /** Told how many it will be, before the first is touched. */
  readonly onBegin?: (matched: number) => void
}

export interface PanicsDone extends Tally {
  /** How many there were at the beginning. */
  readonly matched: number
}

export interface PanicsParts {
  readonly knex: Knex
  readonly registry: Registry
  readonly time: Time
  readonly verbs: Pick<Verbs, 'unpark'>
}

export const PANIC_NAMES = ['panic', 'timeout', 'poison', 'stranded'] as const

const USUAL = 100
const PAGE = 200
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export class Panics {
  readonly #parts: PanicsParts

  constructor(parts: PanicsParts) {
    this.#parts = parts
  }

  /** The latest parked first. @throws ARGUMENT_INVALID for a name that is none */
  async list({
    limit = USUAL,
    ...wanted
  }: PanicsWanted & { limit?: number } = {}): Promise<PanicLine[]> {
    const query = this.#where(wanted).orderByRaw('t.moved_at DESC, t.id DESC')
    return (await this.#lines(query, limit)).map((row) => this.#line(row))
  }

  async count(wanted: PanicsWanted = {}): Promise<number> {
    const row: any = await this.#where(wanted).count('* as count').first()
    return Number(row.count)
  }

  /** All that are parked by now, page by page; what is parked meanwhile is not among them. */
  async *each(wanted: PanicsWanted = {}): AsyncGenerator<PanicLine> {
    for await (const row of this.#pages(wanted)) yield this.#line(row)
  }

  /** Lets them go on from their last good steps. @throws ARGUMENT_INVALID for an empty question without `all` */
  retry(which: PanicsChosen, options: PanicsOptions = {}): Promise<PanicsDone> {
    return this.does({ verb: 'retry' }, which, options)
  }

  /** Takes them back. @throws ARGUMENT_INVALID */
  rewind(which: PanicsChosen, steps: number, options: PanicsOptions = {}): Promise<PanicsDone> {
    return this.does({ verb: 'rewind', steps }, which, options)
  }

  /** Puts them into a state. @throws ARGUMENT_INVALID */
  goto(which: PanicsChosen, state: string, options: PanicsOptions = {}): Promise<PanicsDone> {
    return this.does({ verb: 'goto', state }, which, options)
  }

  /** Ends them. @throws ARGUMENT_INVALID */
  stop(which: PanicsChosen, options: PanicsOptions = {}): Promise<PanicsDone> {
    return this.does({ verb: 'stop' }, which, options)
  }

  /** Any of these: several at once, each a commit with its author. What goes on already is skipped. */
  async does(
    act: ParkedAct,
    which: PanicsChosen,
    { actor, reason, onBegin, ...options }: PanicsOptions = {},
  ): Promise<PanicsDone> {
    const { all = false, ...wanted } = which
    checkTraits(wanted)
    const matched = await this.count(wanted)
    if (!all && isEmptyQuestion(wanted)) throw unchosen(matched)
    onBegin?.(matched)
    const because = {
      ...(actor !== undefined && { actor }),
      ...(reason !== undefined && { reason }),
    }
    const verb = ({ name: task, ...row }: any) => this.act({ ...row, task }, act, because)
    const tally = await lanes(this.#pages(wanted), verb, options)
    return { matched, ...tally }
  }

  /**
   * One of them. False when it is not parked by that any more.
   * @throws STEP_UNKNOWN, and ARGUMENT_INVALID for a state there is none of
   */
  async act(run: ParkedRun, act: ParkedAct, because: Because = {}): Promise<boolean> {
    const { kind, resourceId, task, taskId, step } = run
    return this.#parts.verbs.unpark({ kind, resourceId, task, taskId, step }, act, because)
  }

  /** By id, for that stays where it is whatever is done to a run. */
  async *#pages(wanted: PanicsWanted): AsyncGenerator<any> {
    const now = this.#parts.time.now()
    for (let after: string | null = null; ; ) {
      const query = this.#where(wanted)
        .orderBy('t.id')
        .whereRaw('t.moved_at <= to_timestamp(? / 1000.0)', [now])
      if (after !== null) query.where('t.id', '>', after)
      const rows = await this.#lines(query, PAGE)
      yield* rows
      if (rows.length < PAGE) return
      after = rows.at(-1).taskId
    }
  }

  #lines(query: Knex.QueryBuilder, limit: number): Promise<any[]> {
    return query.limit(limit).select(this.#parts.knex.raw(COLUMNS)) as unknown as Promise<any[]>
  }

  #line({ kind, name: stored, parkedAs, errorClass, alarmId, ...row }: any): PanicLine {
    const { code, message, severity, alarmKey: key, alarmState, alarmOwner: owner, ...rest } = row
    return {
      ...rest,
      ...this.#parts.registry.today(kind, stored),
      name: parkedAs ?? (row.status === 'stranded' ? 'stranded' : 'panic'),
      error: errorClass === null ? null : { class: errorClass, code, message, severity },
      alarm: alarmId === null ? null : { id: alarmId, key, state: alarmState, owner },
    }
  }

  #where({ kind, task, state, code, name, ...wanted }: PanicsWanted): Knex.QueryBuilder {
    const { knex, registry } = this.#parts
    if (name !== undefined && !PANIC_NAMES.includes(name as never)) {
      const reason = `"${name}" is none of ${PANIC_NAMES.join(', ')}`
      throw fault('ARGUMENT_INVALID', { what: 'The name of panics', reason })
    }
    const query = knex.from(knex.raw(PARKED))
    const equal = {
      ...{ 't.id': wanted.taskId, 't.resource_id': wanted.resourceId },
      ...{ 'x.from_state': state, 'f.code': code, 'f.class': wanted.class, 'a.name': name },
    }
    query.whereRaw(`t.status IN ('panicked', 'stranded') AND t.finished_at IS NULL`)
    for (const id of [wanted.taskId, wanted.resourceId])
      if (id !== undefined && !UUID.test(id)) return query.whereRaw('false')
    for (const [column, value] of Object.entries(equal))
      if (value !== undefined) query.where(column, value)
    if (kind !== undefined) query.whereIn('r.kind', registry.namesOf(kind))
    if (task !== undefined) query.whereIn('t.name', registry.namesOfTask(task))
    return query
  }
}

/** A word misspelt would choose what nobody meant. @throws ARGUMENT_INVALID */
function checkTraits(wanted: object): void {
  const unknown = Object.keys(wanted).filter((name) => !TRAITS.includes(name))
  if (unknown.length === 0) return
  const reason = `it names ${unknown.join(', ')}; panics are chosen by ${TRAITS.join(', ')}`
  throw fault('ARGUMENT_INVALID', { what: 'The filter', reason })
}

const TRAITS = ['kind', 'resourceId', 'task', 'taskId', 'state', 'code', 'class', 'name']

const isEmptyQuestion = (wanted: PanicsWanted) =>
  Object.values(wanted).every((value) => value === undefined)

function unchosen(matched: number): Error {
  const reason = `it is empty and would choose all ${matched} parked runs; name a kind, a task, a code or another trait of theirs, or say all`
  return fault('ARGUMENT_INVALID', { what: 'The filter', reason })
}

/** The step that parked a run, what failed in it, and the alarm of it. */
const PARKED = `
  tasks t JOIN resources r ON r.id = t.resource_id
  LEFT JOIN transitions x ON x.task_id = t.id AND x.step = t.step
  LEFT JOIN LATERAL (
    SELECT * FROM failures WHERE task_id = t.id ORDER BY at DESC, id DESC LIMIT 1) f ON true
  LEFT JOIN LATERAL (
    SELECT * FROM alarms WHERE task_id = t.id AND closes = 'freed' ORDER BY last_seen_at DESC, id DESC LIMIT 1) a ON true`

const COLUMNS = `
  r.kind, t.resource_id AS "resourceId", t.name, t.id AS "taskId", t.status, a.name AS "parkedAs",
  coalesce(x.from_state, t.state) AS state, t.step, t.moved_at AS since, f.class AS "errorClass", f.code, f.message,
  f.severity, coalesce(f.attempt, 1) AS attempts, coalesce(f.playbook, a.playbook) AS playbook, a.id AS "alarmId",
  a.key AS "alarmKey", a.state AS "alarmState", a.owner AS "alarmOwner"`
