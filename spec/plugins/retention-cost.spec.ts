// timeout: 240s
// A run with a long history costs what one with a short history does: what a tick touches is counted, not timed.
import type { Runner } from '../../lib/database.ts'
import { Attic } from '../support/retention.ts'
import { settings } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'

const LONG = 100_000
/** Trees grow: an index over so many rows is a level or two higher. */
const FACTOR = 1.5
/** Buffers that are there or not by chance: a page that is full, a hint that is set. */
const CHANCE = 12

/** Steps before those it has, as if it had taken them all. */
const LENGTHEN = `
  WITH moved AS (
    UPDATE tasks SET step = step + $2, rest_step = rest_step + $2 WHERE id = $1 RETURNING step),
  rests AS (
    INSERT INTO transitions SELECT x.task_id, x.step + $2, x.base + $2, x.from_state, x.to_state, x.event, x.payload, x.snapshot,
      x.actor, x.reason, x.message, x.fence, x.unit_id, x.at FROM transitions x WHERE x.task_id = $1 AND x.step >= 2)
  INSERT INTO transitions (task_id, step, base, from_state, to_state, event, snapshot, actor, unit_id, at)
  SELECT $1, n, n - 1, 'right', 'left', 'GO', x.snapshot, 'spec', x.unit_id, x.at
  FROM transitions x, generate_series(4, $2 + 1) AS n WHERE x.task_id = $1 AND x.step = 1`

for (const setting of settings().filter((one) => one !== 'full')) {
  const test = suite(`the cost of a long history in the setting ${setting}`)
  const attic = new Attic()
  test.before(() => attic.open(setting))
  test.after(() => attic.close())

  test('a tick touches as many rows and pages', { deadlineMs: 180_000 }, async () => {
    const short = await attic.walked(2)
    const long = await attic.walked(2)
    await attic.house.sql(LENGTHEN, [long.taskId, LONG])
    // Statistics as autovacuum keeps them.
    for (const table of ['transitions', 'tasks', 'dues', 'resources', 'events', 'leases']) {
      await attic.house.sql(`VACUUM (ANALYZE) ${table}`)
    }
    const costs = new Map<typeof short, Cost>()
    for (const one of [short, long]) {
      // The first tick of a connection also reads the catalog.
      for (const _ of [1, 2]) {
        await one.held.walk.send('GO')
        costs.set(one, await touched(() => attic.driver.settle()))
      }
    }
    const [few, many] = [costs.get(short)!, costs.get(long)!]
    console.log(
      `note: ${setting}: ${few.buffers} buffers with 5 steps, ${many.buffers} with ${LONG}`,
    )
    assert.is((await long.held.walk.status())?.step, LONG + 5)
    assert.ok(few.statements > 2 && few.buffers > 10, 'the tick was seen')
    assert.is(many.statements, few.statements)
    assert.ok(many.buffers <= few.buffers * FACTOR + CHANCE, `${many.buffers} to ${few.buffers}`)
    assert.ok(many.rows <= few.rows * FACTOR, `${many.rows} rows to ${few.rows}`)
  })

  interface Cost {
    statements: number
    buffers: number
    rows: number
  }

  /** Each statement is explained where it stands, taken back, and then carried out. */
  async function touched(work: () => Promise<void>): Promise<Cost> {
    const { database } = attic.house.app.rooms
    const { query, transaction } = database
    const cost: Cost = { statements: 0, buffers: 0, rows: 0 }
    const explained = async (runner: Runner, text: string, params: readonly unknown[] = []) => {
      if (!/^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)/.test(text)) return
      await runner.query('SAVEPOINT explained')
      const { rows } = await runner.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`, params)
      await runner.query('ROLLBACK TO SAVEPOINT explained')
      const [{ Plan: plan }] = rows[0]['QUERY PLAN']
      cost.statements += 1
      cost.buffers += plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
      cost.rows += rowsOf(plan)
    }
    database.transaction = ((inner: (runner: Runner) => Promise<unknown>) =>
      transaction.call(database, (runner) =>
        inner({
          query: async (text, params) => {
            await explained(runner, text, params)
            return runner.query(text, params)
          },
        }),
      )) as typeof transaction
    database.query = async (text, params) => {
      await transaction.call(database, (runner) => explained(runner, text, params))
      return query.call(database, text, params)
    }
    try {
      await work()
    } finally {
      Object.assign(database, { query, transaction })
    }
    return cost
  }

  function rowsOf(plan: any): number {
    const own = plan['Actual Rows'] * plan['Actual Loops'] + (plan['Rows Removed by Filter'] ?? 0)
    return (plan.Plans ?? []).reduce((sum: number, one: any) => sum + rowsOf(one), own)
  }

  test.run()
}
