// The express: plain steps of many tasks in one statement, which is its own transaction.
// Promise: what it writes is what the notary would have written, under the same comparisons and locks, taken in the
// same order; a unit that asks for more, or that lost, is left to the notary untouched.
import { column, type Writing } from './columns.ts'
import type { Database } from './database.ts'
import { HELD } from './latch.ts'
import { prepared } from './prepared.ts'
import type { Moment } from './table.ts'
import type { Outcome, Unit } from './unit.ts'

/** What only the notary can write. */
const MORE = [
  ...([
    'creates',
    'starts',
    'stops',
    'sends',
    'consumes',
    'failures',
    'ignored',
    'ends',
    'marks',
  ] as const),
  ...(['reports', 'removes', 'alarms', 'watches', 'notices', 'holds', 'counts'] as const),
] as const

/** Is the unit a step of one task and no more: its row, its line of history, its due entry, fields of its resource? */
export function isPlain(unit: Unit): boolean {
  const { fence, step, fields, due } = unit
  if (!fence || !step?.transition || !isBare(step)) return false
  if (step.resourceId !== fence.resourceId) return false
  if (step.status !== 'running' && step.status !== 'done') return false
  if (due && (due.taskId !== step.taskId || String(due.reason).startsWith(HELD))) return false
  if (fields && !isPatch(fields, fence.resourceId)) return false
  for (const part of MORE) if (unit[part] && unit[part].length > 0) return false
  return true
}

const isBare = ({ clears, name, version }: NonNullable<Unit['step']>) =>
  !clears && name === undefined && version === undefined

const isPatch = ({ resourceId, state, kind, author }: NonNullable<Unit['fields']>, id: string) =>
  resourceId === id && state === undefined && kind === undefined && author === undefined

type Plain = Unit & Required<Pick<Unit, 'fence' | 'step'>>
type Line = NonNullable<NonNullable<Unit['step']>['transition']>
const lineOf = ({ step }: Plain) => step.transition as Line

/** What each unit is taken apart into: the name and type of a column, its value, and how that is written. */
const COLUMNS: readonly (readonly [string, string, (unit: Plain) => unknown, Writing?])[] = [
  ['u', 'uuid', ({ id }) => id],
  ['r', 'uuid', ({ step }) => step.resourceId],
  ['n', 'bigint', ({ fence }) => fence.fence],
  ['t', 'uuid', ({ step }) => step.taskId],
  ['e', 'integer', ({ step }) => step.expected],
  ['s', 'integer', ({ step }) => step.step],
  ['z', 'integer', ({ step }) => step.restStep],
  ['st', 'text', ({ step }) => step.status, 'text'],
  ['f', 'boolean', ({ step }) => step.finished],
  ['q', 'text', ({ step }) => step.state, 'text'],
  ['tr', 'jsonb', ({ step }) => step.tries, 'json'],
  ['sy', 'jsonb', ({ step }) => step.system, 'json'],
  ['b', 'integer', (unit) => lineOf(unit).base],
  ['a', 'text', (unit) => lineOf(unit).from, 'text'],
  ['o', 'text', (unit) => lineOf(unit).to, 'text'],
  ['v', 'text', (unit) => lineOf(unit).event, 'text'],
  ['p', 'jsonb', (unit) => lineOf(unit).payload, 'json'],
  ['x', 'jsonb', (unit) => lineOf(unit).snapshot, 'json'],
  ['w', 'text', (unit) => lineOf(unit).actor, 'text'],
  ['y', 'text', (unit) => lineOf(unit).reason, 'text'],
  ['m', 'text', (unit) => lineOf(unit).message, 'text'],
  ['d', 'boolean', ({ due }) => due !== undefined],
  ['at', 'double precision', ({ due }) => due?.at],
  ['dr', 'text', ({ due }) => due?.reason, 'text'],
  ['k', 'bigint', ({ due }) => due?.wakes],
  ['fs', 'jsonb', ({ fields }) => fields?.set, 'json'],
  [
    'fg',
    'jsonb',
    ({ fields }) => fields && [...fields.unset, ...Object.keys(fields.aside)],
    'json',
  ],
  ['fa', 'jsonb', ({ fields }) => fields?.aside, 'json'],
  ['fn', 'jsonb', ({ fields }) => fields && [...Object.keys(fields.set), ...fields.unset], 'json'],
  ['fv', 'bigint', ({ fields }) => fields?.version],
]

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
  const columns = COLUMNS.map(([, , read, writing]) => column(taken, read, writing))
  const { rows } = await database.once(EXPRESS, [nowMs, toldMs, ...columns])
  const rung = new Map<string, boolean>()
  for (const { u, is_rung } of rows) rung.set(u, is_rung || rung.get(u) === true)
  const late = rows.filter(({ t }) => t !== null).map(({ t }) => t)
  // The steps are committed: mail nobody reads is no reason to say that they were not.
  if (late.length > 0) await database.query(LATE_MAIL, [late]).catch(() => {})
  return units.map(({ id }) => {
    const isRung = rung.get(id)
    return isRung === undefined ? null : { ...COMMITTED, isRung }
  })
}

/** Those that are the first of their task, and the first with fields of their resource. */
function firsts(units: readonly Unit[]): Unit[] {
  const taken = new Set<string | undefined>()
  return units.filter(({ step, fields }) => {
    if (taken.has(step?.taskId) || (fields && taken.has(fields.resourceId))) return false
    taken.add(step?.taskId)
    if (fields) taken.add(fields.resourceId)
    return true
  })
}

const COMMITTED = {
  ...{ kind: 'committed' as const, started: [], begun: [], delivered: 0, stopped: 0 },
  ...{ isQuiet: false, reported: 0, alarmed: [], held: [] },
}

/** $1: now, $2: how long a ticket is trusted; both in milliseconds. */
const NOW = 'to_timestamp($1::double precision / 1000.0)'
const LOOK_LATER = 'to_timestamp(($1::double precision + $2::double precision) / 1000.0)'

/**
 * Each lock waits for the one before it, whatever the planner thinks: leases, resources, tasks, each by id, as the judge
 * takes them. What a lock finds newer than the statement's snapshot is compared as it is then (EvalPlanQual).
 * Rows are found by their keys alone: a partial index that knows them too may look small to a planner without news.
 * A due entry that says already what it is to say is not written: nothing is due later by that, and no ring is lost.
 * Mail that came for a run between the snapshot and its end is nobody's; it goes when a ring tells of it.
 */
const EXPRESS = prepared(`
  WITH v AS MATERIALIZED (
    SELECT * FROM unnest(${COLUMNS.map(([, type], index) => `$${index + 3}::${type}[]`).join(', ')})
      AS v(${COLUMNS.map(([name]) => name).join(', ')})),
  l AS MATERIALIZED (
    SELECT resource_id, fence FROM leases WHERE resource_id = ANY(ARRAY(SELECT r FROM v))
    ORDER BY resource_id FOR SHARE),
  c AS MATERIALIZED (
    SELECT id, version FROM resources
    WHERE EXISTS (SELECT FROM v WHERE fs IS NOT NULL) AND id = ANY(ARRAY(SELECT v.r FROM v JOIN l ON l.resource_id = v.r AND l.fence = v.n WHERE v.fs IS NOT NULL))
    ORDER BY id FOR NO KEY UPDATE),
  g AS MATERIALIZED (
    SELECT id, step, finished_at, is_alarmed FROM tasks
    WHERE id = ANY(ARRAY(
        SELECT v.t FROM v JOIN l ON l.resource_id = v.r AND l.fence = v.n LEFT JOIN c ON c.id = v.r
        WHERE v.fs IS NULL OR (c.id IS NOT NULL AND (v.fv IS NULL OR v.fv = c.version))))
    ORDER BY id FOR NO KEY UPDATE),
  w AS MATERIALIZED (
    SELECT v.* FROM v JOIN g ON g.id = v.t AND g.step = v.e WHERE g.finished_at IS NULL AND NOT g.is_alarmed),
  moved AS (
    UPDATE tasks SET step = w.s, rest_step = w.z, status = w.st, state = w.q, tries = w.tr, system = w.sy,
      moved_at = ${NOW}, finished_at = CASE WHEN w.f THEN ${NOW} END
    FROM w WHERE tasks.id = w.t),
  told AS (
    INSERT INTO transitions (task_id, step, base, from_state, to_state, event, payload, snapshot, actor, reason,
      message, fence, unit_id, at)
    SELECT t, s, b, a, o, v, p, x, w, y, m, n, u, ${NOW} FROM w),
  patched AS (
    UPDATE resources SET fields = (fields || w.fs) - ARRAY(SELECT jsonb_array_elements_text(w.fg)), version = version + 1,
      lost_and_found = nullif((coalesce(lost_and_found, '{}') || w.fa)
        - ARRAY(SELECT jsonb_array_elements_text(w.fn)), '{}'), updated_at = ${NOW}
    FROM w WHERE resources.id = w.r AND w.fs IS NOT NULL),
  due AS (
    UPDATE dues SET
      reason = CASE WHEN wakes = w.k THEN w.dr ELSE dues.reason END,
      due_at = to_timestamp(CASE WHEN wakes = w.k THEN w.at ELSE least(w.at, $1) END / 1000.0),
      look_at = CASE WHEN wakes = w.k AND (w.at IS NULL OR w.at > $1) THEN to_timestamp(w.at / 1000.0)
        ELSE ${LOOK_LATER} END
    FROM w WHERE dues.task_id = w.t AND w.d AND NOT w.f AND (
      wakes = w.k AND dues.reason = w.dr AND due_at <= ${NOW} AND w.at <= $1
      AND look_at > to_timestamp(($1 + $2::double precision / 2) / 1000.0)) IS NOT TRUE
    RETURNING w.u, wakes <> w.k AS is_rung),
  gone AS (
    DELETE FROM dues USING w WHERE task_id = w.t AND w.f RETURNING w.u, task_id, wakes IS DISTINCT FROM w.k AS is_rung),
  unread AS (DELETE FROM events WHERE task_id = ANY(ARRAY(SELECT t FROM w WHERE f)) AND consumed_at IS NULL)
  SELECT u, NULL::uuid AS t, false AS is_rung FROM w
  UNION ALL SELECT u, NULL, true FROM due WHERE is_rung
  UNION ALL SELECT u, task_id, false FROM gone WHERE is_rung`)

/** What came for a run while it ended. */
const LATE_MAIL = 'DELETE FROM events WHERE task_id = ANY($1::uuid[]) AND consumed_at IS NULL'
