// Many rows in one statement, at one moment: what the writers of the store share.
import type { Runner } from './database.ts'
import type { Unit } from './unit.ts'

/** A unit being written, and what became of its parts. */
export interface Entry {
  readonly unit: Unit
  readonly started: string[]
  delivered: number
  stopped: number
  /** Was there a ticket already for all it has written to? */
  isQuiet: boolean
  /** Has somebody rung for the task since it was read? */
  isRung: boolean
  /** Reports that changed something, and resources that are gone. */
  readonly reported: Reported[]
  readonly removed: Removed[]
}

export interface Reported {
  readonly resourceId: string
  readonly kind: string
  readonly from: string
  readonly to: string
}

export interface Removed {
  readonly resourceId: string
  readonly kind: string
  readonly isForced: boolean
}

export const entryOf = (unit: Unit): Entry => ({
  unit,
  started: [],
  delivered: 0,
  stopped: 0,
  isQuiet: false,
  isRung: false,
  reported: [],
  removed: [],
})

export interface Moment {
  readonly nowMs: number
  /** Whoever makes a task due also pushes a ticket; a clock looks after this long, if that was lost. */
  readonly toldMs: number
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
    return (await this.#runner.query(sql, [JSON.stringify(rows), this.#moment.nowMs, ...more])).rows
  }
}
