// timeout: 120s
// Panics: the resource is asked, then the one it belongs to, then the alarm opens; and what can be done about a parked task.
import { assign, createMachine, setup } from 'xstate'
import { effect, type Panic, Resource } from '../../bin/index.ts'
import { Patrol } from '../../models/patrol.ts'
import { codeOf, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

let failing: string | null = null
const heard: string[] = []
let onOwn: (panic: Panic) => unknown = () => undefined
let onChild: (panic: Panic) => unknown = () => undefined

const work = effect(
  async () => {
    if (failing) throw new Error(failing)
  },
  { retry: false },
)
const job = setup({
  actors: { work },
  actions: { count: assign({ visits: ({ context }: any) => context.visits + 1 }) },
}).createMachine({
  context: { visits: 0 },
  initial: 'waiting',
  states: {
    waiting: { on: { GO: 'working' } },
    working: { invoke: { src: 'work', onDone: 'resting' } },
    resting: {
      entry: 'count',
      initial: 'light',
      states: { light: { after: { 60000: 'deep' } }, deep: {} },
      on: { GO: 'working' },
    },
    over: { type: 'final' },
  },
})

class Plant extends Resource {
  static override tasks = { idle: createMachine({ initial: 'on', states: { on: {} } }) }
  override async onPanic(panic: Panic) {
    heard.push(`plant: ${panic.resource.kind}.${panic.task} ${panic.error.message}`)
    return onChild(panic)
  }
}
class Engine extends Resource {
  static override tasks = { job }
  override async onPanic(panic: Panic) {
    heard.push(`engine: ${panic.task} in ${panic.state}`)
    return onOwn(panic)
  }
}
/** It has nothing to say itself. */
class Mute extends Resource {
  static override tasks = { job }
}

const test = suite('panics')
const on = stage(test, { resources: [Plant, Engine, Mute] })
test.before.each(() => {
  failing = null
  heard.length = 0
  onOwn = () => undefined
  onChild = () => undefined
})

// What one test leaves behind is nobody's business in the next.
test.after.each(async () => {
  await on.house.sql('DELETE FROM resources')
})

const patrol = () => {
  const { app, time } = on
  const { store, events, rooms } = app
  const { knex } = rooms.database
  return new Patrol({ store, time, events, knex, overdueMs: 300_000, toldMs: 5_000 })
}
const alarmsOf = async (id: string) =>
  (await on.app.alarms.list({ resourceId: id, state: 'all' })).map(
    ({ name, state }) => `${name} ${state}`,
  )

async function panicked<C extends typeof Engine | typeof Mute>(shape: C) {
  const plant = await on.app.create(Plant, {})
  const made = await plant.createChild(shape as typeof Engine, {})
  await made.job.start()
  failing = 'it is stuck'
  await made.job.send('GO')
  await on.settle()
  return { plant, made }
}

test('a handler that lets the task go on keeps its alarm from opening', async () => {
  onOwn = async (panic) => {
    failing = null
    await panic.retry('it happens')
  }
  const { made } = await panicked(Engine)
  assert.equal(heard, ['engine: job in working'])
  const { status, state } = (await made.job.status())!
  assert.equal([status, state], ['running', 'resting.light'])
  assert.equal(await alarmsOf(made.id), ['panic closed'])
  assert.equal(await on.house.sql('SELECT 1 FROM notices WHERE resource_id = $1', [made.id]), [])
})

test('what the resource does not see to is told to the one it belongs to, and then to everybody', async () => {
  const { made } = await panicked(Engine)
  assert.equal(heard, ['engine: job in working', 'plant: Engine.job it is stuck'])
  assert.equal(await alarmsOf(made.id), ['panic open'])
})

test('a resource without a handler is seen to by the one it belongs to', async () => {
  onChild = (panic) => panic.goto('resting')
  const { made } = await panicked(Mute)
  assert.equal(heard, ['plant: Mute.job it is stuck'])
  assert.is((await made.job.status())!.state, 'resting.light')
  assert.equal(await alarmsOf(made.id), ['panic closed'])
})

test('an answer of true is enough: the task stays parked, and nobody is called', async () => {
  onOwn = () => true
  const { made } = await panicked(Engine)
  assert.is((await made.job.status())!.status, 'panicked')
  await on.advance('1h')
  await patrol().round()
  assert.equal(await alarmsOf(made.id), ['panic closed'])
})

test('a handler that fails keeps no alarm from opening', async () => {
  onOwn = () => {
    throw new Error('the handler is broken too')
  }
  const { made } = await panicked(Engine)
  await on.advance('20s')
  assert.equal(await alarmsOf(made.id), ['panic open'])
})

test('a handler that never answers has a minute', async () => {
  let open = () => {}
  onOwn = () => new Promise<void>((resolve) => (open = resolve))
  const plant = await on.app.create(Plant, {})
  const made = await plant.createChild(Engine, {})
  await made.job.start()
  await on.settle()
  failing = 'it is stuck'
  await made.job.send('GO')
  const ticking = on.tick(made.id)
  while ((await alarmsOf(made.id)).length === 0) await on.time.advance(1)
  assert.equal(await alarmsOf(made.id), ['panic pending'])
  await on.time.advance(61_000)
  await patrol().round()
  assert.equal(await alarmsOf(made.id), ['panic open'])
  onOwn = () => undefined
  open()
  await on.time.advance(10_000)
  await ticking
})

test('a task goes to a state of its machine with the context it has, its timers armed', async () => {
  const { made } = await panicked(Mute)
  await made.job.goto('resting', { actor: 'ada', reason: 'by hand' })
  const [moved] = await on.house.sql(
    `SELECT event, from_state, to_state, actor, reason, snapshot->'context' AS context FROM transitions x JOIN tasks t ON t.id = x.task_id
     WHERE t.resource_id = $1 ORDER BY x.step DESC LIMIT 1`,
    [made.id],
  )
  assert.equal(
    [moved.event, moved.from_state, moved.to_state, moved.actor, moved.reason, moved.context],
    ['__goto__', 'working', 'resting.light', 'ada', 'by hand', { visits: 1 }],
  )
  await on.advance('61s')
  assert.is((await made.job.status())!.state, 'resting.deep')
  await made.job.goto('resting.deep')
  assert.is((await made.job.status())!.state, 'resting.deep')
})

test('a state that is none, or ends the task, is refused', async () => {
  const { made } = await panicked(Mute)
  assert.is(await codeOf(made.job.goto('restin')), 'ARGUMENT_INVALID')
  assert.is(await codeOf(made.job.goto('__proto__')), 'ARGUMENT_INVALID')
  assert.is(await codeOf(made.job.goto('over')), 'ARGUMENT_INVALID')
  assert.is((await made.job.status())!.status, 'panicked')
})

test('a task of a resource can see to another one that is parked', async () => {
  const { made } = await panicked(Mute)
  failing = null
  await made.job.retry()
  await on.settle()
  assert.is((await made.job.status())!.state, 'resting.light')
})

test.run()
