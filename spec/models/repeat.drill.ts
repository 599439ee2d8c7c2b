// Repeating tasks for long: hundreds of slots in one run, and a death at every third call between slots.
// timeout: 300s
import { Resource, steps, task } from '../../bin/index.ts'
import { bequeath } from '../flow/perils.ts'
import { openHouse } from '../support/house.ts'
import { quickest } from '../support/services.ts'
import { stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const HOUR = 3_600_000
let runs = 0

class Solo extends Resource {
  static override tasks = {
    read: task(
      steps({
        work: async ({ stop }) => {
          runs += 1
          return stop()
        },
      }),
      { every: '1h' },
    ),
  }
}

const test = suite('repeating for long')
const on = stage(test, { resources: [Solo] })

test('it ends after many looks and another goes on in the same commit', {
  deadlineMs: 180_000,
}, async () => {
  const solo = await on.app.create(Solo, {})
  await solo.start()
  await on.settle()
  await on.advance(502 * HOUR)
  const rows = await on.house.sql(
    `SELECT status FROM tasks WHERE resource_id = $1 AND name = 'read.every' ORDER BY id`,
    [solo.id],
  )
  assert.equal(
    rows.map(({ status }) => status),
    ['done', 'running'],
  )
  assert.is(runs, 503)
  await solo.reload()
  await solo.stop()
  await on.settle()
})

test('a crash at any call costs no slot and doubles none', { deadlineMs: 180_000 }, async () => {
  const time = new FakeTime()
  const PACE = 200
  class Crashing extends Resource {
    static override tasks = {
      pulse: task(
        steps({
          beat: async ({ input, resource, stop }) => {
            const first = Math.min(began.get(resource.id) ?? input.slot, input.slot)
            began.set(resource.id, first)
            const most = input.slot >= first + 3 * PACE
            if (most) await resource.stop({ reason: 'enough' })
            return stop()
          },
        }),
        { every: PACE, overlap: 'queue', missed: 'all' },
      ),
    }
  }
  const began = new Map<string, number>()
  // An heir looks at what the dead left before the next slot: else it may come before the stop, and have its run.
  const config = { ESCAPEMENT_TOLD_MS: '150' }
  const house = await openHouse({ resources: [Crashing], time, setting: quickest(), config })
  let hits = 0
  // Every third call: `npm run crash` takes them all for machines, and this is one.
  for (let at = 1; at <= 120; at += 3) {
    let isHit = false
    for (const when of ['before', 'after'] as const) {
      let id = ''
      const hit = await bequeath(house, time, { at, when }, async (victim) => {
        const one = await victim.create(Crashing, {})
        await one.start()
        id = one.id
      })
      if (hit) {
        isHit = true
        hits += 1
      }
      const rows = await house.sql(
        `SELECT x.payload FROM transitions x JOIN tasks t ON t.id = x.task_id
         WHERE t.resource_id = $1 AND t.name = 'pulse' AND x.step = 0 ORDER BY t.id`,
        [id],
      )
      const [first, ...others] = rows.map(({ payload }) => payload.slot)
      assert.equal(
        others.map((slot) => (slot - first) / PACE),
        [1, 2, 3],
        `${when} call ${at}`,
      )
    }
    if (!isHit) break
  }
  console.log(`note: died ${hits} times, every slot had its run, once`)
  assert.ok(hits > 20)
  await house.close()
})

test.run()
