// The time of tasks: cadences, timeouts of states, and what becomes of timers while a task rests.
import { assign, raise, setup } from 'xstate'
import { delay as lasting, Resource } from '../../bin/index.ts'
import { stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

let isOpenForTicks = true

const probe = setup({
  types: {} as { context: { ticks: number }; events: any },
  guards: { open: () => isOpenForTicks },
  actions: { count: assign({ ticks: ({ context }) => context.ticks + 1 }) },
}).createMachine({
  id: 'probe',
  context: { ticks: 0 },
  initial: 'watching',
  states: {
    watching: {
      meta: { tick: '5s' },
      initial: 'calm',
      states: {
        calm: { on: { TICK: { guard: 'open', actions: 'count' }, ALARM: 'tense' } },
        tense: { on: { TICK: { actions: 'count' }, CALM: 'calm' } },
      },
      on: { REST: 'resting', AGAIN: { target: 'watching', reenter: true } },
    },
    resting: { on: { WATCH: 'watching' } },
  },
})

const limited = setup({ types: {} as { events: any } }).createMachine({
  id: 'limited',
  initial: 'waiting',
  states: {
    waiting: {
      meta: { timeoutMs: 60_000, onTimeout: 'late' },
      on: { GO: 'strict', AGAIN: { target: 'waiting', reenter: true } },
    },
    strict: { meta: { timeoutMs: 30_000 }, on: { DONE: 'done' } },
    late: {},
    done: { type: 'final' },
  },
})

const patient = setup({
  types: {} as { context: { fired: string[] }; events: any },
  delays: {
    plain: 10_000,
    deadline: lasting('10s'),
    frozen: lasting('10s', { policy: 'frozen' }),
    restart: lasting(() => 10_000, { policy: 'restart' }),
  },
  actions: {
    note: assign({ fired: ({ context }, { name }: { name: string }) => [...context.fired, name] }),
  },
}).createMachine({
  id: 'patient',
  context: { fired: [] },
  initial: 'a',
  on: { R: { actions: { type: 'note', params: { name: 'raised' } } } },
  states: {
    a: {
      entry: raise({ type: 'R' }, { delay: 'frozen', id: 'r' }),
      after: {
        plain: { actions: { type: 'note', params: { name: 'plain' } } },
        deadline: { actions: { type: 'note', params: { name: 'deadline' } } },
        frozen: { actions: { type: 'note', params: { name: 'frozen' } } },
        restart: { actions: { type: 'note', params: { name: 'restart' } } },
      },
    },
  },
})

class Device extends Resource {
  static override tasks = { probe, limited, patient }
}

const test = suite('timers')
const on = stage(test, { resources: [Device] })

const begin = async (task: 'probe' | 'limited' | 'patient') => {
  const device = await on.app.create(Device, {})
  const handle = device[task] as any
  await handle.start()
  await on.settle()
  const send = async (type: string) => {
    await handle.send(type)
    await on.settle()
  }
  const context = async () => {
    const [row] = await on.house.sql(
      `SELECT x.snapshot FROM tasks t JOIN transitions x ON x.task_id = t.id AND x.step = t.rest_step
       WHERE t.resource_id = $1`,
      [device.id],
    )
    return row.snapshot.context
  }
  const state = async () => (await handle.status()).state
  return { device, handle, send, context, state }
}

// ---- cadences -----------------------------------------------------------------------------------

test('a state with a cadence ticks at its pace, and no longer than it is active', async () => {
  const { send, context } = await begin('probe')
  await on.advance(4_999)
  assert.is((await context()).ticks, 0)
  await on.advance(1)
  assert.is((await context()).ticks, 1)
  await send('ALARM')
  await on.advance('10s')
  assert.is((await context()).ticks, 3)
  await send('REST')
  await on.advance('1m')
  assert.is((await context()).ticks, 3)
  await send('WATCH')
  await on.advance('5s')
  assert.is((await context()).ticks, 4)
})

test('ticks that were missed are one, and the beat goes on', async () => {
  const { device, context } = await begin('probe')
  await on.time.advance(23_000)
  await on.settle()
  assert.is((await context()).ticks, 1)
  const due = (await on.house.sql('SELECT due_at FROM dues WHERE resource_id = $1', [device.id]))[0]
    .due_at
  assert.is(due - on.time.now(), 2_000)
  await on.advance('2s')
  assert.is((await context()).ticks, 2)
})

test('a tick nobody accepts is no end of the cadence', async () => {
  const { context } = await begin('probe')
  isOpenForTicks = false
  await on.advance('10s')
  isOpenForTicks = true
  assert.is((await context()).ticks, 0)
  await on.advance('5s')
  assert.is((await context()).ticks, 1)
})

test('a state entered again begins its cadence anew', async () => {
  const { send, context } = await begin('probe')
  await on.advance('4s')
  await send('AGAIN')
  await on.advance('4s')
  assert.is((await context()).ticks, 0)
  await on.advance('1s')
  assert.is((await context()).ticks, 1)
})

// ---- timeouts -----------------------------------------------------------------------------------

test('a state that lasts too long leads where it says', async () => {
  const { send, state } = await begin('limited')
  await on.advance('50s')
  await send('AGAIN')
  await on.advance(59_999)
  assert.is(await state(), 'waiting')
  await on.advance(1)
  assert.is(await state(), 'late')
})

test('a state that says nothing fails with a timeout, and gets its time again', async () => {
  const { device, handle, send, state } = await begin('limited')
  await send('GO')
  await on.advance('30s')
  assert.is((await handle.status()).status, 'panicked')
  const [failure] = await on.app.history.failures(device.id)
  assert.is(failure?.code, 'STATE_TIMEOUT')
  assert.match(failure?.message ?? '', 'State limited.strict lasted longer than 30000 ms')
  await on.advance('1h')
  await handle.retry()
  await on.advance(29_999)
  assert.equal([(await handle.status()).status, await state()], ['running', 'strict'])
  await send('DONE')
  assert.is((await handle.status()).status, 'done')
})

// ---- policies -----------------------------------------------------------------------------------

test('a pause is no time for frozen timers, a new beginning for those that restart, nothing to deadlines', async () => {
  const { handle, context } = await begin('patient')
  await on.advance('4s')
  assert.is(await handle.pause({ reason: 'maintenance' }), true)
  assert.is(await handle.pause(), false)
  await on.advance('20s')
  assert.equal((await context()).fired, [])
  assert.is((await handle.status()).status, 'paused')
  await handle.resume({ reason: 'done' })
  await on.settle()
  assert.equal((await context()).fired, ['plain', 'deadline'])
  await on.advance(5_999)
  assert.equal((await context()).fired.length, 2)
  await on.advance(1)
  assert.equal((await context()).fired.slice(2).sort(), ['frozen', 'raised'])
  await on.advance(3_999)
  assert.is((await context()).fired.length, 4)
  await on.advance(1)
  assert.is((await context()).fired.at(-1), 'restart')
})

test('a pause is in the history, with who and why; mail waits for its end', async () => {
  const { device, handle, send, state } = await begin('limited')
  await handle.pause({ actor: 'ada', reason: 'look into it' })
  await send('GO')
  assert.is(await state(), 'waiting')
  await handle.resume({ actor: 'ada', reason: 'looked' })
  await on.settle()
  assert.is(await state(), 'strict')
  const lines = (await on.app.history.lines(device.id, { task: 'limited' })).map(
    ({ event, actor, reason }) => `${event} ${actor} ${reason}`,
  )
  assert.ok(lines.includes('__pause__ ada look into it') && lines.includes('__resume__ ada looked'))
  const thrown = await handle.resume().catch((error: any) => error)
  assert.is(thrown.code, 'TASK_NOT_PAUSED')
})

test.run()
