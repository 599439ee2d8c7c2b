// The app: resources by id and by name, clocks and workers started once; and the house that specs open.
import { setup } from 'xstate'
import { Resource, steps } from '../../bin/index.ts'
import { type House, openHouse } from '../support/house.ts'
import { left } from '../support/leaks.ts'
import { settings } from '../support/services.ts'
import { codeOf, gate, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

class Thing extends Resource {
  static override tasks = {
    wait: setup({ types: {} as { events: { type: 'GO' } } }).createMachine({
      initial: 'a',
      states: { a: { on: { GO: 'b' } }, b: {} },
    }),
    soon: steps({ soon: async (t) => (t.key.endsWith(':1') ? t.stop() : t.again('1m')) }),
  }
}
class Other extends Resource {}

const test = suite('app')
const on = stage(test, { resources: [Thing, Other] })

test('finds a resource by its class, or the name of its type', async () => {
  const thing = await on.app.create(Thing, {})
  assert.is((await on.app.get(Thing, thing.id)).id, thing.id)
  assert.is((await on.app.getByName('Thing', thing.id)).id, thing.id)
  for (const id of [thing.id.replace(/.$/, (last) => (last === '0' ? '1' : '0')), 'x', '']) {
    assert.is(await codeOf(on.app.get(Thing, id)), 'RESOURCE_UNKNOWN')
  }
  assert.is(await codeOf(on.app.get(Other, thing.id)), 'RESOURCE_UNKNOWN')
  assert.is(await codeOf(on.app.getByName('Other', thing.id)), 'RESOURCE_UNKNOWN')
  assert.is(await codeOf(on.app.getByName('Thin', thing.id)), 'RESOURCE_KIND_UNKNOWN')
})

test('is idle when nothing is due, now or ever', async () => {
  assert.is(await on.app.isIdle(), true)
  const thing = await on.app.create(Thing, {})
  await thing.wait.start()
  assert.is(await on.app.isIdle(), true, 'it waits for an event')
  await thing.wait.send('GO')
  assert.is(await on.app.isIdle(), false)
  await on.settle()
  assert.is(await on.app.isIdle(), true, 'it waits for nothing')
  await thing.soon.start()
  assert.is(await on.app.isIdle(), false, 'it is due')
  await on.settle()
  assert.is(await on.app.isIdle(), false, 'it will be due')
  await on.advance('1m')
  assert.is(await on.app.isIdle(), true)
})

test('leaves what its program does not know to others', async () => {
  class Stranger extends Resource {
    static override tasks = { soon: steps({ go: async (t) => t.stop() }) }
  }
  class Newer extends Resource {
    static override kind = 'Thing'
    static override tasks = { ...Thing.tasks, novel: Thing.tasks.soon }
  }
  const other = await on.house.neighbour({ resources: [Stranger, Newer], time: on.time })
  const stranger = await other.create(Stranger, {})
  await stranger.soon.start()
  const newer = await other.create(Newer, {})
  await newer.novel.start()
  const unknown: string[] = []
  const stop = on.app.events.on('task.unknown', ({ task }) => unknown.push(task))
  await on.settle()
  stop()
  assert.equal(unknown.sort(), ['novel', 'soon'])
  const status = async (task: { status(): Promise<any> }) => (await task.status()).status
  assert.equal([await status(stranger.soon), await status(newer.novel)], ['running', 'running'])
  assert.ok((await stranger.soon.status())!.dueAt! > on.time.now(), 'it is put off')
  await stranger.soon.stop()
  await newer.novel.stop()
})

test('starts its clock and its worker once, and can stop and start them again', async () => {
  const house = await openHouse({ resources: [Thing] })
  const { app } = house
  const told: string[] = []
  app.events.on('*', (_, name) => told.push(name))
  await Promise.all([app.start(), app.start()])
  const thing = await app.create(Thing, {})
  const isA = async () => (await thing.wait.status())?.state === 'a'
  await thing.wait.start()
  await until(isA, { what: 'it was ticked' })
  await app.stopWorker()
  await app.stopWorker()
  await app.startWorker()
  await thing.wait.send('GO')
  await until(async () => !(await isA()), { what: 'it was ticked again' })
  const count = (wanted: string) => told.filter((name) => name === wanted).length
  assert.equal([count('worker.started'), count('clock.started')], [2, 1])
  await house.close()
})

test.run()

// ---- the house ----------------------------------------------------------------------------------

const planted = suite('a planted leak')

const plants: Record<string, [plant: (house: House) => Promise<unknown>, said: RegExp]> = {
  'of a lock': [
    (house) =>
      house.sql(
        `INSERT INTO locks (key, token, expires_at) VALUES ('k', gen_random_uuid(), now() + '1h')`,
      ),
    /1 locks left/,
  ],
  'of a task nobody looks at': [
    (house) => house.sql('DELETE FROM dues'),
    /1 live tasks without a due entry/,
  ],
  'of mail nobody looks at': [
    async (house) => {
      const [thing] = await house.app.find(Thing).toArray()
      await thing!.wait.send('GO')
      await house.sql('UPDATE dues SET due_at = NULL')
    },
    /1 running tasks with mail that nobody will look at/,
  ],
  'of a due entry no clock looks at': [
    (house) => house.sql('UPDATE dues SET due_at = now(), look_at = NULL'),
    /1 due entries no clock will look at/,
  ],
  'of a hole in a history': [
    (house) => house.sql('UPDATE tasks SET step = 2'),
    /1 histories with a hole/,
  ],
  'of a resource without a lease': [
    (house) => house.sql('DELETE FROM leases'),
    /1 resources without a lease row/,
  ],
}
for (const [what, [plant, said]] of Object.entries(plants)) {
  planted(`${what} is found, and the house removed all the same`, async () => {
    const house = await openHouse({ resources: [Thing] })
    const thing = await house.app.create(Thing, {})
    await thing.wait.start()
    await plant(house)
    const error = await house.close().then(
      () => null,
      (thrown) => thrown,
    )
    assert.match(error?.message ?? 'it was not found', said)
  })
}

if (settings().includes('postgres')) {
  planted('of an open transaction is found', async () => {
    const house = await openHouse({ resources: [Thing], setting: 'postgres' })
    const [touched, over] = [gate(), gate()]
    const resting = house.app.rooms.database.transaction(async (runner) => {
      await runner.query('SELECT 1 FROM resources')
      touched.open()
      await over.passed
    })
    await touched.passed
    const leaks = await left(house.app)
    over.open()
    await resting
    assert.equal(leaks, ['a transaction rests after "SELECT 1 FROM resources"'])
    assert.equal(await left(house.app), [])
    await house.close()
  })
}

planted.run()
