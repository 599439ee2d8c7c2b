// Alarms raised, asked for and told again by two processes at once, in every setting.
// timeout: 180s
import { createMachine } from 'xstate'
import * as z from 'zod'
import { alarm, field, Resource } from '../../bin/index.ts'
import type { App } from '../../models/app.ts'
import { Patrol } from '../../models/patrol.ts'
import { type House, openHouse } from '../support/house.ts'
import { settings } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

class Pump extends Resource {
  static override fields = { isDry: field(z.boolean().default(false)) }
  static override tasks = { run: createMachine({ initial: 'on', states: { on: {} } }) }
  static override alarms = {
    idle: alarm<any>({ when: (s) => s.resource.isDry && s.tasks.run?.status === 'stopped' }),
    dry: alarm<any>({ when: (s) => s.resource.isDry, for: '1m' }),
  }
}

const patrolOf = ({ store, events, rooms }: App, time: FakeTime) =>
  new Patrol({
    ...{ store, events, time, knex: rooms.database.knex },
    ...{ overdueMs: 300_000, toldMs: rooms.config.toldMs },
  })

for (const setting of settings()) {
  const test = suite(`alarms together (${setting})`)
  const time = new FakeTime()
  let house: House
  let one: App
  let other: App

  test.before(async () => {
    house = await openHouse({ resources: [Pump], setting, time })
    one = house.app
    other = await house.neighbour()
  })
  test.after(() => house?.close())

  test('raised by many at once it is one, and every sign counts', async () => {
    const pump = await one.create(Pump, {})
    const same = await other.get(Pump, pump.id)
    const names = ['a', 'b', 'c', 'd', 'e']
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        names.map((name) => (index % 2 ? pump : same).raise(name)),
      ).flat(),
    )
    const lines = await one.alarms.list({ resourceId: pump.id })
    assert.equal(
      lines.map(({ name, count }) => `${name} ${count}`).sort(),
      names.map((name) => `${name} 20`),
    )
    const told = await house.sql('SELECT type FROM notices WHERE resource_id = $1', [pump.id])
    assert.is(told.length, names.length)
  })

  test('a condition of which two commits bring about one half each is seen', async () => {
    const pumps = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const pump = await one.create(Pump, {})
        await pump.run.start()
        return [pump, await other.get(Pump, pump.id)] as const
      }),
    )
    await Promise.all(
      pumps.flatMap(([pump, same]) => {
        same.isDry = true
        return [pump.run.stop(), same.save()]
      }),
    )
    for (const [{ id }] of pumps) {
      const names = (await one.alarms.list({ resourceId: id })).map(({ name }) => name)
      assert.ok(names.includes('idle'), `${names}`)
    }
  })

  test('its time comes once, whoever looks', async () => {
    const pump = await one.create(Pump, { isDry: true })
    await time.advance(61_000)
    await Promise.all([patrolOf(one, time).round(), patrolOf(other, time).round()])
    await Promise.all([patrolOf(one, time).round(), patrolOf(other, time).round()])
    const [line] = await one.alarms.list({ resourceId: pump.id })
    assert.equal([line!.name, line!.state, line!.episode], ['dry', 'open', 1])
    const told = await house.sql('SELECT type FROM notices WHERE resource_id = $1', [pump.id])
    assert.equal(told, [{ type: 'alarm.opened' }])
  })

  test('a word of two people is one, and the other is told so', async () => {
    const pump = await one.create(Pump, {})
    await pump.raise('wet')
    const key = `${pump.id}/wet`
    const words = await Promise.allSettled([one.alarms.close(key), other.alarms.close(key)])
    assert.equal(words.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    const events = (await one.alarms.history(key)).map(({ event }) => event)
    assert.equal(events, ['RAISE', 'CLOSE'])
  })

  test.run()
}
