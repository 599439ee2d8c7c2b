// timeout: 180s
// Too much of everything: actors that never stop talking, crowds, machines that keep themselves busy, actors that
// break while they start, run and stop. Their own run pays for it; nobody beside it waits.
import {
  assign,
  enqueueActions,
  fromCallback,
  fromObservable,
  sendParent,
  sendTo,
  setup,
} from 'xstate'
import { effect, Resource } from '../../bin/index.ts'
import { drive } from '../support/drive.ts'
import { type Gate, gate, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

const MANY = 10_000
const broke = (what: string): never => {
  throw new Error(`the ${what} broke`)
}
let calls: { key: string; gate: Gate<unknown> }[] = []

const counting = { N: { actions: assign({ n: ({ context }: any) => context.n + 1 }) as any } }
const machine = (id: string, actors: any, states: any) =>
  setup({ types: {} as { context: any; events: any }, actors }).createMachine({
    id,
    context: { n: 0 },
    initial: 'ready',
    on: counting,
    states: { ready: { on: { GO: 'busy' } }, calm: {}, ...states },
  } as any) as any

/** Live actors by what is wrong with them. */
const lives: Record<string, any> = {
  chatter: fromCallback(({ sendBack }) => {
    for (let n = 0; n < MANY + 10; n++) sendBack({ type: 'N' })
  }),
  unstarted: fromCallback(() => broke('start')),
  unheard: fromCallback(({ receive }) => {
    receive(() => broke('ear'))
  }),
  unstopped: fromCallback(() => () => broke('stop')),
  spoiled: fromObservable(() => ({
    subscribe: (observer: any) => {
      observer.error(new Error('the source broke'))
      return { unsubscribe() {} }
    },
  })),
  unstorable: fromCallback(({ sendBack }) => {
    sendBack({ type: 'N', carry: () => {} })
  }),
}
const live = (name: string) =>
  machine(name, lives, {
    busy: {
      invoke: { id: name, src: name },
      on: { LEAVE: 'calm', POKE: { actions: sendTo(name, { type: 'POKE' }) } },
    },
  })

const talker = setup({ types: {} as { context: any; events: any } }).createMachine({
  id: 'talker',
  entry: enqueueActions(({ enqueue }) => {
    for (let n = 0; n < MANY; n++) enqueue(sendParent({ type: 'N' }))
  }),
})
const speck = setup({}).createMachine({ id: 'speck', initial: 'on', states: { on: {} } })
const flooded = machine(
  'flooded',
  { talker },
  { busy: { invoke: { id: 'talker', src: 'talker' } } },
)
const crowded = machine(
  'crowded',
  { speck },
  {
    busy: {
      entry: enqueueActions(({ enqueue }) => {
        for (let n = 0; n < 1_000; n++) enqueue.spawnChild('speck', { id: `speck${n}` })
      }),
    },
  },
)
const restless = machine(
  'restless',
  {},
  {
    busy: {
      entry: sendTo(({ self }: any) => self, { type: 'ROUND' }),
      on: { ROUND: { target: 'busy', reenter: true, actions: counting.N.actions }, STOP: 'calm' },
    },
  },
)
const caller = machine(
  'caller',
  {
    call: effect(({ key }) => {
      const mine = { key, gate: gate<unknown>() }
      calls.push(mine)
      return mine.gate.passed
    }),
  },
  {
    busy: {
      invoke: {
        id: 'call',
        src: 'call',
        onDone: { target: 'calm', actions: assign({ n: ({ event }: any) => event.output }) },
      },
      on: { AGAIN: { target: 'busy', reenter: true } },
    },
  },
)
const echo = setup({ types: {} as { context: any; events: any } }).createMachine({
  id: 'echo',
  context: { n: 0 },
  on: counting,
})

class Pond extends Resource {
  static override tasks: Record<string, any> = {
    ...Object.fromEntries(Object.keys(lives).map((name) => [name, live(name)])),
    ...{ flooded, crowded, restless, caller, echo },
  }
}

const test = suite('floods')
const on = stage(test, { resources: [Pond] })
test.before.each(() => {
  calls = []
})

const begin = async (task: string) => {
  const [held, other]: any[] = await Promise.all([on.app.create(Pond, {}), on.app.create(Pond, {})])
  const { taskId } = await held[task].start()
  await Promise.all([held.echo.start(), other.echo.start()])
  await on.settle()
  const row = async ({ id }: any, name: string) =>
    (
      await on.house.sql(
        `SELECT t.status, t.state, x.snapshot FROM tasks t
         JOIN transitions x ON x.task_id = t.id AND x.step = t.rest_step WHERE t.resource_id = $1 AND t.name = $2`,
        [id, name],
      )
    )[0]
  /** A bystander of the same resource and one of another hear of something, and take it. */
  const hasPeace = async () => {
    const before = [await row(held, 'echo'), await row(other, 'echo')].map(
      (one) => one.snapshot.context.n,
    )
    await Promise.all([held.echo.send('N'), other.echo.send('N')])
    on.ticker.nudge(held.id)
    const ticking = Promise.all(
      [on.tick(held.id), on.tick(other.id)].map((one) => one.catch(() => {})),
    )
    await until(
      async () => {
        const now = [await row(held, 'echo'), await row(other, 'echo')].map(
          (one) => one.snapshot.context.n,
        )
        return now.every((n, index) => n === before[index] + 1)
      },
      { what: 'the bystanders took their mail' },
    )
    return ticking
  }
  const failures = () => on.app.history.failures(held.id)
  return { held, other, taskId, row: () => row(held, task), hasPeace, failures }
}

/** Ticks until the task has come to this. */
const ticked = async (id: string, is: () => Promise<boolean>, what: string) => {
  const ticking = on.tick(id)
  await until(is, { what, deadlineMs: 60_000 })
  return ticking
}

for (const [name, says] of [
  ['unstarted', /the start broke/],
  ['spoiled', /the source broke/],
  ['unstorable', /carry.*function/],
] as const) {
  test(`${name}: a live actor that breaks parks its task, as it was`, {
    deadlineMs: 90_000,
  }, async () => {
    const { held, row, hasPeace, failures } = await begin(name)
    await held[name].send('GO')
    await ticked(held.id, async () => (await row()).status === 'panicked', `${name} panicked`)
    assert.match((await failures())[0]?.message ?? '', says)
    await hasPeace()
    await held[name].stop()
  })
}

test('a live actor that breaks while it stops is out of the way', async () => {
  const { held, row, hasPeace } = await begin('unstopped')
  await held.unstopped.send('GO')
  const ticking = ticked(held.id, async () => (await row()).state === 'busy', 'it was busy')
  await until(async () => (await row()).state === 'busy', { what: 'it was busy' })
  await held.unstopped.send('LEAVE')
  on.ticker.nudge(held.id)
  await ticking
  const { state, status } = await row()
  assert.equal([status, state], ['running', 'calm'])
  await hasPeace()
})

test('a child that floods its parent is read to the end, and others take their turns', {
  deadlineMs: 120_000,
}, async () => {
  const { held, row, hasPeace } = await begin('flooded')
  const small = drive({ app: on.app, time: on.time, quota: { steps: 50, ms: 60_000 } })
  await held.flooded.send('GO')
  const verdict = await small.tick(held.id)
  assert.is(verdict.kind, 'again')
  const { snapshot } = await row()
  assert.ok(snapshot.context.n < MANY, `${snapshot.context.n} were taken in one share`)
  await Promise.all([hasPeace()])
  await held.flooded.stop()
  await on.settle()
})

test('an answer to an earlier incarnation is not heard', async () => {
  const { held, row } = await begin('caller')
  await held.caller.send('GO')
  const ticking = on.tick(held.id)
  await until(() => calls.length === 1, { what: 'the first call' })
  await held.caller.send('AGAIN')
  on.ticker.nudge(held.id)
  await until(() => calls.length === 2, { what: 'the second call' })
  calls[0]?.gate.open(1)
  calls[1]?.gate.open(2)
  await ticking
  assert.equal([(await row()).state, (await row()).snapshot.context.n], ['calm', 2])
  assert.is(calls[0]?.key === calls[1]?.key, false)
})

test.run()
