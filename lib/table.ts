// Many rows in one statement, at one moment: what the writers of the store share.
import type { AlarmLogic, AlarmResult, AlarmSignal } from './alarm.ts'
import type { Runner } from './database.ts'
import type { HoldChange } from './hold.ts'
import { prepared } from './prepared.ts'
import type { Unit } from './unit.ts'

/** A unit being written, and what became of its parts. */
export interface Entry {
  readonly unit: Unit
  readonly started: string[]
  readonly begun: string[]
  delivered: number
  stopped: number
  /** Was there a ticket already for all it has written to, or is there nothing to do yet? */
  isQuiet: boolean
  /** Has somebody rung for the task since it was read? */
  isRung: boolean
  /** Reports that changed something, and resources that are gone. */
  readonly reported: Reported[]
  readonly removed: Removed[]
  readonly alarmed: AlarmResult[]
  readonly held: string[]
  /** The changes of holds behind that, for whoever listens. */
  readonly latched: HoldChange[]
  /** What writing it has to say to alarms. */
  readonly signals: AlarmSignal[]
  /** Alarms that have changed. */
  readonly rang: Rang[]
}

export interface Reported {
  readonly resourceId: string
  readonly kind: string
  readonly from: string
  readonly to: string
}

/** What everybody is told of an alarm. */
export interface Rang {
  readonly alarmId: string
  readonly key: string
  readonly name: string
  readonly severity: string
  readonly kind: string | null
  readonly resourceId: string | null
  readonly from: string
  readonly to: string
  readonly event: string
}

export interface Removed {
  readonly resourceId: string
  readonly kind: string
  readonly isForced: boolean
}

export const entryOf = (unit: Unit): Entry => ({
  unit,
  started: [],
  begun: [],
  delivered: 0,
  stopped: 0,
  isQuiet: false,
  isRung: false,
  reported: [],
  removed: [],
  alarmed: [],
  held: [],
  latched: [],
  signals: [],
  rang: [],
})

export interface Moment {
  readonly nowMs: number
  /** Whoever makes a task due also pushes a ticket; a clock looks after this long, if that was lost. */
  readonly toldMs: number
  /** What decides about alarms. */
  readonly alarms: AlarmLogic
}

export const NOW = 'to_timestamp($2 / 1000.0)'

export class Table {
  readonly #runner: Runner
  readonly #moment: Moment

  constructor(runner: Runner, moment: Moment) {
    this.#runner = runner
    this.#moment = moment
  }

  /** One statement over many rows; $1 is the rows as JSON, $2 the moment. Nothing for no rows. */
  async rows(rows: readonly object[], sql: string, ...more: unknown[]): Promise<any[]> {
    if (rows.length === 0) return []
    const params = [JSON.stringify(rows), this.#moment.nowMs, ...more]
    return (await this.#runner.query(prepared(sql), params)).rows
  }
}
