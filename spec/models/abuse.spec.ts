// Machines that misbehave: whatever user code throws, answers or keeps, its own run is parked as it was, with a
// sentence that says why, and nobody beside it notices.
import { assign, emit, enqueueActions, log, raise, sendTo, setup } from 'xstate'
import { effect, delay as lasting, NonRetryableError, Resource } from '../../bin/index.ts'
import { stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

const broke = (what: string) => () => {
  throw new Error(`the ${what} broke`)
}
const cycle: Record<string, unknown> = {}
cycle.me = cycle
/** The effect that never answers was called. */
let isCalled = false
const FIVE_MB = 'x'.repeat(5_000_000)

/** A machine that is well until it hears GO; `ready` and `parts` say what it does then. */
const machineOf = (name: string, { ready, parts = {}, ...more }: any) =>
  setup({ types: {} as { context: any; events: any }, ...parts }).createMachine({
    id: name,
    context: { kept: 1 },
    initial: 'ready',
    ...more,
    states: {
      ready: {
        on: {
          TOUCH: { actions: assign({ kept: ({ context }: any) => context.kept + 1 }) },
          ...ready,
        },
      },
      next: {},
      ended: { type: 'final' },
      ...more.states,
    },
  } as any)

interface Mishap {
  readonly machine: any
  /** What the failure says. */
  readonly says: RegExp
  readonly code?: string
  /** The event that is to blame, as the history has it; GO unless told. */
  readonly event?: string
  /** Where it was parked; `ready` unless told. */
  readonly state?: string
  /** Milliseconds until it happens. */
  readonly afterMs?: number
}

const doing = (...actions: unknown[]) => ({ ready: { GO: { target: 'next', actions } } })
const keeping = (value: unknown) => doing(assign({ kept: () => value }))

const MISHAPS: Record<string, Mishap> = {
  endless: {
    machine: {
      ready: { GO: 'ping' },
      states: {
        ping: { always: { guard: () => true, target: 'pong' } },
        pong: { always: { guard: () => true, target: 'ping' } },
      },
    },
    says: /[Ii]nfinite loop|1000/,
  },
  endlessRaise: {
    machine: { ready: { GO: { actions: raise({ type: 'GO' }) } } },
    says: /[Ii]nfinite loop|1000/,
  },
  guard: {
    machine: { ready: { GO: { guard: broke('guard'), target: 'next' } } },
    says: /the guard broke/,
  },
  assign: { machine: doing(assign(broke('assign') as never)), says: /the assign broke/ },
  action: { machine: doing(broke('action')), says: /the action broke/ },
  lateAction: {
    machine: doing(async () => {
      await null
      broke('late action')()
    }),
    says: /the late action broke/,
  },
  enqueued: {
    machine: doing(enqueueActions(broke('enqueuer') as never)),
    says: /the enqueuer broke/,
  },
  logged: { machine: doing(log(broke('log') as never)), says: /the log broke/ },
  emitter: { machine: doing(emit(broke('emitter') as never)), says: /the emitter broke/ },
  delay: {
    machine: {
      ready: { GO: 'slow' },
      parts: { delays: { slow: lasting(broke('delay') as never) } },
      states: { slow: { after: { slow: 'next' } } },
    },
    says: /the delay broke/,
  },
  badDelay: {
    machine: {
      ready: { GO: 'slow' },
      parts: { delays: { slow: () => Number.NaN } },
      states: { slow: { after: { slow: 'next' } } },
    },
    says: /delay|NaN/,
  },
  input: {
    machine: {
      ready: { GO: 'calling' },
      parts: { actors: { call: effect(async () => 1) } },
      states: { calling: { invoke: { id: 'call', src: 'call', input: broke('input') } } },
    },
    says: /the input broke/,
  },
  badInput: {
    machine: {
      ready: { GO: 'calling' },
      parts: { actors: { call: effect(async () => 1) } },
      states: { calling: { invoke: { id: 'call', src: 'call', input: () => () => {} } } },
    },
    code: 'VALUE_NOT_STORABLE',
    says: /input.*function/,
  },
  output: {
    machine: { ready: { GO: 'ended' }, output: broke('output') },
    says: /the output broke/,
  },
  badOutput: {
    machine: { ready: { GO: 'ended' }, output: () => ({ made: () => {} }) },
    code: 'VALUE_NOT_STORABLE',
    says: /output.made.*function/,
  },
  largeOutput: {
    machine: { ready: { GO: 'ended' }, output: () => FIVE_MB },
    code: 'VALUE_NOT_STORABLE',
    says: /bytes, more than/,
  },
  contextFunction: {
    machine: keeping(() => {}),
    code: 'VALUE_NOT_STORABLE',
    says: /context.kept.*function/,
  },
  contextNaN: {
    machine: keeping(Number.NaN),
    code: 'VALUE_NOT_STORABLE',
    says: /context.kept.*NaN/,
  },
  contextCycle: {
    machine: keeping(cycle),
    code: 'VALUE_NOT_STORABLE',
    says: /context.kept.*(circ|cycle|itself)/,
  },
  contextLarge: { machine: keeping(FIVE_MB), code: 'VALUE_NOT_STORABLE', says: /bytes, more than/ },
  contextSymbol: {
    machine: keeping(Symbol('no')),
    code: 'VALUE_NOT_STORABLE',
    says: /context.kept.*symbol/,
  },
  nobody: { machine: doing(sendTo('nobody', { type: 'HI' })), says: /'nobody'.*nobody|nobody/ },
  badMail: {
    machine: doing(sendTo(({ self }: any) => self, { type: 'HI', carry: () => {} } as never)),
    code: 'VALUE_NOT_STORABLE',
    says: /carry.*function/,
  },
  badTimer: {
    machine: doing(raise({ type: 'HI', carry: Number.NaN } as never, { delay: 1_000, id: 'hi' })),
    code: 'VALUE_NOT_STORABLE',
    says: /timers.*carry.*NaN/,
  },
  effectAnswer: {
    machine: {
      ready: { GO: 'calling' },
      parts: { actors: { call: effect(async () => () => {}, { retry: false }) } },
      states: { calling: { invoke: { id: 'call', src: 'call', onDone: 'next' } } },
    },
    event: 'xstate.done.actor.call',
    state: 'calling',
    code: 'VALUE_NOT_STORABLE',
    says: /function/,
  },
  effectLarge: {
    machine: {
      ready: { GO: 'calling' },
      parts: { actors: { call: effect(async () => FIVE_MB, { retry: false }) } },
      states: { calling: { invoke: { id: 'call', src: 'call', onDone: 'next' } } },
    },
    event: 'xstate.done.actor.call',
    state: 'calling',
    code: 'VALUE_NOT_STORABLE',
    says: /bytes, more than/,
  },
  effectThrows: {
    machine: {
      ready: { GO: 'calling' },
      parts: {
        actors: {
          call: effect(async () => {
            throw new NonRetryableError('no line')
          }),
        },
      },
      states: { calling: { invoke: { id: 'call', src: 'call', onDone: 'next' } } },
    },
    event: 'xstate.error.actor.call',
    state: 'calling',
    says: /no line/,
  },
  effectNever: {
    machine: {
      ready: { GO: 'calling' },
      parts: {
        actors: {
          call: effect(() => new Promise(() => (isCalled = true)), { retry: false, timeout: '5s' }),
        },
      },
      states: { calling: { invoke: { id: 'call', src: 'call', onDone: 'next' } } },
    },
    event: 'xstate.error.actor.call',
    state: 'calling',
    code: 'EFFECT_TIMEOUT',
    says: /call/,
    afterMs: 5_000,
  },
}

const names = Object.keys(MISHAPS)
const echo = setup({ types: {} as { context: any; events: any } }).createMachine({
  id: 'echo',
  context: { heard: 0 },
  on: { PING: { actions: assign({ heard: ({ context }) => context.heard + 1 }) } },
})
const unborn = setup({}).createMachine({ id: 'unborn', context: broke('context factory') as never })
const mother = setup({ actors: { unborn } }).createMachine({
  id: 'mother',
  initial: 'ready',
  states: {
    ready: { on: { GO: 'bearing', DEAF: 'deaf' } },
    bearing: { invoke: { id: 'unborn', src: 'unborn', onError: 'bereft' } },
    deaf: { invoke: { id: 'other', src: 'unborn' } },
    bereft: {},
  },
} as any)

class Abused extends Resource {
  static override tasks = {
    ...Object.fromEntries(names.map((name) => [name, machineOf(name, MISHAPS[name]?.machine)])),
    ...{ echo, mother: mother as any, unborn: unborn as any },
  }
}

const test = suite('abuse')
const on = stage(test, { resources: [Abused] })

/** A resource with this task and a bystander, and another resource with a bystander. */
const begin = async (task: string) => {
  const [held, other]: any[] = await Promise.all([
    on.app.create(Abused, {}),
    on.app.create(Abused, {}),
  ])
  const { taskId } = await held[task].start()
  await Promise.all([held.echo.start(), other.echo.start()])
  await on.settle()
  const heard = async ({ id }: any) => (await row(id, 'echo')).snapshot.context.heard
  const bystanders = async () => [await heard(held), await heard(other)]
  return { held, other, taskId, bystanders }
}
const row = async (id: string, task: string) =>
  (
    await on.house.sql(
      `SELECT t.*, x.snapshot FROM tasks t JOIN transitions x ON x.task_id = t.id AND x.step = t.rest_step
       WHERE t.resource_id = $1 AND t.name = $2`,
      [id, task],
    )
  )[0]
const snapshots = (taskId: string) =>
  on.house.sql(
    'SELECT step, snapshot::text FROM transitions WHERE task_id = $1 AND snapshot IS NOT NULL ORDER BY step',
    [taskId],
  )

for (const [name, { says, code, event = 'GO', state = 'ready', afterMs = 0 }] of Object.entries(
  MISHAPS,
)) {
  test(`${name}: a panic with a sentence, and nobody beside it notices`, async () => {
    const { held, other, taskId, bystanders } = await begin(name)
    await held[name].send('TOUCH')
    await on.settle()
    const before = await snapshots(taskId)
    await Promise.all([held[name].send('GO'), held.echo.send('PING'), other.echo.send('PING')])
    const settled = on.settle()
    if (afterMs > 0) {
      await until(() => on.time.sleeping > 0 && isCalled, { what: 'the effect was called' })
      await on.time.advance(afterMs)
    }
    await settled
    await Promise.all([held.echo.send('PING'), other.echo.send('PING')])
    await on.settle()
    assert.equal(await bystanders(), [2, 2])
    assert.is((await held[name].status()).status, 'panicked')
    const [failure] = await on.app.history.failures(held.id)
    assert.match(failure?.message ?? '', says, `it says: ${failure?.message}`)
    if (code) assert.is(failure?.code, code)
    assert.ok((failure?.message ?? '').length < 500, 'the sentence is short')
    const line = (await on.app.history.lines(held.id, { task: name })).find(
      ({ to }) => to === '__panic__',
    )
    assert.equal([line?.event, line?.from], [event, state])
    assert.ok(line?.reason)
    const after = await snapshots(taskId)
    assert.equal(after.slice(0, before.length), before)
    assert.is((await row(held.id, name)).rest_step, after.at(-1).step)
    assert.is(after.at(-1).snapshot.includes('x'.repeat(1_000)), false)
    await held[name].stop()
  })
}

test('a context factory that throws parks the run at its start', async () => {
  const { held, other, bystanders } = await begin('unborn')
  await Promise.all([held.echo.send('PING'), other.echo.send('PING')])
  await on.settle()
  assert.equal(await bystanders(), [1, 1])
  assert.is((await held.unborn.status()).status, 'panicked')
  assert.match(
    (await on.app.history.failures(held.id))[0]?.message ?? '',
    'the context factory broke',
  )
  await held.unborn.stop()
})

test('a context factory of a child that throws is told to its parent, if that wants to know', async () => {
  const one = await begin('mother')
  await Promise.all([
    one.held.mother.send('GO'),
    one.held.echo.send('PING'),
    one.other.echo.send('PING'),
  ])
  await on.settle()
  assert.equal(await one.bystanders(), [1, 1])
  assert.is((await one.held.mother.status()).state, 'bereft')
  const two = await begin('mother')
  await Promise.all([two.held.mother.send('DEAF'), two.held.echo.send('PING')])
  await on.settle()
  assert.equal(
    [(await two.held.mother.status()).status, (await two.bystanders())[0]],
    ['running', 1],
  )
  const children = await on.house.sql(
    `SELECT status FROM tasks WHERE resource_id = $1 AND name LIKE 'mother/%'`,
    [two.held.id],
  )
  assert.equal(children, [{ status: 'panicked' }])
  assert.match(
    (await on.app.history.failures(two.held.id))[0]?.message ?? '',
    'the context factory broke',
  )
})

test('what no machine may be sent is refused to whoever sends it', async () => {
  const { held, taskId } = await begin('guard')
  const before = await snapshots(taskId)
  const refused: [event: unknown, code: string][] = [
    [{ type: 'TOUCH', carry: () => {} }, 'VALUE_NOT_STORABLE'],
    [{ type: 'TOUCH', carry: cycle }, 'VALUE_NOT_STORABLE'],
    [{ type: 'TOUCH', carry: Number.NaN }, 'VALUE_NOT_STORABLE'],
    [{ type: 'xstate.done.actor.call', output: 1 }, 'ARGUMENT_INVALID'],
    [{ type: 'xstate.after.slow.ready' }, 'ARGUMENT_INVALID'],
    [{ type: '' }, 'ARGUMENT_INVALID'],
    [{ type: 7 }, 'ARGUMENT_INVALID'],
    [{ type: 'NEVER' }, 'EVENT_UNKNOWN'],
  ]
  for (const [event, code] of refused) {
    const thrown = await held.guard.send(event).then(
      () => null,
      (error: any) => error,
    )
    assert.is(thrown?.code, code, JSON.stringify(event && Object.keys(event as object)))
  }
  await on.settle()
  assert.equal(await snapshots(taskId), before)
})

test.run()
