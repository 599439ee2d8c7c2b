// Rows as users see them: columns to the words of the house.
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
