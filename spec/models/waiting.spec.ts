// Runs looked at and waited for from outside: snapshots, waitFor, emitted events.
import { assign, emit, setup } from 'xstate'
import { effect, Resource, Secret, type TaskSnapshot } from '../../bin/index.ts'
import { openHouse } from '../support/house.ts'
import { settings } from '../support/services.ts'
import { codeOf, gate, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

const boiling = { gate: gate() }

const kettle = setup({
  types: {} as {
    input: { code: Secret<string> } | undefined
    context: { code: Secret<string> | null; cups: number }
    events: { type: 'HEAT' } | { type: 'POUR'; cups: number } | { type: 'BREAK' } | { type: 'OFF' }
    emitted: { type: 'whistle'; pitch: number } | { type: 'steam' }
    tags: 'hot' | 'ready'
    output: { cups: number }
  },
  actors: { boil: effect(() => boiling.gate.passed) },
  guards: { isLittle: ({ event }) => event.type === 'POUR' && event.cups < 3 },
  actions: {
    pour: assign({ cups: ({ context, event }) => context.cups + (event as any).cups }),
    crack: () => {
      throw new Error('it cracked')
    },
    whistle: emit({ type: 'whistle', pitch: 4 }),
    steam: emit({ type: 'steam' }),
  },
}).createMachine({
  id: 'kettle',
  context: ({ input }) => ({ code: input?.code ?? null, cups: 0 }),
  output: ({ context }) => ({ cups: context.cups }),
  initial: 'cold',
  on: { BREAK: { actions: 'crack' } },
  states: {
    cold: { on: { HEAT: 'hot' } },
    hot: {
      tags: 'hot',
      meta: { celsius: 90 },
      initial: 'boiling',
      states: {
        boiling: { invoke: { src: 'boil', onDone: 'done' } },
        done: {
          tags: 'ready',
          entry: ['whistle', 'steam'],
          on: { POUR: { guard: 'isLittle', actions: 'pour' } },
        },
      },
      on: { OFF: 'off' },
    },
    off: { type: 'final' },
  },
})

class Kitchen extends Resource {
  static override tasks = { kettle }
}

const test = suite('waiting')
const on = stage(test, { resources: [Kitchen] })
const make = () => on.app.create(Kitchen, {})

test.before.each(() => {
  boiling.gate = gate()
})

/** A kettle that is hot. */
async function hot() {
  const kitchen = await make()
  await kitchen.kettle.start({ code: new Secret('1234') })
  await kitchen.kettle.send('HEAT')
  boiling.gate.open()
  await on.settle()
  return kitchen
}

// ---- snapshots ----------------------------------------------------------------------------------

test('a snapshot knows all its machine knows, secrets masked', async () => {
  const kitchen = await hot()
  const seen = (await kitchen.kettle.snapshot())!
  assert.equal([seen.status, seen.state, seen.step], ['running', 'hot.done', 3])
  assert.equal(seen.value, { hot: 'done' })
  assert.is(seen.context!.code!.reveal(), '1234')
  assert.not.match(JSON.stringify(seen), '1234')
  assert.equal([...seen.tags].sort(), ['hot', 'ready'])
  assert.equal([seen.hasTag('hot'), seen.hasTag('cold' as never)], [true, false])
  assert.equal([seen.matches('hot'), seen.matches({ hot: 'boiling' })], [true, false])
  assert.equal(seen.meta, { 'kettle.hot': { celsius: 90 } })
  assert.equal([...seen.nextEvents].sort(), ['BREAK', 'OFF', 'POUR'])
  const can = [{ type: 'POUR', cups: 2 }, { type: 'POUR', cups: 3 }, 'HEAT', 'OFF'] as const
  assert.equal(
    can.map((event) => seen.can(event)),
    [true, false, false, true],
  )
})

test('a snapshot is there before the first step, after a panic and after the end', async () => {
  const kitchen = await make()
  assert.is(await kitchen.kettle.snapshot(), null)
  await on.app.pause({ resource: kitchen })
  await kitchen.kettle.start()
  const held = (await kitchen.kettle.snapshot())!
  assert.equal([held.state, held.value, held.can('HEAT')], ['__new__', undefined, false])
  await on.app.resume({ resource: kitchen })
  await kitchen.kettle.stop()
  await kitchen.kettle.start()
  const fresh = (await kitchen.kettle.snapshot())!
  assert.equal([fresh.state, fresh.value, fresh.can('HEAT')], ['cold', 'cold', true])
  await kitchen.kettle.send('BREAK')
  await on.settle()
  const parked = (await kitchen.kettle.snapshot())!
  assert.equal([parked.status, parked.state, parked.value], ['panicked', 'cold', 'cold'])
  await kitchen.kettle.stop()

  const other = await hot()
  await other.kettle.send({ type: 'POUR', cups: 2 })
  await other.kettle.send('OFF')
  await on.settle()
  const ended = (await other.kettle.snapshot())!
  assert.equal([ended.status, ended.output, ended.nextEvents], ['done', { cups: 2 }, []])
  assert.is(ended.can('HEAT'), false)
})

test('what this program cannot hold is shown as it was stored', async () => {
  const kitchen = await hot()
  const { taskId } = (await kitchen.kettle.status())!
  await on.house.sql('ALTER TABLE transitions DISABLE TRIGGER transitions_append_only')
  await on.house.sql(
    `UPDATE transitions SET snapshot = jsonb_set(snapshot, '{value}', '"molten"') WHERE task_id = $1 AND step = 3`,
    [taskId],
  )
  await on.house.sql('ALTER TABLE transitions ENABLE TRIGGER transitions_append_only')
  const seen = (await kitchen.kettle.snapshot())!
  assert.equal([seen.value, seen.tags, seen.can('OFF')], ['molten', [], false])
  await kitchen.kettle.stop()
})

// ---- waiting ------------------------------------------------------------------------------------

test('whoever waits is told when it is so: the end, a tag, whatever a function finds', async () => {
  const kitchen = await make()
  await kitchen.kettle.start()
  const { kettle: task } = kitchen
  const all = Promise.all([
    task.waitFor('ready'),
    task.waitFor(({ context }) => context.cups === 2),
    task.waitFor('done'),
  ])
  boiling.gate.open()
  for (const event of ['HEAT', { type: 'POUR', cups: 2 }, 'OFF'] as const) {
    await task.send(event)
    await on.settle()
  }
  const [ready, poured, done] = await all
  assert.is(ready.hasTag('ready'), true)
  assert.is(poured.context.cups, 2)
  assert.equal([done.status, done.output], ['done', { cups: 2 }])
  assert.is((await task.waitFor('done')).status, 'done', 'and at once when it is so already')
  assert.is(on.time.sleeping, 0, 'no timer is left behind')
})

test('what cannot become so any more is told at once, what was never begun too', async () => {
  const kitchen = await make()
  const { kettle: task } = kitchen
  assert.is(await codeOf(task.waitFor('done')), 'TASK_NOT_RUNNING')
  await task.start()
  await on.settle()
  const parked = codeOf(task.waitFor('done'))
  const seen = task.waitFor(() => false).catch((thrown) => thrown)
  await task.send('BREAK')
  await on.settle()
  assert.is(await parked, 'TASK_PARKED')
  assert.match((await seen).message, 'is panicked, so it cannot become what is waited for')
  assert.is(await codeOf(task.waitFor('done')), 'TASK_PARKED')
  await task.stop()
  await task.start()
  await on.settle()
  const stopped = codeOf(task.waitFor('done'))
  await task.stop()
  await until(async () => on.time.advance(1_000).then(() => on.time.sleeping === 0), {
    what: 'it saw the stop',
  })
  assert.is(await stopped, 'TASK_FINISHED')
  assert.is(await codeOf(task.waitFor('ready')), 'TASK_FINISHED')
})

test('waiting ends with its time, its signal, its condition that throws, and its app', async () => {
  const kitchen = await make()
  const { kettle: task } = kitchen
  await task.start()
  await on.settle()
  const late = task.waitFor('ready', { timeoutMs: 5_000 }).catch((thrown) => thrown)
  await until(() => on.time.sleeping > 0, { what: 'it waits' })
  await on.time.advance(5_000)
  const { code, message } = await late
  assert.is(code, 'WAIT_TIMEOUT')
  assert.match(message, 'did not become ready within 5000 ms; it is running in cold')

  const enough = new AbortController()
  const aborted = task.waitFor('ready', { signal: enough.signal }).catch((thrown) => thrown)
  await until(() => on.time.sleeping > 0, { what: 'it waits' })
  enough.abort(new Error('enough'))
  assert.is((await aborted).message, 'enough')
  assert.is((await task.waitFor('ready', enough).catch((thrown) => thrown)).message, 'enough')

  const broken = () => {
    throw new Error('no')
  }
  assert.is((await task.waitFor(broken).catch((thrown) => thrown)).message, 'no')
  assert.is(await codeOf(task.waitFor((async () => true) as never)), 'ARGUMENT_INVALID')
  for (const timeoutMs of [0, -1, Number.NaN, 1e12])
    assert.is(await codeOf(task.waitFor('ready', { timeoutMs })), 'ARGUMENT_INVALID')

  const other = await on.house.neighbour()
  const held = await other.get(Kitchen, kitchen.id)
  const abandoned = codeOf(held.kettle.waitFor('ready'))
  await until(() => on.time.sleeping > 0, { what: 'it waits' })
  await other.close()
  assert.is(await abandoned, 'WAIT_ABANDONED')
  assert.is(on.time.sleeping, 0)
})

test('a thousand who wait ask one question at a time, ever more seldom', async () => {
  const kitchens = await Promise.all([make(), make()])
  for (const { kettle } of kitchens) await kettle.start()
  await on.settle()
  const other = await on.house.neighbour()
  let asked = 0
  other.rooms.database.knex.on('query', ({ sql }) => {
    if (/ANY/.test(sql)) asked += 1
  })
  const held = await Promise.all(kitchens.map(({ id }) => other.get(Kitchen, id)))
  const tasks = Array.from({ length: 1_000 }, (_, index) => held[index % 2]!.kettle)
  const all = Promise.all(tasks.map((task) => task.waitFor('hot', { timeoutMs: 60_000 })))
  await until(() => on.time.sleeping >= 1_001, { what: 'all waiting' })
  for (let second = 0; second < 20; second++) {
    const before = asked
    await on.time.advance(1_000)
    await until(() => asked > before || on.time.sleeping >= 1_001, { what: 'one asked' })
  }
  assert.ok(asked >= 15 && asked <= 30, `${asked} questions in 20 s`)
  // The steps are taken in another process, as far as this one can see.
  for (const { kettle } of kitchens) await kettle.send('HEAT')
  boiling.gate.open()
  await on.settle()
  let isOver = false
  void all.then(() => {
    isOver = true
  })
  await until(async () => on.time.advance(1_000).then(() => isOver), { what: 'all told' })
  assert.is(on.time.sleeping, 0)
})

test('what a machine emits is heard by those who listen, until they stop', async () => {
  const kitchen = await make()
  const heard: unknown[] = []
  const undo = [
    kitchen.kettle.on('whistle', ({ pitch }) => heard.push(pitch)),
    kitchen.kettle.on('*', ({ type }) => heard.push(type)),
  ]
  const deaf = await make()
  deaf.kettle.on('*', () => heard.push('somebody else'))()
  await kitchen.kettle.start()
  await kitchen.kettle.send('HEAT')
  boiling.gate.open()
  await on.settle()
  assert.equal(heard, [4, 'whistle', 'steam'])
  for (const one of undo) one()
  await kitchen.kettle.stop()
  await kitchen.kettle.start()
  await kitchen.kettle.send('HEAT')
  await on.settle()
  assert.is(heard.length, 3)
})

for (const setting of settings()) {
  test(`with real workers of another process, ${setting}`, async () => {
    const house = await openHouse({ resources: [Kitchen], setting })
    const worker = await house.neighbour()
    await worker.start()
    const { kettle: task } = await house.app.create(Kitchen, {})
    await task.start()
    await task.send('HEAT')
    const ready = task.waitFor('ready')
    boiling.gate.open()
    assert.is((await ready).state, 'hot.done')
    const ended: Promise<TaskSnapshot<typeof kettle>> = task.waitFor('done')
    await task.send('OFF')
    assert.equal((await ended).output, { cups: 0 })
    await house.close()
  })
}

test.run()
