// Machines that spawn machines: owned tasks, their mail, their ends.
import {
  assign,
  emit,
  enqueueActions,
  forwardTo,
  fromCallback,
  fromObservable,
  log,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate'
import { effect, Resource } from '../../bin/index.ts'
import { drive } from '../support/drive.ts'
import { stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

let isBroken = true

/** Counts what it is told, answers, and ends with its count. */
const counter = setup({
  types: {} as { context: { count: number; from: number }; input: { from?: number } },
  guards: { broken: () => (isBroken ? fail('guard') : true) },
}).createMachine({
  id: 'counter',
  context: ({ input }) => ({ from: input.from ?? 0, count: input.from ?? 0 }),
  initial: 'counting',
  states: {
    counting: {
      on: {
        UP: {
          actions: [
            assign({ count: ({ context }) => context.count + 1 }),
            sendParent(({ context }) => ({ type: 'COUNTED', count: context.count })),
          ],
        },
        ASK: {
          actions: sendTo(
            ({ event }) => event.replyTo,
            ({ context }) => ({ type: 'ANSWER', count: context.count }),
          ),
        },
        END: 'ended',
        BREAK: { guard: 'broken', target: 'ended' },
      },
    },
    ended: { type: 'final' },
  },
  output: ({ context }) => ({ total: context.count }),
})

function fail(where: string): never {
  throw new Error(`broken ${where}`)
}

const heard: string[] = []

const boss = setup({
  types: {} as { context: any; events: any },
  actors: { counter },
}).createMachine({
  id: 'boss',
  context: { heard: [] as unknown[], total: null, error: null, seen: [] as unknown[] },
  initial: 'idle',
  on: {
    COUNTED: {
      actions: assign({ heard: ({ context, event }) => [...context.heard, event.count] }),
    },
    ANSWER: {
      actions: assign({ heard: ({ context, event }) => [...context.heard, `=${event.count}`] }),
    },
  },
  states: {
    idle: { on: { GO: 'working' } },
    working: {
      entry: sendTo('kid', { type: 'UP' }),
      exit: sendTo('kid', { type: 'UP' }),
      invoke: {
        id: 'kid',
        src: 'counter',
        systemId: 'tally',
        input: { from: 10 },
        onDone: {
          target: 'counted',
          actions: assign({ total: ({ event }: any) => event.output.total }),
        },
        onError: { target: 'failed', actions: assign({ error: ({ event }) => event.error }) },
        onSnapshot: {
          actions: assign({
            seen: ({ context, event }: any) => [
              ...context.seen,
              [event.snapshot.context.count, event.snapshot.matches('counting')],
            ],
          }),
        },
      },
      on: {
        UP: { actions: forwardTo('kid') },
        ASK: { actions: sendTo('kid', ({ self }) => ({ type: 'ASK', replyTo: self })) },
        ASK_SYSTEM: {
          actions: sendTo(
            ({ system }) => system.get('tally'),
            ({ self }) => ({ type: 'ASK', replyTo: self }),
          ),
        },
        LATER: { actions: sendTo('kid', { type: 'UP' }, { delay: 1_000, id: 'later' }) },
        END: { actions: sendTo('kid', { type: 'END' }) },
        BREAK: { actions: sendTo('kid', { type: 'BREAK' }) },
        LEAVE: 'idle',
        AGAIN: { target: 'working', reenter: true },
      },
    },
    counted: { on: { GO: 'working' } },
    failed: {},
  },
})

const crowd = setup({
  types: {} as { context: any; events: any },
  actors: {
    counter,
    pulse: fromCallback(({ sendBack, receive, input }: any) => {
      heard.push(`pulse ${input}`)
      sendBack({ type: 'BEAT', n: 1 })
      receive((event: any) => {
        heard.push(event.type)
        if (event.type === 'PING') sendBack({ type: 'PONG' })
        if (event.type === 'BREAK') throw new Error('the pulse broke')
      })
      return () => heard.push('pulse stopped')
    }),
    two: fromObservable(() => ({
      subscribe: (observer: any) => {
        observer.next(1)
        observer.next(2)
        observer.complete()
        return { unsubscribe() {} }
      },
    })) as any,
    slow: effect(async () => 'slow'),
  },
}).createMachine({
  id: 'crowd',
  context: { kids: [] as any[], news: [] as unknown[] },
  initial: 'open',
  states: {
    open: {
      on: {
        SPAWN: {
          actions: assign({
            kids: ({ context, spawn, event }) => [
              ...context.kids,
              spawn('counter', { input: { from: event.from } }),
            ],
          }),
        },
        SPAWN_NAMED: { actions: spawnChild('counter', { id: 'named', input: { from: 5 } }) },
        BREAK_NAMED: { actions: sendTo('named', { type: 'BREAK' }) },
        UP_ALL: {
          actions: enqueueActions(({ context, enqueue }) => {
            for (const kid of context.kids) enqueue.sendTo(kid, { type: 'UP' })
          }),
        },
        STOP_FIRST: {
          actions: [
            stopChild(({ context }: any) => context.kids[0]),
            assign({ kids: ({ context }: any) => context.kids.slice(1) }),
          ],
        },
        COUNTED: {
          actions: assign({ news: ({ context, event }) => [...context.news, event.count] }),
        },
        WATCH: 'watching',
        CLOSE: 'closed',
        SHOUT: {
          actions: [
            emit({ type: 'loud', n: 1 } as any),
            log('shouted', 'crowd'),
            raise({ type: 'ECHO' }),
          ],
        },
      },
    },
    watching: {
      invoke: [
        { id: 'pulse', src: 'pulse', input: 7, systemId: 'heart' },
        {
          id: 'two',
          src: 'two',
          onSnapshot: {
            actions: assign({
              news: ({ context, event }: any) => [...context.news, ['saw', event.snapshot.context]],
            }),
          },
          onDone: {
            actions: assign({ news: ({ context }: any) => [...context.news, 'two done'] }),
          },
        },
      ],
      on: {
        BEAT: { actions: assign({ news: ({ context, event }) => [...context.news, event.n] }) },
        PING: { actions: sendTo('pulse', { type: 'PING' }) },
        PONG: { actions: assign({ news: ({ context }) => [...context.news, 'pong'] }) },
        BREAK: { actions: sendTo('pulse', { type: 'BREAK' }) },
        OPEN: 'open',
      },
    },
    closed: { type: 'final' },
  },
})

/** Writes to itself for ever, until somebody stops it. */
const restless = setup({
  types: {} as { context: { n: number }; events: { type: 'GO' } | { type: 'REST' } },
}).createMachine({
  id: 'restless',
  context: { n: 0 },
  initial: 'calm',
  states: {
    calm: { on: { GO: 'going' } },
    going: {
      entry: sendTo(({ self }) => self, { type: 'GO' }),
      on: {
        GO: {
          actions: [
            assign({ n: ({ context }) => context.n + 1 }),
            sendTo(({ self }) => self, { type: 'GO' }),
          ],
        },
        REST: 'calm',
      },
    },
  },
})

class Firm extends Resource {
  static override tasks = { boss, crowd, restless }
}

const test = suite('kin')
const on = stage(test, { resources: [Firm] })

const begin = async (task: 'boss' | 'crowd' | 'restless') => {
  const firm = await on.app.create(Firm, {})
  await (firm[task] as any).start()
  await on.settle()
  const send = async (...events: any[]) => {
    for (const event of events) {
      await (firm[task] as any).send(event)
      await on.settle()
    }
  }
  const context = async () => {
    const [row] = await on.house.sql(
      `SELECT x.snapshot FROM tasks t JOIN transitions x ON x.task_id = t.id AND x.step = t.rest_step
       WHERE t.resource_id = $1 AND t.name = $2`,
      [firm.id, task],
    )
    return row.snapshot.context
  }
  const runs = async () =>
    (
      await on.house.sql(
        'SELECT name, status FROM tasks WHERE resource_id = $1 ORDER BY started_at, name',
        [firm.id],
      )
    ).map(({ name, status }) => `${name} ${status}`)
  return { firm, send, context, runs }
}

test('an invoked machine is a task of its own, written to and heard in the commits of both', async () => {
  const { send, context, runs } = await begin('boss')
  await send('GO', 'UP', 'ASK')
  assert.equal((await context()).heard, [11, 12, '=12'])
  assert.equal(await runs(), ['boss running', 'boss/kid:2 running'])
})

test('a child that ends tells its parent once, with its output', async () => {
  const { send, context, runs } = await begin('boss')
  await send('GO', 'END')
  assert.is((await context()).total, 11)
  assert.equal(await runs(), ['boss running', 'boss/kid:2 done'])
  await send('GO')
  assert.equal(
    (await runs()).map((run) => run.replace(/:\d+/, '')),
    ['boss running', 'boss/kid done', 'boss/kid running'],
  )
})

test('a child that fails tells its parent, and ends', async () => {
  const { send, context, runs } = await begin('boss')
  isBroken = true
  await send('GO', 'BREAK')
  const { error } = await context()
  assert.match(error.$error.message, 'broken guard')
  assert.equal(await runs(), ['boss running', 'boss/kid:2 failed'])
})

test('a parent that leaves its child stops it, and what it sent on leaving is read first', async () => {
  const { send, context, runs } = await begin('boss')
  await send('GO', 'LEAVE')
  assert.equal((await context()).heard, [11, 12])
  assert.equal(await runs(), ['boss running', 'boss/kid:2 stopped'])
})

test('a state entered again has another child', async () => {
  const { send, runs } = await begin('boss')
  await send('GO', 'AGAIN')
  const names = await runs()
  assert.is(names.filter((name) => name.endsWith('running')).length, 2, names.join())
  assert.is(names.filter((name) => name.endsWith('stopped')).length, 1, names.join())
})

test('a system id finds the actor that has it now', async () => {
  const { send, context } = await begin('boss')
  await send('GO', 'AGAIN', 'ASK_SYSTEM')
  assert.is((await context()).heard.at(-1), '=11')
})

test('a parent that wants to hears of every snapshot of its child', async () => {
  const { send, context } = await begin('boss')
  await send('GO', 'UP')
  assert.equal((await context()).seen, [
    [10, true],
    [11, true],
    [12, true],
  ])
})

test('a delayed event for a child waits with the sender, and goes when it is due', async () => {
  const { send, context } = await begin('boss')
  await send('GO', 'LATER')
  await on.advance(999)
  assert.equal((await context()).heard, [11])
  await on.advance(1)
  assert.equal((await context()).heard, [11, 12])
})

test('stopping a parent stops its children', async () => {
  const { firm, send, runs } = await begin('boss')
  await send('GO')
  await firm.boss.stop()
  assert.equal(await runs(), ['boss stopped', 'boss/kid:2 stopped'])
})

test('spawned actors are kept in the context and sent to from there', async () => {
  const { send, context, runs } = await begin('crowd')
  await send(
    { type: 'SPAWN', from: 1 },
    { type: 'SPAWN', from: 100 },
    'UP_ALL',
    'STOP_FIRST',
    'UP_ALL',
  )
  assert.equal((await context()).news, [2, 101, 102])
  assert.is((await runs()).filter((name) => name.endsWith('stopped')).length, 1)
  await send('CLOSE')
  assert.equal(
    (await runs()).map((name) => name.split(' ')[1]),
    ['done', 'stopped', 'stopped'],
  )
})

test('callbacks and observables run while their state is active', async () => {
  heard.length = 0
  const { firm, context } = await begin('crowd')
  await firm.crowd.send('WATCH')
  const ticking = on.tick(firm.id)
  await until(async () => (await context()).news.length === 5, { what: 'both have spoken' })
  await firm.crowd.send('PING')
  on.ticker.nudge(firm.id)
  await until(async () => (await context()).news.length === 6, { what: 'the pulse answered' })
  assert.equal((await context()).news, [
    1,
    ['saw', { $undefined: true }],
    ['saw', 1],
    ['saw', 2],
    'two done',
    'pong',
  ])
  await firm.crowd.send('OPEN')
  on.ticker.nudge(firm.id)
  await ticking
  assert.equal(heard, ['pulse 7', 'PING', 'pulse stopped'])
})

test('going back stops the children there are and spawns those there were, known by new addresses', async () => {
  const { firm, send, context, runs } = await begin('crowd')
  await send({ type: 'SPAWN', from: 1 }, { type: 'SPAWN', from: 50 }, 'STOP_FIRST')
  await firm.crowd.rewind(1)
  await on.settle()
  assert.equal((await runs()).map((run) => run.split(' ')[1]).sort(), [
    'running',
    'running',
    'running',
    'stopped',
    'stopped',
  ])
  await send('UP_ALL')
  assert.equal((await context()).news, [2, 51])
})

test('a child nobody awaits is parked by its failure, goes on when told, and its parent hears of its end', async () => {
  const { firm, send, runs } = await begin('crowd')
  await send('SPAWN_NAMED')
  const [name] = (await runs()).filter((run) => run.includes('/')).map((run) => run.split(' ')[0])
  isBroken = true
  await send('BREAK_NAMED')
  isBroken = false
  assert.ok((await runs()).includes(`${name} panicked`))
  assert.is((await firm.crowd.status())?.status, 'running')
})

test('a machine that writes to itself for ever has its share, and no more', async () => {
  const { firm, context } = await begin('restless')
  const quota = { steps: 20, ms: 60_000 }
  const small = drive({ app: on.app, time: on.time, quota })
  await firm.restless.send('GO')
  for (const most of [20, 40]) {
    assert.is((await small.tick(firm.id)).kind, 'again')
    const { n } = await context()
    assert.ok(n > most - 20 && n <= most, `${n} rounds`)
  }
  await firm.restless.stop()
})

test('what a machine emits and logs is told after the commit', async () => {
  const told: unknown[] = []
  const { firm, send } = await begin('crowd')
  const undo = on.app.events.on('*', (payload: any, name) => {
    if (payload.resourceId !== firm.id) return
    if (name === 'task.emitted') told.push(payload.event)
    if (name === 'task.logged') told.push([payload.label, payload.value])
  })
  await send('SHOUT')
  undo()
  assert.equal(told, [{ type: 'loud', n: 1 }, ['crowd', 'shouted']])
})

test.run()
