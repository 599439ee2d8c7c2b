// Conditions under a death at every call: what should run runs, and nothing else.
// timeout: 200s
import * as z from 'zod'
import { field, Resource, steps, task } from '../../bin/index.ts'
import { bequeath } from '../flow/perils.ts'
import { openHouse } from '../support/house.ts'
import { quickest } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const test = suite('conditions under death')

test('a crash at any call leaves exactly what should run', { deadlineMs: 60_000 }, async () => {
  const time = new FakeTime()
  class Tank extends Resource {
    static override fields = { level: field(z.number().default(0)) }
    static override tasks = {
      fill: task(
        steps({
          pour: async ({ resource, stop, again }) => {
            resource.level += 1
            if (resource.level > 5) await resource.stop({ reason: 'overflow' })
            return resource.level % 2 ? again('100ms') : stop()
          },
        }),
        { shouldStart: (tank) => tank.level < 4 },
      ),
      drain: task(
        steps({
          out: async ({ resource, stop }) => {
            await resource.stop({ reason: 'it was full' })
            return stop()
          },
        }),
        { shouldStart: (tank) => tank.level >= 4 },
      ),
    }
  }
  const house = await openHouse({ resources: [Tank], time, setting: quickest() })
  let hits = 0
  for (let at = 1; at <= 100; at++) {
    let id = ''
    const when = at % 2 ? 'before' : 'after'
    const hit = await bequeath(house, time, { at, when }, async (victim) => {
      const tank = await victim.create(Tank, {})
      await tank.start()
      id = tank.id
    })
    const names = await house.sql('SELECT name FROM tasks WHERE resource_id = $1 ORDER BY id', [id])
    const [{ level }] = await house.sql(
      `SELECT fields->'level' AS level FROM resources WHERE id = $1`,
      [id],
    )
    assert.is(level, 4, `${when} call ${at}`)
    assert.equal(
      names.map(({ name }) => name).slice(0, 4),
      ['life', 'fill', 'fill', 'drain'],
      `${when} call ${at}`,
    )
    if (!hit) break
    hits += 1
  }
  console.log(`note: died ${hits} times`)
  assert.ok(hits > 15)
  await house.close()
})

test.run()
