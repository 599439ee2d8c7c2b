// The steps: those of live runs that nothing needs any more, and whole runs that ended.
// Promise: what a run rests in stays, and what it can be rewound to from within its time; the history of a live run has
// no hole: it begins later. A run that ended goes whole, its own row last.
import type { Runner } from '../../lib/database.ts'
import type { Line } from './archive.ts'
import { type Count, lineOf, type Mark, type Part, type Question, type Taken } from './part.ts'
import { isMeant } from './scope.ts'

/** A run that a chunk is about: what is below the floor goes. */
interface Run {
  readonly id: string
  readonly kind: string
  readonly floor: number
  /** Does all of it go? */
  readonly isOver: boolean
}

interface Window {
  readonly runs: readonly Run[]
  readonly mark: Mark
  readonly isLast: boolean
}

/** Stored bytes of the rows of one chunk; compressed ones are some times larger in memory. */
const MOST_BYTES = 8 * 1_024 * 1_024

export class Steps implements Part {
  readonly name = 'steps'

  async take(runner: Runner, question: Question): Promise<Taken> {
    const { limit, isKept, mark } = question
    const { runs, ...window } = await windowOf(runner, question)
    const { rows } = await runner.query(GOING, [...columns(runs), limit, MOST_BYTES, isKept])
    const picked: number = rows[0]?.picked ?? 0
    const lines: Line[] = rows.map((row) => lineOf('transitions', row))
    const retired = retiredOf(runs, rows)
    let isCut = picked >= limit || lines.length < picked
    const over = runs.filter(({ isOver }) => isOver)
    const ids = over.map(({ id }) => id)
    for (const [table, sql] of Object.entries(HANGING)) {
      if (isCut) break
      const left = limit - lines.length
      const { rows } = await runner.query(sql, [ids, left, isKept])
      lines.push(...rows.map((row) => lineOf(table, row)))
      isCut = rows.length >= left
    }
    for (const [table, sql] of Object.entries(isCut ? {} : LAST)) {
      const { rows } = await runner.query(sql, [ids, null, isKept])
      lines.push(...rows.map((row) => lineOf(table, row)))
    }
    if (isCut) return { lines, retired, mark, isDone: false }
    return { lines, retired, mark: window.mark, isDone: window.isLast }
  }

  /** What one window would take, another does not count again. */
  async count(runner: Runner, question: Question, add: Count): Promise<void> {
    const floors = new Map<string, number>()
    for (let { mark } = question; ; ) {
      const window = await windowOf(runner, { ...question, mark })
      const [ids, tops, kinds] = columns(window.runs)
      const lows = window.runs.map(({ id }) => floors.get(id) ?? 0)
      const { rows } = await runner.query(COUNTED, [ids, lows, tops, kinds])
      for (const { kind, count } of rows) add(kind, 'transitions', count)
      const over = window.runs.filter(({ isOver }) => isOver)
      for (const table of Object.keys(LAST)) for (const { kind } of over) add(kind, table, 1)
      const rest = await runner.query(COUNTED_WHOLE, [over.map(({ id }) => id)])
      for (const { table, kind, count } of rest.rows) add(kind, table, count)
      for (const { id, floor } of window.runs) floors.set(id, floor)
      if (window.isLast) return
      mark = window.mark
    }
  }
}

/** The next rows that grew old, and the runs they are of. */
async function windowOf(runner: Runner, question: Question): Promise<Window> {
  const { scope, mark, before, limit } = question
  const id = mark.id || FIRST_ID
  const aged = (await runner.query(AGED, [mark.at, before, id, mark.step, limit])).rows
  const nexts = new Map<string, number>()
  for (const { task_id, step } of aged) {
    nexts.set(task_id, Math.max(step + 1, nexts.get(task_id) ?? 0))
  }
  const { names, except } = scope
  const given = [[...nexts.keys()], [...nexts.values()], names, except]
  const { rows } = await runner.query(MEANT, given)
  const last = aged.at(-1)
  return {
    runs: rows.map((row) => ({ ...row, isOver: row.is_over })),
    mark: last ? { at: last.at, id: last.task_id, step: last.step } : mark,
    isLast: aged.length < limit,
  }
}

/** SQL: is this the name of a run of the house's own, whose end says that somebody wanted it? */
const isOurs = (name: string) => `(${name} = 'life' OR ${name} LIKE '%.every')`
const FIRST_ID = '00000000-0000-0000-0000-000000000000'

const columns = (runs: readonly Run[]) =>
  [runs.map(({ id }) => id), runs.map(({ floor }) => floor), runs.map(({ kind }) => kind)] as const

/** The first step that is left of each run that something was taken of and that stays. */
function retiredOf(runs: readonly Run[], rows: readonly any[]) {
  const firsts = new Map<string, number>()
  for (const { id, step } of rows) firsts.set(id, Math.max(step + 1, firsts.get(id) ?? 0))
  return runs.flatMap(({ id: taskId }) => {
    const firstStep = firsts.get(taskId)
    return firstStep === undefined ? [] : [{ taskId, firstStep }]
  })
}

const AGED = `
  SELECT task_id, step, at::text AS at FROM transitions
  WHERE at >= $1::timestamptz AND at < to_timestamp($2::float8 / 1000.0) AND (at, task_id, step) > ($1::timestamptz, $3::uuid, $4)
  ORDER BY at, task_id, step LIMIT $5`

/**
 * The floor of a run is the first step something needs: the one it rests in, the first that is not old yet, the one that
 * is based on, and what a rewind of late is based on. The latest run of a life or a schedule says that it was ended by hand.
 */
const MEANT = `
  SELECT t.id, r.kind, o.is_over, CASE WHEN o.is_over THEN t.step ELSE least(t.rest_step, v.next,
      (SELECT base FROM transitions x WHERE x.task_id = t.id AND x.step >= v.next AND x.base IS NOT NULL ORDER BY x.step LIMIT 1),
      (SELECT min(base) FROM transitions x WHERE x.task_id = t.id AND x.step >= v.next AND x.event = '__rewind__')) END AS floor
  FROM unnest($1::uuid[], $2::integer[]) AS v(id, next) JOIN tasks t ON t.id = v.id JOIN resources r ON r.id = t.resource_id,
    LATERAL (SELECT t.finished_at IS NOT NULL AND v.next > t.step AND NOT (${isOurs('t.name')}
      AND NOT EXISTS (SELECT 1 FROM tasks n WHERE n.resource_id = t.resource_id AND n.name = t.name AND n.started_at > t.started_at)
      ) AS is_over) o
  WHERE ${isMeant('r.kind', 3, 4)} ORDER BY t.id`

const GOING = `
  WITH picked AS (
    SELECT x.task_id, x.step, x.at, m.kind, coalesce(pg_column_size(x.payload), 0) + coalesce(pg_column_size(x.snapshot), 0) AS size
    FROM unnest($1::uuid[], $2::integer[], $3::text[]) AS m(id, floor, kind)
    JOIN transitions x ON x.task_id = m.id AND x.step < m.floor
    ORDER BY x.at, x.task_id, x.step LIMIT $4),
  weighed AS (
    SELECT *, sum(size) OVER line AS bytes, row_number() OVER line AS nth, count(*) OVER () AS picked
    FROM picked WINDOW line AS (ORDER BY at, task_id, step))
  SELECT w.task_id AS id, w.step, w.at, w.kind, w.picked, CASE WHEN $6 THEN to_json(x)::text END AS line
  FROM weighed w JOIN transitions x ON x.task_id = w.task_id AND x.step = w.step
  WHERE w.bytes <= $5 OR w.nth = 1 ORDER BY w.at, w.task_id, w.step`

const whole = (from: string, at: string, order: string, id = 'x.id') => `
  SELECT ${id}, r.kind, ${at} AS at, CASE WHEN $3 THEN to_json(x)::text END AS line
  FROM ${from} JOIN resources r ON r.id = t.resource_id
  WHERE t.id = ANY($1::uuid[]) AND t.finished_at IS NOT NULL ORDER BY ${order} LIMIT $2`

/** What hangs on a run that goes whole. */
const HANGING = {
  events: whole('events x JOIN tasks t ON t.id = x.task_id', 'x.sent_at', 'x.id'),
  failures: whole('failures x JOIN tasks t ON t.id = x.task_id', 'x.at', 'x.at, x.id'),
}

/** Its last step stays until then: by it the run is found. */
const LAST = {
  transitions: whole(
    'transitions x JOIN tasks t ON t.id = x.task_id AND t.step = x.step',
    'x.at',
    'x.task_id',
    'x.task_id AS id, x.step',
  ),
  tasks: whole('tasks x JOIN tasks t ON t.id = x.id', 'x.finished_at', 'x.finished_at, x.id'),
}

const COUNTED = `
  SELECT m.kind, count(*) AS count FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[]) AS m(id, low, floor, kind)
  JOIN transitions x ON x.task_id = m.id AND x.step >= m.low AND x.step < m.floor GROUP BY 1`

const COUNTED_WHOLE = `
  SELECT v."table", r.kind, count(*) AS count FROM (
    SELECT 'events' AS "table", task_id FROM events WHERE task_id = ANY($1::uuid[])
    UNION ALL SELECT 'failures', task_id FROM failures WHERE task_id = ANY($1::uuid[])) v
  JOIN tasks t ON t.id = v.task_id JOIN resources r ON r.id = t.resource_id GROUP BY 1, 2`
