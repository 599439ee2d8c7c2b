// Repeating tasks: slots that are anchored, taken once, and never stop in silence.
import { Resource, steps, task } from '../../bin/index.ts'
import { type Cadence, cadenceOf, type Plan, resumed, take } from '../../models/cadence.ts'
import { Steward } from '../../models/steward.ts'
import { openHouse } from '../support/house.ts'
import { codeOf, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const HOUR = 3_600_000
const runs: string[] = []
let isLong = false

const work = (name: string) =>
  steps({
    work: async ({ input, again, stop }) => {
      if (isLong) return again('1d')
      runs.push(`${name} ${new Date(input?.slot ?? 0).toISOString().slice(0, 16)}`)
      return stop()
    },
  })

class Meter extends Resource {
  static override tasks = {
    read: task(work('read'), { every: '1h' }),
    queued: task(work('queued'), { every: '1h', overlap: 'queue' }),
    replaced: task(work('replaced'), { every: '1h', overlap: 'replace' }),
    never: task(work('never'), { every: '1h', missed: 'skip' }),
    each: task(work('each'), { every: '1h', missed: 'all' }),
  }
}
class Spread extends Resource {
  static override tasks = { read: task(work('read'), { every: '1h', jitter: '30m' }) }
}

const test = suite('repeating')
const on = stage(test, { resources: [Meter, Spread] })
test.before.each(() => {
  runs.length = 0
  isLong = false
})

async function running() {
  const meter = await on.app.create(Meter, {})
  await meter.start()
  await on.settle()
  return meter
}
const of = (name: string) => runs.filter((run) => run.startsWith(`${name} `))
/** Nothing of one test is due in the next. */
test.after.each(async () => {
  isLong = false
  for await (const one of on.app.find(Meter)) await one.stop()
  await on.settle()
})

test('the first run is at once, the others at the slots, however late they are looked at', async () => {
  const meter = await running()
  assert.equal(of('read').length, 1)
  const first = on.time.now()
  await on.advance('2h')
  assert.equal(of('read').length, 3)
  // Twenty minutes late, and not a minute of drift.
  await on.time.advance(HOUR + 20 * 60_000)
  await on.settle()
  await on.time.advance(40 * 60_000)
  await on.settle()
  const slots = (await on.house.sql(
    `SELECT x.payload, x.reason FROM transitions x JOIN tasks t ON t.id = x.task_id
     WHERE t.resource_id = $1 AND t.name = 'read' AND x.step = 0 ORDER BY t.id`,
    [meter.id],
  )) as { payload: { slot: number }; reason: string }[]
  assert.equal(
    slots.map(({ payload }) => (payload.slot - first) / HOUR),
    [0, 1, 2, 3, 4],
  )
  assert.is(slots[1]!.reason, `every 1h, slot ${new Date(first + HOUR).toISOString()}`)
  const lines = await on.app.history.lines(meter.id, { task: 'read.every' })
  assert.ok(lines.some(({ message }) => message === slots[4]!.reason))
})

test('a slot that comes while a run lives passes, is remembered, or takes its place', async () => {
  const meter = await running()
  isLong = true
  await on.advance('3h')
  const starts = async (name: string) =>
    (
      await on.house.sql(
        'SELECT status FROM tasks WHERE resource_id = $1 AND name = $2 ORDER BY id',
        [meter.id, name],
      )
    ).map(({ status }) => status)
  assert.equal(await starts('read'), ['done', 'running'])
  assert.equal(await starts('queued'), ['done', 'running'])
  assert.equal(await starts('replaced'), ['done', 'stopped', 'stopped', 'running'])
  const { plan } = (await meter.queued.schedule())!
  assert.is(plan.backlog.length, 1)
  isLong = false
  await meter.queued.stop()
  await on.settle()
  // What waited has its turn as soon as the run is gone, without a slot.
  assert.equal(await starts('queued'), ['done', 'stopped', 'done'])
  assert.is((await meter.queued.schedule())!.plan.backlog.length, 0)
  assert.equal(await starts('read'), ['done', 'running'])
})

test('what nobody was there for is run once, not at all, or slot by slot', async () => {
  await running()
  runs.length = 0
  await on.time.advance(5 * HOUR + 30 * 60_000)
  await on.settle()
  assert.is(of('read').length, 1)
  assert.is(of('never').length, 0)
  const slots = of('each')
  assert.is(slots.length, 5)
  assert.equal(slots, [...slots].sort())
  await on.advance('30m')
  assert.is(of('never').length, 1)
})

test('a schedule ends with its resource and goes on from where it was', async () => {
  const meter = await running()
  const first = on.time.now()
  await meter.stop()
  await on.settle()
  await on.advance('150m')
  assert.is(of('read').length, 1)
  await meter.start()
  await on.settle()
  assert.is(of('read').length, 1, 'a start is no slot')
  await on.advance('30m')
  assert.is(of('read').length, 2)
  assert.is((await meter.read.schedule())!.plan.next, first + 4 * HOUR)
  await meter.restart()
  await on.settle()
  await on.advance('1h')
  assert.is(of('read').length, 3)
})

test('resources are spread, each at its own distance', async () => {
  const offsets = new Set<number>()
  const startedAt = on.time.now()
  const all = await Promise.all(Array.from({ length: 5 }, () => on.app.create(Spread, {})))
  for (const one of all) await one.start()
  await on.advance('30m')
  for (const one of all) {
    const status = (await one.read.status())!
    const offset = status.startedAt - startedAt
    assert.ok(offset < HOUR / 2)
    offsets.add(offset)
    await one.stop()
  }
  assert.ok(offsets.size > 1)
  await on.settle()
})

test('what is no schedule is refused when the app loads', async () => {
  const refused = (options: object) =>
    codeOf(() =>
      openHouse({
        resources: [
          class Odd extends Resource {
            static override tasks = { odd: task(work('odd'), options as never) }
          },
        ],
      }),
    )
  for (const options of [
    { every: 'often' },
    { every: 1 },
    { every: '1h', overlap: 'both' },
    { every: '1h', missed: 'most' },
    { every: '1h', jitter: '2h' },
    { overlap: 'skip' },
  ])
    assert.is(await refused(options), 'MACHINE_INVALID', JSON.stringify(options))
})

test('what waits is bounded, the latest kept', () => {
  const cadence = cadenceOf({ every: 1_000, missed: 'all', overlap: 'queue' }) as Cadence
  const plan: Plan = { next: 0, backlog: [], taken: 0 }
  const { plan: next, start, passed } = take(plan, cadence, 999_500, true)
  assert.is(start, null)
  assert.is(next.backlog.length, 100)
  assert.is(next.next, 1_000_000)
  assert.is(passed, 900)
  assert.is(next.backlog.at(0), 899_000)
  assert.is(resumed(next, cadence, 2_000_100).next, 2_001_000)
  const shorter = { ...cadence, everyMs: 100 }
  assert.is(resumed({ ...plan, next: 5_000 }, shorter, 1_050).next, 1_100)
})

test('a schedule a deploy adds is begun, one it takes away ends', async () => {
  const time = new FakeTime()
  const machine = work('late')
  runs.length = 0
  class Old extends Resource {
    static override kind = 'Late'
    static override tasks = { late: machine }
  }
  class New extends Resource {
    static override kind = 'Late'
    static override tasks = { late: task(machine, { every: '1h' }) }
  }
  const { drive } = await import('../support/house.ts')
  const house = await openHouse({ resources: [Old], time })
  const old = await house.app.create(Old, {})
  await old.start()
  await drive({ app: house.app, time }).settle()
  const app = await house.neighbour({ resources: [New] })
  const { settle } = drive({ app, time })
  const desk = {
    start: (target: any) =>
      (app as any).getByName(target.kind.name, target.resourceId).then(() => begun(target)),
  }
  const begun = async (target: any) => {
    const { Desk } = await import('../../models/desk.ts')
    const { store, events, rooms } = app
    const requests = { time, sealer: { seal: String, open: String }, actor: 'steward' }
    const { knex } = rooms.database
    const { Lookout } = await import('../../models/lookout.ts')
    const lookout = new Lookout({ knex, events, time, sealer: requests.sealer })
    const { Joiner } = await import('../../models/joiner.ts')
    const joiner = new Joiner({ database: rooms.database, time, alarms: store.alarms })
    const { registry } = app
    const parts = { store, events, requests, registry, knex, lookout, joiner, push: async () => {} }
    return new Desk(parts).start(target, undefined, {})
  }
  const parts = { knex: app.rooms.database.knex, registry: app.registry, time, events: app.events }
  const steward = new Steward({ ...parts, desk })
  await Promise.all([steward.round(), steward.round()])
  await steward.round()
  await settle()
  assert.is(of('late').length, 1)
  await drive({ app: house.app, time }).advance('1h')
  assert.is(of('late').length, 1)
  const rows = await house.sql(`SELECT status FROM tasks WHERE name = 'late.every'`)
  assert.equal(rows, [{ status: 'done' }])
  await old.reload()
  await old.stop()
  await settle()
  await house.close()
})

test.run()
