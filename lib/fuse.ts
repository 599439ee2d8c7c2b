// The fuse: counts how work behind breakers ended, and says which breaker that shuts.
// Promise: a failure is counted in the commit of its row, and so is what follows from it; counts that are older than
// their policy looks back are gone; a success alone is never written.

import type { Runner } from './database.ts'
import type { Count } from './hold.ts'
import { keyed } from './keyed.ts'
import type { Shut } from './latch.ts'
import { prepared } from './prepared.ts'
import { type Entry, type Moment, Table } from './table.ts'

/** How finely time is told in the counts. */
const GRAIN_MS = 1_000

export class Fuse {
  readonly #table: Table
  readonly #moment: Moment

  constructor(runner: Runner, moment: Moment) {
    this.#table = new Table(runner, moment)
    this.#moment = moment
  }

  /** Writes the counts. @returns the breakers that shut by them, each with the entry whose failure did it */
  async blown(entries: readonly Entry[]): Promise<Shut[]> {
    const counted = entries.flatMap((entry) =>
      (entry.unit.counts ?? []).map((count) => ({ entry, count })),
    )
    if (counted.length === 0) return []
    await this.#table.rows(
      counted.flatMap(({ count }) => this.#rowsOf(count)),
      COUNT,
    )
    // Of several in one commit the last failure is the one that shuts it.
    const failed = new Map(
      counted.filter(({ count }) => count.failed > 0).map((one) => [one.count.scope, one]),
    )
    const asked = [...failed.values()].map(({ count: { scope, policy } }) => ({ scope, ...policy }))
    const sums = await this.#table.rows(asked, SUMS)
    return sums.flatMap(({ scope, ok, bad, state, until, round }) => {
      const { entry, count } = failed.get(scope) as (typeof counted)[number]
      const isOver = state === 'trial' || (until !== null && until <= this.#moment.nowMs)
      if (state !== null && !isOver) return []
      const again = state === null ? 1 : round + 1
      if (state === null && (ok + bad < count.policy.least || bad < count.policy.rate * (ok + bad)))
        return []
      return [{ entry, signal: this.#signal(count, again, ok, bad), round: again, ok, failed: bad }]
    })
  }

  #signal({ scope, policy, actor }: Count, round: number, ok: number, failed: number) {
    const { shutMs, mostMs, withinMs } = policy
    const until = this.#moment.nowMs + Math.min(mostMs, shutMs * 2 ** Math.min(round - 1, 40))
    const figures = `${failed} of ${ok + failed} failed within ${withinMs / 1_000} s`
    const reason = round === 1 ? figures : `the trial failed, for the ${ordinal(round - 1)} time`
    return { scope, by: 'breaker' as const, event: 'shut' as const, until, actor, reason }
  }

  #rowsOf({ scope, oks, failed }: Count): object[] {
    const { nowMs } = this.#moment
    const rows = oks.map(({ at, ok }) => ({ scope, at: secondOf(at), ok, failed: 0 }))
    return failed > 0 ? [...rows, { scope, at: secondOf(nowMs), ok: 0, failed }] : rows
  }
}

const secondOf = (ms: number) => Math.floor(ms / GRAIN_MS) * GRAIN_MS

function ordinal(count: number): string {
  const end =
    count % 100 > 10 && count % 100 < 14 ? 'th' : (['th', 'st', 'nd', 'rd'][count % 10] ?? 'th')
  return `${count}${end}`
}

const COUNT = prepared(`
  INSERT INTO breaker_counts AS c (scope, at, ok, failed)
  SELECT scope, to_timestamp(at / 1000.0), sum(ok), sum(failed)
  FROM json_to_recordset($1) AS v(scope text, at double precision, ok integer, failed integer)
  WHERE $2::double precision > 0 GROUP BY 1, 2 ORDER BY 1, 2
  ON CONFLICT (scope, at) DO UPDATE SET ok = c.ok + excluded.ok, failed = c.failed + excluded.failed`)

/** What the counts come to, and how the breaker is; the rows of breakers stay locked until the commit. */
const SUMS = prepared(`
  WITH v AS MATERIALIZED (
    SELECT * FROM json_to_recordset($1) AS v(scope text, "withinMs" double precision)),
  old AS (
    DELETE FROM breaker_counts c USING v WHERE ${keyed('c.scope', 'v.scope')} AND c.at <= to_timestamp(($2 - v."withinMs") / 1000.0)),
  h AS MATERIALIZED (
    SELECT h.scope, h.state, h.until, h.round FROM holds h WHERE h.scope = ANY(ARRAY(SELECT scope FROM v))
    AND h.by = 'breaker' AND h.state <> 'open' ORDER BY h.scope FOR NO KEY UPDATE OF h)
  SELECT v.scope, h.state, h.until, h.round,
    coalesce((SELECT sum(ok) FROM breaker_counts c
      WHERE c.scope = v.scope AND c.at > to_timestamp(($2 - v."withinMs") / 1000.0)), 0)::integer AS ok,
    coalesce((SELECT sum(failed) FROM breaker_counts c
      WHERE c.scope = v.scope AND c.at > to_timestamp(($2 - v."withinMs") / 1000.0)), 0)::integer AS bad
  FROM v LEFT JOIN h USING (scope) ORDER BY v.scope`)
