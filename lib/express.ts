// The express: plain steps of many tasks in one statement, which is its own transaction.
// Promise: what it writes is what the notary would have written, under the same comparisons and locks, taken in the
// same order; a unit that asks for more, or that lost, is left to the notary untouched.

import { column, type Writing } from './columns.ts'
import type { Database } from './database.ts'
import { keyed } from './keyed.ts'
import { HELD } from './latch.ts'
import { prepared } from './prepared.ts'
import type { Moment } from './table.ts'
import type { Outcome, Unit } from './unit.ts'

/** Is there nothing that only the notary can write? Asked by name, part by part: of a step it is asked each time. */
const isBareOf = (one: Unit): boolean =>
  isEmpty(one.creates) &&
  isEmpty(one.starts) &&
  isEmpty(one.stops) &&
  isEmpty(one.sends) &&
  isEmpty(one.consumes) &&
  isEmpty(one.failures) &&
  isEmpty(one.ignored) &&
  isEmpty(one.ends) &&
  isEmpty(one.marks) &&
  isEmpty(one.reports) &&
  isEmpty(one.removes) &&
  isEmpty(one.alarms) &&
  isEmpty(one.watches) &&
  isEmpty(one.notices) &&
  isEmpty(one.holds) &&
  isEmpty(one.counts)

const isEmpty = (part: readonly unknown[] | undefined) => part === undefined || part.length === 0

/** Is the unit a step of one task and no more: its row, its line of history, its due entry, fields of its resource? */
export function isPlain(unit: Unit): boolean {
  const { fence, step, fields, due } = unit
  if (!fence || !step?.transition || !isBare(step)) return false
  if (step.resourceId !== fence.resourceId) return false
  if (step.status !== 'running' && step.status !== 'done') return false
  if (due && (due.taskId !== step.taskId || String(due.reason).startsWith(HELD))) return false
  if (fields && !isPatch(fields, fence.resourceId)) return false
  return isBareOf(unit)
}

const isBare = ({ clears, name, version }: NonNullable<Unit['step']>) =>
  !clears && name === undefined && version === undefined

const isPatch = ({ resourceId, state, kind, author }: NonNullable<Unit['fields']>, id: string) =>
  resourceId === id && state === undefined && kind === undefined && author === undefined

type Plain = Unit & Required<Pick<Unit, 'fence' | 'step'>>
type Line = NonNullable<NonNullable<Unit['step']>['transition']>
const lineOf = ({ step }: Plain) => step.transition as Line

/** A column: its name and type, the value of a unit, and how that is written. */
type Column = readonly [string, string, (unit: Plain) => unknown, Writing?]

/** What each unit is taken apart into. */
const USUAL: readonly Column[] = [
  ['u', 'uuid', ({ id }) => id],
  ['r', 'uuid', ({ step }) => step.resourceId],
  ['n', 'bigint', ({ fence }) => fence.fence],
  ['t', 'uuid', ({ step }) => step.taskId],
  ['s', 'integer', ({ step }) => step.step],
  ['f', 'boolean', ({ step }) => step.finished],
  ['b', 'integer', (unit) => lineOf(unit).base],
  ['a', 'text', (unit) => lineOf(unit).from, 'text'],
  ['o', 'text', (unit) => lineOf(unit).to, 'text'],
  ['v', 'text', (unit) => lineOf(unit).event, 'text'],
  ['p', 'jsonb', (unit) => lineOf(unit).payload, 'json'],
  ['x', 'jsonb', (unit) => lineOf(unit).snapshot, 'json'],
  ['w', 'text', (unit) => lineOf(unit).actor, 'text'],
  ['at', 'double precision', ({ due }) => due?.at],
  ['dr', 'text', ({ due }) => due?.reason, 'text'],
  ['k', 'bigint', ({ due }) => due?.wakes],
]

/** What most steps have alike, so that it need not be sent, and what it is then. Each column is parsed, used or not. */
const SELDOM: readonly (readonly [Column, (row: string) => string])[] = [
  [['e', 'integer', ({ step }) => step.expected], (row) => `${row}.s - 1`],
  [['z', 'integer', ({ step }) => step.restStep], (row) => `${row}.s`],
  [
    ['st', 'text', ({ step }) => step.status, 'text'],
    (row) => `CASE WHEN ${row}.f THEN 'done' ELSE 'running' END`,
  ],
  [['q', 'text', ({ step }) => step.state, 'text'], (row) => `${row}.o`],
  [['tr', 'jsonb', ({ step }) => step.tries, 'json'], () => 'NULL::jsonb'],
  [['sy', 'jsonb', ({ step }) => step.system, 'json'], () => 'NULL::jsonb'],
  [['y', 'text', (unit) => lineOf(unit).reason, 'text'], () => 'NULL'],
  [['m', 'text', (unit) => lineOf(unit).message, 'text'], () => 'NULL'],
  [['fs', 'jsonb', ({ fields }) => fields?.set, 'json'], () => 'NULL'],
  [['fg', 'jsonb', ({ fields }) => fields && gone(fields), 'json'], () => 'NULL'],
  [['fa', 'jsonb', ({ fields }) => fields?.aside, 'json'], () => 'NULL'],
  [
    [
      'fn',
      'jsonb',
      ({ fields }) => fields && [...Object.keys(fields.set), ...fields.unset],
      'json',
    ],
    () => 'NULL',
  ],
  [['fv', 'bigint', ({ fields }) => fields?.version], () => 'NULL'],
]
const ALL: readonly Column[] = [...USUAL, ...SELDOM.map(([column]) => column)]

const gone = ({ unset, aside }: NonNullable<Unit['fields']>) => [...unset, ...Object.keys(aside)]

/** Is it what most steps are: one step on, into the state it is to rest in, with nothing beside it? */
function isUsual({ step, fields }: Plain): boolean {
  const { reason, message, to } = step.transition as Line
  return (
    fields === undefined &&
    step.expected === step.step - 1 &&
    step.restStep === step.step &&
    step.state === to &&
    step.finished === (step.status === 'done') &&
    step.tries === null &&
    step.system === null &&
    reason === null &&
    message === undefined
  )
}

/**
 * Writes plain units. Of several for one task, or with fields of one resource, it takes the first alone: a statement
 * changes a row once, and the others build on that change.
 * @throws CommitUnknown when the answer was lost, and what PostgreSQL says; then all of it was written, or nothing
 * @returns for each, in order, its outcome; null for one that has to go to the notary, of which nothing was written
 */
export async function express(
  database: Pick<Database, 'once' | 'query'>,
  units: readonly Unit[],
  { nowMs, toldMs }: Pick<Moment, 'nowMs' | 'toldMs'>,
): Promise<(Outcome | null)[]> {
  const taken = firsts(units) as Plain[]
  const areUsual = taken.every(isUsual)
  const params: unknown[] = [nowMs, toldMs]
  for (const [, , read, writing] of areUsual ? USUAL : ALL)
    params.push(column(taken, read, writing))
  const { rows } = await database.once(areUsual ? FOR_USUAL : FOR_ALL, params)
  const { done, rung, late } = rows[0] as Answer
  // The steps are committed: mail nobody reads is no reason to say that they were not.
  if (late) await database.query(LATE_MAIL, [late]).catch(() => {})
  if (!done && !rung && taken.length === units.length) return taken.map(() => COMMITTED)
  const wrote = new Set(done?.map((number) => taken[number - 1]) ?? taken)
  const isRung = new Set(rung?.map((number) => taken[number - 1]))
  return units.map((unit) => {
    if (!wrote.has(unit as Plain)) return null
    return isRung.has(unit as Plain) ? RUNG : COMMITTED
  })
}

/** One row: the numbers of the units that were written, null for all; of those that were rung; tasks with late mail. */
interface Answer {
  readonly done: number[] | null
  readonly rung: number[] | null
  readonly late: string[] | null
}

/** Those that are the first of their task, and the first with fields of their resource. */
function firsts(units: readonly Unit[]): readonly Unit[] {
  const taken = new Set<string | undefined>()
  return units.filter(({ step, fields }) => {
    if (taken.has(step?.taskId) || (fields && taken.has(fields.resourceId))) return false
    taken.add(step?.taskId)
    if (fields) taken.add(fields.resourceId)
    return true
  })
}

const COMMITTED: Outcome = {
  ...{ kind: 'committed' as const, started: [], begun: [], delivered: 0, stopped: 0 },
  ...{ isQuiet: false, isRung: false, reported: 0, alarmed: [], held: [] },
}
const RUNG: Outcome = { ...COMMITTED, isRung: true }

/** $1: now, $2: how long a ticket is trusted; both in milliseconds. */
const NOW = 'to_timestamp($1::double precision / 1000.0)'
const LOOK_LATER = 'to_timestamp(($1::double precision + $2::double precision) / 1000.0)'

/**
 * Said so that no partial index answers to it. Rows are found by their keys: to a planner without news the index of live
 * runs looks small, and it would read all of it for each commit, until somebody analyzed the table.
 */
const IS_LIVE = '(tasks.finished_at IS NULL) IS TRUE'

/** Fields of the fences that hold are locked and compared beside them; few steps change any. */
const LOCKED_FIELDS = `
  c AS MATERIALIZED (
    SELECT id, version FROM resources
    WHERE id = ANY(ARRAY(SELECT v.r FROM v JOIN l ON l.resource_id = v.r AND l.fence = v.n WHERE v.fs <> 'null'))
    ORDER BY id FOR NO KEY UPDATE),`
const CURRENT_FIELDS = `
      LEFT JOIN c ON c.id = v.r WHERE v.fs = 'null' OR (c.id IS NOT NULL AND (v.fv IS NULL OR v.fv = c.version))`
const PATCHED_FIELDS = `
  patched AS (
    UPDATE resources SET fields = (fields || w.fs) - ARRAY(SELECT jsonb_array_elements_text(w.fg)), version = version + 1,
      lost_and_found = nullif((coalesce(lost_and_found, '{}') || w.fa)
        - ARRAY(SELECT jsonb_array_elements_text(w.fn)), '{}'), updated_at = ${NOW}
    FROM w WHERE ${keyed('resources.id', 'w.r')} AND w.fs <> 'null'),`

/**
 * Each lock waits for the one before it, whatever the planner thinks: leases, resources, tasks, each by id, as the judge
 * takes them. What a lock finds newer than the statement's snapshot is compared as it is then (EvalPlanQual).
 * A due entry that says already what it is to say is not written: nothing is due later by that, and no ring is lost.
 * Mail that came for a run between the snapshot and its end is nobody's; it goes when a ring tells of it.
 */
function statement(columns: readonly Column[]): string {
  const hasAll = columns === ALL
  const sources = columns.map(([, type], index) => source(type, `$${index + 3}`)).join(', ')
  const names = columns.map(([name]) => name).join(', ')
  const otherwise = new Map(SELDOM.map(([[name], say]) => [name, say]))
  const of = (row: string, name: string) => (hasAll ? `${row}.${name}` : otherwise.get(name)?.(row))
  return prepared(`
  WITH v AS MATERIALIZED (
    SELECT * FROM ROWS FROM (${sources}) WITH ORDINALITY AS v(${names}, i)),
  l AS MATERIALIZED (
    SELECT resource_id, fence FROM leases WHERE resource_id = ANY(ARRAY(SELECT r FROM v))
    ORDER BY resource_id FOR SHARE),${hasAll ? LOCKED_FIELDS : ''}
  w AS (
    UPDATE tasks SET step = k.s, rest_step = ${of('k', 'z')}, status = ${of('k', 'st')}, state = ${of('k', 'q')},
      tries = nullif(${of('k', 'tr')}, 'null'), system = nullif(${of('k', 'sy')}, 'null'),
      moved_at = ${NOW}, finished_at = CASE WHEN k.f THEN ${NOW} END
    FROM (SELECT v.* FROM v JOIN l ON l.resource_id = v.r AND l.fence = v.n${hasAll ? CURRENT_FIELDS : ''}
      ORDER BY v.t) k
    WHERE ${keyed('tasks.id', 'k.t')} AND tasks.step = ${of('k', 'e')} AND ${IS_LIVE} AND NOT tasks.is_alarmed
    RETURNING k.*),
  told AS (
    INSERT INTO transitions (task_id, step, base, from_state, to_state, event, payload, snapshot, actor, reason,
      message, fence, unit_id, at)
    SELECT t, s, b, a, o, v, nullif(p, 'null'), nullif(x, 'null'), w, ${of('w', 'y')}, ${of('w', 'm')}, n, u, ${NOW} FROM w),${hasAll ? PATCHED_FIELDS : ''}
  due AS (
    UPDATE dues SET
      reason = CASE WHEN wakes = w.k THEN w.dr ELSE dues.reason END,
      due_at = to_timestamp(CASE WHEN wakes = w.k THEN w.at ELSE least(w.at, $1) END / 1000.0),
      look_at = CASE WHEN wakes = w.k AND (w.at IS NULL OR w.at > $1) THEN to_timestamp(w.at / 1000.0)
        ELSE ${LOOK_LATER} END
    FROM w WHERE ${keyed('dues.task_id', 'w.t')} AND w.dr IS NOT NULL AND NOT w.f AND (
      wakes = w.k AND dues.reason = w.dr AND due_at <= ${NOW} AND w.at <= $1
      AND look_at > to_timestamp(($1 + $2::double precision / 2) / 1000.0)) IS NOT TRUE
    RETURNING w.i, wakes <> w.k AS is_rung),
  gone AS (
    DELETE FROM dues USING w WHERE ${keyed('task_id', 'w.t')} AND w.f RETURNING task_id, wakes IS DISTINCT FROM w.k AS is_rung),
  unread AS (DELETE FROM events WHERE task_id = ANY(ARRAY(SELECT t FROM w WHERE f)) AND consumed_at IS NULL)
  SELECT (SELECT CASE WHEN count(*) < cardinality($3) THEN coalesce(array_agg(i::integer), '{}') END FROM w) AS done,
    (SELECT array_agg(i::integer) FROM due WHERE is_rung) AS rung,
    (SELECT array_agg(task_id) FROM gone WHERE is_rung) AS late`)
}

const source = (type: string, values: string) =>
  type === 'jsonb' ? `jsonb_array_elements(${values}::jsonb)` : `unnest(${values}::${type}[])`

const FOR_USUAL = statement(USUAL)
const FOR_ALL = statement(ALL)

/** What came for a run while it ended. */
const LATE_MAIL = 'DELETE FROM events WHERE task_id = ANY($1::uuid[]) AND consumed_at IS NULL'
