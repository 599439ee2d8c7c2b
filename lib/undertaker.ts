// The undertaker: how runs and resources come to their end.
// Promise: a run with an exit machine is not gone before that is done, unless by force; what is gone leaves a line
// that says who ended it and why.

import { EXIT, exitName } from './address.ts'
import type { Json } from './codec.ts'
import type { Runner } from './database.ts'
import { newToken } from './id.ts'
import { keyed } from './keyed.ts'
import { type Entry, type Moment, NOW } from './table.ts'
import type { Author, NewRun, Origin, RunEnd, RunStop } from './unit.ts'

/** An exit machine to be started, and the unit that stopped its run. */
export interface ExitStart {
  readonly run: NewRun
  readonly unitId: string
}

export class Undertaker {
  readonly #runner: Runner
  readonly #moment: Moment
  /** Runs that were stopped, or are stopping. */
  readonly ended: ({ readonly taskId: string } & Author)[] = []

  constructor(runner: Runner, moment: Moment) {
    this.#runner = runner
    this.#moment = moment
  }

  /** Stops and ends what the units ask for. @returns the exit machines that are to run now */
  async stops(entries: readonly Entry[]): Promise<ExitStart[]> {
    const exits: ExitStart[] = []
    for (const entry of entries) {
      const { id: unitId, stops = [], ends = [] } = entry.unit
      for (const end of ends) await this.#end(end, unitId)
      for (const stop of stops) {
        const runs = stop.exits && !stop.force ? await this.#exit(stop, unitId) : []
        exits.push(...runs.map((run) => ({ run, unitId })))
        entry.stopped += runs.length + (await this.#stop(stop, unitId))
      }
    }
    return exits
  }

  /** Nothing is due for a run that has ended, and nobody reads its mail. */
  async clearAway(taskIds: readonly string[]): Promise<void> {
    if (taskIds.length === 0) return
    await this.#runner.query(
      `WITH gone AS (DELETE FROM dues WHERE task_id = ANY($1::uuid[]))
       DELETE FROM events WHERE task_id = ANY($1::uuid[]) AND consumed_at IS NULL`,
      [taskIds],
    )
  }

  /** Takes the rows of resources away, and all that hangs on them; last of all, for other parts may refer to them. */
  async removes(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      for (const { resourceId, isForced, cascade, actor, reason } of entry.unit.removes ?? []) {
        const params = [resourceId, this.#moment.nowMs, cascade, isForced, actor, reason]
        const { rows } = await this.#runner.query(REMOVE, [...params, entry.unit.id])
        entry.removed.push(...rows.map(({ id, kind }) => ({ resourceId: id, kind, isForced })))
      }
    }
  }

  /** The step moves on, so a worker in the middle of this task loses its compare-and-set. */
  async #stop(stop: RunStop, unitId: string): Promise<number> {
    const { rows } = await this.#runner.query(STOP, [
      ...this.#which(stop),
      stop.actor,
      stop.reason,
      unitId,
      stop.force ? { force: true } : null,
      stop.force ?? false,
    ])
    const stopped = rows.map(({ task_id }) => task_id)
    const { actor, reason } = stop
    this.ended.push(...stopped.map((taskId) => ({ taskId, actor, reason })))
    await this.clearAway(stopped)
    return rows.length
  }

  /** The same for runs that have an exit machine: they are `stopping`, and not gone. */
  async #exit(stop: RunStop, unitId: string): Promise<NewRun[]> {
    const { resourceId, actor, reason } = stop
    const { rows } = await this.#runner.query(QUIT, [
      ...this.#which(stop),
      actor,
      reason,
      unitId,
      JSON.stringify(stop.exits),
    ])
    this.ended.push(...rows.map(({ id: taskId }) => ({ taskId, actor, reason })))
    return rows.map(({ name, step, state, context, origin, version }) => ({
      id: newToken(),
      resourceId,
      task: exitName(name, step),
      version,
      evenStopped: true,
      origin: exitOrigin(origin),
      args: { state, reason, ...(context !== null && { context }) } as Json,
      actor,
      reason,
    }))
  }

  async #end({ resourceId, task, actor, reason }: RunEnd, unitId: string): Promise<void> {
    const { nowMs } = this.#moment
    const { rows } = await this.#runner.query(END, [resourceId, nowMs, task, actor, reason, unitId])
    await this.clearAway(rows.map(({ task_id }) => task_id))
  }

  #which({ resourceId, task, except, beneath = false, was = [] }: RunStop): unknown[] {
    const depth = task === null ? 0 : task.split('/').length - 1
    const names = task === null ? null : [task, ...was]
    return [resourceId, this.#moment.nowMs, names, except, beneath, depth]
  }
}

function exitOrigin(origin: Origin | null): Origin {
  return { src: [...(origin?.src ?? []), EXIT], id: 'exit', sync: false }
}

/** Those of task $3 and what it has spawned, or all but $4; $5: only what it has spawned. */
const NAMED = `
  ($3::text[] IS NULL OR (t.name = ANY($3) AND NOT $5)
      OR EXISTS (SELECT 1 FROM unnest($3) AS root WHERE starts_with(t.name, root || '/')))
    AND ($4::text IS NULL OR NOT (t.name = $4 OR starts_with(t.name, $4 || '/')))`

/** Live runs of $1, found before they are locked in the order of their ids: to be had in it, all there are might be read. */
const MEANT = `
  t.id = ANY(ARRAY(SELECT t.id FROM tasks t WHERE t.resource_id = $1 AND t.finished_at IS NULL AND ${NAMED}))
    AND (t.finished_at IS NULL) IS TRUE AND ${NAMED}`

/** Runs whose end is under way, and their exit machines, which are deeper than the task ($6). */
const LEAVING = `
  (t.status = 'stopping' OR EXISTS (
    SELECT 1 FROM jsonb_array_elements_text(t.origin->'src') WITH ORDINALITY AS s(src, nth)
    WHERE s.src = '${EXIT}' AND nth > $6))`

const STOP = `
  WITH live AS (
    SELECT t.id, t.step, t.state FROM tasks t
    WHERE ${MEANT} AND ($11 OR NOT ${LEAVING})
    ORDER BY t.id FOR NO KEY UPDATE),
  moved AS (
    UPDATE tasks t SET step = live.step + 1, status = 'stopped', state = '__stop__', tries = NULL,
      moved_at = ${NOW}, finished_at = ${NOW}
    FROM live WHERE ${keyed('t.id', 'live.id')})
  INSERT INTO transitions (task_id, step, from_state, to_state, event, payload, actor, reason, unit_id, at)
  SELECT id, step + 1, state, '__stop__', '__stop__', $10, $7, $8, $9, ${NOW} FROM live RETURNING task_id`

const QUIT = `
  WITH live AS (
    SELECT t.id, t.name, t.step, t.rest_step, t.state, t.origin, e.version
    FROM tasks t JOIN json_to_recordset($10) AS e(task text, src text, version text)
      ON e.task = split_part(t.name, '/', 1) AND e.src IS NOT DISTINCT FROM (t.origin->'src'->>-1)
    WHERE ${MEANT} AND NOT ${LEAVING} ORDER BY t.id FOR NO KEY UPDATE OF t),
  moved AS (
    UPDATE tasks t SET step = live.step + 1, status = 'stopping', state = '__stopping__', tries = NULL,
      system = NULL, moved_at = ${NOW} FROM live WHERE ${keyed('t.id', 'live.id')}),
  told AS (
    INSERT INTO transitions (task_id, step, from_state, to_state, event, actor, reason, unit_id, at)
    SELECT id, step + 1, state, '__stopping__', '__stop__', $7, $8, $9, ${NOW} FROM live),
  quiet AS (
    UPDATE dues d SET due_at = NULL, look_at = NULL, reason = 'stopping', wakes = wakes + 1
    FROM live WHERE ${keyed('d.task_id', 'live.id')}),
  unread AS (DELETE FROM events WHERE task_id = ANY(ARRAY(SELECT id FROM live)) AND consumed_at IS NULL)
  SELECT live.id, live.name, live.step + 1 AS step, live.state, live.origin, live.version, x.snapshot->'context' AS context
  FROM live JOIN transitions x ON ${keyed('x.task_id', 'live.id')} AND x.step = live.rest_step`

const END = `
  WITH live AS (
    SELECT id, step, state FROM tasks WHERE resource_id = $1 AND name = $3 AND status = 'stopping'
      AND finished_at IS NULL FOR NO KEY UPDATE),
  moved AS (
    UPDATE tasks t SET step = live.step + 1, status = 'stopped', state = '__stop__',
      moved_at = ${NOW}, finished_at = ${NOW} FROM live WHERE ${keyed('t.id', 'live.id')})
  INSERT INTO transitions (task_id, step, from_state, to_state, event, actor, reason, unit_id, at)
  SELECT id, step + 1, state, '__stop__', '${EXIT}', $4, $5, $6, ${NOW} FROM live RETURNING task_id`

const REMOVE = `
  WITH RECURSIVE tree AS (
    SELECT id FROM resources WHERE id = $1
    UNION SELECT r.id FROM resources r JOIN tree ON ${keyed('r.parent_id', 'tree.id')} WHERE $3),
  gone AS (DELETE FROM resources r USING tree WHERE ${keyed('r.id', 'tree.id')} RETURNING r.id, r.kind, r.parent_id, r.state)
  INSERT INTO tombstones (resource_id, kind, parent_id, state, is_forced, actor, reason, unit_id, at)
  SELECT id, kind, parent_id, state, $4, $5, $6, $7, ${NOW} FROM gone RETURNING resource_id AS id, kind`
