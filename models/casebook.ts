// The casebook: what failed, as it was kept. Reads only.
// Promise: what is answered was masked when it was written; every question has an end.
import type { Knex } from '../lib/database.ts'
import type { NewFailure } from '../lib/unit.ts'
import type { Registry } from './registry.ts'
import { isId, narrow } from './row.ts'

/** One failed attempt or panic. */
export interface FailureLine extends Omit<NewFailure, 'detail'> {
  readonly kind: string
  readonly task: string
  readonly stack: string | null
  readonly causes: readonly {
    readonly name: string
    readonly message: string
    readonly code?: string
  }[]
  /** What the error was about, as plain data. */
  readonly context: unknown
  readonly at: number
}

/** Everything given must hold. */
export interface FailuresWanted {
  readonly kind?: string
  readonly resourceId?: string
  readonly taskId?: string
  readonly task?: string
  readonly class?: string
  readonly code?: string
  /** Not before this moment, in milliseconds since 1970. */
  readonly sinceAt?: number
  /** The latest so many, 100 unless told. */
  readonly limit?: number
}

const USUAL = 100
const MOST = 10_000

export class Casebook {
  readonly #knex: Knex
  readonly #registry: Registry

  constructor(knex: Knex, registry: Registry) {
    this.#knex = knex
    this.#registry = registry
  }

  /** Failures, the latest last. */
  async failures({ limit = USUAL, ...wanted }: FailuresWanted = {}): Promise<FailureLine[]> {
    const { kind, resourceId, taskId, task, code, sinceAt } = wanted
    if (![resourceId, taskId].every((id) => id === undefined || isId(id))) return []
    const query = this.#knex('failures')
      .join('tasks', 'tasks.id', 'failures.task_id')
      .join('resources', 'resources.id', 'failures.resource_id')
      .orderBy([
        { column: 'failures.at', order: 'desc' },
        { column: 'failures.id', order: 'desc' },
      ])
      .limit(Math.min(limit, MOST))
      .select('failures.*', 'tasks.name as task', 'resources.kind')
    narrow(query, { 'failures.resource_id': resourceId, 'failures.task_id': taskId })
    narrow(query, { 'failures.class': wanted.class, 'failures.code': code })
    if (kind !== undefined) query.whereIn('resources.kind', this.#registry.namesOf(kind))
    if (task !== undefined) query.whereIn('tasks.name', this.#registry.namesOfTask(task))
    if (sinceAt !== undefined) {
      query.where('failures.at', '>=', this.#knex.raw('to_timestamp(? / 1000.0)', [sinceAt]))
    }
    const rows: any[] = await query
    return rows.reverse().map((row) => this.#line(row))
  }

  #line(row: any): FailureLine {
    const { stack = null, causes = [], context = null } = row.detail ?? {}
    return {
      id: row.id,
      resourceId: row.resource_id,
      ...this.#registry.today(row.kind, row.task),
      taskId: row.task_id,
      step: row.step,
      effect: row.effect,
      attempt: row.attempt,
      class: row.class,
      code: row.code,
      message: row.message,
      severity: row.severity,
      isRetryable: row.is_retryable,
      playbook: row.playbook,
      dependency: row.dependency,
      stack,
      causes,
      context,
      at: row.at,
    }
  }
}
