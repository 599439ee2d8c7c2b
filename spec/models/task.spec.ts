// A task's life: started, stepped, stopped, panicked, retried and rewound.
import { assign, setup } from 'xstate'
import { Resource, steps } from '../../bin/index.ts'
import { codeOf, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

let isBroken = false

class Lamp extends Resource {
  static override tasks = {
    light: setup({
      types: {} as {
        context: { times: number }
        events: { type: 'TOGGLE' } | { type: 'BREAK' } | { type: 'PARTY.loud' }
      },
      actions: {
        count: assign({ times: ({ context }) => context.times + 1 }),
        shatter: () => {
          if (isBroken) throw new TypeError('the bulb is gone')
        },
      },
    }).createMachine({
      context: { times: 0 },
      initial: 'off',
      states: {
        off: { on: { TOGGLE: { target: 'on', actions: 'count' } } },
        on: {
          on: {
            TOGGLE: 'off',
            BREAK: { target: 'off', actions: ['count', 'shatter'] },
            'PARTY.*': 'off',
          },
        },
      },
    }),
    chain: steps({
      one: async () => 'two',
      two: async () => 'three',
      three: async (t) => t.stop(t.input),
    }),
    lost: steps({ here: async () => 'nowhere' as 'here' }),
  }
}

const test = suite('task')
const on = stage(test, { resources: [Lamp] })
const make = () => on.app.create(Lamp, {})
const path = async (id: string, task: string) =>
  (await on.app.history.lines(id, { task })).map(({ to }) => to)

/** The rows that say where a task is: its own, and the snapshot it rests in. */
const rest = async (taskId: string) =>
  on.house.sql(
    `SELECT t.rest_step, x.snapshot FROM tasks t
     JOIN transitions x ON x.task_id = t.id AND x.step = t.rest_step WHERE t.id = $1`,
    [taskId],
  )

// ---- starting and stopping ----------------------------------------------------------------------

test('walks its states and leaves its output', async () => {
  const lamp = await make()
  await lamp.chain.start({ wish: 7 })
  await on.settle()
  assert.equal(await path(lamp.id, 'chain'), ['__new__', 'one', 'two', 'three', '__stop__'])
  const { status, step, dueAt } = (await lamp.chain.status())!
  assert.equal([status, step, dueAt], ['done', 4, null])
  const output = await on.app.history.output(lamp.id, 'chain', undefined as never)
  assert.equal(output, { wish: 7 })
})

test('is one run, however often it is started', async () => {
  const lamp = await make()
  const starts = await Promise.all(Array.from({ length: 10 }, () => lamp.light.start()))
  assert.is(starts.filter(({ isNew }) => isNew).length, 1)
  assert.is(new Set(starts.map(({ taskId }) => taskId)).size, 1)
  await on.settle()
  assert.is((await lamp.light.start()).isNew, false)
  assert.equal(await path(lamp.id, 'light'), ['__new__', 'off'])
})

test('has the arguments of its own start, never those of an earlier run', async () => {
  const lamp = await make()
  const outputs: unknown[] = []
  for (const args of [{ a: 1 }, { b: 2 }, undefined]) {
    const { isNew } = await lamp.chain.start(args)
    assert.is(isNew, true)
    await on.settle()
    outputs.push(await on.app.history.output(lamp.id, 'chain', undefined as never))
    await on.advance(1)
  }
  assert.equal(outputs, [{ a: 1 }, { b: 2 }, undefined])
})

test('does not run when it is stopped, not even for mail that was sent before', async () => {
  const lamp = await make()
  await lamp.light.start()
  await on.settle()
  await lamp.light.send('TOGGLE')
  assert.is(await lamp.light.stop({ actor: 'me', reason: 'enough' }), true)
  assert.is(await lamp.light.stop(), false)
  await on.settle()
  assert.is(await codeOf(lamp.light.send('TOGGLE')), 'TASK_FINISHED')
  assert.equal(await path(lamp.id, 'light'), ['__new__', 'off', '__stop__'])
  const { actor, reason } = (await on.app.history.lines(lamp.id, { task: 'light' })).at(-1)!
  assert.equal([actor, reason], ['me', 'enough'])
})

test('that was never started is not running', async () => {
  const lamp = await make()
  assert.is(await lamp.light.status(), null)
  assert.is(await lamp.light.running(), false)
  assert.is(await codeOf(lamp.light.send('TOGGLE')), 'TASK_NOT_RUNNING')
  assert.is(await codeOf(lamp.light.retry()), 'TASK_NOT_RUNNING')
  assert.is(await codeOf(lamp.light.rewind(1)), 'TASK_NOT_RUNNING')
})

// ---- events -------------------------------------------------------------------------------------

test('knows its events, and says which they are when it is sent another', async () => {
  const lamp = await make()
  await lamp.light.start()
  await on.settle()
  const error = await lamp.light.send('TOGGEL' as never).catch((thrown) => thrown)
  assert.is(error.code, 'EVENT_UNKNOWN')
  assert.match(error.message, 'Its events: TOGGLE,')
  for (const type of ['', 'xstate.done.actor.x', 7]) {
    assert.is(await codeOf(lamp.light.send({ type } as never)), 'ARGUMENT_INVALID')
  }
  await lamp.light.send('TOGGLE')
  await lamp.light.send('PARTY.loud')
  await on.settle()
  assert.equal(await path(lamp.id, 'light'), ['__new__', 'off', 'on', 'off'])
})

test('takes events in the order they were sent, and drops those no state accepts', async () => {
  const lamp = await make()
  await lamp.light.start()
  const ignored: string[] = []
  const stop = on.app.events.on('event.ignored', ({ type }) => ignored.push(type))
  const all = ['BREAK', 'TOGGLE', 'TOGGLE', 'BREAK', 'TOGGLE'] as const
  for (const type of all) await lamp.light.send(type)
  await on.settle()
  stop()
  assert.equal(await path(lamp.id, 'light'), ['__new__', 'off', 'on', 'off', 'on'])
  assert.equal(ignored, ['BREAK', 'BREAK'])
})

test('takes an event sent twice with one key once, and an event past its time never', async () => {
  const lamp = await make()
  await lamp.light.start()
  await on.settle()
  await lamp.light.send('TOGGLE', { dedupKey: 'k' })
  assert.is(await codeOf(lamp.light.send('TOGGLE', { dedupKey: 'k' })), 'DUPLICATE_SEND')
  await on.settle()
  assert.is(await codeOf(lamp.light.send('TOGGLE', { dedupKey: 'k' })), 'DUPLICATE_SEND')
  await lamp.light.send('TOGGLE', { expiresIn: '5s' })
  await on.time.advance(5_000)
  await on.settle()
  assert.is((await lamp.light.status())!.state, 'on')
})

// ---- panics -------------------------------------------------------------------------------------

test('that panicked keeps its last good snapshot, says why, and runs again when retried', async () => {
  const lamp = await make()
  const { taskId } = await lamp.light.start()
  await lamp.light.send('TOGGLE')
  await on.settle()
  const before = await rest(taskId)
  isBroken = true
  await lamp.light.send('BREAK')
  await lamp.light.send('TOGGLE')
  await on.settle()
  const { status, state, dueAt } = (await lamp.light.status())!
  assert.equal([status, state, dueAt], ['panicked', 'on', null])
  assert.is(await lamp.light.running(), false)
  assert.equal(await rest(taskId), before)
  const [failure] = await on.app.history.failures(lamp.id)
  assert.equal([failure!.class, failure!.message], ['TypeError', 'the bulb is gone'])

  await lamp.light.send('TOGGLE')
  await on.advance('1h')
  assert.is((await lamp.light.status())!.status, 'panicked')
  assert.equal(await rest(taskId), before)

  await lamp.light.retry({ actor: 'me', reason: 'new bulb' })
  await on.settle()
  assert.is((await lamp.light.status())!.status, 'panicked', 'what broke it comes again')
  isBroken = false
  await lamp.light.retry()
  await on.settle()
  const lines = await on.app.history.lines(lamp.id, { task: 'light' })
  assert.equal(
    lines.map(({ to }) => to),
    ['__new__', 'off', 'on', '__panic__', 'on', '__panic__', 'on', 'off', 'on', 'off'],
  )
  assert.equal(lines[4]!.reason, 'new bulb')
  assert.is((await lamp.light.status())!.status, 'running')
})

test('cannot enter a state there is not', async () => {
  const lamp = await make()
  await lamp.lost.start()
  await on.settle()
  const { status, state } = (await lamp.lost.status())!
  assert.equal([status, state], ['panicked', 'here'])
  for (const { message } of await on.app.history.failures(lamp.id)) {
    assert.match(message, /answered "nowhere", which is no state. It may answer here/)
  }
})

test('whose stored state is not one of its machine is parked, its snapshot left as it is', async () => {
  const lamp = await make()
  const { taskId } = await lamp.light.start()
  await on.settle()
  const verdicts = [
    [42, 'panicked', 'STATE_CORRUPT'],
    [['off'], 'panicked', 'STATE_CORRUPT'],
    ['__proto__', 'panicked', 'STATE_CORRUPT'],
    [{}, 'panicked', 'STATE_CORRUPT'],
    ['gone', 'stranded', 'STATE_STRANDED'],
  ]
  for (const [value, status, code] of verdicts) {
    await on.app.rooms.database.transaction(async (runner) => {
      await runner.query("SET LOCAL escapement.reencrypting = 'on'")
      const sql = `UPDATE transitions SET snapshot = jsonb_set(snapshot, '{value}', $2)
                   WHERE task_id = $1 AND step = 1`
      await runner.query(sql, [taskId, JSON.stringify(value)])
    })
    const before = await rest(taskId)
    await lamp.light.send('TOGGLE')
    await lamp.light.retry()
    await on.settle()
    assert.is((await lamp.light.status())!.status, status)
    assert.is((await on.app.history.failures(lamp.id)).at(-1)!.code, code)
    assert.equal(await rest(taskId), before)
    await on.advance(1)
  }
})

// ---- going back ---------------------------------------------------------------------------------

const toggled = async (times: number) => {
  const lamp = await make()
  await lamp.light.start()
  for (let count = 0; count < times; count++) await lamp.light.send('TOGGLE')
  await on.settle()
  return lamp
}

test('goes back one step, two, and again after that', async () => {
  const lamp = await toggled(4)
  assert.equal(await lamp.light.rewind(1), { step: 6, state: 'on' })
  assert.equal(await lamp.light.rewind(2), { step: 7, state: 'on' })
  assert.equal(await lamp.light.rewind(1, { reason: 'why not' }), { step: 8, state: 'off' })
  await on.settle()
  await lamp.light.send('TOGGLE')
  await on.settle()
  const lines = await on.app.history.lines(lamp.id, { task: 'light' })
  assert.equal(
    lines.map(({ to }) => to),
    ['__new__', 'off', 'on', 'off', 'on', 'off', 'on', 'on', 'off', 'on'],
  )
  assert.is(lines[8]!.reason, 'why not')
  assert.equal(await lamp.light.rewind(1), { step: 10, state: 'off' })
})

test('goes back with the context it had', async () => {
  const lamp = await toggled(3)
  const { taskId } = (await lamp.light.status())!
  const times = async () => (await rest(taskId))[0].snapshot.context.times
  assert.is(await times(), 2)
  await lamp.light.rewind(2)
  assert.is(await times(), 1)
})

test('cannot go back further than it came', async () => {
  const lamp = await toggled(2)
  const error = await lamp.light.rewind(3).catch((thrown) => thrown)
  assert.is(error.code, 'STEP_UNKNOWN')
  assert.match(error.message, 'only 2 can be undone')
  for (const count of [0, -1, 1.5, Number.NaN]) {
    assert.is(await codeOf(lamp.light.rewind(count)), 'ARGUMENT_INVALID')
  }
  assert.equal(await path(lamp.id, 'light'), ['__new__', 'off', 'on', 'off'])
})

test('that panicked can be taken back behind the trouble', async () => {
  const lamp = await toggled(1)
  isBroken = true
  await lamp.light.send('BREAK')
  await on.settle()
  isBroken = false
  assert.is((await lamp.light.status())!.status, 'panicked')
  assert.is((await lamp.light.rewind(1)).state, 'off')
  assert.is((await lamp.light.status())!.status, 'running')
  await on.settle()
})

test('moved twice at once moves once, and the other is told', async () => {
  for (let round = 0; round < 5; round++) {
    const lamp = await toggled(2)
    const moves = await Promise.allSettled([lamp.light.rewind(1), lamp.light.rewind(1)])
    const lost = moves.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
    for (const { reason } of lost) assert.is(reason.code, 'DESYNCHRONIZED')
    const { step } = (await lamp.light.status())!
    // They need not meet: the second may have come after the first.
    assert.is(step, 3 + 2 - lost.length)
  }
})

test('moved by a user while it is ticked moves one way', async () => {
  const lamp = await toggled(2)
  for (let round = 0; round < 5; round++) {
    await lamp.light.send('TOGGLE')
    const [moved] = await Promise.allSettled([lamp.light.rewind(1), on.tick(lamp.id)])
    if (moved.status === 'rejected') assert.is(moved.reason.code, 'DESYNCHRONIZED')
    await on.settle()
  }
  const lines = await on.app.history.lines(lamp.id, { task: 'light' })
  assert.equal(
    lines.map(({ step }) => step),
    lines.map((_, index) => index),
  )
})

test.run()
