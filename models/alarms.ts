// Alarms, for people: found, acknowledged, silenced, closed, opened again, with their history.
// Promise: every word is a commit of its own with its author; a word that comes too late is refused with a sentence.
import type { AlarmEvent, AlarmResult, StoredAlarm } from '../lib/alarm.ts'
import type { Knex } from '../lib/database.ts'
import { type Duration, toMs } from '../lib/duration.ts'
import { fault } from '../lib/errors.ts'
import { SEVERITIES } from '../lib/notice.ts'
import { storable } from '../lib/text.ts'
import { storedAlarm } from '../lib/warden.ts'
import type { AlarmContext } from './alarm-machine.ts'
import { inhibited } from './inhibition.ts'
import { type Maintenance, type MaintenanceOptions, Maintenances } from './maintenances.ts'
import type { Registry } from './registry.ts'
import { authorOf, type RequestParts } from './requests.ts'
import type { Because, Verbs } from './verbs.ts'

/** An alarm as people see it. */
export type AlarmLine = Omit<StoredAlarm, 'rest' | 'dueAt'> & {
  /** Is nobody told of it because something above it in the tree is wrong? */
  readonly isInhibited: boolean
  /** Until when nobody is told of one that is silenced; null for until it closes, and for any other. */
  readonly silencedUntil: number | null
}

export interface AlarmsWanted {
  /** One by its id or its key. */
  readonly alarm?: string
  /** Open and reopened ones for `open`; those not closed for `active`; all for `all`. Default `active`. */
  readonly state?: StoredAlarm['state'] | 'active' | 'all'
  readonly severity?: string
  readonly name?: string
  readonly kind?: string
  readonly resourceId?: string
  readonly task?: string
  readonly limit?: number
}

/** One line of an alarm's history. */
export interface AlarmChange {
  readonly event: string
  readonly from: string
  readonly to: string
  readonly actor: string
  readonly reason: string | null
  readonly at: number
}

export interface AlarmsParts {
  readonly knex: Knex
  readonly registry: Registry
  readonly requests: RequestParts
  readonly verbs: Pick<Verbs, 'signal'>
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const MOST = 100
const PAGE = 200
const ACTIVE = ['pending', 'open', 'reopened', 'acknowledged', 'silenced']

export class Alarms {
  readonly #parts: AlarmsParts
  readonly #maintenances: Maintenances

  constructor(parts: AlarmsParts) {
    this.#parts = parts
    this.#maintenances = new Maintenances(parts)
  }

  /** The gravest first, then the latest. @throws ARGUMENT_INVALID for a state or a severity that is none */
  async list({ limit = MOST, ...wanted }: AlarmsWanted = {}): Promise<AlarmLine[]> {
    const query = this.#where(wanted)
    const rows: any[] = await query
      .orderByRaw(
        `array_position(ARRAY['critical', 'error', 'warning', 'info'], severity), last_seen_at DESC, id`,
      )
      .limit(limit)
      .select(
        'alarms.*',
        this.#parts.knex.raw(`${inhibited('alarms.resource_id')} AS is_inhibited`),
      )
    return rows.map(lineOf)
  }

  async count(wanted: AlarmsWanted = {}): Promise<number> {
    const [row] = await this.#where(wanted).count('* as count')
    return Number(row?.count ?? 0)
  }

  /** All there are by now, page by page; what is opened for the first time meanwhile is not among them. */
  async *each(wanted: AlarmsWanted = {}): AsyncGenerator<{ id: string; key: string }> {
    const now = this.#parts.requests.time.now()
    for (let after: string | null = null; ; ) {
      const query = this.#where(wanted)
        .whereRaw('first_seen_at <= to_timestamp(? / 1000.0)', [now])
        .orderBy('id')
        .limit(PAGE)
      if (after !== null) query.where('id', '>', after)
      const rows: { id: string; key: string }[] = await query.select('id', 'key')
      yield* rows
      if (rows.length < PAGE) return
      after = rows.at(-1)?.id ?? null
    }
  }

  /** @throws ALARM_UNKNOWN */
  async get(alarm: string): Promise<AlarmLine> {
    const [found] = await this.list({ alarm, state: 'all' })
    if (found) return found
    throw fault('ALARM_UNKNOWN', { key: alarm })
  }

  /** @throws ALARM_UNKNOWN */
  async history(alarm: string): Promise<AlarmChange[]> {
    const { id } = await this.get(alarm)
    const rows: any[] = await this.#parts
      .knex('alarm_changes')
      .where({ alarm_id: id })
      .orderBy('id')
    return rows.map(({ event, from_state: from, to_state: to, actor, reason, at }) => ({
      ...{ event, from, to, actor, reason, at },
    }))
  }

  /**
   * Says that somebody sees to it: it is told no more until it closes.
   * @param options.owner who does; the actor unless told
   * @throws ALARM_UNKNOWN, ALARM_CLOSED
   */
  acknowledge(
    alarm: string,
    options: Because & { readonly owner?: string } = {},
  ): Promise<AlarmResult> {
    const { actor } = authorOf(options, this.#parts.requests)
    const owner = storable(options.owner ?? actor, 200)
    return this.#tell(alarm, { type: 'ACKNOWLEDGE', owner }, options)
  }

  /**
   * Keeps it from being told: for a time, until a moment, or until it closes.
   * @throws ALARM_UNKNOWN, ALARM_CLOSED; ARGUMENT_INVALID for a moment that has passed
   */
  async silence(
    alarm: string,
    options: Because & { readonly for?: Duration; readonly until?: number | 'closed' },
  ): Promise<AlarmResult> {
    const now = this.#parts.requests.time.now()
    const invalid = (reason: string) => fault('ARGUMENT_INVALID', { what: 'The silence', reason })
    if ((options.for === undefined) === (options.until === undefined))
      throw invalid('give either how long or until when; "closed" is until the alarm closes')
    const moment =
      options.for === undefined ? options.until : now + toMs(options.for, 'The silence')
    if (moment === 'closed') return this.#tell(alarm, { type: 'SILENCE', until: null }, options)
    if (!Number.isFinite(moment)) throw invalid(`${moment} is no moment`)
    if ((moment as number) <= now)
      throw invalid(`${new Date(moment as number).toISOString()} has passed already`)
    return this.#tell(alarm, { type: 'SILENCE', until: moment as number }, options)
  }

  /** Closes it, whatever it was about; raised again it opens again. @throws ALARM_UNKNOWN, ALARM_CLOSED */
  close(alarm: string, because: Because = {}): Promise<AlarmResult> {
    return this.#tell(alarm, { type: 'CLOSE' }, because)
  }

  /** @throws ALARM_UNKNOWN, ALARM_ACTIVE */
  reopen(alarm: string, because: Because = {}): Promise<AlarmResult> {
    return this.#tell(alarm, { type: 'REOPEN' }, because)
  }

  /** Writes a note at it, or an owner; null takes one away. @throws ALARM_UNKNOWN */
  note(
    alarm: string,
    { note, owner, ...because }: Because & { note?: string | null; owner?: string | null },
  ): Promise<AlarmResult> {
    const text = (value: string | null, most: number) => value && storable(value, most)
    const event: AlarmEvent = {
      type: 'NOTE',
      ...(note !== undefined && { note: text(note, 4_000) }),
      ...(owner !== undefined && { owner: text(owner, 200) }),
    }
    return this.#tell(alarm, event, because)
  }

  /**
   * Nobody is told of what matches during that time; what is still open when it is over is told then.
   * @throws ARGUMENT_INVALID for a time that is over, or without a reason
   */
  maintain(options: MaintenanceOptions): Promise<Maintenance> {
    return this.#maintenances.add(options)
  }

  /** Those that are not over, the first to end first. */
  maintenances(): Promise<Maintenance[]> {
    return this.#maintenances.list()
  }

  /** Ends one before its time. False when there was none, or it was over. */
  endMaintenance(id: string): Promise<boolean> {
    return this.#maintenances.end(id)
  }

  async #tell(alarm: string, event: AlarmEvent, because: Because): Promise<AlarmResult> {
    const key = UUID.test(alarm) ? ((await this.#keyOf(alarm)) ?? alarm) : alarm
    return this.#parts.verbs.signal({ key, event, ...authorOf(because, this.#parts.requests) })
  }

  async #keyOf(id: string): Promise<string | undefined> {
    return (await this.#parts.knex('alarms').where({ id }).first('key'))?.key
  }

  #where({ alarm, state = 'active', severity, name, kind, resourceId, task }: AlarmsWanted) {
    const { knex, registry } = this.#parts
    check('state', state, [...ACTIVE, 'closed', 'active', 'all'])
    if (severity !== undefined) check('severity', severity, SEVERITIES)
    const query = knex('alarms')
    if (alarm !== undefined) query.where(UUID.test(alarm) ? { id: alarm } : { key: alarm })
    if (state === 'active') query.whereNot({ state: 'closed' })
    else if (state === 'open') query.whereIn('state', ['open', 'reopened'])
    else if (state !== 'all') query.where({ state })
    if (severity !== undefined) query.where({ severity })
    if (name !== undefined) query.where({ name })
    if (kind !== undefined) query.whereIn('kind', registry.namesOf(kind))
    if (resourceId !== undefined && !UUID.test(resourceId)) query.whereRaw('false')
    else if (resourceId !== undefined) query.where({ resource_id: resourceId })
    if (task !== undefined) query.where({ task })
    return query
  }
}

function check(what: string, given: string, known: readonly string[]): void {
  if (known.includes(given)) return
  const reason = `"${given}" is none of ${known.join(', ')}`
  throw fault('ARGUMENT_INVALID', { what: `The ${what} of alarms`, reason })
}

function lineOf(row: any): AlarmLine {
  const { rest, dueAt: _, ...line } = storedAlarm(row)
  const { silencedUntil = null } = (rest as { context?: Partial<AlarmContext> }).context ?? {}
  const isSilenced = line.state === 'silenced'
  return {
    ...line,
    isInhibited: row.is_inhibited,
    silencedUntil: isSilenced ? silencedUntil : null,
  }
}
