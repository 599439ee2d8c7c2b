// Owners: rows of a user's table that own tasks, and starts that are part of the user's own transaction.
import { Owner, Resource, steps } from '../../bin/index.ts'
import { drive } from '../support/drive.ts'
import { type House, openHouse } from '../support/house.ts'
import { settings } from '../support/services.ts'
import { codeOf } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const seen: unknown[] = []

const ship = steps({
  packing: async (t) => {
    const row = await t.resource.row()
    seen.push([t.resource.key, row.item])
    return t.stop()
  },
})

class Order extends Owner {
  static override table = { name: 'orders', key: 'id' }
  static override tasks = { ship }
}
class Letter extends Owner {
  static override table = { name: 'letters', key: 'name' }
  static override tasks = { ship }
}
class Homeless extends Owner {
  static override tasks = { ship }
}
class Truck extends Resource {
  static override tasks = { drive: steps({ on: async (t) => t.again('1h') }) }
}

const TABLES = `
  CREATE TABLE orders (id bigint PRIMARY KEY, item text NOT NULL);
  CREATE TABLE letters (name text PRIMARY KEY, item text NOT NULL)`

for (const setting of settings().filter((one) => one !== 'full')) {
  const test = suite(`owner, ${setting}`)
  const time = new FakeTime()
  let house: House
  let settle: () => Promise<void>
  let advance: (by: string) => Promise<void>
  let last = 0

  test.before(async () => {
    const resources = [Order, Letter, Homeless, Truck]
    house = await openHouse({ resources, setting, time })
    ;({ settle, advance } = drive({ app: house.app, time }) as never)
    for (const sql of TABLES.split(';')) await house.sql(sql)
  })
  test.before.each(() => {
    seen.length = 0
    last += 1
  })
  test.after(() => house?.close())

  const countOf = async (table: string) =>
    (await house.sql(`SELECT count(*)::int AS count FROM ${table}`))[0].count

  test('a row owns tasks, and its effects read it', async () => {
    await house.sql('INSERT INTO orders VALUES ($1, $2)', [last, 'a lamp'])
    const order = house.app.of(Order, last)
    assert.is(await order.ship.status(), null)
    const { isNew } = await order.ship.start(undefined, { actor: 'me' })
    assert.is(isNew, true)
    await settle()
    assert.equal(seen, [[String(last), 'a lamp']])
    assert.is((await order.ship.status())?.status, 'done')
    assert.is((await order.row<{ item: string }>()).item, 'a lamp')
    const [found] = await house.app
      .find(Order)
      .where({ key: String(last) })
      .toArray()
    assert.is(found?.id, order.id)
  })

  test('whoever asks first and however often, a row has one anchor and one live run', async () => {
    const key = `n${last}`
    await house.sql('INSERT INTO letters VALUES ($1, $2)', [key, 'a letter'])
    const starts = await Promise.all(
      Array.from({ length: 20 }, () => house.app.of(Letter, key).ship.start()),
    )
    assert.is(starts.filter(({ isNew }) => isNew).length, 1)
    assert.is(new Set(starts.map(({ taskId }) => taskId)).size, 1)
    assert.is(await house.app.find(Letter).where({ key }).count(), 1)
    await settle()
  })

  test('rows of two tables with the same key are two owners', async () => {
    assert.is.not(house.app.of(Order, last).id, house.app.of(Letter, last).id)
    assert.is(house.app.of(Order, last).id, house.app.of(Order, BigInt(last)).id)
  })

  test('a row that is not there is said to be missing', async () => {
    assert.is(await codeOf(house.app.of(Order, 999_999).row()), 'ROW_UNKNOWN')
    assert.is(await codeOf(() => house.app.of(Homeless, 1)), 'ARGUMENT_INVALID')
  })

  test('a start in a transaction is committed with it', async () => {
    const order = house.app.of(Order, last)
    await house.app.transaction(async (trx) => {
      await trx.query('INSERT INTO orders VALUES ($1, $2)', [last, 'a chair'])
      const first = await order.ship.start(undefined, { trx, reason: 'ordered' })
      const second = await order.ship.start(undefined, { trx })
      assert.equal([first.isNew, second.isNew], [true, false])
      assert.is(second.taskId, first.taskId)
    })
    const { tickets } = await house.app.store.due(100)
    assert.ok(
      tickets.some(({ resourceId }) => resourceId === order.id),
      'a clock finds it at once, for nobody pushed a ticket',
    )
    await settle()
    assert.equal(seen, [[String(last), 'a chair']])
  })

  test('a start in a transaction that is taken back was never there', async () => {
    const before = [await countOf('resources'), await countOf('tasks'), await countOf('dues')]
    const failed = house.app.transaction(async (trx) => {
      await trx.query('INSERT INTO orders VALUES ($1, $2)', [last, 'a table'])
      await house.app.of(Order, last).ship.start(undefined, { trx })
      const truck = await house.app.create(Truck, {}, { trx })
      await truck.drive.start(undefined, { trx })
      throw new Error('the customer left')
    })
    await failed.catch(() => {})
    const after = [await countOf('resources'), await countOf('tasks'), await countOf('dues')]
    assert.equal(after, before)
    assert.is((await house.sql('SELECT 1 FROM orders WHERE id = $1', [last])).length, 0)
  })

  test('a resource made in a transaction starts its tasks in it', async () => {
    const truck = await house.app.transaction(async (trx) => {
      const made = await house.app.create(Truck, {}, { trx, reason: 'bought' })
      await made.drive.start(undefined, { trx })
      return made
    })
    await settle()
    await truck.reload()
    assert.is((await truck.drive.status())?.status, 'running')
    await truck.delete({ force: true })
    await advance('1s')
  })

  test('what is no transaction of this database is refused', async () => {
    const { ship } = house.app.of(Order, last)
    assert.is(await codeOf(ship.start(undefined, { trx: {} as never })), 'TRANSACTION_FOREIGN')
    const pool = house.app.rooms.database as never
    assert.is(await codeOf(ship.start(undefined, { trx: pool })), 'TRANSACTION_FOREIGN')
    assert.is(await ship.status(), null)
  })

  test("the user's own place for tables is theirs again afterwards", async () => {
    const truck = await house.app.create(Truck, {})
    await house.app.transaction(async (trx) => {
      await trx.query('SET LOCAL search_path TO public')
      await truck.drive.start(undefined, { trx })
      const { rows } = await trx.query(`SELECT current_setting('search_path') AS path`)
      assert.is(rows[0].path, 'public')
    })
    assert.is((await truck.drive.status())?.finishedAt, null)
    await truck.delete({ force: true })
  })

  test.run()
}
