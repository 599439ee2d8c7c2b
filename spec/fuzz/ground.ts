// The ground many lives share: one database, one store, one time; nothing else.
// Promise: what lives ask at one moment goes in one trip, as in any worker; no ticker, machine, event bus
// or snapshot is kept here.
import { Coalescer } from '../../lib/coalescer.ts'
import type { Sealer } from '../../lib/codec.ts'
import { Events } from '../../lib/events.ts'
import type { Store } from '../../lib/store.ts'
import { type House, openHouse } from '../support/house.ts'
import type { Setting } from '../support/services.ts'
import { Moments } from './moments.ts'

/** A task of a resource, as the database has it. */
export interface TaskRow {
  readonly id: string
  readonly name: string
  readonly status: string
  readonly snapshot: unknown
  readonly dueAt: number | null
}

export class Ground {
  /** Cases that say nothing: what XState does with them is left to chance, or a known failing of its own. */
  skipped = 0
  readonly moments = new Moments()
  readonly house: House
  readonly sealer: Sealer
  readonly #tasks: Coalescer<string, TaskRow[]>

  private constructor(house: House, moments: Moments) {
    this.house = house
    this.moments = moments
    const { keyring, database } = house.app.rooms
    this.sealer = {
      seal: (text) => keyring.seal('fields', text, moments.time.now()),
      open: (sealed) => keyring.open('fields', sealed, moments.time.now()),
    }
    const trip = async (ids: readonly string[]) => {
      const { rows } = await database.query(TASKS, [[...new Set(ids)]])
      const found = new Map<string, TaskRow[]>(ids.map((id) => [id, []]))
      for (const row of rows) found.get(row.resourceId)?.push(row)
      return ids.map((id) => found.get(id) as TaskRow[])
    }
    this.#tasks = new Coalescer({ trip, most: 500, trips: 2, isPersonal: () => false })
  }

  static async open(setting: Setting): Promise<Ground> {
    const moments = new Moments()
    const { time } = moments
    const house = await openHouse({ resources: [], setting, time, events: new Events() })
    return new Ground(house, moments)
  }

  get store(): Store {
    return this.house.app.store
  }

  /** Every task of a resource with the snapshot it rests in. */
  tasks(resourceId: string): Promise<TaskRow[]> {
    return this.#tasks.ask(resourceId)
  }

  /** Takes the house down. What charts left alive is no leak: they were told to wait for ever. */
  async close(): Promise<void> {
    await this.house.app.rooms.database.query('TRUNCATE resources CASCADE')
    await this.house.close()
  }
}

const TASKS = `
  SELECT t.resource_id AS "resourceId", t.id, t.name, t.status, x.snapshot, d.due_at AS "dueAt"
  FROM tasks t JOIN transitions x ON x.task_id = t.id AND x.step = t.rest_step
  LEFT JOIN dues d ON d.task_id = t.id
  WHERE t.resource_id = ANY($1) ORDER BY t.id`
