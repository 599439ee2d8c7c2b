// The latch: holds shut and opened as part of a commit, each change with its line of history.
// Promise: what did not change leaves no line; a task is put off by a hold only while that hold stands, whoever opens
// it meanwhile; whoever opens one lets go of all it put off.

import { breakerCleared, breakerRaised } from './breaker-alarm.ts'
import type { Runner } from './database.ts'
import type { HoldChange, HoldSignal } from './hold.ts'
import { keyed } from './keyed.ts'
import { prepared } from './prepared.ts'
import { type Entry, type Moment, NOW, Table } from './table.ts'

/** A breaker that shuts by itself, and the figures behind it. */
export interface Shut {
  readonly entry: Entry
  readonly signal: HoldSignal
  readonly round: number
  readonly ok: number
  readonly failed: number
}

/** How the reason of a due entry begins that is put off by holds; their scopes follow, blanks between them. */
export const HELD = 'held:'

export class Latch {
  readonly #runner: Runner
  readonly #moment: Moment
  readonly #table: Table

  constructor(runner: Runner, moment: Moment) {
    this.#runner = runner
    this.#moment = moment
    this.#table = new Table(runner, moment)
  }

  /** @param blown breakers that shut by the counts of these entries */
  async write(entries: readonly Entry[], blown: readonly Shut[]): Promise<void> {
    const asked = entries.flatMap((entry) =>
      (entry.unit.holds ?? []).map((signal) => ({ entry, signal, round: null, ok: 0, failed: 0 })),
    )
    // Rows are locked in one order, whoever comes.
    const all = [...asked, ...blown].sort((a, b) => (a.signal.scope < b.signal.scope ? -1 : 1))
    for (const { entry, signal, round, ok, failed } of all) {
      const change = await this.#change(signal, round)
      if (!change) continue
      await this.#line(change, signal, entry.unit.id)
      entry.held.push(signal.scope)
      entry.latched.push(change)
      if (signal.by !== 'breaker') continue
      const isShut = signal.event === 'shut'
      entry.signals.push(
        isShut ? breakerRaised(signal, { ok, failed, round: round ?? 1 }) : breakerCleared(signal),
      )
    }
    await this.#forget(entries.flatMap(({ removed }) => removed.map((one) => one.resourceId)))
    await this.#check(entries)
  }

  async #change(signal: HoldSignal, round: number | null): Promise<HoldChange | null> {
    const { scope, by, event, until, actor, reason } = signal
    const told = { scope, by, until }
    const { nowMs } = this.#moment
    if (event !== 'shut') {
      const { rows } = await this.#runner.query(OPEN, [
        scope,
        by,
        actor,
        reason,
        event === 'passed',
      ])
      return rows.length > 0 ? { ...told, event: 'open', until: null } : null
    }
    const values = [scope, nowMs, by, actor, reason, until, round ?? 1, round === null]
    const { rows } = await this.#runner.query(SHUT, values)
    if (rows.length === 0) return null
    return { ...told, event: rows[0].was === 'shut' ? 'renewed' : 'shut' }
  }

  async #line({ scope, by, event, until }: HoldChange, signal: HoldSignal, unitId: string) {
    await this.#runner.query(
      `INSERT INTO hold_changes (scope, by, event, until, actor, reason, unit_id, at)
       VALUES ($1, $3, $4, to_timestamp($5 / 1000.0), $6, $7, $8, ${NOW})`,
      [scope, this.#moment.nowMs, by, event, until, signal.actor, signal.reason, unitId],
    )
  }

  /** Nothing holds a resource that is gone. */
  async #forget(resourceIds: readonly string[]): Promise<void> {
    if (resourceIds.length === 0) return
    const scopes = resourceIds.map((id) => `resource:${id}`)
    await this.#runner.query('DELETE FROM holds WHERE scope = ANY($1)', [scopes])
  }

  /** A hold may have been opened since it was read: what it would have put off is due. */
  async #check(entries: readonly Entry[]): Promise<void> {
    const rows = entries.flatMap(({ unit: { due, step } }) =>
      due?.reason.startsWith(HELD) && !step?.finished
        ? scopesOf(due.reason).map((scope) => ({ taskId: due.taskId, scope }))
        : [],
    )
    await this.#table.rows(rows, CHECK)
  }
}

/** The holds a due entry is put off by. */
export const scopesOf = (reason: string): string[] => reason.slice(HELD.length).split(' ')

/** $8: by hand. A limit only grows; a breaker shuts by itself where it is open, in trial, or its time is over. */
const SHUT = `
  WITH was AS (SELECT state FROM holds WHERE scope = $1 AND by = $3)
  INSERT INTO holds AS h (scope, by, state, actor, reason, since, until, round)
  VALUES ($1, $3, 'shut', $4, $5, ${NOW}, to_timestamp($6 / 1000.0), $7)
  ON CONFLICT (scope, by) DO UPDATE SET state = 'shut', actor = excluded.actor, reason = excluded.reason,
    until = excluded.until, round = excluded.round, probe_at = NULL,
    since = CASE WHEN h.state = 'open' THEN excluded.since ELSE h.since END
  WHERE h.state = 'open' OR CASE h.by
    WHEN 'limit' THEN h.until < excluded.until
    WHEN 'breaker' THEN $8 OR h.state = 'trial' OR h.until <= ${NOW} ELSE true END
  RETURNING (SELECT state FROM was) AS was`

/** What it put off is found by its row, until all of that was let go. $5: only a trial. */
const OPEN = `
  WITH opened AS (
    UPDATE holds SET state = 'open', actor = $3, reason = $4, probe_at = NULL
    WHERE scope = $1 AND by = $2 AND state <> 'open' AND (state = 'trial' OR NOT $5) RETURNING scope),
  fresh AS (DELETE FROM breaker_counts c USING opened WHERE c.scope = opened.scope AND $2 = 'breaker')
  SELECT scope FROM opened`

/** Shared locks: whoever opens a hold waits for these commits, and then sees what they put off. */
const CHECK = prepared(`
  WITH v AS MATERIALIZED (SELECT * FROM json_to_recordset($1) AS v("taskId" uuid, scope text)),
  h AS MATERIALIZED (
    SELECT scope FROM holds WHERE scope = ANY(ARRAY(SELECT scope FROM v)) AND state <> 'open' ORDER BY scope, by FOR SHARE),
  gone AS (SELECT DISTINCT "taskId" FROM v WHERE scope NOT IN (SELECT scope FROM h))
  UPDATE dues d SET due_at = ${NOW}, look_at = ${NOW}, reason = 'let go'
  FROM gone WHERE ${keyed('d.task_id', 'gone."taskId"')} AND (d.reason LIKE '${HELD}%') IS TRUE`)
