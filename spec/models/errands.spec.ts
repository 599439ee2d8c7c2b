// Effects: tried again, timed out, given up, run side by side; never holding up what is not theirs.
import { assign, setup } from 'xstate'
import * as z from 'zod'
import {
  effect,
  field,
  NonRetryableError,
  Resource,
  RetryAfterError,
  type StepWork,
  steps,
  type Work,
} from '../../bin/index.ts'
import { type Gate, gate, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

interface Call {
  readonly key: string
  readonly attempt: number
  readonly at: number
  readonly signal: AbortSignal
}

/** What the effects of a test do, and what they were called with. */
let calls: Call[] = []
let does: (work: Work<any, any>, count: number) => unknown = () => 'fine'

const noted = (work: Work<any, any>): any => {
  const { key, attempt, signal } = work
  calls.push({ key, attempt, at: on.time.now(), signal })
  return does(work, calls.length)
}
const call = effect(async (work) => noted(work), {
  retry: { attempts: 3, backoff: '1s..10s' },
  timeout: '30s',
})
const calling = (more: object) => ({ invoke: { id: 'call', src: 'call' as const, ...more } })

class Phone extends Resource {
  static override fields = {
    n: field(z.number().default(0)),
    ups: field(z.number().default(0)),
    downs: field(z.number().default(0)),
  }
  static override tasks = {
    handled: setup({ actors: { call } }).createMachine({
      initial: 'calling',
      states: { calling: calling({ onDone: 'answered', onError: 'busy' }), answered: {}, busy: {} },
    }),
    unhandled: setup({ actors: { call } }).createMachine({
      initial: 'calling',
      states: { calling: calling({ onDone: 'answered' }), answered: {} },
    }),
    redial: setup({
      types: {} as { context: { said: unknown }; events: { type: 'REDIAL' } | { type: 'PING' } },
      actors: { call },
      actions: { hear: () => {}, keep: assign({ said: ({ event }: any) => event.output }) },
    }).createMachine({
      context: { said: null },
      initial: 'calling',
      states: {
        calling: {
          ...calling({ onDone: { target: 'answered', actions: 'keep' } }),
          on: { REDIAL: { target: 'calling', reenter: true } },
        },
        answered: {},
      },
      on: { PING: { actions: 'hear' } },
    }),
    both: setup({ actors: { call } }).createMachine({
      type: 'parallel',
      states: {
        left: { initial: 'a', states: { a: calling({ id: 'left', onDone: 'b' }), b: {} } },
        right: { initial: 'a', states: { a: calling({ id: 'right', onDone: 'b' }), b: {} } },
        clock: { initial: 'tick', states: { tick: { after: { 2000: 'tock' } }, tock: {} } },
      },
    }),
    bell: setup({ types: {} as { events: { type: 'RING' } } }).createMachine({
      initial: 'still',
      states: { still: { on: { RING: 'ringing' } }, ringing: { after: { 1000: 'still' } } },
    }),
    up: steps({ count: async (t) => counted(t, 'ups') }),
    down: steps({ count: async (t) => counted(t, 'downs') }),
    poll: steps({ asking: async (t) => noted(t) }, { retry: { attempts: 2, backoff: '1s' } }),
  }
}

/** Reads, lets others go on, and writes: the classic way to lose an update. */
async function counted({ resource, key, again, stop }: StepWork, mine: 'ups' | 'downs') {
  const { n } = resource
  reads.push(key)
  await on.time.settle()
  resource.n = n + 1
  resource[mine] += 1
  return resource[mine] < ROUNDS ? again(0) : stop()
}
const ROUNDS = 20
let reads: string[] = []

const test = suite('errands')
const on = stage(test, { resources: [Phone] })
const make = () => on.app.create(Phone, {})

test.before.each(() => {
  calls = []
  does = () => 'fine'
})

const gaps = () => calls.slice(1).map(({ at }, index) => at - calls[index]!.at)

// ---- again and again ----------------------------------------------------------------------------

test('are tried again after a while, longer each time, with the key of the first', async () => {
  const phone = await make()
  does = (_, count) => {
    if (count < 3) throw new Error(`busy ${count}`)
  }
  await phone.handled.start()
  await on.settle()
  assert.is(calls.length, 1, 'not before the backoff is over')
  const { taskId, dueAt, step } = (await phone.handled.status())!
  assert.ok(dueAt! >= on.time.now() + 500 && dueAt! <= on.time.now() + 1_000)
  await on.advance('1m')
  assert.equal(
    calls.map(({ attempt }) => attempt),
    [1, 2, 3],
  )
  assert.equal(new Set(calls.map(({ key }) => key)), new Set([`${taskId}:1:call`]))
  const [first, second] = gaps()
  assert.ok(first! >= 500 && first! <= 1_000, `${first} ms`)
  assert.ok(second! >= 1_000 && second! <= 2_000, `${second} ms`)
  assert.is(step, 1, 'an attempt is no step')
  const { state, step: after } = (await phone.handled.status())!
  assert.equal([state, after], ['answered', 2])
  const failures = await on.app.history.failures(phone.id)
  assert.equal(
    failures.map(({ attempt, effect, message }) => [attempt, effect, message]),
    [
      [1, 'call', 'busy 1'],
      [2, 'call', 'busy 2'],
    ],
  )
})

test('whose last attempt failed are told to the machine', async () => {
  const phone = await make()
  does = () => Promise.reject(new Error('busy'))
  await phone.handled.start()
  await on.advance('1m')
  assert.is(calls.length, 3)
  const { state, status } = (await phone.handled.status())!
  assert.equal([state, status], ['busy', 'running'])
  assert.is((await on.app.history.failures(phone.id)).length, 3)
})

test('whose last attempt failed are a panic of a machine that does not listen', async () => {
  const phone = await make()
  does = () => Promise.reject(new RangeError('busy'))
  await phone.unhandled.start()
  await on.advance('1m')
  assert.is(calls.length, 3)
  const { state, status } = (await phone.unhandled.status())!
  assert.equal([state, status], ['calling', 'panicked'])
  assert.is((await on.app.history.failures(phone.id)).at(-1)!.class, 'RangeError')
  does = () => 'fine'
  await phone.unhandled.retry()
  await on.settle()
  assert.is((await phone.unhandled.status())!.state, 'answered')
})

test('that cannot be mended are not tried again', async () => {
  class Refused extends NonRetryableError {}
  for (const error of [new Refused('no'), Object.assign(new Error('no'), { retryable: false })]) {
    calls = []
    const phone = await make()
    does = () => Promise.reject(error)
    await phone.handled.start()
    await on.advance('1m')
    assert.is(calls.length, 1)
    assert.is((await phone.handled.status())!.state, 'busy')
  }
})

test('wait as long as the error asks', async () => {
  const phone = await make()
  does = (_, count) => {
    if (count === 1) throw new RetryAfterError('45s')
    if (count === 2) throw new Error('later', { cause: { retryAfter: 7 } })
  }
  await phone.handled.start()
  await on.advance('2m')
  assert.equal(gaps(), [45_000, 7_000])
  assert.is((await phone.handled.status())!.state, 'answered')
})

test('that take too long are told so, and tried again', async () => {
  const phone = await make()
  does = (_, count) => (count === 1 ? new Promise(() => {}) : 'fine')
  await phone.handled.start()
  const ticking = on.tick(phone.id)
  await until(() => calls.length === 1, { what: 'the effect was called' })
  assert.is(calls[0]!.signal.aborted, false)
  await on.time.advance(30_000)
  await ticking
  assert.is(calls[0]!.signal.reason.code, 'EFFECT_TIMEOUT')
  const [failure] = await on.app.history.failures(phone.id)
  assert.is(failure!.code, 'EFFECT_TIMEOUT')
  await on.advance('1m')
  assert.is((await phone.handled.status())!.state, 'answered')
  assert.is(calls.length, 2)
})

test('that ask for another turn get it in the same state, with a key of its own', async () => {
  const phone = await make()
  does = (work, count) => {
    work.resource.n = count
    return count < 4 ? work.again('5s') : (work as any).stop()
  }
  await phone.poll.start()
  await on.settle()
  await phone.reload()
  assert.is(phone.n, 1, 'what it set is kept')
  assert.is((await phone.poll.status())!.step, 1)
  await on.advance('1m')
  await phone.reload()
  assert.is(phone.n, 4)
  assert.equal(gaps(), [5_000, 5_000, 5_000])
  const { taskId, step, status } = (await phone.poll.status())!
  assert.equal([step, status], [2, 'done'])
  const key = `${taskId}:1:asking`
  assert.equal(
    calls.map((one) => one.key),
    [key, `${key}:1`, `${key}:2`, `${key}:3`],
  )
})

test('have all their attempts in every turn they asked for', async () => {
  const phone = await make()
  does = (work, count) => {
    if (count % 2 === 1) throw new Error('odd')
    return count < 6 ? work.again(0) : (work as any).stop()
  }
  await phone.poll.start()
  await on.advance('1m')
  assert.equal(
    calls.map(({ attempt }) => attempt),
    [1, 2, 1, 2, 1, 2],
  )
  assert.is((await phone.poll.status())!.status, 'done')
})

// ---- fields -------------------------------------------------------------------------------------

test('leave nothing of an attempt that failed', async () => {
  const phone = await make()
  does = ({ resource }, count) => {
    resource.ups = count
    if (count === 1) throw new Error('busy')
    resource.n = resource.n + 10
  }
  await phone.handled.start()
  await on.settle()
  await phone.reload()
  assert.equal([phone.n, phone.ups], [0, 0])
  await on.advance('1m')
  await phone.reload()
  assert.equal([phone.n, phone.ups], [10, 2])
})

test('leave nothing of the last attempt either, though the machine goes on', async () => {
  const phone = await make()
  await phone.bell.start()
  does = async ({ resource }) => {
    resource.n += 1
    await resource.bell.send('RING')
    throw new Error('busy')
  }
  await phone.handled.start()
  await on.advance('1m')
  await phone.reload()
  assert.is((await phone.handled.status())!.state, 'busy')
  assert.is(phone.n, 0)
  assert.equal((await on.app.history.lines(phone.id, { task: 'bell' })).length, 2, 'nobody rang')
})

test('of two tasks that change one field lose no change', async () => {
  reads = []
  const phone = await make()
  await phone.up.start()
  await phone.down.start()
  await on.settle()
  await phone.reload()
  assert.equal([phone.ups, phone.downs], [ROUNDS, ROUNDS])
  assert.is(phone.n, 2 * ROUNDS)
  assert.ok(reads.length > 2 * ROUNDS, 'they met, and some work was done anew')
})

test('do not undo what was saved from outside while they ran', async () => {
  const phone = await make()
  const long = gate()
  does = async ({ resource }, count) => {
    if (count === 1) await long.passed
    resource.n += 1
  }
  await phone.handled.start()
  const ticking = on.tick(phone.id)
  await until(() => calls.length === 1, { what: 'the effect was called' })
  const copy = await on.app.get(Phone, phone.id)
  copy.n = 100
  copy.ups = 5
  await copy.save()
  long.open()
  await ticking
  await on.settle()
  await phone.reload()
  assert.equal([phone.n, phone.ups], [101, 5])
})

// ---- side by side -------------------------------------------------------------------------------

test('run side by side, and no timer waits for them', async () => {
  const phone = await make()
  const gates = new Map<string, Gate<void>>()
  does = ({ key }) => {
    const one = gate()
    gates.set(key.split(':')[2]!, one)
    return one.passed
  }
  await phone.both.start()
  const ticking = on.tick(phone.id)
  await until(() => gates.size === 2, { what: 'both were called' })
  await on.time.advance(2_000)
  const states = async () => JSON.parse((await phone.both.status())!.state)
  await until(async () => (await states()).clock === 'tock', { what: 'the timer fired' })
  gates.get('right')!.open()
  await until(async () => (await states()).right === 'b', { what: 'the right one was heard' })
  assert.is((await states()).left, 'a')
  gates.get('left')!.open()
  await ticking
  assert.equal(await states(), { left: 'b', right: 'b', clock: 'tock' })
})

test('are tried again in time, though another runs beside them', async () => {
  const phone = await make()
  const long = gate()
  const seen: string[] = []
  does = ({ key, attempt }) => {
    const name = key.split(':')[2]!
    seen.push(`${name} ${attempt}`)
    if (name === 'left') return long.passed
    if (attempt === 1) throw new Error('busy')
    return 'fine'
  }
  await phone.both.start()
  const ticking = on.tick(phone.id)
  const state = async () => (await phone.both.status())?.dueAt
  await until(() => seen.length === 2, { what: 'both were called' })
  await until(async () => (await on.app.history.failures(phone.id)).length === 1, {
    what: 'the failure was written',
  })
  assert.ok(await state())
  await on.time.advance(1_000)
  await until(() => seen.includes('right 2'), { what: 'the other was tried again' })
  long.open()
  await ticking
})

test('let events of their own task and of others through', async () => {
  const phone = await make()
  const long = gate<string>()
  does = () => long.passed
  await phone.redial.start()
  await phone.bell.start()
  const ticking = on.tick(phone.id)
  await until(() => calls.length === 1, { what: 'the effect was called' })
  await phone.redial.send('PING')
  await phone.bell.send('RING')
  assert.is(on.ticker.nudge(phone.id), true)
  const state = async () => (await phone.bell.status())!.state
  await until(async () => (await state()) === 'ringing', { what: 'the bell rang' })
  await until(async () => (await phone.redial.status())!.step === 2, { what: 'PING was taken' })
  // The timer of the other task fires while the effect goes on.
  await on.time.advance(1_000)
  on.ticker.nudge(phone.id)
  await until(async () => (await state()) === 'still', { what: 'the bell was still again' })
  assert.is(calls.length, 1)
  long.open('hello')
  await ticking
  assert.is((await phone.redial.status())!.state, 'answered')
})

test('of a state that was left are told so, and what they say is not heard', async () => {
  const phone = await make()
  const gates: Gate<string>[] = []
  does = () => {
    gates.push(gate<string>())
    return gates.at(-1)!.passed
  }
  const { taskId } = await phone.redial.start()
  const ticking = on.tick(phone.id)
  await until(() => gates.length === 1, { what: 'it was called' })
  await phone.redial.send('REDIAL')
  on.ticker.nudge(phone.id)
  await until(() => gates.length === 2, { what: 'it was called anew' })
  assert.is(calls[0]!.signal.reason.code, 'STATE_LEFT')
  assert.is(calls[1]!.signal.aborted, false)
  assert.equal(
    calls.map(({ key }) => key),
    [`${taskId}:1:call`, `${taskId}:2:call`],
  )
  gates[0]!.open('old')
  await on.time.settle()
  assert.is((await phone.redial.status())!.state, 'calling')
  gates[1]!.open('new')
  await ticking
  const [{ snapshot }] = await on.house.sql(
    'SELECT snapshot FROM transitions WHERE task_id = $1 ORDER BY step DESC LIMIT 1',
    [taskId],
  )
  assert.is(snapshot.context.said, 'new')
})

test('of a task that was stopped are told so', async () => {
  const phone = await make()
  const long = gate()
  does = () => long.passed
  await phone.redial.start()
  const ticking = on.tick(phone.id)
  await until(() => calls.length === 1, { what: 'it was called' })
  await phone.redial.stop()
  on.ticker.nudge(phone.id)
  await until(() => calls[0]!.signal.aborted, { what: 'it was told' })
  assert.is(calls[0]!.signal.reason.code, 'TASK_STOPPED')
  await ticking
  long.open()
  await on.settle()
  assert.is((await phone.redial.status())!.status, 'stopped')
})

test.run()
