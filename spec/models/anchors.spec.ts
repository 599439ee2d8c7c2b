// timeout: 180s
// What XState alone does to a durable host, found by running it, and what the house makes of it.
// The numbers are those of the table in docs/findings.md, which names every test here.
import { assign, raise, setup } from 'xstate'
import { effect, Resource } from '../../bin/index.ts'
import { advance, begin } from '../../lib/machine.ts'
import { SystemTime } from '../../lib/time.ts'
import { fromSnapshot, toSnapshot } from '../../models/memory.ts'
import { drive } from '../support/drive.ts'
import { rowsOf } from '../support/pages.ts'
import { codeOf, type Gate, gate, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { readTree } from '../support/tree.ts'
import { afresh, restOf } from '../support/twins.ts'
import { sealer } from '../support/values.ts'
import { until } from '../support/wait.ts'

/** What the machines call and do outside themselves. */
let calls: { key: string; gate: Gate<unknown> }[] = []
let isHeld = false
let isOpen = false
let acts: unknown[] = []

const call = effect(
  async ({ key }) => {
    const mine = { key, gate: gate<unknown>() }
    calls.push(mine)
    return isHeld ? mine.gate.passed : calls.length
  },
  { retry: { attempts: 1 } },
)

const waiter = setup({
  types: {} as {
    context: { touched: number }
    events: { type: 'TOUCH' | 'ROUND' | 'LEAVE' | 'BACK' | 'STALE' }
  },
  delays: { pause: 10_000 },
}).createMachine({
  id: 'waiter',
  version: '7',
  context: { touched: 0 },
  initial: 'waiting',
  states: {
    waiting: {
      after: { pause: 'rung' },
      on: {
        TOUCH: { actions: assign({ touched: ({ context }) => context.touched + 1 }) },
        ROUND: { target: 'waiting', reenter: true },
        LEAVE: 'away',
      },
    },
    away: { on: { BACK: 'waiting' } },
    rung: { on: { BACK: 'waiting' } },
  },
})

const caller = setup({
  types: {} as {
    context: { heard: unknown[] }
    events: { type: 'LEAVE' | 'BACK' | 'ROUND' }
  },
  actors: { call },
}).createMachine({
  id: 'caller',
  context: { heard: [] },
  initial: 'calling',
  states: {
    calling: {
      invoke: {
        id: 'call',
        src: 'call',
        onDone: {
          target: 'answered',
          actions: assign({ heard: ({ context, event }) => [...context.heard, event.output] }),
        },
      },
      on: { LEAVE: 'away', ROUND: { target: 'calling', reenter: true } },
    },
    away: { on: { BACK: 'calling' } },
    answered: { on: { BACK: 'calling' } },
  },
})

const echo = setup({
  types: {} as { context: { heard: number[] }; events: { type: 'SELF'; n: number } },
}).createMachine({
  id: 'echo',
  context: { heard: [] },
  entry: [
    raise({ type: 'SELF', n: 1 }, { delay: 1_000 }),
    raise({ type: 'SELF', n: 2 }, { delay: 2_000 }),
  ],
  on: { SELF: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.n] }) } },
})

const treasure = () => ({
  date: new Date(Date.UTC(2026, 0, 2)),
  set: new Set(['a', 'b']),
  map: new Map<unknown, unknown>([['k', new Date(0)]]),
  big: 2n ** 70n,
  nothing: null,
  list: [undefined, 1],
})
const keeper = setup({ types: {} as { context: object; events: { type: 'LOOK' } } }).createMachine({
  id: 'keeper',
  context: treasure(),
  on: { LOOK: { actions: assign({ looked: true }) } },
})

const clumsy = setup({
  types: {} as {
    context: { n: number }
    events: { type: 'GUARD' | 'ASSIGN' | 'INLINE' | 'SPIN' | 'FINE' }
  },
  guards: {
    broken: () => {
      throw new RangeError('the guard broke')
    },
    isOpen: () => isOpen,
  },
}).createMachine({
  id: 'clumsy',
  context: { n: 0 },
  initial: 'here',
  states: {
    here: {
      always: { guard: 'isOpen', target: 'there' },
      on: {
        GUARD: { guard: 'broken', target: 'there' },
        ASSIGN: {
          target: 'there',
          actions: assign(() => {
            throw new RangeError('the assign broke')
          }),
        },
        INLINE: {
          actions: ({ context }) => {
            acts.push(context.n)
            if (acts.length === 1) throw new RangeError('the action broke')
          },
        },
        SPIN: 'ping',
        FINE: { actions: assign({ n: ({ context }) => context.n + 1 }) },
      },
    },
    there: {},
    ping: { always: { guard: () => true, target: 'pong' } },
    pong: { always: 'ping' },
  },
})

const short = setup({ types: {} as { events: { type: 'END' } } }).createMachine({
  id: 'short',
  initial: 'on',
  states: { on: { on: { END: 'off' } }, off: { type: 'final', output: { said: 'bye' } } },
  output: ({ event }) => (event as { output?: unknown }).output,
})

class Anchor extends Resource {
  static override tasks = { waiter, caller, echo, keeper, clumsy, short }
}
type Name = keyof typeof Anchor.tasks

const test = suite('a finding about XState')
const on = stage(test, { resources: [Anchor] })
test.before.each(() => {
  calls = []
  acts = []
  isHeld = false
  isOpen = false
})

/** Everything due is done by a process that was not there before. */
const restart = () => afresh(on, ({ settle }) => settle())
const later = (ms: number) => afresh(on, ({ advance }) => advance(ms))
const begun = async (task: Name) => {
  const anchor = await on.app.create(Anchor, {})
  const { taskId } = await anchor[task].start()
  if (!isHeld) await restart()
  const tell = async (type: string) => {
    await anchor[task].send({ type } as never)
    if (!isHeld) await restart()
  }
  const status = async () => (await anchor[task].status())!
  return { anchor, taskId, tell, status, rest: () => restOf(on, taskId) }
}
const stepsOf = async (id: string, task: Name) =>
  (await on.app.history.lines(id, { task })).map(({ to }) => to)
const row = async (taskId: string) =>
  (
    await on.house.sql(
      `SELECT t.*, r.kind, x.snapshot, d.due_at FROM tasks t JOIN resources r ON r.id = t.resource_id
       JOIN transitions x ON x.task_id = t.id AND x.step = t.rest_step
       LEFT JOIN dues d ON d.task_id = t.id WHERE t.id = $1`,
      [taskId],
    )
  )[0]

test('1: a row tells kind, task, version and step beside the snapshot, timers and calls in it', async () => {
  const { taskId, anchor } = await begun('waiter')
  const { kind, name, machine_version, step, snapshot } = await row(taskId)
  assert.equal([kind, name, machine_version, step], ['Anchor', 'waiter', '7', 1])
  assert.equal([snapshot.value, snapshot.context], ['waiting', { touched: 0 }])
  assert.is(snapshot.timers.length, 1)
  await anchor.waiter.stop()
  isHeld = true
  const { taskId: other, anchor: second } = await begun('caller')
  const tick = on.tick(second.id)
  await until(() => calls.length === 1, { what: 'the call was made' })
  const [asked] = (await row(other)).snapshot.actors
  assert.equal(asked.address, { $actor: ['call', 'caller', 'call@1'] })
  calls[0]!.gate.open('x')
  await tick
})

test('2: a timer fires in a process that was not there when it was set', async () => {
  const { rest } = await begun('waiter')
  await later(9_999)
  assert.is((await rest()).value, 'waiting')
  await later(1)
  assert.is((await rest()).value, 'rung')
})

test('3: reading runs nothing; a call is run again only until its answer is committed', async () => {
  isHeld = true
  const { anchor, rest } = await begun('caller')
  const end = new AbortController()
  const lease = { signal: end.signal, remainingMs: () => 1_000 }
  const cut = on.tick(anchor.id, lease)
  await until(() => calls.length === 1, { what: 'the call was made' })
  end.abort()
  await cut.catch(() => {})
  await rest()
  await on.app.get(Anchor, anchor.id)
  await on.app.history.lines(anchor.id)
  assert.is(calls.length, 1)
  isHeld = false
  for (let n = 0; n < 3; n++) await restart()
  assert.equal([calls.length, (await rest()).value], [2, 'answered'])
  assert.is(calls[0]!.key, calls[1]!.key)
})

test('4: a snapshot read back from text knows what leaving its state must stop', () => {
  const first = begin(caller as never, undefined, 1, 0).rest
  const read = fromSnapshot(JSON.parse(JSON.stringify(toSnapshot(first, sealer))), sealer, 'caller')
  assert.match(JSON.stringify(read), '"src":"call"')
  const { rest } = advance(caller as never, read, { type: 'LEAVE' }, 2, 0)
  assert.is(rest.value, 'away')
  assert.not.match(JSON.stringify(rest), '"src":"call"')
})

test('5: an answer to an earlier call does not move a later one', async () => {
  isHeld = true
  const { anchor, taskId, tell, rest } = await begun('caller')
  const first = drive({ app: await on.house.neighbour(), time: on.time }).tick(anchor.id)
  await until(() => calls.length === 1, { what: 'the first call was made' })
  await tell('LEAVE')
  await tell('BACK')
  // This one makes the call again, hears that its state was left and entered anew, and makes another.
  const second = on.tick(anchor.id)
  await until(() => calls.length === 3, { what: 'the later call was made' })
  for (const stale of calls.slice(0, 2)) stale.gate.open('stale')
  await first.catch(() => {})
  assert.is((await rest()).value, 'calling')
  calls[2]!.gate.open('fresh')
  await second
  assert.equal((await rest()).context, { heard: ['fresh'] })
  const keys = calls.map(({ key }) => key)
  assert.equal([keys[0] === keys[1], keys[0] === keys[2]], [true, false])
  assert.is((await row(taskId)).status, 'running')
})

test('5: nor in one process, when a state is entered anew in a single step', async () => {
  isHeld = true
  const { anchor, tell, rest } = await begun('caller')
  const tick = on.tick(anchor.id)
  await until(() => calls.length === 1, { what: 'the first call was made' })
  await tell('ROUND')
  on.ticker.nudge(anchor.id)
  await until(() => calls.length === 2, { what: 'the later call was made' })
  calls[0]!.gate.open('stale')
  await on.time.settle()
  calls[1]!.gate.open('fresh')
  await tick
  assert.equal((await rest()).context, { heard: ['fresh'] })
})

test('6: a state entered again is not left by the timer of its first time', async () => {
  for (const [out, back] of [
    ['LEAVE', 'BACK'],
    ['ROUND', null],
  ] as const) {
    const { tell, rest, anchor } = await begun('waiter')
    await later(6_000)
    await tell(out)
    if (back) await tell(back)
    await later(9_999)
    assert.is((await rest()).value, 'waiting', out)
    await later(1)
    assert.is((await rest()).value, 'rung', out)
    await anchor.waiter.stop()
  }
})

test('8: delayed events without an id each arrive, with what they carry', async () => {
  const { rest } = await begun('echo')
  const { timers } = await rest()
  assert.is(new Set(timers.map(({ id }) => id)).size, 2)
  await later(1_000)
  assert.equal((await rest()).context, { heard: [1] })
  await later(1_000)
  assert.equal((await rest()).context, { heard: [1, 2] })
})

test('9: dates, sets, maps, great numbers and undefined come back from the database', async () => {
  const { tell, rest } = await begun('keeper')
  assert.equal((await rest()).context, treasure())
  await tell('LOOK')
  assert.equal((await rest()).context, { ...treasure(), looked: true })
})

test('10: a run in a state the machine has no more is stranded; its snapshot is kept for the one that has it', async () => {
  const { anchor, taskId, status, rest } = await begun('waiter')
  const newer = setup({ types: {} as { events: { type: 'TOUCH' } } }).createMachine({
    id: 'waiter',
    version: '8',
    initial: 'resting',
    states: { resting: { on: { TOUCH: {} } } },
  })
  class Newer extends Resource {
    static override kind = 'Anchor'
    static override tasks = { waiter: newer }
  }
  const before = await row(taskId)
  const next = await on.house.neighbour({ resources: [Newer] })
  await on.time.advance(10_000)
  await drive({ app: next, time: on.time }).settle()
  const after = await row(taskId)
  assert.equal([after.status, after.rest_step], ['stranded', before.rest_step])
  assert.equal(after.snapshot, before.snapshot)
  await anchor.waiter.retry({ reason: 'the older one runs again' })
  await restart()
  assert.equal([(await rest()).value, (await status()).status], ['rung', 'running'])
})

test('11: a call that fails with nobody to hear of it is a panic, in the state it was', async () => {
  isHeld = true
  const { anchor, status, rest } = await begun('caller')
  const tick = on.tick(anchor.id)
  await until(() => calls.length === 1, { what: 'the call was made' })
  calls[0]!.gate.refuse(new RangeError('no line'))
  await tick
  assert.equal([(await status()).status, (await rest()).value], ['panicked', 'calling'])
  const { class: name, message } = (await on.app.history.failures(anchor.id)).at(-1)!
  assert.equal([name, message], ['RangeError', 'no line'])
})

test('12: what a guard or an assign throws is a panic; the snapshot and other tasks go on as they were', async () => {
  for (const type of ['GUARD', 'ASSIGN']) {
    const { anchor, taskId, status, tell } = await begun('clumsy')
    await anchor.waiter.start()
    const { snapshot } = await row(taskId)
    await tell(type)
    assert.is((await status()).status, 'panicked')
    assert.equal((await row(taskId)).snapshot, snapshot)
    const { message } = (await on.app.history.failures(anchor.id)).at(-1)!
    assert.match(message, `the ${type.toLowerCase()} broke`)
    await later(10_000)
    assert.is((await anchor.waiter.status())!.state, 'rung')
  }
})

test('13: an event no state accepts takes no step, and is told as ignored', async () => {
  const { anchor, taskId, tell } = await begun('waiter')
  await tell('LEAVE')
  const { step } = await row(taskId)
  const ignored: string[] = []
  const app = await on.house.neighbour()
  const stop = app.events.on('event.ignored', ({ type }) => ignored.push(type))
  await anchor.waiter.send('TOUCH')
  await drive({ app, time: on.time }).settle()
  stop()
  await later(20_000)
  assert.equal([ignored, (await row(taskId)).step], [['TOUCH'], step])
})

test('14: an action written in place is performed before the commit, and nothing of it is stored', async () => {
  const { anchor, taskId, tell, status } = await begun('clumsy')
  const { snapshot, step } = await row(taskId)
  await tell('INLINE')
  assert.is((await status()).status, 'panicked')
  assert.equal((await row(taskId)).snapshot, snapshot)
  await anchor.clumsy.retry()
  await restart()
  assert.equal(acts, [0, 0], 'performed again with the step that was not taken')
  const after = await row(taskId)
  assert.is(after.rest_step > step, true)
  assert.equal(after.snapshot, snapshot)
})

test('16: a run that is done keeps its output and says so to whoever sends', async () => {
  const { anchor, rest, tell, status } = await begun('short')
  await tell('END')
  const { output } = await rest()
  assert.equal([(await status()).status, output], ['done', { said: 'bye' }])
  assert.is(await codeOf(anchor.short.send('END')), 'TASK_FINISHED')
  await restart()
  assert.equal(await stepsOf(anchor.id, 'short'), ['__new__', 'on', 'off'])
})

test('17: the outside world gets in by an event, never by a restart', async () => {
  const { rest, tell } = await begun('clumsy')
  isOpen = true
  await restart()
  await later(60_000)
  assert.is((await rest()).value, 'here')
  await tell('FINE')
  assert.is((await rest()).value, 'there')
})

test('18: a process that ends stops no machine; a run that was stopped makes room for another', async () => {
  const { anchor, taskId, rest, tell } = await begun('waiter')
  await tell('TOUCH')
  assert.equal([(await row(taskId)).status, (await rest()).status], ['running', 'active'])
  await anchor.waiter.stop()
  assert.equal([(await row(taskId)).status, (await rest()).context], ['stopped', { touched: 1 }])
  const { isNew, taskId: next } = await anchor.waiter.start()
  await restart()
  assert.equal([isNew, (await restOf(on, next)).context], [true, { touched: 0 }])
  await anchor.waiter.stop()
})

test('19: a machine that goes round for ever is a panic, and the worker goes on', async () => {
  const { anchor, taskId, tell, status } = await begun('clumsy')
  const { snapshot } = await row(taskId)
  await tell('SPIN')
  assert.is((await status()).status, 'panicked')
  assert.equal((await row(taskId)).snapshot, snapshot)
  await anchor.clumsy.stop()
  const { tell: next, rest } = await begun('clumsy')
  await next('FINE')
  assert.equal((await rest()).context, { n: 1 })
})

test('20: the processor is not what a worker waits for', () => {
  const time = new SystemTime()
  let { rest } = begin(clumsy as never, undefined, 1, 0)
  const startedAt = time.monotonic()
  for (let step = 2; step < 2_002; step++) {
    rest = advance(clumsy as never, rest, { type: 'FINE' }, step, 0).rest
  }
  const perSecond = Math.round(2_000_000 / (time.monotonic() - startedAt))
  console.log(`note: ${perSecond} moves a second`)
  assert.equal(rest.context, { n: 2_000 })
  assert.ok(perSecond > 1_000, `${perSecond} a second`)
})

test('docs: every finding has a row, and every row a test', () => {
  const text = (path: string) => readTree().find((file) => file.path === path)?.text ?? ''
  const tables = text('docs/findings.md').split(/^## /m).flatMap(rowsOf)
  const rows = tables.filter((row) => /^\[?#?\d/.test(row[0] ?? ''))
  const wanted = rows.map(([no, , , spec]) => `${/#?\d+/.exec(no ?? '')} ${spec}`)
  const specs = [...new Set(rows.map((row) => row[3]?.replaceAll('`', '') ?? ''))]
  const told = specs.flatMap((path) =>
    [...text(path).matchAll(/test\([`'](#?\d+):/g)].map(([, no]) => `${no} \`${path}\``),
  )
  // awaited.spec.ts adds to some of these.
  const all = new Set(told)
  for (const one of wanted) assert.ok(all.has(one), `no test for ${one}`)
  const numbers = new Set(wanted.map((one) => one.split(' ')[0]))
  for (const one of all) assert.ok(numbers.has(one.split(' ')[0]), `no row for ${one}`)
  assert.is(wanted.length, 27)
})

test.run()
