// The first state of a run, committed with its start where that is plain. A worker that takes the step is the oracle.
import { assign, emit, raise, setup } from 'xstate'
import * as z from 'zod'
import { alarm, effect, field, Resource, Secret, steps, task } from '../../bin/index.ts'
import type { Ticket } from '../../lib/contract.ts'
import { drive } from '../support/house.ts'
import { settings } from '../support/services.ts'
import { codeOf, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

const HOUR_MS = 3_600_000
const keys: string[] = []
let isBroken = false

const boot = effect(async ({ key }) => {
  keys.push(key)
  if (isBroken) throw new Error('the process dies here')
})
const bounded = effect(async () => {}, { within: '1h' })
const emitted = setup({ types: {} as { emitted: { type: 'up' } } })
const acting = setup({ actions: { look: () => {} } })
const states = { a: { on: { GO: 'b' } }, b: {} }
const waits = setup({}).createMachine({ initial: 'a', states })

/** What is plain, each by what it waits for. */
const plain = {
  effect: setup({ actors: { boot } }).createMachine({
    initial: 'booting',
    states: { booting: { invoke: { src: 'boot', onDone: 'up' } }, up: {} },
  }),
  event: waits,
  hour: setup({}).createMachine({
    initial: 'asleep',
    states: { asleep: { after: { [HOUR_MS]: 'awake' } }, awake: {} },
  }),
  either: setup({ actors: { boot } }).createMachine({
    initial: 'booting',
    states: {
      booting: { invoke: { src: 'boot', onDone: 'up' }, after: { [HOUR_MS]: 'late' } },
      up: {},
      late: {},
    },
  }),
  atOnce: setup({}).createMachine({
    initial: 'now',
    states: { now: { after: { 0: 'soon' } }, soon: {} },
  }),
  nested: setup({}).createMachine({
    type: 'parallel',
    context: ({ input }: any) => ({ at: new Date(input.at), code: input.code, n: 0 }),
    states: {
      left: {
        initial: 'one',
        states: {
          one: { always: { target: 'two', actions: assign({ n: 7 }) } },
          two: { after: { [2 * HOUR_MS]: 'three' } },
          three: {},
        },
      },
      right: {
        initial: 'low',
        entry: raise({ type: 'UP' }),
        states: { low: { on: { UP: 'high' } }, high: {} },
      },
    },
  }),
  ticking: setup({}).createMachine({
    initial: 'watching',
    states: { watching: { meta: { tick: '5m' }, on: { TICK: 'seen' } }, seen: {} },
  }),
  short: steps({ one: async (work) => work.stop() }),
} as const

/** What is not, each by why. */
const others = {
  acts: acting.createMachine({ initial: 'a', states: { a: { entry: 'look' } } }),
  emits: emitted.createMachine({ initial: 'a', states: { a: { entry: emit({ type: 'up' }) } } }),
  spawns: setup({ actors: { waits } }).createMachine({
    initial: 'a',
    states: { a: { invoke: { src: 'waits' } } },
  }),
  named: setup({ actors: { boot } }).createMachine({
    initial: 'a',
    states: { a: { invoke: { src: 'boot', systemId: 'booter' } } },
  }),
  within: setup({ actors: { bounded } }).createMachine({
    initial: 'a',
    states: { a: { invoke: { src: 'bounded' } } },
  }),
  over: setup({}).createMachine({ initial: 'a', states: { a: { type: 'final' } } }),
  throws: setup({}).createMachine({
    context: () => {
      throw new Error('no context')
    },
    initial: 'a',
    states: { a: {} },
  }),
  unstorable: setup({}).createMachine({
    context: () => ({ answer: () => 42 }),
    initial: 'a',
    states: { a: {} },
  }),
  impatient: setup({}).createMachine({
    initial: 'a',
    states: { a: { meta: { stuckAfter: '1h' } } },
  }),
  soon: setup({}).createMachine({
    initial: 'a',
    states: { a: { after: { 30: 'b' } }, b: {} },
  }),
  prepared: task(waits, { new: () => ({}) }),
  limited: task(waits, { limit: { concurrency: 1 } }),
  renamed: task(waits, { was: ['former'] }),
} as const

class Plain extends Resource {
  static override kind = 'Plain'
  static override tasks = plain
}
class Other extends Resource {
  static override kind = 'Other'
  static override tasks = others
}
class Ruled extends Resource {
  static override kind = 'Ruled'
  static override tasks = { event: waits }
  static override alarms = { never: alarm({ when: () => false, severity: 'error' }) }
}
class Bounded extends Resource {
  static override kind = 'Bounded'
  static override tasks = { event: waits }
  static override quota = { steps: 5, per: '1h' }
}
class Reflexive extends Resource {
  static override kind = 'Reflexive'
  static override fields = { on: field(z.boolean().default(false)) }
  static override tasks = { event: waits, other: task(waits, { shouldStart: () => false }) }
}

const INPUT = { at: '2026-01-01T00:00:00Z', code: new Secret('4711') }

for (const setting of settings()) {
  const test = suite(`first states, ${setting}`)
  const on = stage(test, { setting, resources: [Plain, Other, Ruled, Bounded, Reflexive] })
  let pushed: string[]

  test.before(() => {
    const { queue } = on.app.rooms
    Object.assign(queue, {
      push: async (tickets: readonly Ticket[]) => {
        pushed.push(...tickets.map(({ resourceId }) => resourceId))
      },
    })
  })
  test.before.each(() => {
    pushed = []
    keys.length = 0
    isBroken = false
  })
  test.after.each(async () => {
    for (const { scope } of await on.house.sql("SELECT scope FROM holds WHERE state <> 'open'"))
      await on.house.sql('DELETE FROM holds WHERE scope = $1', [scope])
    await on.house.sql('UPDATE dues SET due_at = NULL, look_at = NULL')
  })

  const make = (shape: any = Plain): Promise<any> => on.app.create(shape, {})
  const ofRun = (taskId: string) => ({
    tasks: on.house.sql('SELECT * FROM tasks WHERE id = $1', [taskId]),
    transitions: on.house.sql('SELECT * FROM transitions WHERE task_id = $1 ORDER BY step', [
      taskId,
    ]),
    dues: on.house.sql('SELECT * FROM dues WHERE task_id = $1', [taskId]),
  })
  /** All rows of a run, but for what says who wrote them and of whom they are. */
  const rowsOf = async (taskId: string) => {
    const { tasks, transitions, dues } = ofRun(taskId)
    // What is sealed is sealed in other words each time.
    const bare = ({ id, task_id, resource_id, unit_id, actor, fence, ...row }: any) =>
      JSON.parse(JSON.stringify(row).replace(/("\$secret":")[^"]+/g, '$1'))
    return {
      tasks: (await tasks).map(bare),
      transitions: (await transitions).map(bare),
      dues: (await dues).map(bare),
    }
  }
  const begun = async (resource: any, name: string): Promise<string> =>
    (await resource[name].start(name === 'nested' ? INPUT : undefined)).taskId
  const stepOf = async (taskId: string) => {
    const { tasks, transitions, dues } = ofRun(taskId)
    const [{ step, rest_step, state }] = await tasks
    return [step, rest_step, state, (await transitions).length, (await dues)[0]?.reason]
  }
  const AS_EVER = [0, 0, '__new__', 1, 'start']

  for (const name of Object.keys(plain)) {
    test(`${name}: the start leaves what a worker would have left`, async () => {
      const [one, other] = [await make(), await make()]
      const started = await begun(one, name)
      await on.app.pause({ resource: other })
      const taken = await begun(other, name)
      assert.equal(await stepOf(taken), AS_EVER, 'held: as ever')
      await on.app.resume({ resource: other })
      const worker = drive({ ...on, quota: { steps: 1, ms: 60_000 }, owner: 'worker' })
      await worker.tick(other.id)
      const expected = await rowsOf(taken)
      assert.equal(expected.transitions.length, 2)
      assert.equal(await rowsOf(started), expected)
    })
  }

  test('the lines say who started it, and are of one commit', async () => {
    const one = await make()
    const { taskId } = await one.event.start(undefined, { actor: 'ada', reason: 'to see' })
    const lines = await ofRun(taskId).transitions
    assert.equal(
      lines.map(({ step, actor, reason, fence }) => [step, actor, reason, fence]),
      [
        [0, 'ada', 'to see', null],
        [1, 'ada', null, null],
      ],
    )
    assert.is(lines[0].unit_id, lines[1].unit_id)
  })

  for (const name of Object.keys(others)) {
    test(`${name}: left to a worker`, async () => {
      const one = await make(Other)
      assert.equal(await stepOf(await begun(one, name)), AS_EVER)
      assert.equal(pushed, [one.id])
    })
  }

  for (const shape of [Ruled, Bounded, Reflexive]) {
    test(`a kind that is ${shape.kind.toLowerCase()} leaves it to a worker`, async () => {
      const one = await make(shape)
      assert.equal(await stepOf(await begun(one, 'event')), AS_EVER)
    })
  }

  test('the life of a resource, and a start in a transaction, are left to a worker', async () => {
    const one = await make()
    await one.start()
    const life = await on.house.sql(`SELECT step FROM tasks WHERE resource_id = $1`, [one.id])
    assert.equal(life, [{ step: 0 }])
    const joined: any = await on.app.transaction((trx) => one.event.start(undefined, { trx }))
    assert.equal(await stepOf(joined.taskId), AS_EVER)
  })

  test('what is held takes no step: by its task, its queue, itself, or a hold on trial', async () => {
    const holds = [{ task: 'Plain.event' }, { queue: true as const }, { dependency: 'cloud' }]
    for (const what of holds) {
      const one = await make()
      await on.app.holds.shut(what, { by: 'pause' } as never).catch(async () => {
        await on.house.sql(
          `INSERT INTO holds (scope, by, state, actor, since) VALUES ('dependency:cloud', 'breaker', 'trial', 'x', now())`,
        )
      })
      assert.equal(await stepOf(await begun(one, 'event')), AS_EVER, JSON.stringify(what))
      await on.house.sql('DELETE FROM holds')
    }
    const [held, free] = [await make(), await make()]
    await on.app.pause({ resource: held })
    assert.equal(await stepOf(await begun(held, 'event')), AS_EVER)
    assert.equal(await stepOf(await begun(free, 'event')), [1, 1, 'a', 2, 'waiting'])
    assert.equal(pushed.at(-1), held.id)
    await on.settle()
    assert.is((await held.event.status()).state, '__new__')
    await on.app.resume({ resource: held })
    await on.settle()
    assert.is((await held.event.status()).state, 'a')
    await on.app.pause({ resource: held })
    await on.app.resume({ resource: held })
    assert.equal((await stepOf(await begun(held, 'hour')))[0], 1, 'a hold that was opened is none')
  })

  test('many starts at once, of both sorts, each come to their own', async () => {
    const made = await Promise.all(Array.from({ length: 12 }, () => make()))
    const [held, ...free] = made
    await on.app.pause({ resource: held })
    const names = ['event', 'effect', 'hour', 'atOnce'] as const
    const acts = await Promise.all([make(Other), make(Other)])
    const wanted = [
      ...made.flatMap((one) => names.map((name) => [one, name] as const)),
      ...acts.map((one) => [one, 'acts'] as const),
    ]
    const ids = await Promise.all(wanted.map(([one, name]) => begun(one, name)))
    for (const [index, [one, name]] of wanted.entries()) {
      const isPlain = free.includes(one)
      const [step, , , lines, reason] = await stepOf(ids[index] as string)
      const waits = { event: 'waiting', effect: 'effect', hour: 'timer', atOnce: 'timer' }
      const expected = isPlain ? [1, 2, waits[name as keyof typeof waits]] : [0, 1, 'start']
      assert.equal([step, lines, reason], expected, `${name} of ${one.id}`)
    }
  })

  test('a start that finds a live run writes nothing, and so does one of a resource that stops', async () => {
    const one = await make()
    const twice = await Promise.all([one.event.start(), one.event.start(), one.event.start()])
    assert.is(new Set(twice.map(({ taskId }: any) => taskId)).size, 1)
    assert.is(twice.filter(({ isNew }: any) => isNew).length, 1)
    const count = () => on.house.sql('SELECT count(*)::integer AS n FROM transitions')
    const [before] = await count()
    assert.is((await one.event.start()).isNew, false)
    await on.house.sql("UPDATE resources SET state = 'stopping' WHERE id = $1", [one.id])
    assert.is(await codeOf(one.hour.start()), 'RESOURCE_STOPPED')
    assert.equal((await count())[0], before)
  })

  test('each first step is told once, whoever takes it', async () => {
    const told: unknown[] = []
    const off = on.app.events.on('task.stepped', ({ task, step, from, to, event, lateMs }) => {
      told.push([task, step, from, to, event, lateMs])
    })
    const one = await make()
    await begun(one, 'event')
    await begun(one, 'event')
    assert.equal(told, [['event', 1, '__new__', 'a', '__start__', 0]])
    await begun(await make(Other), 'acts')
    assert.is(told.length, 1, 'nothing was stepped yet')
    await on.settle()
    assert.is(told.length, 2)
    off()
  })

  test('whoever only waits needs no ticket, and its timer is due from the start', async () => {
    const herd = await Promise.all(Array.from({ length: 50 }, () => make()))
    const ids = await Promise.all(herd.map((one) => begun(one, 'hour')))
    for (const one of herd) await begun(one, 'event')
    assert.equal(pushed, [])
    const rows = await on.house.sql('SELECT due_at, look_at FROM dues WHERE task_id = ANY($1)', [
      ids,
    ])
    const at = on.time.now() + HOUR_MS
    assert.equal(rows, Array(50).fill({ due_at: at, look_at: at }))
    const [one] = herd
    await begun(one, 'effect')
    assert.equal(pushed, [one.id], 'what is due now has its ticket')
    await on.advance('1h')
    for (const one of herd) assert.is((await one.hour.status()).state, 'awake')
    for (const one of herd) assert.is((await one.hour.status()).step, 2)
  })

  test('a process that dies after the start, or in the first effect, loses nothing', async () => {
    const one = await make()
    const taskId = await begun(one, 'effect')
    assert.equal(keys, [], 'no effect ran in the start')
    const dead = { signal: new AbortController().signal, remainingMs: () => 0 }
    await on.tick(one.id, dead as never).catch(() => {})
    assert.is((await one.effect.status()).step, 1)
    await on.settle()
    assert.equal(new Set(keys), new Set([`${taskId}:1:${keys[0]!.split(':').slice(2).join(':')}`]))
    assert.equal(keys.length, 2, 'at least once, under one key')
    const { state, step } = await one.effect.status()
    assert.equal([state, step], ['up', 2])
  })

  test('it goes back to the first state, and on from there', async () => {
    const one = await make()
    await begun(one, 'event')
    await one.event.send('GO')
    await on.settle()
    await one.event.rewind(1)
    assert.is((await one.event.status()).state, 'a')
    assert.is(await codeOf(one.event.rewind(1)), 'STEP_UNKNOWN', 'nothing comes before it')
    await one.event.send('GO')
    await on.settle()
    assert.is((await one.event.status()).state, 'b')
  })

  test.run()
}
