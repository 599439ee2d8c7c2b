// The blueprint: what a machine says of itself before anything runs.
import { createMachine, setup } from 'xstate'
import {
  actorLogic,
  eventNames,
  invokesOf,
  isHeard,
  missingNames,
  stateNames,
  takes,
} from '../../lib/blueprint.ts'
import { effect } from '../../lib/effect.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('blueprint')
const [boot, inline, second] = [effect(async () => 1), effect(async () => 2), effect(async () => 3)]

const machine: any = setup({ actors: { boot }, delays: { soon: 5 } }).createMachine({
  id: 'm',
  initial: 'a',
  on: { 'ALL.*': {}, STOP: '.a' },
  states: {
    a: {
      invoke: { src: 'boot', onDone: 'b' },
      initial: 'x',
      states: { x: { on: { GO: 'y' } }, y: { after: { soon: 'x', 50: 'x' } } },
    },
    b: {
      type: 'parallel',
      states: {
        p: { invoke: [{ src: inline }, { src: second, id: 'mine' }] as never },
        h: { type: 'history' },
      },
    },
  },
} as never)

test('names all states and events, but none of XState', () => {
  assert.equal(stateNames(machine), ['a', 'a.x', 'a.y', 'b', 'b.p', 'b.h'])
  assert.equal(eventNames(machine).sort(), ['GO', 'STOP'])
})

test('finds every invoke and the logic behind it', () => {
  const found = invokesOf(machine)
  assert.equal(
    found.map(({ path }) => path),
    ['m.a', 'm.b.p', 'm.b.p'],
  )
  const logics = found.map(({ src }) => actorLogic(machine, src))
  assert.equal(
    logics.map((logic) => [boot, inline, second].indexOf(logic as never)),
    [0, 1, 2],
  )
  assert.is(actorLogic(machine, 'nobody'), undefined)
})

test('hears by name and by wildcard, as XState does', () => {
  const heard = (event: string) =>
    ['a', 'a.*', 'a.b', '*'].filter((descriptor) => isHeard(event, descriptor))
  assert.equal(heard('a'), ['a', 'a.*', '*'])
  assert.equal(heard('a.b'), ['a.*', 'a.b', '*'])
  assert.equal(heard('ab'), ['*'])
  assert.is(takes(machine, 'STOP'), true)
  assert.is(takes(machine, 'ST'), false)
})

test('misses nothing in a machine that has all it names', () => {
  assert.equal(missingNames(machine), [])
})

test('misses what is named in any place', () => {
  const bare: any = createMachine({
    id: 'm',
    initial: 'a',
    entry: 'one',
    states: {
      a: {
        exit: { type: 'two' },
        always: { guard: 'three', actions: 'four', target: 'b' },
        after: { five: 'b' },
        invoke: { src: 'six', onDone: { actions: 'seven' }, onError: { guard: { type: 'eight' } } },
        on: { GO: [{ guard: 'nine' }, { actions: ['ten'] }], '*': { actions: 'eleven' } },
      },
      b: { type: 'final', entry: 'twelve' },
    },
    onDone: { actions: 'thirteen' },
  } as never)
  const missing = missingNames(bare).map(
    ({ at, what, name }) => `${typeof at === 'string' ? at : at.id} the ${what} "${name}"`,
  )
  const names = [
    ...['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'],
    ...['eleven', 'twelve'],
  ]
  for (const name of names) {
    const said = missing.filter((line) => line.includes(`"${name}"`))
    assert.ok(said.length > 0, `${name} was not missed`)
    assert.match(said[0]!, /^m(\.[ab])? the \w+ "\w+"$/)
  }
})

test.run()
