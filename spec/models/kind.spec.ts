// Kinds and the registry: what can be seen to be wrong when the app loads stops it there, with its path.
import { createMachine, fromPromise, fromTransition, setup } from 'xstate'
import * as z from 'zod'
import { effect, field, Resource, steps } from '../../bin/index.ts'
import { isFault } from '../../lib/errors.ts'
import { Kind } from '../../models/kind.ts'
import { Registry } from '../../models/registry.ts'
import { RESERVED } from '../../models/reserved.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('kind')
const text = field(z.string())
const idle = createMachine({ initial: 'a', states: { a: {} } })

/** What is wrong with a class of these fields and tasks. */
function wrong(fields: object, tasks: object = {}, more: object = {}): string {
  class Thing extends Resource {}
  Object.assign(Thing, { fields, tasks }, more)
  return complaint(() => new Kind(Thing))
}

function complaint(work: () => unknown): string {
  try {
    work()
    return 'nothing'
  } catch (thrown) {
    return isFault(thrown) ? `${thrown.code} ${thrown.message}` : String(thrown)
  }
}

// ---- names --------------------------------------------------------------------------------------

test('takes no field and no task that bears a word of the house', () => {
  for (const name of ['start', 'id', 'save', 'life', 'constructor', 'then', ...RESERVED]) {
    assert.match(wrong({ [name]: text }), `NAME_TAKEN Thing names a field "${name}"`)
    assert.match(wrong({}, { [name]: idle }), `NAME_TAKEN Thing names a task "${name}"`)
  }
})

test('reserves every member of a resource', () => {
  for (const name of Object.getOwnPropertyNames(Resource.prototype)) {
    assert.ok(RESERVED.has(name), `${name} is not reserved`)
  }
})

test('takes no task named as a field, and no name of a member of the class', () => {
  assert.match(wrong({ ping: text }, { ping: idle }), 'already a field')
  class Thing extends Resource {
    static override fields = { boot: text }
    boot() {}
  }
  assert.match(
    complaint(() => new Kind(Thing)),
    'already a member of the class',
  )
})

test('takes no name that cannot be a column, a command or a property', () => {
  for (const name of ['', 'a-b', '1a', '_a', 'ä', '__proto__x', 'a'.repeat(61), 'a b']) {
    assert.match(wrong({ [name]: text }), 'NAME_INVALID')
    assert.match(wrong({}, { [name]: idle }), 'NAME_INVALID')
    if (name !== '') assert.match(wrong({}, {}, { kind: name }), 'NAME_INVALID')
  }
})

test('can be made twice of one class', () => {
  class Thing extends Resource {
    static override fields = { a: text }
    static override tasks = { go: idle }
  }
  new Kind(Thing)
  assert.is(
    complaint(() => new Kind(Thing)),
    'nothing',
  )
})

// ---- machines -----------------------------------------------------------------------------------

const machines: Record<string, [task: unknown, complaint: RegExp]> = {
  'that is none': [
    { states: {} },
    /Thing\.task is not valid at its root: it is not an XState machine/,
  ],
  'that is a function': [() => {}, /it is not an XState machine/],
  'without the action it names on entry': [
    createMachine({ id: 'm', initial: 'a', states: { a: { entry: 'ring' } } }),
    /at m\.a: the action "ring" has no implementation/,
  ],
  'without the action of a transition': [
    createMachine({
      id: 'm',
      initial: 'a',
      states: { a: { on: { X: { actions: { type: 'ring' } } } } },
    }),
    /at m\.a: the action "ring"/,
  ],
  'without its guard': [
    createMachine({
      id: 'm',
      initial: 'a',
      states: { a: { always: { guard: 'ready', target: 'b' } }, b: {} },
    }),
    /at m\.a: the guard "ready"/,
  ],
  'without its actor': [
    createMachine({
      id: 'm',
      initial: 'a',
      states: { a: { initial: 'b', states: { b: { invoke: { src: 'boot' } } } } },
    }),
    /at m\.a\.b: the actor "boot"/,
  ],
  'without its delay': [
    createMachine({ id: 'm', initial: 'a', states: { a: { after: { soon: 'b' } }, b: {} } }),
    /at m\.a: the delay "soon"/,
  ],
  'that invokes a reducer': [
    setup({ actors: { child: fromTransition((state) => state, 0) } }).createMachine({
      ...{ id: 'm', initial: 'a', states: { a: { invoke: { src: 'child' } } } },
    } as never),
    /at m\.a: the actor "child" is neither an effect.* write a fromTransition\(…\) as a machine/,
  ],
  'whose child lacks a part': [
    setup({
      actors: {
        child: createMachine({
          id: 'c',
          initial: 'a',
          states: { a: { entry: 'nobody' } },
        } as never),
      },
    }).createMachine({
      ...{ id: 'm', initial: 'a', states: { a: { invoke: { src: 'child' } } } },
    } as never),
    /at m\.a > c\.a: the action "nobody" has no implementation/,
  ],
}
for (const [what, [task, expected]] of Object.entries(machines)) {
  test(`takes no machine ${what}`, () => {
    const said = wrong({}, { task })
    assert.match(said, 'MACHINE_INVALID The machine of task Thing.task')
    assert.match(said, expected)
  })
}

test('checks the life of a resource like any other machine', () => {
  const life = createMachine({ id: 'life', initial: 'a', states: { a: { entry: 'ring' } } })
  assert.match(wrong({}, {}, { life }), 'MACHINE_INVALID The machine of task Thing.life')
})

test('takes effects, promises and machines that have all they name', () => {
  const whole = setup({
    actors: { boot: effect(async () => 1), wait: fromPromise(async () => 2) },
    actions: { ring: () => {} },
    guards: { ready: () => true },
    delays: { soon: 100 },
  }).createMachine({
    initial: 'a',
    states: {
      a: { invoke: [{ src: 'boot' }, { src: 'wait' }], after: { soon: 'b' }, entry: 'ring' },
      b: { always: { guard: 'ready', target: 'a' }, exit: { type: 'ring' } },
    },
  })
  const inline = createMachine({
    initial: 'a',
    states: { a: { invoke: { src: effect(async () => 1) }, after: { 50: 'a' } } },
  } as never)
  assert.is(wrong({}, { whole, inline, short: steps({ one: async (t) => t.stop() }) }), 'nothing')
})

test('refuses a short form without steps', () => {
  assert.match(
    complaint(() => steps({})),
    'ARGUMENT_INVALID',
  )
})

// ---- families -----------------------------------------------------------------------------------

class Animal extends Resource {
  static override fields: Record<string, any> = { legs: text }
  static override tasks: Record<string, any> = { eat: idle }
}
class Dog extends Animal {
  static override fields = { tail: text }
  static override tasks = { bark: idle }
}
class Puppy extends Dog {}

test('inherits the fields and tasks of the classes above', () => {
  const puppy = new Kind(Puppy)
  assert.equal(puppy.fields.names.sort(), ['legs', 'tail'])
  assert.equal(puppy.taskNames.sort(), ['bark', 'eat'])
  assert.equal(new Kind(Animal).taskNames, ['eat'])
})

test('counts a class and those that extend it as a family', () => {
  const registry = new Registry([Animal, Dog, Puppy])
  const names = (shape: typeof Animal) => registry.family(shape).map(({ name }) => name)
  assert.equal(names(Animal), ['Animal', 'Dog', 'Puppy'])
  assert.equal(names(Puppy), ['Puppy'])
})

test('refuses two classes of one name, and says which is nearest to a wrong one', () => {
  class Pet extends Resource {
    static override kind = 'Dog'
  }
  const twice = complaint(() => new Registry([Dog, Pet]))
  assert.match(twice, 'RESOURCE_DUPLICATE Two resource classes are both named "Dog"')
  const wanted = complaint(() => new Registry([Animal, Dog, Puppy]).find('Pupy'))
  assert.match(
    wanted,
    'RESOURCE_KIND_UNKNOWN There is no resource type "Pupy". Known types: Puppy,',
  )
  assert.match(
    complaint(() => new Registry([]).find('x')),
    'Known types: none',
  )
})

test.run()
