// The machine adapter against XState itself: whatever an actor does in one life, a task does that is
// written down and read back between every two events.
import fc from 'fast-check'
import { type AnyStateMachine, assign, fromPromise, raise, setup } from 'xstate'
import { advance, begin, type Rest, stateName } from '../../lib/machine.ts'
import { effectsOf } from '../../lib/rest.ts'
import { wake } from '../../lib/wake.ts'
import { fromSnapshot } from '../../models/memory.ts'
import { between } from '../fuzz/compare.ts'
import { cases } from '../support/charts/draw.ts'
import { lived } from '../support/charts/live.ts'
import { stored } from '../support/charts/pure.ts'
import { assert, suite } from '../support/suite.ts'
import { sealer } from '../support/values.ts'

const test = suite('machine')

test('a task lives as an actor of XState lives', async () => {
  let moves = 0
  const alone = cases({ mail: false, promises: false, children: false })
  const property = fc.asyncProperty(alone, async (drawn) => {
    const expected = await lived(drawn)
    const actual = stored(drawn)
    assert.is(between(drawn, expected, { seen: actual, troubles: [] }), null)
    moves += new Set(expected.map(({ value }) => JSON.stringify(value))).size - 1
  })
  await fc.assert(property, { numRuns: 150, includeErrorInReport: true })
  assert.ok(moves > 50, `the charts hardly moved: ${moves}`)
})

// ---- what is stored and cannot be true ----------------------------------------------------------

const door = () =>
  setup({
    types: {} as { context: { opened: number }; events: { type: 'OPEN' | 'SHUT' | 'STAY' } },
    guards: { broken: () => fail('guard') },
    actions: { broken: assign(() => fail('assign')) },
  }).createMachine({
    id: 'door',
    context: { opened: 0 },
    initial: 'shut',
    states: {
      shut: { on: { OPEN: 'open' } },
      open: {
        entry: assign({ opened: ({ context }) => context.opened + 1 }),
        initial: 'wide',
        states: { wide: {}, narrow: {} },
        after: { 100: 'shut' },
        on: { SHUT: 'shut', STAY: { target: 'open', reenter: true } },
      },
    },
  }) as unknown as AnyStateMachine

function fail(where: string): never {
  throw new Error(`broken ${where}`)
}

const codeOf = (work: () => unknown): unknown => {
  try {
    work()
    return 'nothing was thrown'
  } catch (thrown) {
    return (thrown as { code?: string }).code ?? thrown
  }
}

const corrupt: unknown[] = [
  ...[42, null, '', 'nowhere', '__proto__', 'constructor', 'toString', 'shut.wide'],
  ...[
    {},
    [],
    ['shut'],
    { shut: {}, open: {} },
    { shut: 'wide' },
    { open: 'nowhere' },
    { open: {} },
  ],
  ...[{ open: { wide: 'x' } }, { a: {} }, JSON.parse('{"__proto__":{}}'), { constructor: {} }],
]
for (const value of corrupt) {
  test(`a task said to rest in ${JSON.stringify(value)} is corrupt, and does not begin anew`, () => {
    const rest = { ...begin(door(), undefined, 1, 0).rest, value } as Rest
    for (const type of ['OPEN', 'NOBODY']) {
      const take = () => advance(door(), rest, { type }, 2, 0)
      assert.is(codeOf(take), 'STATE_CORRUPT')
    }
  })
}

test('a history of states that are no more is corrupt', () => {
  const rest = { ...begin(door(), undefined, 1, 0).rest, history: { 'door.open.h': ['door.gone'] } }
  assert.is(
    codeOf(() => advance(door(), rest, { type: 'OPEN' }, 2, 0)),
    'STATE_CORRUPT',
  )
})

for (const stored of [null, 42, 'shut', [], {}, { value: 'shut' }, { status: 'active' }]) {
  test(`the snapshot ${JSON.stringify(stored)} is corrupt`, () => {
    assert.is(
      codeOf(() => fromSnapshot(stored, sealer, 'door')),
      'STATE_CORRUPT',
    )
  })
}

// ---- what goes wrong inside ---------------------------------------------------------------------

test('a machine that goes round for ever is an error, not a hang', () => {
  const spinning = setup({}).createMachine({
    initial: 'rest',
    states: {
      rest: { on: { GO: 'ping', RAISE: { actions: raise({ type: 'RAISE' }) } } },
      ping: { always: 'pong' },
      pong: { always: 'ping' },
    },
  }) as unknown as AnyStateMachine
  const { rest } = begin(spinning, undefined, 1, 0)
  for (const type of ['GO', 'RAISE']) {
    assert.throws(() => advance(spinning, rest, { type }, 2, 0))
  }
})

test('what a guard or an assign throws comes out, and the rest it began from is untouched', () => {
  const machine = setup({
    guards: { broken: () => fail('guard') },
    actions: { broken: assign(() => fail('assign')) },
  }).createMachine({
    initial: 'a',
    states: {
      a: {
        on: { GUARD: { guard: 'broken', target: 'b' }, ASSIGN: { actions: 'broken', target: 'b' } },
      },
      b: {},
    },
  }) as unknown as AnyStateMachine
  const { rest } = begin(machine, undefined, 1, 0)
  const before = structuredClone(rest)
  assert.throws(() => advance(machine, rest, { type: 'GUARD' }, 2, 0), /broken guard/)
  assert.throws(() => advance(machine, rest, { type: 'ASSIGN' }, 2, 0), /broken assign/)
  assert.equal(rest, before)
})

test('a delay that is no number is an error', () => {
  const machine = setup({ delays: { odd: () => Number.NaN } }).createMachine({
    initial: 'a',
    states: { a: { after: { odd: 'b' } }, b: {} },
  }) as unknown as AnyStateMachine
  assert.throws(() => begin(machine, undefined, 1, 0), /not a number/)
})

// ---- timers and effects -------------------------------------------------------------------------

test('a state entered again has a timer of its own; the old one is gone', () => {
  const machine = door()
  const opened = advance(machine, begin(machine, undefined, 1, 0).rest, { type: 'OPEN' }, 2, 0).rest
  assert.equal(
    opened.timers.map(({ dueAt }) => dueAt),
    [100],
  )
  const stayed = advance(machine, opened, { type: 'STAY' }, 3, 60).rest
  assert.equal(
    stayed.timers.map(({ dueAt }) => dueAt),
    [160],
  )
  assert.equal(advance(machine, stayed, { type: 'SHUT' }, 4, 70).rest.timers, [])
})

test('an event nobody accepts changes nothing', () => {
  const { rest } = begin(door(), undefined, 1, 0)
  const { changed, rest: after } = advance(door(), rest, { type: 'SHUT' }, 2, 50)
  assert.is(changed, false)
  assert.equal(after, rest)
  assert.is(wake(door(), rest).can({ type: 'SHUT' }), false)
  assert.is(wake(door(), rest).can({ type: 'OPEN' }), true)
})

test('an event that only makes an action happen is accepted', () => {
  const hear = () => {}
  const machine = setup({ actions: { hear } }).createMachine({
    on: { TOLD: { actions: 'hear' }, DEAF: {} },
  }) as unknown as AnyStateMachine
  const { rest } = begin(machine, undefined, 1, 0)
  const told = advance(machine, rest, { type: 'TOLD' }, 2, 0)
  assert.is(told.changed, true)
  assert.equal(
    told.acts.map(({ type }) => type),
    ['hear'],
  )
  assert.is(advance(machine, rest, { type: 'DEAF' }, 2, 0).changed, false)
})

test('an event that leads back to where it was is accepted', () => {
  const machine = setup({}).createMachine({
    initial: 'a',
    states: { a: { on: { ROUND: { target: 'a', reenter: true }, STAY: 'a' } } },
  }) as unknown as AnyStateMachine
  const { rest } = begin(machine, undefined, 1, 0)
  for (const [type, changed] of [
    ['ROUND', true],
    ['STAY', true],
    ['NOBODY', false],
  ] as const) {
    assert.is(advance(machine, rest, { type }, 2, 0).changed, changed, type)
  }
})

test('an effect is named by the step that armed it, and gone when its state is left', () => {
  const machine = setup({
    actors: { call: fromPromise(async () => 1) },
  }).createMachine({
    initial: 'calling',
    states: {
      calling: {
        invoke: { id: 'call', src: 'call', input: { to: 'x' } },
        on: { AGAIN: { target: 'calling', reenter: true }, LEAVE: 'left' },
      },
      left: {},
    },
  }) as unknown as AnyStateMachine
  const { rest } = begin(machine, undefined, 1, 0)
  const [call] = effectsOf(rest)
  assert.equal([call?.src, call?.input, call?.armedAt], ['call', { to: 'x' }, 1])
  const again = advance(machine, rest, { type: 'AGAIN' }, 2, 0).rest
  assert.equal(
    effectsOf(again).map(({ armedAt }) => armedAt),
    [2],
  )
  assert.equal(advance(machine, again, { type: 'LEAVE' }, 3, 0).rest.actors, [])
})

test('two delayed events of one name are two timers', () => {
  const machine = setup({}).createMachine({
    initial: 'a',
    states: {
      a: {
        entry: [raise({ type: 'R' }, { delay: 10 }), raise({ type: 'R' }, { delay: 20 })],
        on: { R: {} },
      },
    },
  }) as unknown as AnyStateMachine
  const { timers } = begin(machine, undefined, 1, 0).rest
  assert.equal(
    timers.map(({ dueAt }) => dueAt),
    [10, 20],
  )
})

test('names states as people write them', () => {
  assert.is(stateName('up'), 'up')
  assert.is(stateName({ door: { lock: 'shut' } }), 'door.lock.shut')
  assert.is(stateName({ a: 'x', b: 'y' }), '{"a":"x","b":"y"}')
})

test.run()
