// Pauses of a resource, a task name and a queue: what is held does not run, and all of it goes on afterwards.
import { setup } from 'xstate'
import * as z from 'zod'
import { effect, field, Resource, steps, task, type Work } from '../../bin/index.ts'
import { codeOf, type Gate, gate, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

let door: Gate<void>
const signals: AbortSignal[] = []
const long = effect(async ({ signal }: Work<any, any>) => {
  signals.push(signal)
  await door.passed
})

let shorts = 0
const short = effect(async () => {
  shorts += 1
})

class Lamp extends Resource {
  static override fields = { lit: field(z.number().default(0)) }
  static override tasks = {
    light: steps({
      on: async ({ resource, stop }) => {
        resource.lit += 1
        return stop()
      },
    }),
    blink: setup({ types: {} as { events: { type: 'PUSH' } } }).createMachine({
      initial: 'off',
      states: {
        off: { after: { 10000: 'on' }, on: { PUSH: 'on' } },
        on: { on: { PUSH: 'off' } },
      },
    }),
    slow: setup({
      actors: { long, short },
      types: {} as { events: { type: 'PUSH' } },
      actions: { pushed: () => {} },
    }).createMachine({
      initial: 'working',
      on: { PUSH: { actions: 'pushed' } },
      states: {
        working: { invoke: { src: 'long', onDone: 'next' } },
        next: { invoke: { src: 'short', onDone: 'last' } },
        last: {},
      },
    }),
    tidy: task(setup({}).createMachine({ initial: 'on', states: { on: {} } }), {
      exit: setup({}).createMachine({ initial: 'gone', states: { gone: { type: 'final' } } }),
    }),
    selfish: steps({
      go: async ({ resource, stop }) => {
        await resource.pause({ reason: 'enough', for: '1h' })
        return stop()
      },
    }),
  }
}

const test = suite('holds')
const on = stage(test, { resources: [Lamp] })
const make = () => on.app.create(Lamp, {})
const beat = () => on.app.store.due(1_000)
const reasonOf = async (id: string) =>
  (await on.house.sql('SELECT reason, due_at FROM dues WHERE resource_id = $1', [id]))[0]
const lit = async (lamp: { reload(): Promise<void>; lit: number }) => {
  await lamp.reload()
  return lamp.lit
}

test.before.each(async () => {
  door = gate()
  signals.length = 0
  await on.house.sql('DELETE FROM holds')
  await on.house.sql('UPDATE dues SET due_at = NULL, look_at = NULL')
})

// ---- one resource --------------------------------------------------------------------------------

test('a paused resource starts nothing until it is resumed; the others go on', async () => {
  const [lamp, other] = [await make(), await make()]
  assert.is(await lamp.pause({ actor: 'ada', reason: 'paint' }), true)
  await lamp.light.start()
  await other.light.start()
  await on.settle()
  assert.equal([await lit(lamp), await lit(other)], [0, 1])
  assert.is((await reasonOf(lamp.id)).reason, `held:resource:${lamp.id}`)
  assert.is(await lamp.resume({ actor: 'bob' }), true)
  await on.settle()
  assert.is(await lit(lamp), 1)
  const lines = await on.app.holds.history({ resource: lamp })
  assert.equal(
    lines.map(({ event, actor, reason }) => [event, actor, reason]),
    [
      ['open', 'bob', null],
      ['shut', 'ada', 'paint'],
    ],
  )
  assert.equal(await on.app.holds.list(), [])
  assert.equal(await on.house.sql('SELECT * FROM holds'), [], 'nothing is left of it')
})

test('paused twice is paused by the later terms, and says so', async () => {
  const lamp = await make()
  assert.is(await lamp.pause({ for: '1h' }), true)
  assert.is(await lamp.pause({ for: '2h', reason: 'longer' }), false)
  const [hold] = await on.app.holds.list()
  assert.equal([hold!.until, hold!.reason], [on.time.now() + 7_200_000, 'longer'])
  const events = (await on.app.holds.history({ resource: lamp })).map(({ event }) => event)
  assert.equal(events, ['renewed', 'shut'])
  assert.is(await lamp.resume(), true)
  assert.is(await lamp.resume(), false)
})

test('a pause that ends by itself does so though nobody was there', async () => {
  const lamp = await make()
  await lamp.pause({ for: '10m' })
  await lamp.light.start()
  await on.settle()
  assert.is((await reasonOf(lamp.id)).due_at, on.time.now() + 600_000)
  await on.advance('9m')
  assert.is(await lit(lamp), 0)
  await on.time.advance(3_600_000)
  const heard: string[] = []
  const undo = on.app.events.on('hold.changed', ({ event }) => heard.push(event))
  const { tickets } = await beat()
  undo()
  assert.equal(
    tickets.map((one) => one.resourceId),
    [lamp.id],
  )
  await on.settle()
  assert.is(await lit(lamp), 1)
  assert.equal(heard, ['expired'])
  await beat()
  assert.equal(await on.house.sql('SELECT * FROM holds'), [])
})

test('timers and mail wait; what came meanwhile is taken in its order afterwards', async () => {
  const lamp = await make()
  await lamp.blink.start()
  await on.settle()
  await lamp.pause()
  await lamp.blink.send('PUSH')
  await on.advance('1m')
  assert.is((await lamp.blink.status())!.state, 'off')
  await lamp.resume()
  await on.settle()
  assert.is((await lamp.blink.status())!.state, 'on', 'the push came before the timer')
})

test('what runs when its resource is paused may end, and its step counts; nothing follows', async () => {
  const lamp = await make()
  await lamp.slow.start()
  const ticking = on.tick(lamp.id)
  await until(() => signals.length === 1, { what: 'the effect began' })
  await lamp.pause()
  await lamp.slow.send('PUSH')
  on.ticker.nudge(lamp.id)
  // Its questions go before ours: the database has one session.
  for (let look = 0; look < 5; look++) {
    await on.house.sql('SELECT 1')
    await on.time.settle()
  }
  assert.is(signals[0]!.aborted, false)
  assert.is((await lamp.slow.status())!.step, 1, 'it takes no mail')
  door.open()
  await ticking
  assert.equal([(await lamp.slow.status())!.step, shorts], [2, 0], 'one step, and nothing begins')
  assert.is((await lamp.slow.status())!.state, 'next')
  await on.advance('1m')
  assert.is((await lamp.slow.status())!.state, 'next')
  await lamp.resume()
  await on.advance('1s')
  assert.is((await lamp.slow.status())!.state, 'last')
  assert.equal([signals.length, shorts], [1, 1], 'it was not run again')
})

test('a paused resource can be deleted, and its tasks stopped with their exit machines', async () => {
  const lamp = await make()
  await lamp.tidy.start()
  await on.settle()
  await lamp.pause()
  await lamp.tidy.stop()
  await on.settle()
  assert.is((await lamp.tidy.status())!.status, 'stopped')
  await lamp.delete()
  await on.settle()
  assert.is(await codeOf(on.app.get(Lamp, lamp.id)), 'RESOURCE_UNKNOWN')
  assert.equal(await on.house.sql('SELECT * FROM holds'), [], 'nothing holds what is gone')
})

test('a step may pause its own resource, with its commit', async () => {
  const lamp = await make()
  await lamp.selfish.start()
  await on.settle()
  assert.is((await lamp.selfish.status())!.status, 'done')
  const [hold] = await on.app.holds.list()
  assert.equal([hold!.scope, hold!.reason], [`resource:${lamp.id}`, 'enough'])
})

// ---- tasks and queues ----------------------------------------------------------------------------

test('a paused task name holds that task everywhere, and no other', async () => {
  const [lamp, other] = [await make(), await make()]
  assert.is(await on.app.pause({ task: 'Lamp.light' }, { reason: 'broken' }), true)
  for (const one of [lamp, other]) {
    await one.light.start()
    await one.blink.start()
  }
  await on.settle()
  assert.equal([await lit(lamp), await lit(other)], [0, 0])
  assert.is((await lamp.blink.status())!.state, 'off')
  assert.is(await on.app.resume({ task: 'Lamp.light' }), true)
  await on.settle()
  assert.equal([await lit(lamp), await lit(other)], [1, 1])
})

test('a paused queue: the clock looks for nothing and whoever has a ticket does nothing', async () => {
  const lamp = await make()
  await lamp.light.start()
  await on.app.pause({ queue: true })
  await on.time.advance(60_000)
  assert.equal((await beat()).tickets, [])
  assert.equal(await on.tick(lamp.id), { kind: 'held' })
  assert.is(await lit(lamp), 0)
  await on.app.pause({ queue: 'another' })
  await on.app.resume({ queue: true })
  assert.equal(
    (await beat()).tickets.map((one) => one.resourceId),
    [lamp.id],
  )
  await on.settle()
  assert.is(await lit(lamp), 1)
})

test('what is held stands before nobody: the clock finds the others in the same look', async () => {
  await on.app.pause({ task: 'Lamp.blink' }, { for: '1h' })
  await on.house.sql(
    `WITH r AS (INSERT INTO resources (id, kind, created_at, updated_at)
       SELECT gen_random_uuid(), 'Lamp', now(), now() FROM generate_series(1, 2000) RETURNING id),
     l AS (INSERT INTO leases (resource_id) SELECT id FROM r),
     t AS (INSERT INTO tasks (id, resource_id, name, machine_version, step, rest_step, status, state, started_at, moved_at)
       SELECT gen_random_uuid(), id, 'blink', '1', 0, 0, 'running', '__new__', now(), now() FROM r RETURNING id, resource_id),
     x AS (INSERT INTO transitions (task_id, step, from_state, to_state, event, actor, unit_id, at)
       SELECT id, 0, '__new__', '__new__', '__start__', 'x', gen_random_uuid(), now() FROM t)
     INSERT INTO dues (task_id, resource_id, due_at, look_at, share, reason)
       SELECT id, resource_id, to_timestamp($1 / 1000.0), to_timestamp($1 / 1000.0), 'Lamp', 'start' FROM t`,
    [on.time.now() - 60_000],
  )
  const lamp = await make()
  await lamp.light.start()
  await on.time.advance(5_000)
  const { tickets, lateMs } = await beat()
  assert.equal(
    tickets.map((one) => one.resourceId),
    [lamp.id],
  )
  assert.ok(lateMs <= 5_000, `${lateMs} ms late`)
  await on.settle()
  assert.is(await lit(lamp), 1)
  await on.app.resume({ task: 'Lamp.blink' })
  const [{ count }] = await on.house.sql(
    'SELECT count(*)::int FROM dues WHERE due_at <= to_timestamp($1 / 1000.0)',
    [on.time.now()],
  )
  assert.is(count, 2_000, 'all of it is due again')
  assert.is((await beat()).tickets.length, 1_000, 'by the bounds of a look')
  await on.house.sql(
    "DELETE FROM resources WHERE id IN (SELECT resource_id FROM dues WHERE reason = 'let go')",
  )
})

// ---- words ---------------------------------------------------------------------------------------

test('what cannot be is refused with a sentence', async () => {
  const lamp = await make()
  const refused: [Promise<unknown>, string, RegExp][] = [
    [lamp.pause({ until: on.time.now() - 1 }), 'ARGUMENT_INVALID', /has passed/],
    [lamp.pause({ until: 'soon' }), 'ARGUMENT_INVALID', /is no moment/],
    [lamp.pause({ for: '0s' }), 'ARGUMENT_INVALID', /no time at all/],
    [lamp.pause({ for: '1h', until: 9e12 }), 'ARGUMENT_INVALID', /one of them/],
    [on.app.pause({ task: 'Lamp.shine' }), 'TASK_UNKNOWN', /shine/],
    [on.app.pause({ task: 'Lump.light' }), 'RESOURCE_KIND_UNKNOWN', /Lump/],
    [on.app.pause({ task: 'light' }), 'ARGUMENT_INVALID', /KIND\.NAME/],
    [on.app.pause({}), 'ARGUMENT_INVALID', /exactly one/],
    [on.app.pause({ queue: 'a b' }), 'ARGUMENT_INVALID', /small letters/],
    [on.app.holds.shut({ dependency: 'sky' }), 'DEPENDENCY_UNKNOWN', /Known: none/],
    [
      on.app.pause({ resource: '00000000-0000-4000-8000-000000000000' }),
      'RESOURCE_UNKNOWN',
      /resource/,
    ],
  ]
  for (const [work, code, sentence] of refused) {
    const error: any = await work.then(
      () => assert.unreachable(`${sentence} was not refused`),
      (thrown) => thrown,
    )
    assert.is(error.code, code)
    assert.match(error.message, sentence)
  }
  assert.equal(await on.app.holds.list(), [])
})

test.run()
