// Flat machines at random: one level of states, and all that a chart can tell of such.
// Promise: the same drawing makes the same machine; a few things in it only XState can tell, so that both ways meet.
import fc from 'fast-check'
import {
  type AnyStateMachine,
  and,
  assign,
  cancel,
  createMachine,
  emit,
  fromPromise,
  not,
  or,
  raise,
  stateIn,
} from 'xstate'
import { delay as lasting } from '../../../lib/delay.ts'

const DESCRIPTORS = ['A', 'A', 'B', 'a.x', 'a.x.y', 'a.*', 'a.x.*', '*'] as const
/** What is sent: some of it nobody names. */
export const SENT = ['A', 'A', 'A', 'B', 'B', 'a.x', 'a.x.y', 'a', 'a.q', 'NOBODY'] as const

interface Way {
  readonly target: number | null
  readonly reenter: boolean
  readonly guard: number | null
  readonly deeds: readonly number[]
}

interface Flat {
  readonly on: readonly { readonly name: number; readonly ways: readonly Way[] }[]
  readonly forbids: number | null
  readonly after: readonly { readonly length: number; readonly ways: readonly Way[] }[]
  readonly invokes: readonly Promised[]
  readonly entry: readonly number[]
  readonly exit: readonly number[]
  readonly tick: number | null
}

interface Promised {
  readonly kind: number
  readonly done: readonly Way[]
  readonly error: readonly Way[]
}

export interface Drawn {
  readonly states: readonly Flat[]
  readonly root: Flat
  readonly finals: readonly { readonly output: number | null; readonly deeds: readonly number[] }[]
  readonly output: number | null
  readonly context: number
}

const way: fc.Arbitrary<Way> = fc.record({
  target: fc.option(fc.nat(20), { freq: 6 }),
  reenter: fc.boolean(),
  guard: fc.option(fc.nat(99)),
  deeds: fc.array(fc.nat(99), { maxLength: 2 }),
})
const ways = fc.array(way, { minLength: 1, maxLength: 3 })
const invoke = fc.record({
  kind: fc.nat(5),
  done: ways,
  error: fc.oneof(ways, fc.constant([] as Way[])),
})
const flat = (most: number): fc.Arbitrary<Flat> =>
  fc.record({
    on: fc.uniqueArray(fc.record({ name: fc.nat(DESCRIPTORS.length - 1), ways }), {
      maxLength: 4,
      selector: ({ name }) => DESCRIPTORS[name],
      size: 'max',
    }),
    forbids: fc.option(fc.nat(DESCRIPTORS.length - 1), { freq: 3 }),
    after: fc.array(fc.record({ length: fc.nat(4), ways }), { maxLength: 1 }),
    invokes: fc.array(invoke, { maxLength: most }),
    entry: fc.array(fc.nat(99), { maxLength: 2 }),
    exit: fc.array(fc.nat(99), { maxLength: 2 }),
    tick: fc.option(fc.nat(1), { freq: 4 }),
  })

/** Bias prefers the small and the empty, and such machines hardly move. */
export const flats: fc.Arbitrary<Drawn> = fc.noBias(
  fc.record({
    states: fc.array(flat(2), { minLength: 2, maxLength: 4, size: 'max' }),
    root: flat(1),
    finals: fc.array(
      fc.record({ output: fc.option(fc.nat(2)), deeds: fc.array(fc.nat(99), { maxLength: 1 }) }),
      { minLength: 1, maxLength: 2 },
    ),
    output: fc.option(fc.nat(2)),
    context: fc.nat(2),
  }),
)

// ---- guards, deeds, delays ----------------------------------------------------------------------

const few = ({ context }: any) => context.n < 3
const isOdd = ({ event }: any) => (event.v ?? 0) % 2 === 1

function guardOf(n: number): any {
  const guards = [
    few,
    isOdd,
    'few',
    'twice',
    { type: 'below', params: { most: n % 5 } },
    {
      type: 'below',
      params: ({ context, event }: any) => ({ most: context.n + (event.v ?? 0) - 1 }),
    },
    and([few, 'odd']),
    or(['twice', not(isOdd)]),
    not({ type: 'below', params: { most: 2 } }),
    stateIn(`#flat.s${n % 2}`),
    'composed',
    // XState alone knows these two.
    stateIn(`s${n % 2}`),
    'broken',
  ]
  return guards[n % guards.length]
}

const scene = ({ context, event, self }: any) => ({ n: context.n, of: event.type, by: self.id })

/** The last few are XState's alone. */
function deedOf(n: number): any {
  const deeds = [
    assign({ n: ({ context }: any) => context.n + 1, fixed: 7 } as never),
    assign(({ context, event }: any) => ({ n: context.n + (event.v ?? 1) })),
    { type: 'add', params: { by: n % 4 } },
    { type: 'add', params: ({ context }: any) => ({ by: context.n % 3 }) },
    'stash',
    'write',
    { type: 'write', params: ({ event }: any) => event.type },
    assign(({ self }: any) => ({ by: self.id })),
    raise({ type: 'A', v: n } as never, { delay: 10 + n, id: `late${n % 2}` }),
    raise(((args: any) => ({ type: 'B', ...scene(args) })) as never, {
      delay: ({ context }: any) => context.n,
    }),
    raise({ type: 'B' }, { delay: 'frozen' as never }),
    cancel('late0'),
    cancel(({ context }: any) => `late${context.n % 2}`),
    'write',
    'stash',
    assign({ last: ({ event }: any) => event.type }),
    emit({ type: 'out' } as never),
    raise({ type: 'B' }),
    'break',
  ]
  return deeds[n % deeds.length]
}

const PARTS = {
  guards: {
    few,
    odd: isOdd,
    twice: 'few',
    below: ({ context }: any, { most }: any) => context.n < most,
    composed: or([and(['few', not('odd')]), 'odd']),
    broken: ({ context }: any) => (context.n > 4 ? context.none.there : false),
  },
  actions: {
    add: assign(({ context }: any, { by }: any) => ({ n: context.n + by })),
    stash: assign({ v: ({ event }: any) => event.v }),
    write: () => {},
    break: assign(({ context }: any) => ({ n: context.n > 2 ? context.none.there : 3 })),
  },
  delays: {
    short: 20,
    slow: ({ context }: any) => 10 * context.n,
    frozen: lasting('50ms', { policy: 'frozen' }),
  },
  actors: {
    one: fromPromise(async () => 1),
    two: fromPromise(async ({ input }: any) => input),
  },
}

const LENGTHS = [15, 'short', 'slow', 'frozen', 15] as const

function outputOf(n: number | null): any {
  if (n === null) return undefined
  return [
    { given: n },
    ({ context, event }: any) => ({ n: context.n, of: event.output, at: event.type }),
    scene,
  ][n]
}

const CONTEXTS = [
  { n: 0 },
  ({ input }: any) => ({ n: 1, input, list: [{ deep: 1 }] }),
  ({ input, self }: any) => ({ n: 0, by: self.id, of: input?.v }),
]

// ---- machines -----------------------------------------------------------------------------------

/** The machine that was drawn. */
export function flatMachine(drawn: Drawn): AnyStateMachine {
  const { states, finals, root, context, output } = drawn
  const names = [...states.map((_, n) => `s${n}`), ...finals.map((_, n) => `end${n}`)]
  const targetOf = (n: number) => names[n % names.length] as string
  const config = {
    ...stateOf(root, (n) => `.${targetOf(n)}`, 'root', ''),
    id: 'flat',
    context: CONTEXTS[context],
    initial: { target: 's0', actions: root.entry.map(deedOf) },
    output: outputOf(output),
    states: {
      ...Object.fromEntries(
        states.map((state, n) => [`s${n}`, stateOf(state, targetOf, `s${n}`, `.s${n}`)]),
      ),
      ...Object.fromEntries(
        finals.map(({ output: own, deeds }, n) => [
          `end${n}`,
          {
            type: 'final',
            output: outputOf(own),
            entry: deeds.map(deedOf),
            exit: deeds.map((deed) => deedOf(deed + 1)),
          },
        ]),
      ),
    },
  }
  return createMachine(config as never, PARTS as never) as unknown as AnyStateMachine
}

function stateOf(flat: Flat, targetOf: (n: number) => string, name: string, path: string): object {
  const wayOf = ({ target, reenter, guard, deeds }: Way) => ({
    ...(target !== null && { target: targetOf(target) }),
    // Of the root only XState can tell what is entered again.
    reenter: reenter && (name !== 'root' || deeds.length > 1),
    ...(guard !== null && { guard: guardOf(guard) }),
    actions: deeds.map(deedOf),
  })
  const tick = flat.tick === null ? [] : [`__tick__${10 * (1 + flat.tick)}.flat${path}`]
  const forbidden = flat.forbids === null ? [] : [[DESCRIPTORS[flat.forbids], undefined]]
  const heard = flat.on.map((one) => [DESCRIPTORS[one.name], one.ways.map(wayOf)])
  return {
    on: Object.fromEntries([...forbidden, ...heard]),
    after: Object.fromEntries(flat.after.map((one) => [LENGTHS[one.length], one.ways.map(wayOf)])),
    invoke: flat.invokes.map((one, n) => ({
      ...promised(one.kind, `${name}${n}`),
      onDone: one.done.map(wayOf),
      ...(one.error.length > 0 && { onError: one.error.map(wayOf) }),
    })),
    entry: [
      ...flat.entry.map(deedOf),
      ...tick.map((id, n) => raise({ type: 'TICK' }, { id, delay: 10 * (n + 1) })),
    ],
    exit: [...flat.exit.map(deedOf), ...tick.map((id) => cancel(id))],
  }
}

/** Sources by name and on the spot; ids given, made by XState, and shared between states. */
function promised(kind: number, id: string): object {
  const kinds = [
    { src: 'one', id },
    { src: 'two', id, input: ({ context, event }: any) => ({ n: context.n, of: event.type }) },
    { src: 'two', input: scene },
    { src: PARTS.actors.one, input: { fixed: [1] } },
    { src: 'one', id: `shared${id.slice(-1)}` },
    { src: 'two', id, input: ({ context }: any) => context.list },
  ]
  return kinds[kind] as object
}
