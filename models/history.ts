// The history: what was committed, as users read it. Reads only.
import { decode, type Sealer } from '../lib/codec.ts'
import type { Knex } from '../lib/database.ts'
import { Casebook, type FailureLine } from './casebook.ts'
import type { Kind } from './kind.ts'
import type { Registry } from './registry.ts'

/** One line of a task's history. */
export interface HistoryLine {
  readonly task: string
  readonly taskId: string | null
  readonly step: number
  readonly from: string
  readonly to: string
  readonly event: string
  readonly actor: string
  readonly reason: string | null
  /** What the code of the step had to say. */
  readonly message: string | null
  readonly at: number
}

export interface HistoryOptions {
  /** Only this task. */
  readonly task?: string
  /** The latest so many lines, 100 unless told. */
  readonly limit?: number
  /** With `task`: also the mail its states did not accept. Without one, it is always told. */
  readonly ignored?: boolean
}

/** Where the history of a run begins. */
export interface Beginning {
  readonly task: string
  readonly taskId: string
  readonly step: number
}

const MOST = 10_000

const CHANGES = `
  CASE event WHEN '__ignored__' THEN fields[1] ELSE '(outside)' END as task, null::uuid as "taskId",
  coalesce(version, 0)::integer as step, '' as "from",
  CASE event WHEN '__ignored__' THEN fields[2] ELSE array_to_string(fields, ', ') END as "to",
  event, actor,
  CASE event WHEN '__ignored__' THEN concat_ws('; sent because ', fields[3], reason) ELSE reason END as reason,
  null::text as message, at, id as nth`

export class History {
  readonly #knex: Knex
  readonly #registry: Registry

  constructor(knex: Knex, registry: Registry) {
    this.#knex = knex
    this.#registry = registry
  }

  /**
   * What was done to a resource, oldest first: the transitions of its tasks, and what was made, set, sent
   * or stopped from outside (task `(outside)`; `to` names the fields, or the task and the event). Mail that was
   * taken without a step is there as `__ignored__`: `to` is its type, `reason` why nobody took it.
   */
  async lines(
    resourceId: string,
    { task, limit = 100, ignored = false }: HistoryOptions = {},
  ): Promise<HistoryLine[]> {
    const moves = this.#knex('transitions')
      .join('tasks', 'tasks.id', 'transitions.task_id')
      .where('tasks.resource_id', resourceId)
      .select('tasks.name as task', 'task_id as taskId', 'transitions.step', 'from_state as from')
      .select('to_state as to', 'event', 'actor', 'reason', 'message', 'at')
      .select(this.#knex.raw('0::bigint as nth'))
    const kind = await this.#kindOf(resourceId)
    const names = task === undefined ? [] : namesOf(kind, task)
    if (task !== undefined) moves.whereIn('tasks.name', names)
    const changes = this.#knex('changes')
      .where('resource_id', resourceId)
      .select(this.#knex.raw(CHANGES))
    if (task !== undefined) {
      changes.where('event', '__ignored__').whereRaw('fields[1] = ANY(?)', [names])
    }
    const all = task === undefined || ignored ? moves.unionAll(changes) : moves
    const lines: (HistoryLine & { nth: unknown })[] = await this.#knex
      .from(all.as('line'))
      .orderBy([
        { column: 'at', order: 'desc' },
        { column: 'step', order: 'desc' },
        { column: 'nth', order: 'desc' },
      ])
      .limit(Math.min(limit, MOST))
      .select('*')
    return lines
      .reverse()
      .map(({ nth: _, ...line }) => ({ ...line, task: kind?.today(line.task) ?? line.task }))
  }

  /** Runs of a resource whose history does not begin with their first step any more, and where it begins. */
  async beginnings(resourceId: string): Promise<Beginning[]> {
    const { rows } = await this.#knex.raw(
      `SELECT t.id AS "taskId", t.name AS task, x.step FROM tasks t, LATERAL (
         SELECT step FROM transitions WHERE task_id = t.id ORDER BY step LIMIT 1) x
       WHERE t.resource_id = :resourceId AND x.step > 0 ORDER BY t.started_at, t.id LIMIT :most`,
      { resourceId, most: MOST },
    )
    const kind = await this.#kindOf(resourceId)
    return rows.map((row: Beginning) => ({ ...row, task: kind?.today(row.task) ?? row.task }))
  }

  /** The failures of a resource's tasks, oldest first. */
  async failures(resourceId: string, { task, limit }: HistoryOptions = {}): Promise<FailureLine[]> {
    const casebook = new Casebook(this.#knex, this.#registry)
    return casebook.failures({
      resourceId,
      ...(task !== undefined && { task }),
      ...(limit !== undefined && { limit }),
    })
  }

  /** The output of the latest finished run of a task; undefined when there is none. Secrets come as Secret. */
  async output(resourceId: string, task: string, sealer: Sealer): Promise<unknown> {
    const row = await this.#knex('tasks')
      .join('transitions', (join) =>
        join.on('transitions.task_id', 'tasks.id').andOn('transitions.step', 'tasks.rest_step'),
      )
      .where({ 'tasks.resource_id': resourceId, status: 'done' })
      .whereIn('tasks.name', namesOf(await this.#kindOf(resourceId), task))
      .orderBy('finished_at', 'desc')
      .first('snapshot')
    const snapshot = decode(row?.snapshot ?? null, sealer) as { output?: unknown } | null
    return snapshot?.output
  }

  /** Rows may lie under old names of a task; which those are, its kind knows. */
  async #kindOf(id: string): Promise<Kind | null> {
    const row = await this.#knex('resources').where({ id }).first('kind')
    return row && this.#registry.has(row.kind) ? this.#registry.find(row.kind) : null
  }
}

const namesOf = (kind: Kind | null, task: string): string[] =>
  kind?.has(task) ? kind.namesOf(task) : [task]
