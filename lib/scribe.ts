// The scribe: turns units that won into rows, a statement for each table and many rows in each.
// Promise: knows every column the store writes; decides nothing.

import type { Runner } from './database.ts'
import { Fuse } from './fuse.ts'
import { Herald } from './herald.ts'
import { keyed } from './keyed.ts'
import { Latch } from './latch.ts'
import { Postman } from './postman.ts'
import { prepared } from './prepared.ts'
import { ORDINARY } from './share.ts'
import { type Entry, type Moment, NOW, Table } from './table.ts'
import { Undertaker } from './undertaker.ts'
import type { FieldChange, NewResource, NewRun, Unit } from './unit.ts'
import { Warden } from './warden.ts'

/** The most characters of a tenant's name that count. */
const MOST_TENANT = 100

export class Scribe {
  readonly #runner: Runner
  readonly #moment: Moment
  readonly #table: Table
  readonly #postman: Postman
  readonly #undertaker: Undertaker
  readonly #herald: Herald
  readonly #latch: Latch
  readonly #fuse: Fuse
  readonly #warden: Warden

  constructor(runner: Runner, moment: Moment) {
    this.#runner = runner
    this.#moment = moment
    this.#table = new Table(runner, moment)
    this.#postman = new Postman(runner, moment, this.#table)
    this.#undertaker = new Undertaker(runner, moment)
    this.#herald = new Herald(runner, moment)
    this.#latch = new Latch(runner, moment)
    this.#fuse = new Fuse(runner, moment)
    this.#warden = new Warden(runner, moment, moment.alarms)
  }

  /**
   * Writes all of it.
   * @param alarmed tasks that have an alarm which may close when they move
   * Rings come last: whatever else a unit does to a due entry, a ring is not lost.
   */
  async write(entries: readonly Entry[], alarmed: ReadonlySet<string>): Promise<void> {
    const steps = entries.flatMap(({ unit }) => (unit.step ? [unit.step] : []))
    await this.#creates(
      entries.flatMap(({ unit }) =>
        (unit.creates ?? []).map((made) => ({ ...made, unitId: unit.id })),
      ),
    )
    for (const { unit } of entries) if (unit.fields) await this.#fields(unit.fields, unit.id)
    await this.#moves(steps)
    await this.#transitions(entries.flatMap(({ unit }) => transitionsOf(unit)))
    await this.#postman.consumes(entries.flatMap(({ unit }) => unit.consumes ?? []))
    const finished = steps.filter(({ finished }) => finished).map(({ taskId }) => taskId)
    await this.#undertaker.clearAway(finished)
    await this.#begin(await this.#undertaker.stops(entries))
    await this.#starts(entries)
    await this.#dues(entries.filter(({ unit }) => unit.due && !unit.step?.finished))
    await this.#postman.sends(entries)
    await this.#postman.outside(entries.filter(({ unit }) => !unit.fence))
    await this.#postman.ignores(entries)
    await this.#failures(entries.flatMap(({ unit }) => unit.failures ?? []))
    await this.#herald.write(entries)
    await this.#undertaker.removes(entries)
    await this.#latch.write(entries, await this.#fuse.blown(entries))
    await this.#warden.write(entries, alarmed, {
      tasks: this.#undertaker.ended,
      resources: entries.flatMap(({ removed }) => removed.map(({ resourceId }) => resourceId)),
    })
  }

  async #creates(resources: readonly (NewResource & { unitId: string })[]): Promise<void> {
    const rows = resources.map((made) => ({ ...made, names: Object.keys(made.fields) }))
    await this.#table.rows(rows, CREATE)
  }

  /** A patch, key by key: two writers of different fields do not undo one another. */
  async #fields(
    { resourceId, set, unset, aside, state, kind, author }: FieldChange,
    unitId: string,
  ): Promise<void> {
    const names = [...Object.keys(set), ...unset]
    const gone = [...unset, ...Object.keys(aside)]
    await this.#runner.query(
      `WITH changed AS (
         UPDATE resources SET fields = (fields || $3::jsonb) - $4::text[], version = version + 1,
           lost_and_found = nullif((coalesce(lost_and_found, '{}') || $5::jsonb) - $6::text[], '{}'),
           state = coalesce($7, state), kind = coalesce($11, kind), updated_at = ${NOW} WHERE id = $1 RETURNING id, version)
       INSERT INTO changes (resource_id, version, event, fields, actor, reason, unit_id, at)
       SELECT id, version, '__set__', $6::text[], $8, $9, $10, ${NOW} FROM changed WHERE $8::text IS NOT NULL`,
      [
        resourceId,
        this.#moment.nowMs,
        JSON.stringify(set),
        gone,
        JSON.stringify(aside),
        names,
        state ?? null,
        author?.actor ?? null,
        author?.reason ?? null,
        unitId,
        kind ?? null,
      ],
    )
  }

  async #moves(steps: readonly NonNullable<Unit['step']>[]): Promise<void> {
    const cleared = new Set(steps.filter(({ clears }) => clears).map(({ taskId }) => taskId))
    const rows = lastOfEach(steps).map(({ transition: _, ...move }) => {
      return { ...move, clears: cleared.has(move.taskId) }
    })
    await this.#table.rows(rows, MOVE)
  }

  async #transitions(lines: readonly object[]): Promise<void> {
    await this.#table.rows(lines, TRANSITIONS)
  }

  async #starts(entries: readonly Entry[]): Promise<void> {
    const wanted = entries.flatMap(({ unit: { id: unitId, starts = [] } }) =>
      starts.map((run) => ({ run, unitId })),
    )
    const born = await this.#begin(wanted)
    for (const entry of entries) {
      const { starts = [] } = entry.unit
      const ids = starts.map(({ id }) => id)
      entry.started.push(...ids.filter((id) => born.has(id)))
      entry.begun.push(...ids.filter((id) => born.get(id) === 1))
      entry.isQuiet =
        starts.length > 0 &&
        starts.every(({ id, first }) => born.get(id) === 1 && isLater(this.#moment, first))
    }
  }

  /**
   * A run starts in `__new__` at step 0, due at once; with its first step, where that goes along and nothing holds it.
   * One that lives already is left alone, and so is one that ended while an exit machine beneath it has not,
   * which is asked of each resource alone (OFFSET 0): as a join it may read all live runs. One statement: for most
   * starts it is all there is to write.
   * @returns the runs that were started, each with its step
   */
  async #begin(wanted: readonly { run: NewRun; unitId: string }[]): Promise<Map<string, number>> {
    const rows = await this.#table.rows(
      wanted.map(({ run, unitId }) => ({ ...run, ...laneOf(run), unitId })),
      BEGIN,
      this.#moment.toldMs,
    )
    return new Map(rows.map(({ id, step }) => [id, step]))
  }

  /** A task rung since it was read stays due now: its wakes have moved on. */
  async #dues(entries: readonly Entry[]): Promise<void> {
    const dues = entries.flatMap(({ unit }) => unit.due ?? [])
    const rows = await this.#table.rows(lastOfEach(dues), DUE, this.#moment.toldMs)
    const rung = new Set(rows.filter(({ isRung }) => isRung).map(({ taskId }) => taskId))
    for (const entry of entries) entry.isRung = rung.has(entry.unit.due?.taskId)
  }

  async #failures(failures: NonNullable<Unit['failures']>): Promise<void> {
    await this.#table.rows(failures, FAILURES)
  }
}

/** Is there a hold that could keep a new run from a step, as a claim sees it? Whether it does is for a worker to judge. */
const IS_HELD = `(
  EXISTS (SELECT 1 FROM holds h WHERE left(h.scope, 9) <> 'resource:' AND h.state <> 'open')
  OR EXISTS (SELECT 1 FROM holds h WHERE h.scope = 'resource:' || v."resourceId" AND h.state <> 'open'))`

const isLater = (moment: Moment, first: NewRun['first']) =>
  first !== undefined && (first.at === null || first.at > moment.nowMs)

const laneOf = ({ rank, tenant }: NewRun) => ({ rank: rank ?? ORDINARY, tenant: tenant ?? null })

/** Of several rows for one task SQL would take any: the last is where the task is left. */
function lastOfEach<T extends { readonly taskId: string }>(rows: readonly T[]): T[] {
  return [...new Map(rows.map((row) => [row.taskId, row])).values()]
}

function transitionsOf({ id, fence, step }: Unit): object[] {
  if (!step?.transition) return []
  const { taskId, step: number, transition } = step
  return [{ ...transition, taskId, step: number, unitId: id, fence: fence?.fence ?? null }]
}

const CREATE = prepared(`
  WITH v AS (
    SELECT * FROM json_to_recordset($1) AS v(id uuid, kind text, "parentId" uuid, fields jsonb, names text[],
      actor text, reason text, "unitId" uuid)),
  made AS (
    INSERT INTO resources (id, kind, parent_id, fields, created_at, updated_at)
    SELECT id, kind, "parentId", fields, ${NOW}, ${NOW} FROM v ON CONFLICT DO NOTHING RETURNING id),
  leased AS (INSERT INTO leases (resource_id) SELECT id FROM made)
  INSERT INTO changes (resource_id, version, event, fields, actor, reason, unit_id, at)
  SELECT v.id, 0, '__create__', v.names, v.actor, v.reason, v."unitId", ${NOW} FROM v JOIN made USING (id)`)

const MOVE = prepared(`
  UPDATE tasks t SET step = v.step, rest_step = v."restStep", status = v.status, state = v.state,
    tries = v.tries, system = v.system, name = coalesce(v.name, t.name), machine_version = coalesce(v.version, machine_version), moved_at = ${NOW}, finished_at = CASE WHEN v.finished THEN ${NOW} END,
    strikes = CASE WHEN v.clears THEN 0 ELSE t.strikes END, struck_by = CASE WHEN v.clears THEN NULL ELSE t.struck_by END
  FROM json_to_recordset($1) AS v("taskId" uuid, step integer, "restStep" integer, status text,
    state text, tries jsonb, finished boolean, system jsonb, version text, name text, clears boolean)
  WHERE ${keyed('t.id', 'v."taskId"')}`)

const TRANSITIONS = prepared(`
  INSERT INTO transitions (task_id, step, base, from_state, to_state, event, payload, snapshot,
    actor, reason, message, fence, unit_id, at)
  SELECT "taskId", step, base, "from", "to", event, payload, snapshot, actor, reason, message, fence, "unitId", ${NOW}
  FROM json_to_recordset($1) AS v("taskId" uuid, step integer, base integer, "from" text, "to" text,
    event text, payload jsonb, snapshot jsonb, actor text, reason text, message text, fence bigint, "unitId" uuid)`)

const BEGIN = prepared(`
  WITH v AS (
    SELECT * FROM json_to_recordset($1) AS v(id uuid, "resourceId" uuid, task text, version text, "evenStopped" boolean,
      origin jsonb, was text[], args jsonb, first jsonb, actor text, reason text, rank smallint, tenant text, "unitId" uuid)),
  born AS (
    INSERT INTO tasks (id, resource_id, name, machine_version, step, rest_step, status, state, origin, started_at, moved_at)
    SELECT v.id, v."resourceId", v.task, v.version, f.step, f.step, 'running',
      CASE f.step WHEN 0 THEN '__new__' ELSE v.first->>'state' END, v.origin, ${NOW}, ${NOW}
    FROM v JOIN resources r ON ${keyed('r.id', 'v."resourceId"')} AND (v."evenStopped" OR r.state NOT IN ('stopping', '__stop__', 'deleting'))
    CROSS JOIN LATERAL (SELECT CASE WHEN v.first IS NULL OR ${IS_HELD} THEN 0 ELSE 1 END AS step) f
    WHERE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.resource_id = v."resourceId" AND t.finished_at IS NULL
        AND t.status = 'stopping' AND starts_with(t.name, v.task || '/') OFFSET 0)
      AND (v.was IS NULL OR NOT EXISTS (
        SELECT 1 FROM tasks o WHERE ${keyed('o.resource_id', 'v."resourceId"')} AND o.finished_at IS NULL AND o.name = ANY(v.was)))
    FOR SHARE OF r
    ON CONFLICT DO NOTHING
    RETURNING id, step),
  told AS (
    INSERT INTO transitions (task_id, step, from_state, to_state, event, payload, snapshot, actor, reason, unit_id, at)
    SELECT id, 0, '__new__', '__new__', '__start__', args, NULL::jsonb, actor, reason, "unitId", ${NOW} FROM v JOIN born USING (id)
    UNION ALL
    SELECT id, 1, '__new__', first->>'state', first->>'event', NULL, first->'snapshot', actor, NULL, "unitId", ${NOW}
    FROM v JOIN born USING (id) WHERE step = 1),
  due AS (
    INSERT INTO dues (task_id, resource_id, due_at, look_at, reason, rank, share)
    SELECT v.id, v."resourceId", CASE born.step WHEN 0 THEN ${NOW} ELSE to_timestamp(a.at / 1000.0) END,
      to_timestamp(CASE WHEN born.step = 0 OR a.at <= $2 THEN $2 + $3 ELSE a.at END / 1000.0),
      CASE born.step WHEN 0 THEN 'start' ELSE v.first->>'why' END, v.rank,
      r.kind || coalesce('/' || left(r.fields->>v.tenant, ${MOST_TENANT}), '')
    FROM v JOIN born USING (id) JOIN resources r ON ${keyed('r.id', 'v."resourceId"')}
    CROSS JOIN LATERAL (SELECT (v.first->>'at')::double precision AS at) a)
  SELECT id, step FROM born`)

const DUE = prepared(`
  UPDATE dues d SET reason = CASE WHEN d.wakes = v.wakes THEN v.reason ELSE d.reason END,
    due_at = to_timestamp(CASE WHEN d.wakes = v.wakes THEN v.at ELSE least(v.at, $2) END / 1000.0),
    look_at = to_timestamp(CASE WHEN d.wakes = v.wakes AND (v.at IS NULL OR v.at > $2) THEN v.at
                                ELSE $2 + $3 END / 1000.0)
  FROM json_to_recordset($1) AS v("taskId" uuid, at double precision, reason text, wakes bigint)
  WHERE ${keyed('d.task_id', 'v."taskId"')} RETURNING d.task_id AS "taskId", d.wakes <> v.wakes AS "isRung"`)

const FAILURES = prepared(`
  INSERT INTO failures (id, resource_id, task_id, step, effect, attempt, class, code, message, severity, is_retryable,
    playbook, detail, dependency, at)
  SELECT id, "resourceId", "taskId", step, effect, attempt, class, code, message, severity, "isRetryable",
    playbook, detail, dependency, ${NOW}
  FROM json_to_recordset($1) AS v(id uuid, "resourceId" uuid, "taskId" uuid, step integer, effect text,
    attempt integer, class text, code text, message text, severity text, "isRetryable" boolean, playbook text,
    detail jsonb, dependency text)`)
