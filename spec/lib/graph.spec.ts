// The graph: every state and every transition of a machine, as data.
import fc from 'fast-check'
import {
  and,
  cancel,
  createMachine,
  emit,
  not,
  raise,
  sendTo,
  setup,
  spawnChild,
  stateIn,
} from 'xstate'
import { nodesOf, transitionsOf } from '../../lib/blueprint.ts'
import { graphOf } from '../../lib/graph.ts'
import { compile, STILL } from '../support/charts/compile.ts'
import { charts } from '../support/charts/draw.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('graph')
const ofStates = (states: object, more: object = {}) =>
  graphOf(createMachine({ id: 'm', initial: 'a', states, ...more } as never))

test('has nodes with all that is theirs', () => {
  const { nodes, id, version } = ofStates(
    {
      a: { entry: ['ring', { type: 'hum' }, () => {}], exit: raise({ type: 'R' }), tags: 'quiet' },
      b: { type: 'history', history: 'deep' },
      c: {
        invoke: [{ src: 'work', id: 'one' }, { src: () => {} }],
        meta: { tick: '5s' },
        after: { 5: 'a' },
      },
    },
    { version: '3' },
  )
  assert.equal([id, version], ['m', '3'])
  const plain = {
    type: 'atomic',
    history: null,
    tags: [],
    entry: [],
    exit: [],
    invokes: [],
    tick: null,
  }
  assert.equal(nodes, [
    { ...plain, id: 'm', name: 'm', parent: null, type: 'compound' },
    {
      ...plain,
      id: 'm.a',
      name: 'a',
      parent: 'm',
      tags: ['quiet'],
      entry: ['ring', 'hum', 'inline'],
      exit: ['raise(R)'],
    },
    { ...plain, id: 'm.b', name: 'b', parent: 'm', type: 'history', history: 'deep' },
    {
      ...{ ...plain, id: 'm.c', name: 'c', parent: 'm', tick: '5s' },
      invokes: [
        { id: 'one', src: 'work' },
        { id: '1.m.c', src: 'inline' },
      ],
    },
  ])
})

test('has edges of every kind, in the order they are written', () => {
  const { edges } = ofStates({
    a: {
      ...{ initial: { target: 'x', actions: 'start' }, states: { x: {}, h: { type: 'history' } } },
      on: { GO: ['b', { guard: 'may', actions: 'act' }], 'A.*': { target: ['b'], reenter: true } },
      ...{ onDone: 'b', after: { soon: 'b', 7: 'b' }, always: 'b' },
      invoke: { id: 'one', src: 'work', onDone: 'b', onError: 'b', onSnapshot: { actions: 'see' } },
    },
    b: {},
  })
  const lines = edges.map(({ id, kind, on, to }) => [id, kind, on, to.join()].join(' '))
  assert.equal(lines, [
    'm#0 initial  m.a',
    'm.a#0 initial  m.a.x',
    'm.a#1 event GO m.b',
    'm.a#2 event GO ',
    'm.a#3 event A.* m.b',
    'm.a#4 done  m.b',
    'm.a#5 actor.done one m.b',
    'm.a#6 actor.error one m.b',
    'm.a#7 actor.snapshot one ',
    'm.a#8 after 7 m.b',
    'm.a#9 after soon m.b',
    'm.a#10 always  m.b',
    'm.a.h#0 history  m.a.x',
  ])
  const [, first, , guarded, again] = edges
  assert.equal(first?.actions, ['start'])
  assert.equal([guarded?.guard, guarded?.actions, guarded?.reenter], ['may', ['act'], false])
  assert.is(again?.reenter, true)
})

test('spells out what was composed', () => {
  const isLate = () => true
  const machine = setup({
    actors: {} as never,
    guards: { one: () => true },
  }).createMachine({
    entry: [
      raise({ type: 'R' }, { delay: 5, id: 'r' }),
      raise(() => ({ type: 'R' })),
      sendTo('x' as never, { type: 'S' } as never, { delay: (() => 5) as never }),
      cancel('r'),
      emit({ type: 'E' }),
      spawnChild('kid' as never),
    ],
    on: {
      GO: [{ guard: and(['one', not(isLate), stateIn('a')]) }, { guard: ({ event }) => !!event }],
    },
  })
  const { nodes, edges } = graphOf(machine)
  assert.equal(nodes[0]?.entry, [
    ...['raise(R after 5)', 'raise(inline)', 'sendTo(S after inline)', 'cancel(r)', 'emit(E)'],
    'spawnChild(kid)',
  ])
  assert.equal(
    edges.map(({ guard }) => guard),
    ['and(one, not(isLate), stateIn(a))', 'inline'],
  )
})

test('gives each node an id of its own, though a machine does not', () => {
  const { nodes, edges } = ofStates({ a: { id: 'x', on: { GO: 'b' } }, b: { id: 'x' } })
  assert.equal(
    nodes.map(({ id }) => id),
    ['m', 'x', 'x#2'],
  )
  assert.equal([edges[1]?.from, edges[1]?.to], ['x', ['x#2']])
})

const EVERYTHING = { mail: true, promises: true, children: true }

test('misses no state and no transition of a random chart, and is the same each time', () => {
  fc.assert(
    fc.property(charts(EVERYTHING), (shape) => {
      const machine = compile(shape, STILL)
      const graph = graphOf(machine)
      assert.equal(graphOf(compile(shape, STILL)), graph)
      assert.equal(JSON.parse(JSON.stringify(graph)), graph)
      const nodes = nodesOf(machine)
      const own = graph.edges.filter(({ kind }) => kind !== 'initial' && kind !== 'history')
      assert.is(graph.nodes.length, nodes.length)
      assert.is(own.length, nodes.flatMap(transitionsOf).length)
      assert.is(new Set(graph.edges.map(({ id }) => id)).size, graph.edges.length)
    }),
    { numRuns: 150 },
  )
})

test.run()
