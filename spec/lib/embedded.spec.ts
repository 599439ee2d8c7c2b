// The embedded database through the stock clients: `pg`, Knex and BullMQ find a PostgreSQL there.
import { once } from 'node:events'
import { createPostgresBackend, runMigrations, withBackend } from 'bullmq'
import fc from 'fast-check'
import knexFactory from 'knex'
import pg from 'pg'
import { type Embedded, openEmbedded } from '../../lib/embedded.ts'
import { Clients, codeOf, errorOf, wire } from '../support/clients.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { until } from '../support/wait.ts'

const test = suite('embedded')
const time = new FakeTime()
const clients = new Clients()
let embedded: Embedded
let schemas = 0
let schema = ''

test.before(async () => {
  embedded = await openEmbedded({ folder: null, time })
})

test.before.each(async () => {
  schema = `s${++schemas}`
  await poolOn({ options: '' }).query(`CREATE SCHEMA ${schema}`)
})

test.after.each(() => clients.close())

test.after(() => embedded.close())

// ---- like a server -----------------------------------------------------------------------------

test('types are those of a server', async () => {
  const { rows, rowCount, command } = await poolOn().query(
    `SELECT 9007199254740993::int8 AS big, 1.10::numeric AS exact, '{"b":1}'::jsonb AS json,
            '\\x00ff'::bytea AS bytes, ARRAY[1,2] AS list, true AS yes, NULL AS nothing,
            '2026-01-01T00:00:00Z'::timestamptz AS moment`,
  )
  assert.equal({ rowCount, command }, { rowCount: 1, command: 'SELECT' })
  assert.equal(rows[0], {
    big: '9007199254740993',
    exact: '1.10',
    json: { b: 1 },
    bytes: Buffer.from([0, 255]),
    list: [1, 2],
    yes: true,
    nothing: null,
    moment: new Date('2026-01-01T00:00:00Z'),
  })
})

test('errors are those of a server, and the connection stays good', async () => {
  const client = await clientOn()
  await client.query('CREATE TABLE one (id int PRIMARY KEY, doc jsonb)')
  await client.query('INSERT INTO one VALUES (1)')
  assert.is(await codeOf(client.query('INSERT INTO one VALUES ($1)', [1])), '23505')
  assert.is(await codeOf(client.query('INSERT INTO one VALUES (2, $1)', ['"\\u0000"'])), '22P05')
  assert.is(await codeOf(client.query('INSERT INTO one VALUES ($1)', ['x'])), '22P02')
  assert.is(await codeOf(client.query('SELEKT')), '42601')
  const { constraint, table, severity } = await errorOf(
    client.query('INSERT INTO one VALUES ($1)', [1]),
  )
  assert.equal([constraint, table, severity], ['one_pkey', 'one', 'ERROR'])
  assert.is((await client.query('SELECT id FROM one')).rowCount, 1)
})

test('start-up options are in force for their own client only', async () => {
  const mine = poolOn({ options: `-c search_path=${schema} -c work_mem=7MB`, max: 2 })
  const theirs = poolOn({ options: '', max: 2 })
  await mine.query('CREATE TABLE here (id int)')
  const told = async (pool: pg.Pool) => {
    const { rows } = await pool.query(
      `SELECT current_setting('work_mem') AS memory, to_regclass('here') IS NOT NULL AS there`,
    )
    return rows[0]
  }
  const answers = await Promise.all([told(mine), told(theirs), told(mine), told(theirs)])
  const [ours, others] = [
    { memory: '7MB', there: true },
    { memory: '4MB', there: false },
  ]
  assert.equal(answers, [ours, others, ours, others])
})

test('start-up options that make no sense are complained about', async () => {
  const pool = poolOn({ options: '-c nonsense_setting=1' })
  const error = await errorOf(pool.query('SELECT 1'))
  assert.is(error.code, '42704')
})

test('a setting made in SQL stays with who made it', async () => {
  const [one, other] = [await clientOn(), await clientOn()]
  await one.query(`SET lock_timeout = '7s'`)
  await one.query(`SELECT set_config('TimeZone', 'Asia/Tokyo', false)`)
  await one.query(`BEGIN; SET LOCAL work_mem = '9MB'; COMMIT`)
  await one.query(`SELECT set_config('statement_timeout', $1, false)`, ['9s'])
  await one.query(`SET own.colour = 'red'`)
  await one.query(`SELECT set_config('Own.Size', 'small', false)`)
  await one.query(`BEGIN; SET own.taste = 'sour'; ROLLBACK`)
  const shown = async (client: pg.Client, name: string) =>
    (await client.query(`SELECT current_setting($1) AS is`, [name])).rows[0].is
  assert.is(await shown(other, 'lock_timeout'), '0')
  assert.is(await shown(other, 'TimeZone'), 'UTC')
  assert.is(await shown(other, 'statement_timeout'), '0')
  const own = async (client: pg.Client) => {
    const names = ['own.colour', 'own.size', 'own.taste'].map(
      (name) => `current_setting('${name}', true)`,
    )
    const { rows } = await client.query({ text: `SELECT ${names.join(', ')}`, rowMode: 'array' })
    return rows[0]!.map((value: string | null) => value || null)
  }
  assert.equal(await own(other), [null, null, null])
  assert.equal(await own(one), ['red', 'small', null])
  await one.query('RESET own.colour')
  assert.equal(await own(other), [null, null, null])
  assert.equal(await own(one), [null, 'small', null])
  assert.is(await shown(one, 'statement_timeout'), '9s')
  assert.is(await shown(one, 'lock_timeout'), '7s')
  assert.is(await shown(one, 'TimeZone'), 'Asia/Tokyo')
  assert.is(await shown(one, 'work_mem'), '4MB')
  await one.query('RESET ALL')
  await other.query('SELECT 1')
  assert.is(await shown(one, 'search_path'), schema)
})

test('timeouts that would end the session for all are not for one to set', async () => {
  const name = 'idle_in_transaction_session_timeout'
  const client = await clientOn({ options: `-c ${name}=1 -c statement_timeout=7s` })
  const shown = async () => {
    const text = `SELECT current_setting('${name}') AS deadly, current_setting('statement_timeout') AS kind`
    return (await client.query(text)).rows[0]
  }
  assert.equal(await shown(), { deadly: '0', kind: '7s' })
  await client.query(`SET ${name} = 1`)
  assert.equal(await shown(), { deadly: '0', kind: '7s' })
})

test('prepared statements of the same name do not meet', async () => {
  const [one, other] = [await clientOn(), await clientOn()]
  const say = async (client: pg.Client, text: string) =>
    (await client.query({ name: 'same', text })).rows[0].n
  assert.is(await say(one, 'SELECT 1 AS n'), 1)
  assert.is(await say(other, 'SELECT 2 AS n'), 2)
  assert.is(await say(one, 'SELECT 1 AS n'), 1)
  await other.end()
  const left = async () =>
    (await one.query('SELECT count(*)::int AS n FROM pg_prepared_statements')).rows[0].n
  await until(async () => (await left()) === 1, { what: 'the statement of the other was closed' })
})

test('rows are read in portions, and nobody comes between', async () => {
  const [reader, other] = [await clientOn(), await clientOn()]
  const portions = new pg.Query({ text: 'SELECT generate_series(1, 7) AS n', rows: 2 } as never)
  const read: number[] = []
  portions.on('row', ({ n }: { n: number }) => read.push(n))
  const ended = once(portions, 'end')
  reader.query(portions)
  await Promise.all([ended, other.query('SELECT 1')])
  assert.equal(read, [1, 2, 3, 4, 5, 6, 7])
})

test('after an error everything up to Sync is skipped', async () => {
  const wire = new pg.Connection({ stream: embedded.stream() } as never) as any
  const heard: string[] = []
  wire.on('message', ({ name }: { name: string }) => heard.push(name))
  wire.connect()
  wire.once('connect', () => wire.startup({ user: 'postgres' }))
  await once(wire, 'readyForQuery')
  heard.length = 0
  wire.parse({ text: 'SELEKT' })
  wire.flush()
  await once(wire, 'errorMessage')
  wire.parse({ text: 'SELECT 1' })
  wire.flush()
  wire.sync()
  wire.query('SELECT 2')
  await until(() => heard.length === 6, { what: 'the query was answered' })
  const answer = ['rowDescription', 'dataRow', 'commandComplete', 'readyForQuery']
  assert.equal(heard, ['error', 'readyForQuery', ...answer])
  wire.end()
  await once(wire, 'end')
})

test('large parameters travel beside small queries', async () => {
  const pool = poolOn({ max: 8 })
  await pool.query('CREATE TABLE blob (id int PRIMARY KEY, text text)')
  const works = Array.from({ length: 40 }, (_, id) => [
    pool.query('INSERT INTO blob VALUES ($1, $2)', [id, `${id}`.padEnd(300_000, 'x')]),
    pool.query('SELECT $1::int AS n', [id]).then(({ rows }) => assert.is(rows[0].n, id)),
  ])
  await Promise.all(works.flat())
  const { rows } = await pool.query('SELECT id, text FROM blob ORDER BY id')
  assert.is(rows.length, 40)
  for (const { id, text } of rows) assert.ok(text.length === 300_000 && text.startsWith(`${id}x`))
})

test('a copy out works, and a copy in fails instead of stopping the database', async () => {
  const client = await clientOn()
  await client.query('CREATE TABLE list (n int)')
  const error = await errorOf(client.query('COPY list FROM STDIN'))
  assert.match(error.message, 'takes no data from a client')
  await client.query({ name: 'copy', text: 'COPY list FROM STDIN' }).catch(() => {})
  assert.is((await client.query('COPY (SELECT 1) TO STDOUT')).rowCount, 1)
  assert.is((await client.query('SELECT * FROM list')).rowCount, 0)
})

test('bytes that are no protocol end their own connection only', async () => {
  const stream = embedded.stream()
  const heard: Buffer[] = []
  stream.on('data', (chunk) => heard.push(chunk))
  stream.write(Buffer.from([0, 0, 0, 8, 0, 3, 0, 0]))
  stream.write(Buffer.from([0x7a, 0, 0, 0, 4]))
  await once(stream, 'close')
  assert.match(Buffer.concat(heard).toString('latin1'), '08P01')
  assert.is((await poolOn().query('SELECT 1')).rowCount, 1)
})

test('a runaway recursion ends its statement, not the database', async () => {
  const client = await clientOn()
  await client.query(
    `CREATE FUNCTION deeper(n int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN deeper(n + 1); END'`,
  )
  assert.is(await codeOf(client.query('SELECT deeper(1)')), '54001')
  assert.is((await client.query('SELECT 1')).rowCount, 1)
})

// ---- transactions ------------------------------------------------------------------------------

test('twenty transactions at once, some rolled back, keep the sum', async () => {
  const pool = poolOn({ max: 20 })
  await pool.query(
    'CREATE TABLE account AS SELECT id, 100 AS amount FROM generate_series(0, 3) AS id',
  )
  const transfer = async (turn: number) => {
    const client = await pool.connect()
    await client.query('BEGIN')
    await client.query('UPDATE account SET amount = amount - 5 WHERE id = $1', [turn % 4])
    await client.query('SELECT pg_sleep(0)')
    await client.query('UPDATE account SET amount = amount + 5 WHERE id = $1', [(turn + 1) % 4])
    await client.query(turn % 3 === 0 ? 'ROLLBACK' : 'COMMIT')
    client.release()
  }
  await Promise.all(Array.from({ length: 20 }, (_, turn) => transfer(turn)))
  const { rows } = await pool.query('SELECT sum(amount)::int AS sum FROM account')
  assert.is(rows[0].sum, 400)
})

test('a client that vanishes inside a transaction is rolled back', async () => {
  const pool = poolOn({ max: 3 })
  await pool.query('CREATE TABLE mark (id int)')
  const client = await pool.connect()
  await client.query('BEGIN')
  await client.query('INSERT INTO mark VALUES (1)')
  const waiting = pool.query('SELECT count(*)::int AS n FROM mark')
  client.release(true)
  assert.is((await waiting).rows[0].n, 0)
})

test('a client that vanishes between its messages is rolled back', async () => {
  const [client, other] = [await clientOn(), await clientOn()]
  await other.query('CREATE TABLE mark (id int)')
  const half = new pg.Query({
    text: 'INSERT INTO mark VALUES (1), (2) RETURNING id',
    rows: 1,
  } as never)
  half.on('error', () => {})
  const begun = once(half, 'row')
  client.query(half)
  await begun
  client.on('error', () => {})
  ;(client as any).connection.stream.destroy()
  assert.is((await other.query('SELECT * FROM mark')).rowCount, 0)
})

test('who rests in a transaction while others wait is told why it was ended', async () => {
  const pool = poolOn({ max: 3 })
  await pool.query('CREATE TABLE mark (id int)')
  const client = await pool.connect()
  await client.query('BEGIN')
  await client.query('INSERT INTO mark VALUES (1)')
  // The mistake: waiting for another connection inside a transaction.
  const deadlocked = pool.query('SELECT count(*)::int AS n FROM mark')
  await until(() => time.sleeping > 0, { what: 'the wait was noticed' })
  await time.advance(9_000)
  const another = pool.query('SELECT 1')
  await time.advance(999)
  assert.is(time.sleeping, 1)
  assert.is(await Promise.race([deadlocked, 'still waiting']), 'still waiting')
  await time.advance(1)
  assert.is((await deadlocked).rows[0].n, 0)
  await another
  const error = await errorOf(client.query('INSERT INTO mark VALUES (2)'))
  assert.is(error.code, '25P03')
  assert.match(error.message, 'rested for 10 s while 2 others waited')
  assert.match(error.hint ?? '', 'another connection inside a transaction')
  assert.is(await codeOf(client.query('INSERT INTO mark VALUES (3)')), '25P03')
  await client.query('ROLLBACK')
  assert.is((await client.query('SELECT * FROM mark')).rowCount, 0)
  client.release()
})

test('a transaction that was ended cannot be committed by mistake', async () => {
  const pool = poolOn({ max: 2 })
  const client = await pool.connect()
  await client.query('BEGIN')
  const waiting = pool.query('SELECT 1')
  await until(() => time.sleeping > 0, { what: 'the wait was noticed' })
  await time.advance(10_000)
  await waiting
  assert.is(await codeOf(client.query('COMMIT')), '25P03')
  assert.is((await client.query('SELECT 1')).rowCount, 1)
  client.release()
})

test('a transaction that works on is left alone, and nobody is watched when nobody waits', async () => {
  const pool = poolOn({ max: 2 })
  const client = await pool.connect()
  await client.query('BEGIN')
  await time.advance(60_000)
  const waiting = pool.query('SELECT 1')
  for (let second = 0; second < 30; second += 5) {
    await until(() => time.sleeping > 0, { what: 'the wait was noticed' })
    await time.advance(5_000)
    await client.query('SELECT 1')
  }
  await client.query('COMMIT')
  await waiting
  assert.is(time.sleeping, 0)
  client.release()
})

test('any mix of transfers, failures and vanishings leaves exactly what was committed', async () => {
  const pool = poolOn({ max: 6 })
  await pool.query('CREATE TABLE account (id int PRIMARY KEY, amount int NOT NULL, note text)')
  const ending = fc.constantFrom('commit', 'rollback', 'fail', 'vanish', 'savepoint')
  const account = fc.nat(3)
  const deed = fc.record({
    from: account,
    to: account,
    amount: fc.nat(9),
    wide: fc.boolean(),
    ending,
  })
  const property = fc.asyncProperty(fc.array(deed, { maxLength: 24 }), async (deeds) => {
    await pool.query('TRUNCATE account; INSERT INTO account SELECT generate_series(0, 3), 0')
    await Promise.all(deeds.map((one) => transfer(pool, one)))
    const expected = [0, 0, 0, 0]
    for (const { from, to, amount, ending } of deeds) {
      if (ending !== 'commit' && ending !== 'savepoint') continue
      expected[from]! -= amount
      expected[to]! += amount
    }
    const { rows } = await pool.query('SELECT amount FROM account ORDER BY id')
    assert.equal(
      rows.map(({ amount }) => amount),
      expected,
    )
  })
  await fc.assert(property, { seed: 20_260_101, numRuns: 1_000, interruptAfterTimeLimit: 3_000 })
})

interface Deed {
  readonly from: number
  readonly to: number
  readonly amount: number
  /** With a parameter of 100 kB in the middle. */
  readonly wide: boolean
  readonly ending: string
}

async function transfer(pool: pg.Pool, { from, to, amount, wide, ending }: Deed): Promise<void> {
  const client = await pool.connect()
  const add = 'UPDATE account SET amount = amount + $1, note = $2 WHERE id = $3'
  await client.query('BEGIN')
  await client.query({ name: 'add', text: add, values: [-amount, null, from] })
  if (ending === 'vanish') return client.release(true)
  if (ending === 'savepoint') {
    await client.query('SAVEPOINT here')
    await client.query('UPDATE account SET amount = 1000')
    await client.query('ROLLBACK TO SAVEPOINT here')
  }
  await client.query(add, [amount, wide ? 'x'.repeat(100_000) : null, to])
  if (ending === 'fail') {
    assert.is(await codeOf(client.query('UPDATE account SET amount = NULL')), '23502')
    assert.is(await codeOf(client.query('SELECT 1')), '25P02')
  }
  await client.query(ending === 'rollback' ? 'ROLLBACK' : 'COMMIT')
  client.release()
}

// ---- notifications -----------------------------------------------------------------------------

test('notifications reach those who listen, both ways, and nobody else', async () => {
  const [one, other, third] = [await clientOn(), await clientOn(), await clientOn()]
  const heard: string[] = []
  const clients = { one, other, third }
  for (const [name, client] of Object.entries(clients)) {
    client.on('notification', ({ channel, payload }) => heard.push(`${name} ${channel} ${payload}`))
  }
  await one.query('/* not LISTEN x */ LISTEN lefty; LISTEN "Both"')
  await other.query({ text: 'listen RIGHTY', values: [] })
  await other.query('LISTEN "Both"')
  await one.query(`NOTIFY righty, 'a'`)
  await other.query(`SELECT pg_notify('lefty', 'b')`)
  await third.query(`BEGIN; SELECT pg_notify('Both', 'c')`)
  assert.is(heard.length, 2)
  await third.query('COMMIT')
  await other.query('UNLISTEN "Both"')
  await third.query(`NOTIFY "Both", 'd'`)
  await one.end()
  await third.query(`NOTIFY "Both", 'e'; NOTIFY lefty, 'e'; NOTIFY righty, 'f'`)
  await until(() => heard.length === 6, { what: 'six notifications came' })
  assert.equal(heard.sort(), [
    'one Both c',
    'one Both d',
    'one lefty b',
    'other Both c',
    'other righty a',
    'other righty f',
  ])
})

// ---- Knex and BullMQ ---------------------------------------------------------------------------

test('Knex migrates, nests transactions and counts', async () => {
  const knex = knexFactory({
    client: 'pg',
    connection: wire(embedded),
    searchPath: [schema],
    pool: { min: 0, max: 4 },
  })
  clients.closing(() => knex.destroy())
  const migrations = [{ name: 'first' }]
  const migrationSource = {
    getMigrations: async () => migrations,
    getMigrationName: ({ name }: { name: string }) => name,
    getMigration: async () => ({
      up: (at: typeof knex) =>
        at.schema.createTable('part', (table) => {
          table.increments()
          table.jsonb('doc').notNullable()
        }),
      down: (at: typeof knex) => at.schema.dropTable('part'),
    }),
  }
  await Promise.all([1, 2].map(() => knex.migrate.latest({ migrationSource }).catch(() => {})))
  assert.equal((await knex.migrate.list({ migrationSource }))[0].length, 1)
  await knex.transaction(async (trx) => {
    await trx('part').insert({ doc: { n: 1 } })
    const inner = trx.transaction(async (nested) => {
      await nested('part').insert({ doc: { n: 2 } })
      throw new Error('never mind')
    })
    await inner.catch(() => {})
  })
  assert.equal(await knex('part').select('id', 'doc'), [{ id: 1, doc: { n: 1 } }])
  assert.is(await knex('part').where({ id: 1 }).del(), 1)
  await knex.migrate.rollback({ migrationSource })
  assert.not(await knex.schema.hasTable('part'))
})

test('BullMQ works on it, and an idle worker is woken', async () => {
  const pool = poolOn({ options: '-c search_path=bullmq', max: 12, keepAlive: true })
  pool.setMaxListeners(0)
  const client = await pool.connect()
  await runMigrations(client as never, 'bullmq')
  client.release()
  const { Queue, Worker, QueueEvents } = withBackend(createPostgresBackend)
  const done = new Set<string>()
  const connection = pool as never
  const queue = new Queue('work', { connection })
  // It would look by itself once a minute: who is quicker was told by NOTIFY.
  const worker = new Worker('work', async ({ data }) => void done.add(data.name), {
    connection,
    concurrency: 5,
    drainDelay: 60,
  })
  const events = new QueueEvents('work', { connection })
  clients.closing(() => Promise.all([worker.close(), queue.close(), events.close()]))
  await Promise.all([worker.waitUntilReady(), events.waitUntilReady()])
  const jobs = Array.from({ length: 50 }, (_, n) => ({ name: 'job', data: { name: `job ${n}` } }))
  await queue.addBulk(jobs)
  await until(() => done.size === 50, { what: 'fifty jobs were done' })
  await until(async () => (await queue.getActiveCount()) === 0, { what: 'the worker was idle' })
  const job = await queue.add('job', { name: 'one more' })
  await job.waitUntilFinished(events, 10_000)
  assert.ok(done.has('one more'))
  assert.equal(await queue.getJobCounts('completed', 'failed'), { completed: 51, failed: 0 })
})

// ---- means -------------------------------------------------------------------------------------

const onSchema = (options: object) => ({ options: `-c search_path=${schema}`, ...options })
const poolOn = (options: pg.PoolConfig = {}) => clients.pool(embedded, onSchema(options))
const clientOn = (options: pg.ClientConfig = {}) => clients.client(embedded, onSchema(options))

test.run()
