// The parts of a run a user may replace: what goes before its first step, what is noted on the way, and its removal.
import { setup } from 'xstate'
import * as z from 'zod'
import { action, field, Resource, steps, task } from '../../bin/index.ts'
import { Desk } from '../../models/desk.ts'
import { Joiner } from '../../models/joiner.ts'
import { Lookout } from '../../models/lookout.ts'
import { Steward } from '../../models/steward.ts'
import { codeOf, gate, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

const prepared: string[] = []
let refuse: Error | null = null
const goodbyes: string[] = []
let keep = (_id: string): void | Promise<void> => {}

class Order extends Resource {
  static override fields = { number: field(z.number().optional()) }
  static override tasks = {
    place: task(steps({ place: async ({ input, stop }) => stop(input) }), {
      new: async ({ resource, input, key, note }) => {
        prepared.push(key)
        if (refuse) throw refuse
        resource.number = input.number
        note(`prepared ${input.number}`)
        return { ...input, doubled: input.number * 2 }
      },
    }),
    old: task(steps({ old: async ({ stop }) => stop() }), {
      gc: {
        after: '30d',
        each: async ({ taskId, status }) => {
          goodbyes.push(`${taskId} ${status}`)
          await keep(taskId)
        },
      },
    }),
    kept: steps({ kept: async ({ stop }) => stop() }),
    talk: steps({
      one: async ({ note }) => {
        note('half of it')
        note('and the rest\0')
        return 'two'
      },
      two: async ({ note, stop }) => {
        note('x'.repeat(5_000))
        for (let n = 0; n < 1_000; n++) note('more')
        return stop()
      },
    }),
    act: setup({ actions: { say: action(({ note }) => note('an action')) } }).createMachine({
      initial: 'on',
      states: { on: { entry: 'say' } },
    }) as any,
  }
}

const test = suite('parts')
const on = stage(test, { resources: [Order] })
test.before.each(() => {
  prepared.length = 0
  goodbyes.length = 0
  refuse = null
  keep = () => {}
})

const steward = () => {
  const { app, time } = on
  const { store, events, registry, rooms } = app
  const requests = { time, sealer: { seal: String, open: String }, actor: 'steward' }
  const { knex } = rooms.database
  const lookout = new Lookout({ knex, events, time, sealer: requests.sealer })
  const desk = new Desk({
    ...{ store, events, registry, requests, knex, lookout, push: async () => {} },
    joiner: new Joiner({ database: rooms.database, time, alarms: store.alarms }),
  })
  return new Steward({ knex, registry, time, events, desk })
}
const finished = async (order: any, name = 'old') => {
  const { taskId } = await order[name].start()
  await on.settle()
  return taskId as string
}
const left = async (id: string) =>
  (await on.house.sql('SELECT id FROM tasks WHERE resource_id = $1 ORDER BY id', [id])).map(
    (row) => row.id,
  )

test('new makes the input, and its fields are part of the first step', async () => {
  const order = await on.app.create(Order, {})
  await order.place.start({ number: 4 })
  await on.settle()
  assert.equal(await on.app.history.output(order.id, 'place', undefined as never), {
    number: 4,
    doubled: 8,
  })
  await order.reload()
  assert.is(order.number, 4)
  const [, first] = await on.app.history.lines(order.id, { task: 'place' })
  assert.is(first!.message, 'prepared 4')
})

test('what new throws is a panic, its fields forgotten; a retry has the same key', async () => {
  const order = await on.app.create(Order, {})
  refuse = new Error('no paper')
  await order.place.start({ number: 4 })
  await on.settle()
  await order.reload()
  assert.is(order.number, undefined)
  assert.is((await order.place.status())!.status, 'panicked')
  refuse = null
  await order.place.retry()
  await on.settle()
  assert.is((await order.place.status())!.status, 'done')
  assert.is(prepared.length, 2)
})

test('what is noted is on the line of the step, in bounds', async () => {
  const order = await on.app.create(Order, {})
  await order.talk.start()
  await order.act.start()
  await on.settle()
  const lines = await on.app.history.lines(order.id, { task: 'talk' })
  assert.is(lines[2]!.message, 'half of it; and the rest')
  assert.is(lines[3]!.message!.length, 1_000)
  assert.is(lines[0]!.message, null)
  const [, first] = await on.app.history.lines(order.id, { task: 'act' })
  assert.is(first!.message, 'an action')
  await order.act.stop()
})

test('finished runs are removed when they are old, others stay', async () => {
  const order = await on.app.create(Order, {})
  const old = await finished(order)
  const other = await finished(order, 'kept')
  await on.time.advance(29 * 86_400_000)
  const young = await finished(order)
  await steward().round()
  assert.equal(await left(order.id), [old, other, young])
  await on.time.advance(2 * 86_400_000)
  await Promise.all([steward().round(), steward().round()])
  assert.equal(await left(order.id), [other, young])
  assert.ok(goodbyes.every((line) => line === `${old} done`))
  assert.equal(await on.house.sql('SELECT 1 FROM transitions WHERE task_id = $1', [old]), [])
})

test('each keeps a run by throwing; the others go; nothing is held meanwhile', async () => {
  const order = await on.app.create(Order, {})
  const stubborn = await finished(order)
  const others = [await finished(order), await finished(order)]
  await on.time.advance(31 * 86_400_000)
  const told: string[] = []
  const off = on.app.events.on('run.kept', ({ taskId, error }) =>
    told.push(`${taskId} ${error.message}`),
  )
  const open = gate()
  keep = async (id) => {
    if (id === stubborn) throw new Error('still needed')
    await open.passed
  }
  const round = steward().round()
  const idle = await on.house.sql(
    `SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction' AND pid <> pg_backend_pid()`,
  )
  assert.equal(idle, [])
  open.open()
  await round
  off()
  assert.equal(told, [`${stubborn} still needed`])
  assert.equal(await left(order.id), [stubborn])
  assert.ok(others.every((id) => goodbyes.includes(`${id} done`)))
  keep = () => {}
  await steward().round()
  assert.equal(await left(order.id), [])
})

test('many that are kept do not stand before one that may go', async () => {
  const order = await on.app.create(Order, {})
  const first = await finished(order)
  await on.house.sql(
    `INSERT INTO tasks (id, resource_id, name, machine_version, step, rest_step, status, state, started_at, moved_at, finished_at)
     SELECT gen_random_uuid(), resource_id, name, machine_version, 0, 0, status, state, started_at, moved_at, finished_at
     FROM tasks, generate_series(1, 250) WHERE id = $1`,
    [first],
  )
  await on.time.advance(1)
  const last = await finished(order)
  await on.time.advance(31 * 86_400_000)
  keep = (id) => {
    if (id !== last) throw new Error('kept')
  }
  await steward().round()
  assert.is((await left(order.id)).length, 251)
  keep = () => {}
  await steward().round()
  assert.equal(await left(order.id), [])
})

test('what is no part is refused when the app loads', async () => {
  const machine = steps({ a: async ({ stop }) => stop() })
  for (const options of [{ new: 'x' }, { gc: { after: 'soon' } }, { gc: { after: 1, each: 1 } }]) {
    class Odd extends Resource {
      static override tasks = { odd: task(machine, options as never) }
    }
    assert.is(await codeOf(() => on.house.neighbour({ resources: [Odd] })), 'MACHINE_INVALID')
  }
})

test.run()
