// Quotas: a resource that has used its steps or its milliseconds rests until the period is over, whoever ticks it.
import { setup } from 'xstate'
import { effect, Resource, task } from '../../bin/index.ts'
import type { Lease } from '../../lib/contract.ts'
import { Kind } from '../../models/kind.ts'
import { drive } from '../support/drive.ts'
import { openHouse } from '../support/house.ts'
import { settings } from '../support/services.ts'
import { gate, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

let onTurn: () => Promise<void> | void = () => {}
const turn = effect(async () => onTurn())
/** Steps for ever. */
const wheel = setup({ actors: { turn } }).createMachine({
  initial: 'odd',
  states: {
    odd: { invoke: { src: 'turn', onDone: 'even' } },
    even: { invoke: { src: 'turn', onDone: 'odd' } },
  },
  on: { PING: { actions: () => {} } },
})
const quick = setup({}).createMachine({
  initial: 'one',
  states: { one: { on: { GO: 'done' } }, done: { type: 'final' } },
})

class Hog extends Resource {
  static override quota = { steps: 10, per: '1s' }
  static override tasks = { spin: task(wheel), other: task(quick) }
}
class Piglet extends Hog {}
class Narrow extends Hog {
  static override quota = { steps: 2, per: '1s' }
}
class Slow extends Resource {
  static override quota = { ms: 500, per: '2s' }
  static override tasks = { spin: task(wheel) }
}
class Free extends Resource {
  static override tasks = { once: task(quick), spin: task(wheel) }
}

const test = suite('quotas')
const on = stage(test, { resources: [Hog, Piglet, Narrow, Slow, Free] })
const stepsOf = async (id: string, name = 'spin') =>
  (await on.house.sql('SELECT step FROM tasks WHERE resource_id = $1 AND name = $2', [id, name]))[0]
    .step
const dueOf = async (id: string, name = 'spin') =>
  (
    await on.house.sql(
      'SELECT due_at, reason FROM dues JOIN tasks ON id = task_id WHERE tasks.resource_id = $1 AND name = $2',
      [id, name],
    )
  )[0]
const refusal = (work: () => unknown): Error => {
  try {
    work()
  } catch (refused) {
    return refused as Error
  }
  return new Error('it was taken')
}
/** A resource whose life has begun, its period over. */
const made = async (type: typeof Hog | typeof Slow | typeof Free) => {
  const one = await on.app.create(type as typeof Hog, {})
  await on.settle()
  await on.time.advance(5_000)
  return one
}

test.before.each(async () => {
  onTurn = () => {}
  await on.house.sql('DELETE FROM tasks')
  await on.time.advance(600_000)
})

test('whoever has used its steps is put off to the end of the period, and nobody asks meanwhile', async () => {
  const hog = await made(Hog)
  const told: object[] = []
  const stop = on.app.events.on('quota.used', (one) => told.push(one))
  await hog.spin.start()
  const startedAt = on.time.now()
  await on.settle()
  assert.is(await stepsOf(hog.id), 10)
  assert.equal(await dueOf(hog.id), {
    due_at: startedAt + 1_000,
    reason: 'quota:10 steps per second',
  })
  const looked = await on.app.store.due(1_000)
  assert.equal([looked.tickets, looked.nextAt], [[], startedAt + 1_000])
  const why = await on.app.explain(Hog, hog.id, 'spin')
  assert.is(why.code, 'quota')
  assert.match(why.sentence, /has used its 10 steps per second; it goes on at /)
  assert.equal(told, [
    {
      ...{ resourceId: hog.id, kind: 'Hog' },
      ...{ quota: '10 steps per second', at: startedAt + 1_000 },
    },
  ])
  const [lease] = await on.house.sql('SELECT * FROM leases WHERE resource_id = $1', [hog.id])
  assert.equal(
    [lease.period_at, lease.used_steps, lease.used_ms, lease.used_fence],
    [startedAt, 10, 0, lease.fence],
  )
  const stale = { periodAt: startedAt, steps: 0, ms: 0, fence: lease.fence - 1 }
  await on.app.store.porter.charge(hog.id, stale)
  await on.time.advance(999)
  await on.settle()
  assert.is(await stepsOf(hog.id), 10)
  await hog.spin.send({ type: 'PING' })
  await on.settle()
  assert.is(await stepsOf(hog.id), 10, 'nor does who was fenced give it anything')
  await on.time.advance(1)
  await on.settle()
  assert.is(await stepsOf(hog.id), 20)
  assert.is(told.length, 2, 'once a period')
  stop()
})

test('another process knows what was used, and other tasks of the resource wait too', async () => {
  const hog = await made(Hog)
  await hog.spin.start()
  await on.settle()
  await hog.other.start()
  const other = drive({ app: on.app, time: on.time, owner: 'other' })
  await other.settle()
  assert.equal([await stepsOf(hog.id), await stepsOf(hog.id, 'other')], [10, 0])
  assert.is((await dueOf(hog.id, 'other')).reason, 'quota:10 steps per second')
  await on.time.advance(1_000)
  await other.tick(hog.id)
  assert.is(await stepsOf(hog.id, 'other'), 1)
  const all = (await stepsOf(hog.id)) + (await stepsOf(hog.id, 'other'))
  assert.is(all, 20)
})

test('steps of a worker that died before it could tell are in the history', async () => {
  const hog = await made(Hog)
  await hog.spin.start()
  let turns = 0
  const lost = new AbortController()
  onTurn = () => {
    turns += 1
    if (turns === 6) lost.abort(new Error('it died'))
  }
  const lease: Lease = { signal: lost.signal, remainingMs: () => (lost.signal.aborted ? 0 : 1_000) }
  await on.tick(hog.id, lease)
  assert.is(await stepsOf(hog.id), 6)
  onTurn = () => {}
  await drive({ app: on.app, time: on.time, owner: 'next' }).settle()
  assert.is(await stepsOf(hog.id), 10)
})

test('milliseconds in the hands of a worker count, effects included, and an effect comes to its end', async () => {
  const slow = await made(Slow)
  await slow.spin.start()
  const startedAt = on.time.now()
  onTurn = () => on.time.advance(300)
  await on.settle()
  assert.is(await stepsOf(slow.id), 3, 'started, and two effects of 300 ms')
  assert.equal(await dueOf(slow.id), {
    due_at: startedAt + 2_000,
    reason: 'quota:500 ms per 2 s',
  })
  await on.time.advance(1_400)
  await on.settle()
  assert.is(await stepsOf(slow.id), 5)
})

test('what an effect came back with is taken, however long it took', async () => {
  const free = await made(Free)
  await free.spin.start()
  let turns = 0
  onTurn = () => {
    turns += 1
    return on.time.advance(300)
  }
  const strict = drive({ app: on.app, time: on.time, quota: { steps: 200, ms: 100 } })
  await strict.tick(free.id)
  await strict.tick(free.id)
  assert.equal([await stepsOf(free.id), turns], [3, 2])
})

test('while an effect runs on, nothing but its outcome is taken', async () => {
  const narrow = await made(Narrow)
  await narrow.spin.start()
  const held = gate()
  onTurn = () => held.passed
  const tick = on.tick(narrow.id)
  const reached = (step: number) =>
    until(async () => (await stepsOf(narrow.id)) >= step, {
      what: `step ${step}`,
      deadlineMs: 10_000,
    })
  await reached(1)
  for (let n = 0; n < 3; n++) await narrow.spin.send({ type: 'PING' })
  on.ticker.nudge(narrow.id)
  await reached(2)
  on.ticker.nudge(narrow.id)
  held.open()
  await tick
  assert.is(await stepsOf(narrow.id), 3)
  const waiting =
    'SELECT 1 FROM events JOIN tasks ON tasks.id = task_id WHERE resource_id = $1 AND consumed_at IS NULL'
  assert.is((await on.house.sql(waiting, [narrow.id])).length, 2)
  assert.is((await dueOf(narrow.id)).reason, 'quota:2 steps per second')
})

test('a class that extends another has its quota', async () => {
  const piglet = await made(Piglet)
  await piglet.spin.start()
  await on.settle()
  assert.is(await stepsOf(piglet.id), 10)
})

test('what is being deleted is not kept from its end', async () => {
  const hog = await made(Hog)
  await hog.spin.start()
  await on.settle()
  await hog.delete()
  await on.settle()
  assert.is((await on.house.sql('SELECT 1 FROM resources WHERE id = $1', [hog.id])).length, 0)
})

test('a kind without a quota asks for nothing', async () => {
  const { porter } = on.app.store
  const { charge, untold } = porter
  let asked = 0
  porter.charge = async () => {
    asked += 1
  }
  porter.untold = async () => {
    asked += 1
    return null
  }
  const free = await on.app.create(Free, {})
  await free.once.start()
  await on.settle()
  Object.assign(porter, { charge, untold })
  assert.is(asked, 0)
  const [row] = await on.house.sql('SELECT period_at FROM leases WHERE resource_id = $1', [free.id])
  assert.is(row.period_at, null)
})

test('a quota that is none is refused when the app loads', () => {
  const wrong: [unknown, RegExp][] = [
    [{ per: '1s' }, /give it "steps", "ms" or both/],
    [{ steps: 0, per: '1s' }, /"steps" is 0; it is a whole number from 1 to 1000000/],
    [{ steps: 1.5, per: '1s' }, /"steps" is 1\.5/],
    [{ ms: 2_000, per: '1s' }, /"ms" is 2000; it is a whole number from 1 to 1000/],
    [{ steps: 1, per: '10ms' }, /"per" is "10ms"; it is from 100 ms to a day/],
    [{ steps: 1, per: '2d' }, /"per" is "2d"/],
    [{ steps: 1, per: 'soon' }, /"soon" is not a duration/],
    [{ steps: 1 }, /is not a duration/],
    [{ steps: 1, per: '1s', tokens: 3 }, /it has no "tokens"; it has steps, ms, per/],
    [7, /it is no object/],
  ]
  for (const [quota, sentence] of wrong) {
    class Wrong extends Resource {
      static override quota = quota as never
    }
    const error = refusal(() => new Kind(Wrong))
    assert.match(error.message, sentence)
    assert.match(error.message, /^The quota of Wrong is not valid: /)
    assert.is((error as { code?: string }).code, 'QUOTA_INVALID')
  }
})

test.run()

const crowd = suite('quotas of a crowd')
for (const setting of settings()) {
  crowd(`never exceeded by two workers, ${setting}`, { deadlineMs: 60_000 }, async () => {
    onTurn = () => {}
    const house = await openHouse({ resources: [Hog], setting })
    await house.app.start()
    const other = await house.neighbour()
    await other.startWorker()
    const hogs = await Promise.all(Array.from({ length: 4 }, () => house.app.create(Hog, {})))
    await Promise.all(hogs.map((hog) => hog.spin.start()))
    const steps = (id: string) =>
      house.sql(
        `SELECT floor(extract(epoch FROM x.at) * 1000)::float8 AS at FROM tasks JOIN transitions x ON task_id = id
         WHERE resource_id = $1 AND x.step > 0 ORDER BY x.at`,
        [id],
      )
    for (const { id } of hogs) {
      const enough = async () => (await steps(id)).length > 35
      await until(enough, { what: 'four periods have begun', deadlineMs: 20_000 })
      const at = (await steps(id)).map((row) => row.at)
      // The life begins in the first period. Twenty steps on lies the next period but one.
      for (let n = 0; n + 20 < at.length; n++)
        assert.ok(at[n + 20] - at[n] >= 990, `${at[n + 20] - at[n]} ms for 20 steps`)
    }
    for (const hog of hogs) await hog.spin.stop()
    await house.close()
  })
}
crowd.run()
