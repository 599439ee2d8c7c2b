// What is promised of findings 7, 10, 15, 17 and of #45 and #205, beyond anchors.spec.ts and edited.spec.ts:
// child machines, named delays, cadence, stranded runs, and the order in which parallel regions are asked.
import { type AnyStateMachine, assign, sendTo, setup } from 'xstate'
import { Resource } from '../../bin/index.ts'
import { drive } from '../support/drive.ts'
import { stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { afresh, lived, restOf, run } from '../support/twins.ts'

const test = suite('a finding about XState')

/** The second region, by name, is the first by the order a JSON column keeps. */
const regions = setup({ types: {} as { events: { type: 'GO' } } }).createMachine({
  id: 'regions',
  type: 'parallel',
  states: {
    longer: {
      initial: 'a',
      states: { a: {}, b: {} },
      on: { GO: { target: '.b', reenter: true } },
    },
    two: { initial: 'a', states: { a: { on: { GO: 'b' } }, b: {} } },
  },
})

const child = setup({
  types: {} as { context: { n: number }; events: { type: 'ADD' } },
}).createMachine({
  id: 'child',
  context: { n: 0 },
  initial: 'counting',
  states: {
    counting: {
      on: { ADD: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
      always: { guard: ({ context }) => context.n === 2, target: 'full' },
    },
    full: { type: 'final' },
  },
  output: ({ context }) => context.n,
})
const parent = setup({
  types: {} as { context: { got: unknown }; events: { type: 'ADD' } },
  actors: { child },
}).createMachine({
  id: 'parent',
  context: { got: null },
  initial: 'waiting',
  states: {
    waiting: {
      invoke: {
        id: 'kid',
        src: 'child',
        onDone: { target: 'told', actions: assign({ got: ({ event }) => event.output }) },
      },
      on: { ADD: { actions: sendTo('kid', { type: 'ADD' }) } },
    },
    told: {},
  },
})

const poller = setup({
  types: {} as { context: { looks: number }; events: { type: 'TICK' } },
}).createMachine({
  id: 'poller',
  context: { looks: 0 },
  initial: 'looking',
  states: {
    looking: {
      meta: { tick: '5s' },
      on: { TICK: { actions: assign({ looks: ({ context }) => context.looks + 1 }) } },
    },
  },
})

const versioned = (version: string, state: string) =>
  setup({ types: {} as { events: { type: 'GO' } } }).createMachine({
    id: 'versioned',
    version,
    initial: state,
    states: { [state]: { on: { GO: { actions: () => {} } } } },
  }) as unknown as AnyStateMachine

class Awaited extends Resource {
  static override tasks = { regions, poller, versioned: versioned('1', 'old') }
}

const on = stage(test, { resources: [Awaited] })
const restart = () => afresh(on, ({ settle }) => settle())

test('7: a delay written as a number is named by the lint, for changing it orphans armed timers', async () => {
  const { lint } = (await import('../../lib/lint.ts' as string)) as any
  const inlined = setup({}).createMachine({
    id: 'inlined',
    initial: 'a',
    states: { a: { after: { 30000: 'b' } }, b: { type: 'final' } },
  })
  const found = JSON.stringify(lint(inlined))
  assert.match(found, 'inlined.a')
  assert.match(found, '30000')
})

test('15: a child machine is a task of its own; what is sent to it moves it, and its end is heard', async () => {
  class Family extends Resource {
    static override tasks = { elder: parent }
  }
  const app = await on.house.neighbour({ resources: [Family] })
  const family = await app.create(Family, {})
  const { taskId } = await family.elder.start()
  const settle = () => drive({ app, time: on.time }).settle()
  await settle()
  for (let n = 0; n < 2; n++) {
    await family.elder.send('ADD')
    await settle()
  }
  const { value, context } = await restOf(on, taskId)
  assert.equal([value, context], ['told', { got: 2 }])
})

test('17: a state with a cadence is told the time at its pace; what was missed is one', async () => {
  const { id, poller: task } = await on.app.create(Awaited, {})
  const { taskId } = await task.start()
  await restart()
  await afresh(on, ({ advance }) => advance(15_000))
  assert.equal((await restOf(on, taskId)).context, { looks: 3 })
  await on.time.advance(60_000)
  await restart()
  assert.equal((await restOf(on, taskId)).context, { looks: 4 })
  await (await on.app.get(Awaited, id)).poller.stop()
})

test('10: a run whose state is no more is stranded: parked, said so by its code, never begun anew', async () => {
  const awaited = await on.app.create(Awaited, {})
  const { taskId } = await awaited.versioned.start()
  await restart()
  class Newer extends Resource {
    static override kind = 'Awaited'
    static override tasks = { regions, poller, versioned: versioned('2', 'new') }
  }
  const app = await on.house.neighbour({ resources: [Newer] })
  await awaited.versioned.send('GO')
  await drive({ app, time: on.time }).settle()
  const { code } = (await on.app.history.failures(awaited.id)).at(-1)!
  assert.is(code, 'STATE_STRANDED')
  assert.is((await restOf(on, taskId)).value, 'old')
})

for (const status of ['done', 'error']) {
  test(`#205: a running task whose snapshot was made to say "${status}" is parked`, async () => {
    const awaited = await on.app.create(Awaited, {})
    const { taskId } = await awaited.regions.start()
    await restart()
    await on.app.rooms.database.transaction(async (runner) => {
      await runner.query("SET LOCAL escapement.reencrypting = 'on'")
      const sql = `UPDATE transitions SET snapshot = jsonb_set(snapshot, '{status}', $2)
                   WHERE task_id = $1 AND step = 1`
      await runner.query(sql, [taskId, JSON.stringify(status)])
    })
    await awaited.regions.send('GO')
    await restart()
    assert.is((await awaited.regions.status())!.status, 'panicked')
  })
}

test('docs: parallel regions are asked in the order they were written, whatever a column keeps', async () => {
  const script = { machine: regions as unknown as AnyStateMachine, happenings: ['GO'] }
  const expected = await lived(script)
  const { seen } = await run(on, Awaited, 'regions', script)
  assert.equal(seen, expected)
})

test.run()
