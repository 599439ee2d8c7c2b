// The express exam: the same batches by the express in one place and by the notary in another, row by row.
// Promise: the notary is the oracle; what may differ is one sentence, `isSaid`, and nothing else.
import fc from 'fast-check'
import type { AlarmAbout, AlarmSignal } from '../../lib/alarm.ts'
import { Committer } from '../../lib/committer.ts'
import type { Database } from '../../lib/database.ts'
import { Events } from '../../lib/events.ts'
import { isPlain } from '../../lib/express.ts'
import { write } from '../../lib/notary.ts'
import type { Outcome, Unit } from '../../lib/unit.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { type Batch, batches } from './batch.ts'
import type { Cellar } from './cellar.ts'
import { AUTHOR, Pen, TOLD_MS } from './pen.ts'

const RUNS = 200
/** All that plain units and their alarms write to, in an order in which it can be filled. */
const TABLES = ['resources', 'leases', 'tasks', 'transitions', 'dues', 'events', 'alarms']
const LINES = ['changes', 'alarm_changes', 'notices']
const ABOUT: Omit<AlarmAbout, 'taskId' | 'resourceId'> = {
  ...{ name: 'lost', kind: 'Thing', task: 'work', message: 'no', playbook: null, labels: {} },
  ...{ detail: null, forMs: 0, clearForMs: 0, flap: null },
  closes: 'moved',
  severity: 'error',
}

type Tables = Readonly<Record<string, readonly any[]>>

/** Two places that hold the same rows; the notary writes in one, the express in the other. */
class Twins {
  readonly time = new FakeTime()
  readonly notary: Pen
  readonly hurried: Pen
  readonly #schema: string
  readonly #committer: Committer
  /** Units the express wrote itself. */
  readonly carried = new Set<string>()
  /** How many columns units have travelled in: fewer where nothing is beside the step. */
  readonly widths = new Set<number>()

  constructor(notary: Database, hurried: Database, schema: string) {
    this.notary = new Pen(notary, this.time)
    this.hurried = new Pen(hurried, this.time)
    this.#schema = schema
    this.#committer = new Committer({
      ...{ database: this.#watching(hurried), time: this.time, toldMs: TOLD_MS },
      ...{ events: new Events(), alarms: this.hurried.store.alarms },
    })
  }

  #watching(database: Database): Database {
    const once: Database['once'] = async (text, params) => {
      const answer = await database.once(text, params)
      const asked = String(params[2]).slice(1, -1).split(',')
      this.widths.add(params.length)
      const numbers: number[] = answer.rows[0].done ?? asked.map((_, index) => index + 1)
      for (const number of numbers) this.carried.add(asked[number - 1]!)
      return answer
    }
    const query = database.query.bind(database)
    const transaction = database.transaction.bind(database)
    return { query, transaction, once } as unknown as Database
  }

  async fill({ rows, alarmed }: Batch): Promise<void> {
    for (const { database } of [this.notary, this.hurried])
      await database.query(`DELETE FROM resources`).then(async () => {
        for (const table of ['alarms', ...LINES]) await database.query(`DELETE FROM ${table}`)
      })
    for (const [table, some] of rows) await this.#insert(table, some)
    const raised = alarmed.map(
      ({ taskId, resourceId }): AlarmSignal => ({
        ...{ key: taskId, ...AUTHOR },
        event: { type: 'RAISE', about: { ...ABOUT, taskId, resourceId } },
      }),
    )
    if (raised.length > 0) await this.notary.commit({ alarms: raised })
    for (const table of LINES) await this.notary.database.query(`DELETE FROM ${table}`)
    for (const table of TABLES)
      await this.hurried.database.query(
        `INSERT INTO ${table} SELECT * FROM "${this.#schema}".${table}`,
      )
  }

  async #insert(table: string, rows: readonly object[]): Promise<void> {
    if (rows.length === 0) return
    const columns = Object.keys(rows[0] as object)
    await this.notary.database.query(
      `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM json_populate_recordset(null::${table}, $1)`,
      [JSON.stringify(rows)],
    )
  }

  async byNotary(units: readonly Unit[]): Promise<Outcome[]> {
    const { database, store } = this.notary
    const moment = { nowMs: this.time.now(), toldMs: TOLD_MS, alarms: store.alarms }
    const { outcomes } = await database.transaction((runner) => write(runner, units, moment))
    return outcomes
  }

  /** Each asked for alone and all at once, as ticks do. */
  async byExpress(units: readonly Unit[]): Promise<Outcome[]> {
    return (await Promise.all(units.map((unit) => this.#committer.commit([unit])))).flat()
  }
}

/** Every row there is; of lines and notices all but their numbers, which are drawn anew. */
async function tablesOf({ database }: Pen): Promise<Tables> {
  const all: Record<string, any[]> = {}
  for (const table of [...TABLES, ...LINES]) {
    const row = LINES.includes(table) ? `to_jsonb(t) - 'id' - 'seq'` : 'to_jsonb(t)'
    const { rows } = await database.query(
      `SELECT ${row} AS row FROM ${table} t ORDER BY (${row})::text`,
    )
    all[table] = rows.map((one) => one.row)
  }
  return all
}

/**
 * The one thing the express leaves undone: a task that is to be due now was due already, for the same reason, unrung
 * since it was read, and a clock will not look at it before half of the time a ticket is trusted.
 */
function isSaid(was: any, plain: any, hurried: any, due: Unit['due'], nowMs: number): boolean {
  const { due_at, look_at, ...rest } = plain
  const { due_at: wasDue, look_at: wasLook, ...wasRest } = was
  return (
    equal(hurried, was) &&
    equal(rest, wasRest) &&
    due?.wakes === was.wakes &&
    due?.reason === was.reason &&
    wasDue !== null &&
    Date.parse(wasDue) <= nowMs &&
    Date.parse(due_at) === due?.at &&
    (due?.at ?? Number.NaN) <= nowMs &&
    Date.parse(look_at) === nowMs + TOLD_MS &&
    Date.parse(wasLook) > nowMs + TOLD_MS / 2
  )
}

const equal = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other)
const byTask = (rows: readonly any[]) => new Map<string, any>(rows.map((row) => [row.task_id, row]))

/** Which units the express has to write itself: winners whose task has no alarm, the first with fields of a resource. */
function express(units: readonly Unit[], outcomes: readonly Outcome[], { alarmed }: Batch): Unit[] {
  const patched = new Set<string>()
  return units.filter(({ step, fields }, index) => {
    const isFirst = !fields || !patched.has(fields.resourceId)
    if (fields) patched.add(fields.resourceId)
    const isAlarmed = alarmed.some(({ taskId }) => taskId === step?.taskId)
    return isFirst && !isAlarmed && outcomes[index]?.kind === 'committed'
  })
}

/**
 * Declares the exam as a suite of its own.
 * @param name what is examined
 * @param make digs a cellar; two of them are in one database
 */
export function expressExam(name: string, make: () => Promise<Cellar>): void {
  const test = suite(`express exam: ${name}`)
  const cellars: Cellar[] = []
  let twins: Twins

  test.before(async () => {
    for (let nth = 0; nth < 2; nth++) cellars.push(await make())
    const [notary, hurried] = cellars as [Cellar, Cellar]
    twins = new Twins(await notary.open(), await hurried.open(), notary.schema)
  })
  test.after(async () => {
    for (const one of cellars.reverse()) await one.close()
  })

  test('what the express writes is what the notary would have written', {
    deadlineMs: 110_000,
  }, async () => {
    const met: Record<string, number> = {}
    const meet = (what: string, count = 1) => {
      met[what] = (met[what] ?? 0) + count
    }
    const check = async (batch: Batch) => {
      const { units } = batch
      await twins.fill(batch)
      const was = byTask((await tablesOf(twins.hurried)).dues!)
      const outcomes = await twins.byNotary(units)
      assert.ok(units.every(isPlain), 'every unit is plain')
      assert.equal(await twins.byExpress(units), outcomes)
      const { dues: dueByNotary, ...byNotary } = await tablesOf(twins.notary)
      const { dues: dueByExpress, ...byExpress } = await tablesOf(twins.hurried)
      assert.equal(byExpress, byNotary)
      const plain = byTask(dueByNotary!)
      const hurried = byTask(dueByExpress!)
      assert.equal([...hurried.keys()].sort(), [...plain.keys()].sort())
      for (const [taskId, row] of plain) {
        const unit = units.find(({ step }) => step?.taskId === taskId)
        if (equal(hurried.get(taskId), row)) continue
        const now = twins.time.now()
        if (!isSaid(was.get(taskId), row, hurried.get(taskId), unit?.due, now))
          assert.equal(hurried.get(taskId), row)
        meet('due as it was')
      }
      const own = express(units, outcomes, batch)
      for (const { id } of own) assert.ok(twins.carried.has(id), 'the express carries what it can')
      for (const [index, { id }] of units.entries()) {
        const outcome = outcomes[index]!
        meet(twins.carried.has(id) ? 'by express' : outcome.kind)
        if (outcome.kind === 'committed' && outcome.isRung) meet('rung')
      }
      meet('alarms closed', byNotary.alarm_changes!.length)
    }
    await fc.assert(
      fc.asyncProperty(
        batches(() => twins.time.now()),
        check,
      ),
      { numRuns: RUNS, includeErrorInReport: true },
    )
    assert.is(twins.widths.size, 2, 'both statements were used')
    for (const what of ['by express', 'committed', 'fenced', 'desynchronized', 'rung'])
      assert.ok(met[what]! > 5, `${what} was met`)
    for (const what of ['due as it was', 'alarms closed'])
      assert.ok(met[what]! > 0, `${what} was met`)
    console.log(`note: express against notary, ${name}: ${JSON.stringify(met)}`)
  })

  test.run()
}
