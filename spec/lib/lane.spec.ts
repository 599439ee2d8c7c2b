// The lane: many short statements over one connection, and what must not spoil it for the others.
import { CommitUnknown } from '../../lib/answer.ts'
import { Database, type Runner, type Sequence } from '../../lib/database.ts'
import { Lane } from '../../lib/lane.ts'
import type { Connection, Pool } from '../../lib/pool.ts'
import { bareDatabase, freshSchema } from '../support/house.ts'
import { settings } from '../support/services.ts'
import { codeOf } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { until, within } from '../support/wait.ts'

const PID = 'SELECT pg_backend_pid() AS pid'
const PATIENT_MS = 5_000

const one = ({ rows }: { rows: any[] }) => rows[0]
const soon = <T>(answer: Promise<T>, what: string) => within(answer, PATIENT_MS, what)

for (const setting of settings().filter((setting) => setting !== 'full')) {
  const test = suite(`the lane, ${setting}`)
  const schema = freshSchema()
  let database: Database
  let dismiss: () => Promise<void>

  test.before(async () => {
    const bare = await bareDatabase(setting, schema)
    ;({ database, dismiss } = bare)
    await database.query(`CREATE SCHEMA "${schema}"`)
    await database.query('CREATE TABLE notes (id integer PRIMARY KEY, n integer NOT NULL)')
    await database.query('INSERT INTO notes SELECT i, 0 FROM generate_series(1, 4) i')
  })
  test.after(async () => {
    await database.query(`DROP SCHEMA "${schema}" CASCADE`)
    await dismiss()
  })

  /** When the server was quick, so that the lane is taken. */
  const open = () =>
    until(
      async () => {
        const [first, second] = await Promise.all([database.once(PID, []), database.once(PID, [])])
        return one(first).pid === one(second).pid
      },
      { what: 'the lane was open' },
    )

  test('carries many at once over one connection, in the order they were sent', async () => {
    await open()
    const order: number[] = []
    const pids = await Promise.all(
      Array.from({ length: 20 }, async (_, nth) => {
        const { pid } = one(await database.once(PID, []))
        order.push(nth)
        return pid
      }),
    )
    assert.is(new Set(pids).size, 1)
    assert.equal(
      order,
      Array.from({ length: 20 }, (_, nth) => nth),
    )
    const [both, alone] = await Promise.all([
      database.inTurn([
        ['UPDATE notes SET n = n + 1 WHERE id = 3', []],
        ['SELECT n FROM notes WHERE id = 3', []],
      ]),
      database.once('SELECT n FROM notes WHERE id = 3', []),
    ])
    assert.equal([both[1]?.rows, alone.rows], [[{ n: 1 }], [{ n: 1 }]])
  })

  test('and an error is the answer of the one that caused it', async () => {
    const answers = await Promise.allSettled([
      database.once('SELECT 1 AS n', []),
      database.once('SELECT 1/0', []),
      database.inTurn([
        ['SELECT 2 AS n', []],
        ['SELECT 2/0', []],
      ]),
      database.once('SELECT 3 AS n', []),
    ])
    const codes = answers.map((answer) => answer.status === 'rejected' && answer.reason.code)
    assert.equal(codes, [false, '22012', '22012', false])
  })

  if (setting === 'postgres') {
    /** While somebody has this row. */
    const locked = async <T>(id: number, work: () => Promise<T>): Promise<T> => {
      const holding = async (runner: Runner) => {
        await runner.query('SELECT 1 FROM notes WHERE id = $1 FOR UPDATE', [id])
        return work()
      }
      return database.transaction(holding)
    }

    test('what waits for a lock keeps nobody waiting, and is carried out once', async () => {
      await open()
      const add = 'UPDATE notes SET n = n + 1 WHERE id = 1 RETURNING n'
      const { late, pair } = await locked(1, async () => {
        const late = database.once(add, [])
        const pair = database.inTurn([
          [add, []],
          ['SELECT n FROM notes WHERE id = 1', []],
        ])
        assert.equal((await soon(database.once('SELECT 1 AS n', []), 'it was passed')).rows, [
          { n: 1 },
        ])
        return { late, pair }
      })
      const added = [one(await late).n, (await pair)[0]!.rows[0].n]
      assert.equal(added.sort(), [1, 2])
      assert.is((await pair)[1]!.rows[0].n >= (await pair)[0]!.rows[0].n, true)
      assert.is(one(await database.query('SELECT n FROM notes WHERE id = 1')).n, 2)
    })

    test('what goes behind a statement and waits for a lock is carried out too', async () => {
      await open()
      const add = 'UPDATE notes SET n = n + 10 WHERE id = 4 RETURNING n'
      const { pair, before } = await locked(4, async () => {
        const before = one(await database.query('SELECT n FROM notes WHERE id = 4')).n
        let pair: Promise<{ rows: any[] }[]> | undefined
        const sent = (behind: Sequence) => {
          pair = behind.inTurn([
            [add, []],
            ['SELECT n FROM notes WHERE id = 4', []],
          ])
        }
        await database.once(PID, [], { sent, answered: () => {}, broke: () => {} })
        await soon(database.once(PID, []), 'it was passed')
        return { pair, before }
      })
      assert.equal(
        (await pair!).map((answer) => one(answer).n),
        [before + 10, before + 10],
      )
    })

    test('whoever was to go behind what waits is told that it may have come before', async () => {
      await open()
      let isBroken = false
      const escort = { sent: () => {}, answered: () => {}, broke: () => (isBroken = true) }
      const add = 'UPDATE notes SET n = n + 1 WHERE id = 2 RETURNING n'
      const late = await locked(2, async () => {
        const late = database.once(add, [], escort)
        await until(() => isBroken, { what: 'the escort was told' })
        return { late }
      })
      assert.equal((await late.late).rows, [{ n: 1 }])
    })

    test('a connection that is lost fails those on it, and nobody after them', async () => {
      await open()
      const { pid } = one(await database.once(PID, []))
      const outcomes = await Promise.allSettled([
        database.once('SELECT pg_terminate_backend(pg_backend_pid())', []),
        database.once(PID, []),
        database.inTurn([[PID, []]]),
      ])
      const [killed, behind, together] = outcomes.map(
        (one) => one.status === 'rejected' && one.reason,
      )
      assert.instance(killed, CommitUnknown)
      assert.instance(behind, CommitUnknown)
      assert.is(together.code, 'DATABASE_UNREACHABLE')
      const after = one(await soon(database.once(PID, []), 'there was a new connection'))
      assert.is.not(after.pid, pid)
    })

    test('a server nobody reaches is said to be unreachable, and asked again', async () => {
      const at = { url: 'postgres://nobody@127.0.0.1:1/none' }
      const nowhere = new Database({ at, schema: 'x', poolSize: 2, migrations: [] })
      for (let nth = 0; nth < 2; nth++) {
        assert.is(await codeOf(nowhere.once(PID, [])), 'DATABASE_UNREACHABLE')
        assert.is(await codeOf(nowhere.inTurn([[PID, []]])), 'DATABASE_UNREACHABLE')
      }
      await nowhere.close()
    })
  }

  test.run()
}

const test = suite('a lane beside a slow disk')

/** A pool that counts whom it has let go. */
function counting() {
  const released: (Error | undefined)[] = []
  let connected = 0
  const connect = async () => {
    connected += 1
    return { release: (broken?: Error) => void released.push(broken) } as unknown as Connection
  }
  return { pool: { connect } as unknown as Pool, released, connected: () => connected }
}

/** A lane whose commits take as long as they are told. */
function laid() {
  const time = new FakeTime()
  const [shared, beside] = [counting(), counting()]
  const lane = new Lane({ shared: shared.pool, beside: beside.pool, time })
  const commit = async (ms: number) => {
    const car = lane.board()
    await car.client
    await lane.commit(car, async () => void (await time.advance(ms)))
    car.leave()
  }
  return { time, lane, shared, beside, commit }
}

test('is left while even the quickest commit takes long, and taken again afterwards', async () => {
  const { lane, beside, commit } = laid()
  await commit(3)
  assert.ok(lane.isSlow)
  const [first, second] = [lane.board(), lane.board()]
  assert.equal([first.isShared, second.isShared], [false, false])
  assert.is(beside.connected(), 2)
  first.leave()
  second.leave()
  await commit(1)
  assert.not.ok(lane.isSlow, 'one that is quick shows that the disk is not slow')
  for (let nth = 0; nth < 8; nth++) await commit(3)
  assert.not.ok(lane.isSlow, 'slow ones among quick ones were something else')
  await commit(3)
  assert.ok(lane.isSlow, 'no quick one among the last nine')
})

test('what waits behind others on the lane is not slow for that', async () => {
  const { time, lane } = laid()
  const cars = Array.from({ length: 40 }, () => lane.board())
  let answered: Promise<void> = Promise.resolve()
  const sent = cars.map((car) => {
    answered = answered.then(() => time.advance(1))
    return lane.commit(car, () => answered)
  })
  await Promise.all(sent)
  assert.is(time.monotonic(), 40)
  assert.not.ok(lane.isSlow)
})

test('is one connection while anybody is on it, and is given back by the last', async () => {
  const { lane, shared } = laid()
  const [first, second] = [lane.board(), lane.board()]
  assert.is(shared.connected(), 1)
  first.leave()
  const third = lane.board()
  assert.is(third, second)
  second.leave()
  await first.client
  assert.equal(shared.released, [])
  third.leave()
  await until(() => shared.released.length > 0, { what: 'it was given back' })
  assert.equal(shared.released, [undefined])
  const lost = lane.board()
  const fellow = lane.board()
  const why = new Error('lost')
  lost.leave(why)
  assert.is.not(lane.board(), lost, 'nobody boards what is lost')
  fellow.leave()
  await until(() => shared.released.length > 1, { what: 'it was given back' })
  assert.equal(shared.released, [undefined, why])
})

test.run()
