// Where the first steps of runs went, for whoever reads their history.
// Promise: reads only.

import { join } from 'node:path'
import type { Runner } from '../../lib/database.ts'
import { folderOf } from './archive.ts'

/** Steps that are not in the database any more. */
export interface RetiredSteps {
  readonly taskId: string
  /** All before it went. */
  readonly firstStep: number
  /** The folder their files are in; null when they were dropped. */
  readonly folder: string | null
  /** When the last of them went. */
  readonly at: number
}

/** Of the runs of a resource. */
export async function retiredSteps(runner: Runner, resourceId: string): Promise<RetiredSteps[]> {
  const { rows } = await runner.query(
    `SELECT s.task_id, s.first_step, s.folder, s.at, r.kind FROM retired_steps s
     JOIN tasks t ON t.id = s.task_id JOIN resources r ON r.id = t.resource_id WHERE r.id = $1 ORDER BY t.started_at, t.id`,
    [resourceId],
  )
  return rows.map(({ task_id: taskId, first_step: firstStep, folder, at, kind }) => ({
    taskId,
    firstStep,
    folder: folder === null ? null : join(folder, folderOf(kind)),
    at,
  }))
}

/** When a rule last did something, by whose wish and why. */
export interface LastRound {
  readonly rule: string
  readonly at: number
  readonly actor: string
  readonly reason: string | null
}

export async function lastRounds(runner: Runner): Promise<LastRound[]> {
  const { rows } = await runner.query(
    `SELECT DISTINCT ON (rule) rule, moved_at AS at, actor, reason FROM retention_marks
     WHERE moved_at IS NOT NULL ORDER BY rule, moved_at DESC`,
  )
  return rows
}
