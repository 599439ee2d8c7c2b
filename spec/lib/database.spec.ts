// The database: one schema, bounded statements, migrations that wait for one another.
import type { Knex } from 'knex'
import { Database, type Migration } from '../../lib/database.ts'
import { openCutter } from '../exams/cutter.ts'
import { bareDatabase, freshSchema } from '../support/house.ts'
import { databaseUrl, freePort, type Setting, settings } from '../support/services.ts'
import { codeOf } from '../support/stage.ts'
import { assert, type Suite, suite } from '../support/suite.ts'

const migration = (name: string, up: string, down: string): Migration => ({
  name,
  up: async (knex: Knex) => void (await knex.raw(up)),
  down: async (knex: Knex) => void (await knex.raw(down)),
})
const migrations = [
  migration('1_a', 'CREATE TABLE a (n int)', 'DROP TABLE a'),
  migration('2_b', 'CREATE TABLE b (n int); INSERT INTO a VALUES (1)', 'DROP TABLE b'),
]

function examine(setting: Setting): void {
  const test = suite(`database in the ${setting} setting`)
  const schema = freshSchema()
  let database: Database
  let dismissals: (() => Promise<void>)[] = []

  const open = async (more: Parameters<typeof bareDatabase>[2] = {}) => {
    const opened = await bareDatabase(setting, schema, { migrations, ...more })
    dismissals.push(opened.dismiss)
    return opened.database
  }
  test.before(async () => {
    database = await open()
    await database.migrate()
  })
  test.after(async () => {
    await database.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`)
    for (const dismiss of dismissals.reverse()) await dismiss()
    dismissals = []
  })

  test('answers large numbers as numbers and times as milliseconds', async () => {
    const at = Date.UTC(2026, 1, 3, 4, 5, 6, 789)
    const sql = 'SELECT $1::bigint AS n, to_timestamp($2 / 1000.0) AS at, NULL::bigint AS none'
    const { rows } = await database.query(sql, [2 ** 52, at])
    assert.equal(rows, [{ n: 2 ** 52, at, none: null }])
    const [row] = (await database.knex.raw('SELECT 7::bigint AS n')).rows
    assert.equal({ ...row }, { n: 7 })
  })

  test('finds every name in its own schema', async () => {
    const { rows } = await database.query('SELECT current_schema() AS here')
    assert.is(rows[0].here, schema)
    const [row] = (await database.knex.raw('SELECT current_schema() AS here')).rows
    assert.is(row.here, schema)
  })

  test('takes back the whole of a transaction that failed, and goes on', async () => {
    const failing = database.transaction(async (runner) => {
      await runner.query('INSERT INTO b VALUES (1)')
      throw new Error('no')
    })
    assert.match(await failing.catch((error) => error.message), 'no')
    const broken = database.transaction((runner) => runner.query('INSERT INTO b VALUES (1), (1/0)'))
    assert.is(await codeOf(broken), '22012')
    const { rows } = await database.query('SELECT count(*) FROM b')
    assert.is(rows[0].count, 0)
    assert.is(await database.transaction(async () => 'fine'), 'fine')
  })

  test('keeps an error of the server as it is', async () => {
    assert.is(await codeOf(database.query('SELECT * FROM nowhere')), '42P01')
  })

  inTurn(test, () => database)
  migrating(test, () => database, open)
  if (setting === 'postgres') onServer(test, () => database, open)
  test.run()
}

const PID = 'SELECT pg_backend_pid() AS pid'
const one = ({ rows }: { rows: any[] }): number => rows[0].pid

type Open = (more?: Parameters<typeof bareDatabase>[2]) => Promise<Database>

/** What is sent together. */
function inTurn(test: Suite<any>, database: () => Database): void {
  test('carries out in turn what is sent together, each seeing what was before it', async () => {
    const count = ['SELECT count(*) FROM b', []] as const
    const insert = ['INSERT INTO b VALUES ($1)', [1]] as const
    const answers = await database().inTurn([count, insert, count, ['DELETE FROM b', []], count])
    assert.equal(
      answers.flatMap(({ rows }) => rows.map((row) => row.count)),
      [0, 1, 0],
    )
    assert.is(await codeOf(database().inTurn([insert, ['SELECT 1/0', []], insert])), '22012')
    assert.is((await database().query('DELETE FROM b RETURNING 1')).rows.length, 2)
    assert.equal((await database().inTurn([count]))[0]?.rows, [{ count: 0 }])
  })
}

/** Two starters, and a migration that fails. */
function migrating(test: Suite<any>, database: () => Database, open: Open): void {
  test('migrates once, whoever starts, and back', async () => {
    const other = await open()
    await database().rollback(true)
    assert.equal(await database().pending(), ['1_a', '2_b'])
    const ran = await Promise.all([database().migrate(), other.migrate()])
    assert.equal(ran.flat().length, 2)
    assert.equal(await other.pending(), [])
    assert.is((await other.query('SELECT count(*) FROM a')).rows[0].count, 1)
  })

  test('changes nothing when a migration fails', async () => {
    const broken = migration('3_c', 'CREATE TABLE c (n int); SELECT 1/0', 'DROP TABLE c')
    const newer = await open({ migrations: [...migrations, broken] })
    assert.equal(await newer.pending(), ['3_c'])
    assert.is(await codeOf(newer.migrate()), '22012')
    assert.equal(await newer.pending(), ['3_c'])
    assert.is(await codeOf(newer.query('SELECT * FROM c')), '42P01')
  })
}

/** What only a server of its own can do. */
function onServer(test: Suite<any>, database: () => Database, open: Open): void {
  test('waits for no statement longer than it was told', async () => {
    const hasty = await open({ statementMs: 100 })
    assert.is(await codeOf(hasty.query('SELECT pg_sleep(30)')), '57014')
    assert.equal((await hasty.query('SELECT 1 AS one')).rows, [{ one: 1 }])
  })

  test('goes on with a new connection when the old one was ended', async () => {
    const { rows } = await database().query('SELECT pg_backend_pid() AS pid')
    const ending = database().transaction(async (runner) => {
      await runner.query('SELECT pg_terminate_backend(pg_backend_pid())')
    })
    assert.is(await codeOf(ending), 'DATABASE_UNREACHABLE')
    const after = await database().query('SELECT pg_backend_pid() AS pid')
    assert.ok(rows[0].pid > 0 && after.rows[0].pid > 0)
  })

  test('begins a transaction where connections were lost while they rested', async () => {
    const cutter = await openCutter(databaseUrl()!)
    const at = { url: cutter.url }
    const cut = new Database({ at, schema: 'public', poolSize: 2, migrations: [] })
    const pid = () => cut.transaction(async (runner) => one(await runner.query(PID)))
    try {
      const before = await Promise.all([pid(), pid()])
      // Nobody has noticed yet: that takes a turn of the event loop.
      cutter.cutNow()
      const after = await pid()
      assert.not.ok(before.includes(after))
    } finally {
      await cut.close()
      await cutter.close()
    }
  })
}

for (const setting of settings().filter((setting) => setting !== 'full')) examine(setting)

const test = suite('database that is not there')

test('says where it looked, and no password', async () => {
  const port = await freePort()
  const at = { url: `postgres://me:hush@127.0.0.1:${port}/house` }
  const database = new Database({ at, schema: 'x', poolSize: 1, migrations })
  const asking = [
    () => database.query('SELECT 1'),
    () => database.transaction(async () => 1),
    () => database.migrate(),
  ]
  for (const ask of asking) {
    const error = await ask().then(
      () => null,
      (thrown) => thrown,
    )
    assert.is(error?.code, 'DATABASE_UNREACHABLE')
    assert.match(error.message, `127.0.0.1:${port}/house`)
    assert.not.match(`${error.message} ${error.todo}`, 'hush')
  }
  await database.close()
})

test.run()
