// Our tasks laid into the database by the hundred thousand: one through the front door, the others as its copies.
// Promise: each has a resource, a lease, a history and a due entry of its own, as if it had been started.
import type { Laid } from '../protocol.ts'
import { Copies, type Differing, identity, moment } from './copies.ts'

const HOUR_MS = 3_600_000
/** Timers of a herd, and what fell due while nobody worked, lie within so much time. */
const SPREAD_MS = 600_000

/** The one that is copied. */
export interface Original {
  readonly schema: string
  readonly resourceId: string
  readonly taskId: string
}

/** What one step of a long history differs in from the one two steps before. */
const STEP: Differing = { step: 'old.step + 2 * n', base: 'old.base + 2 * n' }

/** @param count how many there are to be, the original included; of a history, its steps */
export async function lay(databaseUrl: string, one: Original, what: Laid, count: number) {
  await Copies.during(databaseUrl, (copies) =>
    what === 'history' ? lengthen(copies, one, count) : multiply(copies, one, what, count - 1),
  )
}

async function multiply(copies: Copies, one: Original, what: Laid, count: number): Promise<void> {
  const { schema, resourceId, taskId } = one
  const now = Date.now()
  const resource = identity(now - HOUR_MS, 'a')
  const task = identity(now - HOUR_MS, 'b')
  const unit = { unit_id: identity(now - HOUR_MS, 'c') }
  const dueMs = what === 'herd' ? now + HOUR_MS : now - HOUR_MS
  const stepMs = SPREAD_MS / Math.max(1, count)
  const due = moment(dueMs, stepMs)
  const timer = `CASE WHEN old.snapshot->'timers' IS NULL THEN old.snapshot ELSE
    jsonb_set(old.snapshot, '{timers,0,dueAt}', to_jsonb(floor(${dueMs} + n * ${stepMs}::double precision))) END`
  const of = { resource_id: resource }
  const copy = (table: string, matches: string, differing: Differing) =>
    copies.copy(`"${schema}".${table}`, matches, differing, count)
  const ours = `resource_id = '${resourceId}'`
  await copy('resources', `id = '${resourceId}'`, { id: resource })
  await copy('changes', ours, { ...of, ...unit })
  await copy('leases', ours, of)
  await copy('tasks', ours, { ...of, id: task })
  const step = { task_id: task, snapshot: timer, ...unit }
  await copy('transitions', `task_id = '${taskId}'`, step)
  await copy('dues', ours, { ...of, task_id: task, due_at: due, look_at: due })
}

/** Repeats the last two steps, which lead from one state to another and back, and what they have consumed. */
async function lengthen(copies: Copies, one: Original, count: number): Promise<void> {
  const { schema, taskId } = one
  const [history, tasks] = [`"${schema}".transitions`, `"${schema}".tasks`]
  const last = `task_id = '${taskId}' AND step > (SELECT step FROM ${tasks} WHERE id = '${taskId}') - 2`
  const times = Math.floor(count / 2)
  await copies.copy(history, last, { ...STEP, unit_id: 'gen_random_uuid()' }, times)
  const consumed = `id IN (SELECT id FROM "${schema}".events WHERE task_id = '${taskId}' ORDER BY id DESC LIMIT 2)`
  const unlike = { event_id: 'gen_random_uuid()', unit_id: 'gen_random_uuid()' }
  await copies.copy(`"${schema}".events`, consumed, unlike, times)
  await copies.run(
    `UPDATE ${tasks} SET step = step + ${2 * times}, rest_step = rest_step + ${2 * times} WHERE id = '${taskId}'`,
  )
}
