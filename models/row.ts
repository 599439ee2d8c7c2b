// Rows as users see them: columns to the words of the house; and what questions about them have in common.
import type { Knex } from '../lib/database.ts'
import type { RunInfo } from './verbs.ts'

export function runInfo(row: any): RunInfo {
  return {
    taskId: row.id,
    task: row.name,
    status: row.status,
    state: row.state,
    step: row.step,
    startedAt: row.started_at,
    movedAt: row.moved_at,
    finishedAt: row.finished_at,
    dueAt: row.due_at ?? null,
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Can this be the id of a row? A database would refuse to compare it otherwise. */
export const isId = (id: string): boolean => UUID.test(id)

/** Adds what was given; what was not is no condition. */
export function narrow(
  query: Knex.QueryBuilder,
  equal: Readonly<Record<string, string | undefined>>,
): void {
  for (const [column, value] of Object.entries(equal)) {
    if (value !== undefined) query.where(column, value)
  }
}
