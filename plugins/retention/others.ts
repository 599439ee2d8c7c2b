// The other parts: failures of runs that are still there, changes made from outside, alarms that are closed.
// Promise: the failure that parked a run stays until that goes on; an alarm goes with its history, its own row last.
import type { Runner } from '../../lib/database.ts'
import type { Line } from './archive.ts'
import { type Count, countByTaking, lineOf, type Part, type Question, type Taken } from './part.ts'
import { isMeant } from './scope.ts'

export class Failures implements Part {
  readonly name = 'failures'

  async take(runner: Runner, { scope, mark, before, limit, isKept }: Question): Promise<Taken> {
    const aged = (await runner.query(AGED_FAILURES, [mark.at, before, mark.id || FIRST_ID, limit]))
      .rows
    const last = aged.at(-1)
    if (!last) return { lines: [], mark, isDone: true }
    const tasks = [...new Set(aged.map(({ task_id }) => task_id))]
    const given = [tasks, last.at, scope.names, scope.except, limit, isKept]
    const { rows } = await runner.query(FAILURES, given)
    const lines = rows.map((row) => lineOf('failures', row))
    // Those of a run that was parked when they were looked at; they are taken first.
    if (rows.length >= limit) return { lines, mark, isDone: false }
    return { lines, mark: { at: last.at, id: last.id, step: -1 }, isDone: aged.length < limit }
  }

  async count(runner: Runner, { scope, before, mark }: Question, add: Count): Promise<void> {
    const given = [before, scope.names, scope.except, mark.at]
    for (const { kind, count } of (await runner.query(COUNTED_FAILURES, given)).rows) {
      add(kind, 'failures', count)
    }
  }
}

export class Changes implements Part {
  readonly name = 'changes'

  async take(runner: Runner, { scope, mark, before, limit, isKept }: Question): Promise<Taken> {
    const given = [mark.id || '0', scope.names, scope.except, limit, isKept]
    const { rows } = await runner.query(CHANGES, given)
    const young = rows.findIndex(({ at }) => at >= before)
    const aged = young < 0 ? rows : rows.slice(0, young)
    const last = aged.at(-1)
    return {
      lines: aged.filter(({ is_meant }) => is_meant).map((row) => lineOf('changes', row)),
      mark: last ? { at: mark.at, id: String(last.id), step: -1 } : mark,
      isDone: aged.length < limit,
    }
  }

  count(runner: Runner, question: Question, add: Count): Promise<void> {
    return countByTaking(this, runner, question, add)
  }
}

/** They have no mark: closed ones that are old go, whatever was looked at before. */
export class Alarms implements Part {
  readonly name = 'alarms'

  async take(runner: Runner, { scope, mark, before, limit, isKept }: Question): Promise<Taken> {
    const most = Math.min(limit, MOST_ALARMS)
    const given = [before, scope.names, scope.except, most, isKept]
    const closed = (await runner.query(ALARMS, given)).rows
    const ids = closed.map(({ id }) => id)
    const { rows } = await runner.query(ALARM_CHANGES, [ids, limit, isKept])
    const lines: Line[] = rows.map((row) => lineOf('alarm_changes', row))
    if (rows.length >= limit) return { lines, mark, isDone: false }
    lines.push(...closed.map((row) => lineOf('alarms', row)))
    return { lines, mark, isDone: closed.length < most }
  }

  async count(runner: Runner, { scope, before }: Question, add: Count): Promise<void> {
    const given = [before, scope.names, scope.except]
    for (const { kind, alarms, changes } of (await runner.query(COUNTED_ALARMS, given)).rows) {
      add(kind, 'alarms', alarms)
      if (changes > 0) add(kind, 'alarm_changes', changes)
    }
  }
}

/** Alarms of one chunk; each has some lines of history. */
const MOST_ALARMS = 200
const FIRST_ID = '00000000-0000-0000-0000-000000000000'
const lineIf = (wanted: string, row: string) =>
  `CASE WHEN ${wanted} THEN to_json(${row})::text END AS line`

const AGED_FAILURES = `
  SELECT id, task_id, at::text AS at FROM failures
  WHERE at >= $1::timestamptz AND at < to_timestamp($2::float8 / 1000.0) AND (at, id) > ($1::timestamptz, $3::uuid)
  ORDER BY at, id LIMIT $4`

/** What panics are explained by. */
const IS_NEEDED = `(t.status IN ('panicked', 'stranded') AND NOT EXISTS (
  SELECT 1 FROM failures n WHERE n.task_id = f.task_id AND (n.at, n.id) > (f.at, f.id)))`

const FAILURES = `
  SELECT f.id, r.kind, f.at, ${lineIf('$6', 'f')}
  FROM failures f JOIN tasks t ON t.id = f.task_id JOIN resources r ON r.id = f.resource_id
  WHERE f.task_id = ANY($1::uuid[]) AND f.at <= $2::timestamptz AND ${isMeant('r.kind', 3, 4)} AND NOT ${IS_NEEDED}
  ORDER BY f.at, f.id LIMIT $5`

/** Those of runs that go whole are counted with these. */
const COUNTED_FAILURES = `
  SELECT r.kind, count(*) AS count
  FROM failures f JOIN tasks t ON t.id = f.task_id JOIN resources r ON r.id = f.resource_id
  WHERE f.at >= $4::timestamptz AND f.at < to_timestamp($1::float8 / 1000.0) AND ${isMeant('r.kind', 2, 3)} AND NOT ${IS_NEEDED}
    AND NOT coalesce(t.finished_at < to_timestamp($1::float8 / 1000.0), false) GROUP BY 1`

const CHANGES = `
  SELECT c.id, r.kind, c.at, m.is_meant, ${lineIf('$5 AND m.is_meant', 'c')}
  FROM changes c JOIN resources r ON r.id = c.resource_id, LATERAL (SELECT ${isMeant('r.kind', 2, 3)} AS is_meant) m
  WHERE c.id > $1::bigint ORDER BY c.id LIMIT $4`

const CLOSED = `a.state = 'closed' AND a.closed_at < to_timestamp($1::float8 / 1000.0) AND ${isMeant('a.kind', 2, 3)}`

const ALARMS = `
  SELECT a.id, a.kind, a.closed_at AS at, ${lineIf('$5', 'a')} FROM alarms a WHERE ${CLOSED}
  ORDER BY a.closed_at, a.id LIMIT $4 FOR UPDATE OF a SKIP LOCKED`

const ALARM_CHANGES = `
  SELECT c.id, a.kind, c.at, ${lineIf('$3', 'c')} FROM alarm_changes c JOIN alarms a ON a.id = c.alarm_id
  WHERE c.alarm_id = ANY($1::uuid[]) ORDER BY c.id LIMIT $2`

const COUNTED_ALARMS = `
  SELECT a.kind, count(*) AS alarms, sum((SELECT count(*) FROM alarm_changes c WHERE c.alarm_id = a.id))::float8 AS changes
  FROM alarms a WHERE ${CLOSED} GROUP BY 1`
