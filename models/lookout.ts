// The lookout: runs looked at from outside any tick.
// Promise: reads only. What this program's definitions cannot hold is shown as it was stored.
import type { Sealer } from '../lib/codec.ts'
import type { Knex } from '../lib/database.ts'
import type { Events } from '../lib/events.ts'
import type { MachineEvent } from '../lib/machine.ts'
import type { Time } from '../lib/time.ts'
import { Explainer } from './explain.ts'
import type { Explanation } from './explanations.ts'
import { type Kind, LIFE, type TaskDefinition } from './kind.ts'
import { awaken, fromSnapshot } from './memory.ts'
import { repeaterOf } from './repeater.ts'
import { runInfo } from './row.ts'
import { TaskSnapshot } from './snapshot.ts'
import type { Condition, Remains, RunInfo, Schedule, Target, WaitOptions } from './verbs.ts'
import { Waiting } from './waiting.ts'

export interface LookoutParts {
  readonly knex: Knex
  readonly events: Events
  readonly time: Time
  readonly sealer: Sealer
  /** The queue whose workers count when it is asked why something does not move. */
  readonly queue?: string
}

export class Lookout {
  readonly #parts: LookoutParts
  readonly #waiting: Waiting
  readonly #explainer: Explainer

  constructor(parts: LookoutParts) {
    this.#parts = parts
    this.#explainer = new Explainer({ queue: 'ticks', ...parts })
    this.#waiting = new Waiting({
      ...parts,
      read: (id, kind) => this.#read({ 'tasks.id': id }, kind),
    })
  }

  /** The latest run of a task; null when it was never started. @throws TASK_UNKNOWN */
  async status({ kind, resourceId, task }: Target): Promise<RunInfo | null> {
    const row = await this.#rows({ 'tasks.resource_id': resourceId }, kind.namesOf(task)).first(
      'tasks.*',
      'dues.due_at',
    )
    return row ? runInfo(row) : null
  }

  /** The same, with all its machine knows. @throws TASK_UNKNOWN, SEAL_UNKNOWN_KEY */
  async snapshot({ kind, resourceId, task }: Target): Promise<TaskSnapshot | null> {
    return this.#read({ 'tasks.resource_id': resourceId }, kind, kind.namesOf(task))
  }

  /** Why it does not move. @throws RESOURCE_UNKNOWN, TASK_UNKNOWN */
  explain(kind: Kind, resourceId: string, task: string | null): Promise<Explanation> {
    return this.#explainer.explain(kind, resourceId, task)
  }

  /** Resolves when the latest run has become what is waited for. See TaskHandle.waitFor. */
  async waitFor(target: Target, condition: Condition, options: WaitOptions): Promise<TaskSnapshot> {
    return this.#waiting.until(target, await this.snapshot(target), condition, options)
  }

  /** Hears what the machine of a task emits, in this process. @returns the undo. @throws TASK_UNKNOWN */
  on({ kind, resourceId, task }: Target, type: string, listener: (event: any) => void): () => void {
    const { name } = kind.task(task)
    return this.#parts.events.on('task.emitted', (told) => {
      const isOurs = told.resourceId === resourceId && told.task === name
      if (isOurs && (type === '*' || type === told.type)) listener(told.event as MachineEvent)
    })
  }

  /** Where the schedule of a task is: the latest plan one of its runs has kept. @throws TASK_UNKNOWN */
  async schedule({ kind, resourceId, task }: Target): Promise<Schedule | null> {
    const name = repeaterOf(kind.task(task).name)
    const rows: any[] = await this.#parts
      .knex('tasks')
      .join('transitions', (join) =>
        join.on('transitions.task_id', 'tasks.id').andOn('transitions.step', 'tasks.rest_step'),
      )
      .where({ 'tasks.resource_id': resourceId })
      .whereIn('name', kind.namesOf(name))
      .whereNotNull('snapshot')
      .orderBy('started_at', 'desc')
      .orderBy('tasks.id', 'desc')
      .limit(2)
      .select('snapshot', 'status')
    for (const { snapshot, status } of rows) {
      const { context } = fromSnapshot(snapshot, this.#parts.sealer, name)
      const { plan } = context as { plan: Schedule['plan'] | null }
      if (plan) return { plan, isDone: status === 'done' }
    }
    return null
  }

  /** What keeps a resource from being gone: resources that belong to it, and runs that have not ended. */
  async remains(resourceId: string): Promise<Remains> {
    const { rows } = await this.#parts.knex.raw(
      `SELECT (SELECT count(*)::int FROM resources WHERE parent_id = :resourceId) AS children,
         (SELECT count(*)::int FROM tasks WHERE resource_id = :resourceId AND finished_at IS NULL
            AND split_part(name, '/', 1) <> :life) AS runs`,
      { resourceId, life: LIFE },
    )
    return rows[0]
  }

  /** Nobody waits here any more. */
  close(): void {
    this.#waiting.close()
  }

  /** @param names of the task, its earlier ones among them; of any task, unless told */
  #rows(which: Readonly<Record<string, string>>, names?: readonly string[]): Knex.QueryBuilder {
    const rows = this.#parts
      .knex('tasks')
      .leftJoin('dues', 'dues.task_id', 'tasks.id')
      .where(which)
      .orderBy([{ column: 'finished_at', order: 'desc', nulls: 'first' }])
    return names ? rows.whereIn('name', [...names]) : rows
  }

  async #read(
    which: Readonly<Record<string, string>>,
    kind: Kind,
    names?: readonly string[],
  ): Promise<TaskSnapshot | null> {
    const row = await this.#rows(which, names)
      .join('transitions as rest', (join) =>
        join.on('rest.task_id', 'tasks.id').andOn('rest.step', 'tasks.rest_step'),
      )
      .first('tasks.*', 'dues.due_at', 'rest.snapshot')
    if (!row) return null
    if (row.snapshot === null) return new TaskSnapshot(runInfo(row), null, null)
    return this.#held(row, kind) ?? this.#asStored(row)
  }

  /** Null when the definition that runs now cannot hold it. */
  #held(row: any, kind: Kind): TaskSnapshot | null {
    try {
      const definition = kind.run(row.name, row.origin) as TaskDefinition
      const stored = { ...row, machineVersion: row.machine_version }
      const { rest } = awaken(stored, definition, this.#parts.sealer)
      return new TaskSnapshot(runInfo(row), definition.machine, rest)
    } catch {
      return null
    }
  }

  #asStored(row: any): TaskSnapshot {
    const rest = fromSnapshot(row.snapshot, this.#parts.sealer, row.name)
    return new TaskSnapshot(runInfo(row), null, rest)
  }
}
