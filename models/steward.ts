// The steward: what the house does now and then. Old runs are removed, schedules that a deploy added are begun.
// Promise: bounded batches, no transaction while user code runs; any number of stewards may be about: a run is removed
// once, though `gc.each` may see it twice; what fails is told and tried again at the next round.
import type { Knex } from '../lib/database.ts'
import { asError, fault } from '../lib/errors.ts'
import type { Events } from '../lib/events.ts'
import type { Time } from '../lib/time.ts'
import { LATE, within } from '../lib/within.ts'
import type { EndedRun } from './declared.ts'
import type { Kind, TaskDefinition } from './kind.ts'
import { LIFE } from './kind.ts'
import type { Registry } from './registry.ts'
import { repeaterOf } from './repeater.ts'
import type { Verbs } from './verbs.ts'

export interface StewardParts {
  readonly knex: Knex
  readonly registry: Registry
  readonly time: Time
  readonly events: Events
  readonly desk: Pick<Verbs, 'start'>
}

/** Rows of one batch, and batches of one task in one round. */
const BATCH = 100
const BATCHES = 10
/** How long `gc.each` may take. */
const EACH_MS = 60_000

export class Steward {
  readonly #parts: StewardParts
  /** Where the last round of a task stopped, so that runs that are kept do not stand before the others. */
  readonly #after = new Map<TaskDefinition, Mark>()
  #round: Promise<void> | null = null

  constructor(parts: StewardParts) {
    this.#parts = parts
  }

  /** One round; two at once are one. Never rejects. */
  async round(): Promise<void> {
    this.#round ??= this.#work().finally(() => {
      this.#round = null
    })
    await this.#round
  }

  async #work(): Promise<void> {
    for (const kind of this.#parts.registry.kinds) {
      const duties = [
        ...kind.schedules.map((task) => () => this.#begin(kind, task)),
        ...kind.collected.map((task) => () => this.#collect(kind, task)),
      ]
      for (const duty of duties) {
        await duty().catch((thrown) => {
          this.#parts.events.emit('steward.failed', { error: asError(thrown) })
        })
      }
    }
  }

  /** Running resources whose life began when this task did not repeat yet. One stopped by hand since stays stopped. */
  async #begin(kind: Kind, { name }: TaskDefinition): Promise<void> {
    const task = repeaterOf(name)
    const { rows } = await this.#parts.knex.raw(
      `SELECT r.id FROM resources r
       JOIN tasks life ON life.resource_id = r.id AND life.name = :life AND life.finished_at IS NULL
       WHERE r.kind = ANY(:kinds) AND r.state = 'running' AND NOT EXISTS (
         SELECT 1 FROM tasks t WHERE t.resource_id = r.id AND t.name = ANY(:names) AND t.started_at >= life.started_at)
       LIMIT :batch`,
      { life: LIFE, kinds: kind.names, names: kind.namesOf(task), batch: BATCH },
    )
    for (const { id: resourceId } of rows)
      await this.#parts.desk.start({ kind, resourceId, task }, undefined, {
        reason: 'it repeats now',
      })
  }

  async #collect(kind: Kind, definition: TaskDefinition): Promise<void> {
    let count = 0
    for (let batch = 0; batch < BATCHES; batch++) {
      const rows = await this.#old(kind, definition)
      const last = rows.at(-1)
      if (rows.length < BATCH) this.#after.delete(definition)
      else if (last) this.#after.set(definition, { at: last.finished_at, id: last.id })
      const gone: string[] = []
      for (const row of rows) if (await this.#farewell(kind, definition, row)) gone.push(row.id)
      count += await this.#remove(gone)
      if (rows.length < BATCH) break
    }
    if (count > 0)
      this.#parts.events.emit('runs.removed', { kind: kind.name, task: definition.name, count })
  }

  /** Old runs of a task, of the actors it has spawned, and of its schedule but the latest of that. */
  async #old(kind: Kind, definition: TaskDefinition): Promise<any[]> {
    const { name, terms } = definition
    const names = kind.namesOf(name)
    const schedules = kind.namesOf(repeaterOf(name))
    const { at, id } = this.#after.get(definition) ?? { at: 0, id: FIRST_ID }
    const { rows } = await this.#parts.knex.raw(
      `SELECT t.id, t.name, t.resource_id, t.status, t.state, t.step, t.finished_at
       FROM tasks t JOIN resources r ON r.id = t.resource_id AND r.kind = ANY(:kinds)
       WHERE t.finished_at < to_timestamp(:before / 1000.0)
         AND (t.finished_at, t.id) > (to_timestamp(:at / 1000.0), :id::uuid)
         AND split_part(t.name, '/', 1) = ANY(:names) AND (t.name <> ALL(:schedules) OR EXISTS (
           SELECT 1 FROM tasks n WHERE n.resource_id = t.resource_id AND n.name = t.name AND n.started_at > t.started_at))
       ORDER BY t.finished_at, t.id LIMIT :batch`,
      {
        ...{ kinds: kind.names, names: [...names, ...schedules], schedules, at, id, batch: BATCH },
        before: this.#parts.time.now() - (terms.gc?.afterMs ?? 0),
      },
    )
    return rows
  }

  /** The user's part: false keeps the run. Actors and schedules are the house's own. */
  async #farewell(kind: Kind, { name, terms }: TaskDefinition, row: any): Promise<boolean> {
    const task = kind.today(row.name)
    if (!terms.gc?.each || task !== name) return true
    const { id: taskId, resource_id: resourceId, status, state, step, finished_at } = row
    const naming = { kind: kind.name, resourceId, taskId, task }
    const run: EndedRun = { ...naming, status, state, step, finishedAt: finished_at }
    try {
      const asked = Promise.resolve(terms.gc.each(run))
      if ((await within(this.#parts.time, EACH_MS, asked)) !== LATE) return true
      throw fault('EFFECT_TIMEOUT', { effect: 'gc.each', timeoutMs: EACH_MS })
    } catch (thrown) {
      this.#parts.events.emit('run.kept', { ...naming, error: asError(thrown) })
      return false
    }
  }

  async #remove(ids: readonly string[]): Promise<number> {
    if (ids.length === 0) return 0
    return this.#parts.knex('tasks').whereIn('id', ids).whereNotNull('finished_at').delete()
  }
}

interface Mark {
  readonly at: number
  readonly id: string
}
const FIRST_ID = '00000000-0000-0000-0000-000000000000'
