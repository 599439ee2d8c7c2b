// What the store exam writes with: units in a few words, and all that is in the tables.
// Promise: nothing here decides anything; ids and times come from the exam.
import type { Database } from '../../lib/database.ts'
import { Events } from '../../lib/events.ts'
import { newId } from '../../lib/id.ts'
import { Store } from '../../lib/store.ts'
import type { NewEvent, NewRun, Outcome, StepChange, Unit } from '../../lib/unit.ts'
import { Registry } from '../../models/registry.ts'
import { repeatsOf } from '../../models/repeats.ts'
import { Watchman } from '../../models/watchman.ts'
import type { FakeTime } from '../support/time.ts'

export const TOLD_MS = 5_000
export const AUTHOR = { actor: 'exam', reason: null }
/** What a failure is about, but for where and when. */
export const FAILURE = {
  class: 'Error',
  code: null,
  message: 'no',
  severity: 'error',
  isRetryable: true,
  playbook: null,
  detail: null,
  dependency: null,
} as const
const TABLES = [
  'resources',
  'leases',
  'tasks',
  'transitions',
  'dues',
  'events',
  'failures',
  'tombstones',
  'changes',
]

/** A step of a task, as the exam writes it. */
export interface Step extends Partial<Omit<StepChange, 'transition'>> {
  readonly taskId: string
  readonly resourceId: string
  readonly expected: number
}

export class Pen {
  readonly database: Database
  readonly events = new Events()
  readonly store: Store
  readonly #time: FakeTime

  constructor(database: Database, time: FakeTime) {
    this.database = database
    this.#time = time
    const { events } = this
    const registry = new Registry([])
    const requests = { time, sealer: { seal: String, open: String }, actor: 'pen' }
    const alarms = new Watchman({ time, events, registry, requests, repeats: repeatsOf() })
    this.store = new Store({ database, time, events, toldMs: TOLD_MS, alarms })
  }

  /** Commits units, each given the id it lacks. */
  commit(...units: Omit<Unit, 'id'>[]): Promise<Outcome[]> {
    return this.store.commit(units.map((unit) => ({ id: this.id(), ...unit })))
  }

  id = (): string => newId(this.#time)

  async resource(fields: Record<string, any> = {}): Promise<string> {
    const id = this.id()
    await this.commit({ creates: [{ id, kind: 'Thing', parentId: null, fields, ...AUTHOR }] })
    return id
  }

  start(resourceId: string, task = 'work', more: Partial<NewRun> = {}): NewRun {
    const run = {
      ...{ id: this.id(), resourceId, task, version: '1' },
      ...{ evenStopped: false, origin: null, args: null },
    }
    return { ...run, ...AUTHOR, ...more }
  }

  /** A resource with a live run in it. */
  async task(name = 'work'): Promise<{ resourceId: string; taskId: string }> {
    const resourceId = await this.resource()
    const run = this.start(resourceId, name)
    await this.commit({ starts: [run] })
    return { resourceId, taskId: run.id }
  }

  /** A unit that takes a task one step on. */
  step({ expected, ...more }: Step): Omit<Unit, 'id'> & { step: StepChange } {
    const step = expected + 1
    const transition = {
      ...{ base: expected, from: `s${expected}`, to: `s${step}`, event: 'GO' },
      ...{ payload: null, snapshot: { value: `s${step}` } },
      ...AUTHOR,
    }
    const rest = { step, restStep: step, status: 'running' as const, state: `s${step}` }
    const plain = { tries: null, system: null, task: 'work', finished: false }
    return { step: { ...rest, ...plain, transition, expected, ...more } }
  }

  send(resourceId: string, task = 'work', more: Partial<NewEvent> = {}): NewEvent {
    const id = this.id()
    const event = {
      id,
      resourceId,
      task,
      type: 'GO',
      payload: null,
      dedupKey: null,
      expiresAt: null,
      sender: null,
      recipient: null,
    }
    return { ...event, ...AUTHOR, ...more }
  }

  async rows(sql: string, params: readonly unknown[] = []): Promise<any[]> {
    return (await this.database.query(sql, params)).rows
  }

  async one(sql: string, params: readonly unknown[] = []): Promise<any> {
    return (await this.rows(sql, params))[0]
  }

  dueOf = (taskId: string) => this.one('SELECT * FROM dues WHERE task_id = $1', [taskId])

  /** Every row of every table. */
  async everything(): Promise<Record<string, string[]>> {
    const all: Record<string, string[]> = {}
    for (const table of TABLES) {
      const rows = await this.rows(`SELECT to_jsonb(t)::text AS row FROM ${table} t ORDER BY 1`)
      all[table] = rows.map(({ row }) => row)
    }
    return all
  }
}
