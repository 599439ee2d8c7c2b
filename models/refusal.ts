// Why a mailbox did not take a send.
// Promise: the first reason that holds, in the order a sender can do something about it; null when there is none any more.
import type { Knex } from '../lib/database.ts'
import { fault } from '../lib/errors.ts'
import { MOST_WAITING } from '../lib/postman.ts'
import type { NewEvent } from '../lib/unit.ts'
import type { Target } from './verbs.ts'

/** @returns DUPLICATE_SEND, TASK_NOT_RUNNING, TASK_FINISHED or MAILBOX_FULL; null when it may be sent again */
export async function refusal(
  knex: Knex,
  { kind, resourceId: id, task }: Target,
  { dedupKey: key }: NewEvent,
): Promise<Error | null> {
  const names = { kind: kind.name, id, task }
  const run = await knex('tasks')
    .where({ resource_id: id, name: task })
    .orderBy([{ column: 'finished_at', order: 'desc', nulls: 'first' }])
    .first('status', 'finished_at', knex.raw(TWIN, [key]), knex.raw(WAITING, [MOST_WAITING]))
  if (!run) return fault('TASK_NOT_RUNNING', names)
  // The run that took the first may have ended by it.
  if (run.isTwin) return fault('DUPLICATE_SEND', { key })
  const { status, finished_at: finishedAt, waiting: count } = run
  if (finishedAt !== null) {
    return fault('TASK_FINISHED', { ...names, status, at: new Date(finishedAt).toISOString() })
  }
  return count < MOST_WAITING ? null : fault('MAILBOX_FULL', { ...names, count })
}

const TWIN = `EXISTS (
  SELECT 1 FROM events WHERE events.task_id = tasks.id AND events.dedup_key = ?::text) AS "isTwin"`
const WAITING = `(SELECT count(*) FROM (
  SELECT 1 FROM events WHERE events.task_id = tasks.id AND consumed_at IS NULL LIMIT ?) e)::integer AS waiting`
