// Machines with a flaw, and machines that only look as if they had one, by the rule of the check.
import {
  and,
  assign,
  cancel,
  enqueueActions,
  fromPromise,
  not,
  or,
  raise,
  sendTo,
  setup,
  spawnChild,
} from 'xstate'
import { effect } from '../../lib/effect.ts'
import type { RuleName } from '../../lib/lint.ts'
import { Secret } from '../../lib/secret.ts'

const work = effect(async () => 1)
const stray = effect(async () => 2)

export type Config = Record<string, unknown>
/** A machine of a rule's case. */
export const machineOf = (config: Config, parts: Config = {}): any =>
  setup({ actors: { work }, delays: { soon: 5 }, ...parts } as never).createMachine({
    id: 'm',
    initial: 'a',
    ...config,
  } as never)

const end = { type: 'final' }

export interface Case {
  readonly what: string
  readonly config: Config
  readonly parts?: Config
  /** What is told, each in order; nothing for a machine that keeps the rule. */
  readonly told: readonly RegExp[]
}

const states = (...given: Config[]): Config => ({ states: Object.assign({}, ...given) })
export const bare = (a: Config): Config => states({ a, b: end })

const named = /^m\.a error the action "ring" has no implementation$/
/** Of each rule, machines that break it and machines that do not. */
export const flaws: Record<RuleName, Case[]> = {
  'part-missing': [
    { what: 'an action', config: bare({ entry: 'ring' }), told: [named] },
    {
      what: 'the action of a first transition',
      config: bare({ initial: { target: 'x', actions: 'ring' }, states: { x: {} } }),
      told: [named],
    },
    {
      what: 'actions of an invoke and of an after',
      config: bare({
        invoke: { src: 'work', onDone: { actions: 'one' }, onSnapshot: { actions: 'two' } },
        after: { soon: { actions: 'three' } },
      }),
      told: [/"one"/, /"two"/, /"three"/],
    },
    {
      what: 'guards within guards',
      config: bare({
        always: { target: 'b', guard: and(['one', not(or(['two', { type: 'three' }] as never))]) },
      }),
      parts: { guards: { one: () => true } },
      told: [/^m\.a error the guard "two"/, /"three"/],
    },
    {
      what: 'a guard within one that is provided',
      config: bare({ on: { GO: { target: 'b', guard: 'all' } } }),
      parts: { guards: { all: and(['one', () => true] as never) } },
      told: [/^guards\.all error the guard "one"/],
    },
    {
      what: 'the delay of an event sent later, which would be sent at once',
      config: bare({ entry: 'ring' }),
      parts: { actions: { ring: raise({ type: 'GO' }, { delay: 'late' as never }) } },
      told: [/^actions\.ring error the delay "late"/],
    },
    {
      what: 'a spawned actor',
      config: bare({ entry: spawnChild('nobody' as never) }),
      told: [/the actor "nobody"/],
    },
    {
      what: 'nothing',
      config: bare({
        entry: [
          'ring',
          { type: 'ring' },
          raise({ type: 'GO' }, { delay: 'soon' as never, id: 'go' }),
        ],
        invoke: { src: 'work', onDone: 'b' },
        after: { soon: { target: 'b', guard: and(['ready', () => true] as never) } },
      }),
      parts: { actions: { ring: () => {} }, guards: { ready: () => true } },
      told: [],
    },
  ],
  'target-missing': [
    {
      what: 'a first state',
      config: bare({ initial: 'x', states: { y: {} } }),
      told: [/^m\.a error its initial "x" is no state$/],
    },
    {
      what: 'the target of a history',
      config: bare({ initial: 'x', states: { x: {}, h: { type: 'history', target: 'y' } } }),
      told: [/^m\.a\.h error its target "y" is no state$/],
    },
    {
      what: 'a member of every object, which XState takes for a state',
      config: bare({ on: { GO: 'constructor' } }),
      told: [/^m\.a error its target "Object" is no state$/],
    },
    {
      what: 'none',
      config: bare({
        initial: 'x',
        states: { x: {}, h: { type: 'history', target: 'x' }, k: { type: 'history' } },
      }),
      told: [],
    },
  ],
  'id-ambiguous': [
    {
      what: 'an id used twice',
      config: states({ a: { id: 'x' }, b: { id: 'x' } }),
      told: [/^x error the id "x" is used twice/],
    },
    {
      what: 'a dot in the id of a machine with an actor that has no name',
      config: { id: 'm.m', ...bare({ invoke: { src: work } }) },
      told: [/^m\.m warning/, /^m\.m\.a error XState does not find it/, /^m\.m\.b warning/],
    },
    { what: 'ids of their own', config: states({ a: { id: 'x' }, b: { id: 'y' } }), told: [] },
  ],
  'actor-undurable': [
    {
      what: 'logic of nobody',
      config: bare({ invoke: [{ src: 'other' }, { src: { transition() {} } }] }),
      parts: { actors: { other: { transition() {} } } },
      told: [/the actor "other" is neither/, /the actor "xstate.invoke.1.m.a" is/],
    },
    {
      what: 'effects and promises',
      config: bare({ invoke: [{ src: 'work' }, { src: fromPromise(async () => 1) }] }),
      told: [],
    },
  ],
  'spawn-unnamed': [
    {
      what: 'logic spawned without a name',
      config: bare({ entry: 'beget', exit: spawnChild(stray, { id: 'x' }) }),
      parts: { actions: { beget: spawnChild(stray) } },
      told: [/^m\.a error it spawns/, /^actions\.beget error it spawns/],
    },
    { what: 'a name', config: bare({ entry: spawnChild('work' as never) }), told: [] },
  ],
  'context-unstorable': [
    {
      what: 'a function',
      config: { context: { deep: [{ call() {} }] }, ...bare({}) },
      told: [/^m error its context: the value at \$\.deep\[0\]\.call cannot be stored: /],
    },
    { what: 'NaN', config: { context: { n: Number.NaN }, ...bare({}) }, told: [/\$\.n/] },
    {
      what: 'an instance of a class',
      config: { context: { at: new (class Foo {})() }, ...bare({}) },
      told: [/\$\.at/],
    },
    { what: 'a circle', config: { context: circle(), ...bare({}) }, told: [/contains itself/] },
    {
      what: 'a factory that makes what cannot be stored, of no input at least',
      config: { context: () => ({ call() {} }), ...bare({}) },
      told: [/^m warning its context, made without input: /],
    },
    {
      what: 'plain data, dates and secrets',
      config: { context: { at: new Date(0), m: new Map(), s: new Secret('x') }, ...bare({}) },
      told: [],
    },
    {
      what: 'a factory that wants input, and one that spawns',
      config: { context: ({ input }: any) => ({ n: input.n, call() {} }), ...bare({}) },
      told: [],
    },
  ],
  'eventless-cycle': [
    {
      what: 'two states that lead to one another',
      config: states({ a: { always: 'b' }, b: { always: 'a' } }),
      told: [/^m\.a error .*without end: m\.a -> m\.b -> m\.a$/],
    },
    {
      what: 'a state around that leads to a first child that moves on',
      config: { always: '.a', ...states({ a: { always: 'b' }, b: {} }) },
      told: [/^m\.a error/],
    },
    {
      what: 'a state that counts for ever',
      config: bare({ always: { actions: 'count' } }),
      parts: { actions: { count: assign({ n: 1 }) } },
      told: [/^m\.a error .*m\.a -> m\.a$/],
    },
    {
      what: 'a cycle with a guard',
      config: states({ a: { always: { target: 'b', guard: () => true } }, b: { always: 'a' } }),
      told: [/^m\.a warning .*for as long as their guards say so/],
    },
    {
      what: 'actions nobody knows before',
      config: bare({ always: { actions: enqueueActions(() => {}) } }),
      told: [/^m\.a warning/],
    },
    {
      what: 'eventless moves that end, and one to where it is, which XState ends',
      config: { always: '.b', ...states({ a: { always: 'b' }, b: { always: 'b' } }) },
      told: [],
    },
    {
      what: 'a cycle that waits for an event',
      config: states({ a: { always: 'b' }, b: { on: { GO: 'a' } } }),
      told: [],
    },
  ],
  'tick-unheard': [
    {
      what: 'a cadence that no state hears',
      config: states({ a: { meta: { tick: '5s' }, on: { GO: 'b' } }, b: { on: { TICK: 'a' } } }),
      told: [/^m\.a error it asks for a TICK/],
    },
    {
      what: 'an event that is forbidden',
      config: bare({ meta: { tick: '5s' }, on: { TICK: {} } }),
      told: [/asks for a TICK/],
    },
    {
      what: 'a cadence that is none',
      config: bare({ meta: { tick: 'often' }, on: { TICK: 'b' } }),
      told: [/^m\.a error its meta\.tick: .*"often" is not a duration/],
    },
    {
      what: 'one heard here, around, within, beside, or by a wildcard',
      config: {
        type: 'parallel',
        initial: undefined,
        on: {},
        states: {
          here: { meta: { tick: '5s' }, on: { TICK: { actions: () => {} } } },
          beside: { meta: { tick: 5_000 } },
          within: { initial: 'x', states: { x: { meta: { tick: '1m' }, on: { '*': 'x' } } } },
        },
      },
      told: [],
    },
  ],
  'timeout-invalid': [
    {
      what: 'an end that is none',
      config: bare({ meta: { timeoutMs: -1 } }),
      told: [/^m\.a error .*"-1" is not a duration/],
    },
    {
      what: 'an end that leads nowhere',
      config: bare({ meta: { timeoutMs: 60_000, onTimeout: 'nobody' } }),
      told: [/a meta\.onTimeout leads nowhere/],
    },
    {
      what: 'an end that leads on, and one that fails',
      config: states({
        a: { meta: { timeoutMs: 60_000, onTimeout: 'b' } },
        b: { meta: { timeoutMs: 1_000 }, on: { GO: 'a' } },
      }),
      told: [],
    },
  ],
  'state-unreachable': [
    {
      what: 'a state nobody leads to, and of its children nothing',
      config: states({ a: {}, b: { initial: 'x', states: { x: {} } } }),
      told: [/^m\.b warning no transition leads to it$/],
    },
    {
      what: 'one that stands behind a transition always taken',
      config: states({ a: { on: { GO: [{ target: 'b' }, { target: 'c' }] } }, b: {}, c: {} }),
      told: [/^m\.c warning/],
    },
    {
      what: 'regions, histories, ends of actors, delays and states around',
      config: {
        on: { OUT: '.e' },
        ...states(
          { a: { always: { guard: () => false, target: '#deep' }, after: { soon: 'b' } } },
          {
            b: {
              type: 'parallel',
              states: { x: {}, y: { initial: 'z', states: { z: { id: 'deep' } } } },
            },
          },
          { c: { invoke: { src: 'work', onError: 'd' } }, d: {}, e: { on: { GO: 'f.h' } } },
          { f: { initial: 'g', states: { g: {}, h: { type: 'history', target: 'i' }, i: {} } } },
        ),
      },
      told: [/^m\.c /, /^m\.d /, /^m\.f\.g /],
    },
  ],
  'dead-end': [
    {
      what: 'a place to rest for ever',
      config: states({ a: { on: { GO: 'b', STAY: {} } }, b: {}, c: {} }),
      told: [/^m\.b warning nothing leads out of it/],
    },
    {
      what: 'one in a state that leads on when it is done, which it never is',
      config: bare({ initial: 'x', states: { x: {} }, onDone: 'b' }),
      told: [/^m\.a\.x warning/],
    },
    {
      what: 'ends, and ways out here, around and beside',
      config: {
        ...states(
          { a: { on: { GO: 'b' } }, b: { on: { GO: 'c' }, initial: 'x', states: { x: {} } } },
          {
            c: {
              type: 'parallel',
              states: { rest: {}, go: { initial: 'x', states: { x: { on: { GO: '#m.d' } } } } },
            },
          },
          { d: { invoke: { src: 'work' }, on: { GO: ['e', 'f'][0] } }, e: { on: { N: 'f' } } },
          { f: { meta: { timeoutMs: 5 }, on: { GO: 'g' } }, g: { type: 'final' } },
        ),
      },
      told: [],
    },
  ],
  'final-left': [
    {
      what: 'a final state with transitions',
      config: states({ a: { on: { GO: 'b' } }, b: { type: 'final', on: { GO: 'a' } } }),
      told: [/^m\.b warning it is final and has transitions/],
    },
    { what: 'a final state that acts', config: bare({ on: { GO: 'b' } }), told: [] },
  ],
  'failure-unhandled': [
    {
      what: 'an invoke nobody hears of',
      config: bare({
        invoke: [
          { src: 'work', onDone: 'b' },
          { id: 'own', src: work },
        ],
      }),
      told: [/^m\.a warning nobody hears when "work" fails/, /"own" fails/],
    },
    {
      what: 'one heard of by itself, by a state around, and by a wildcard',
      config: {
        on: { 'xstate.error.actor.one': '.b' },
        ...states({
          a: {
            invoke: [
              { src: 'work', onError: 'b' },
              { src: 'work', id: 'one' },
            ],
            initial: 'x',
            on: { 'xstate.error.*': 'b' },
            states: { x: { invoke: { src: 'work', id: 'two' } } },
          },
          b: end,
        }),
      },
      told: [],
    },
  ],
  'delay-inlined': [
    {
      what: 'numbers',
      config: bare({
        after: { 1000: 'b' },
        entry: raise({ type: 'GO' }, { delay: 50, id: 'go' }),
        exit: 'ring',
      }),
      parts: {
        actions: { ring: sendTo('x' as never, { type: 'RING' } as never, { delay: 7, id: 'r' }) },
      },
      told: [
        /^m\.a warning it waits 1000 ms/,
        /^m\.a warning it sends "GO" 50 ms later/,
        /^actions\.ring warning it sends "RING" 7 ms later/,
      ],
    },
    {
      what: 'names, expressions and "next"',
      config: bare({
        after: { soon: 'b' },
        entry: [
          raise({ type: 'GO' }, { delay: 'soon' as never, id: 'a' }),
          raise({ type: 'GO' }, { delay: () => 5, id: 'b' }),
          raise({ type: 'GO' }, { delay: 0, id: 'c' }),
          cancel('a'),
        ],
      }),
      told: [],
    },
  ],
  'timer-unnamed': [
    {
      what: 'an event sent later without an id',
      config: bare({ entry: raise({ type: 'GO' }, { delay: 'soon' as never }), on: { GO: 'b' } }),
      told: [/^m\.a warning it sends "GO" later under no id/],
    },
    {
      what: 'one with an id, one sent now, and an after',
      config: bare({
        entry: [raise({ type: 'GO' }, { delay: 'soon' as never, id: 'go' }), raise({ type: 'GO' })],
        after: { soon: 'b' },
      }),
      told: [],
    },
  ],
}

function circle(): object {
  const round: Config = {}
  round.round = round
  return round
}
