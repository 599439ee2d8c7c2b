// Drawing charts and what happens to them.
// Promise: whatever is drawn here, `compile` makes a machine of it that XState accepts and that comes to rest.
import fc from 'fast-check'
import {
  type Case,
  type Chart,
  DESCRIPTORS,
  type Deed,
  type DeedKind,
  type Features,
  GRAIN_MS,
  type Guard,
  type Happening,
  type Invoke,
  PROMISES,
  type Rule,
  SENT,
  type Shape,
  VALUES,
} from './shape.ts'

/** The commoner ones more often. */
const PLAIN: readonly DeedKind[] = [
  ...(['record', 'record', 'mark', 'inline', 'count', 'count', 'stash', 'keep'] as const),
  ...(['raise', 'raiseMore', 'later', 'laterSlow', 'cancel', 'cancelMore'] as const),
  ...(['emit', 'emitMore', 'log'] as const),
]
const MAIL: readonly DeedKind[] = ['self', 'selfLater']
const PARENTS: readonly DeedKind[] = ['spawn', 'stop', 'tell', 'tell', 'tellLater', 'forward']
const CHILDS: readonly DeedKind[] = ['parent', 'parent']

/** Rules hear these more often, so that events meet rules. */
const HEARD = [...[0, 0, 0, 0, 1, 1, 2], ...DESCRIPTORS.keys()]
const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, { weight: 1, arbitrary })

const { guard } = fc.letrec<{ guard: Guard }>((tie) => ({
  guard: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({
      kind: fc.constantFrom('below', 'computed'),
      key: fc.nat(1),
      limit: fc.nat(4),
    }) as fc.Arbitrary<Guard>,
    fc.constant({ kind: 'even' } as Guard),
    fc.record({ kind: fc.constant('in'), node: fc.nat(30) }) as fc.Arbitrary<Guard>,
    fc.record({ kind: fc.constant('not'), of: tie('guard') }) as fc.Arbitrary<Guard>,
    fc.record({
      kind: fc.constantFrom('and', 'or'),
      all: fc.array(tie('guard'), { minLength: 1, maxLength: 2 }),
    }) as fc.Arbitrary<Guard>,
  ),
}))

function deedsOf(kinds: readonly DeedKind[]): fc.Arbitrary<Deed[]> {
  const simple: fc.Arbitrary<Deed> = fc.record({ kind: fc.constantFrom(...kinds), n: fc.nat(99) })
  const choose: fc.Arbitrary<Deed> = fc.record({
    kind: fc.constant('choose' as const),
    n: fc.nat(99),
    deeds: fc.array(simple, { minLength: 1, maxLength: 3 }),
    guard,
  })
  const one = fc.oneof({ weight: 8, arbitrary: simple }, { weight: 1, arbitrary: choose })
  return fc.array(one, { maxLength: 2 })
}

interface Level {
  readonly features: Features
  /** 0 for the chart itself, 1 for its children, and so on. */
  readonly depth: number
  readonly hasMachines: boolean
}

/** A random chart, with those of its children. */
export function charts(features: Features, depth = 0): fc.Arbitrary<Chart> {
  const hasMachines = features.children && depth < 2
  const machines = hasMachines
    ? fc.array(charts(features, depth + 1), { minLength: 1 - depth, maxLength: 2 - depth })
    : fc.constant([])
  return fc.record({ root: roots({ features, depth, hasMachines }), machines })
}

function roots(level: Level): fc.Arbitrary<Shape> {
  const { features, depth, hasMachines } = level
  const kinds = [
    ...PLAIN,
    ...(features.mail ? MAIL : []),
    ...(hasMachines ? PARENTS : []),
    ...(depth > 0 ? CHILDS : []),
  ]
  const deeds = deedsOf(kinds)
  const rule: fc.Arbitrary<Rule> = fc.record({
    event: fc.constantFrom(...HEARD),
    target: fc.option(fc.nat(30), { freq: 8 }),
    split: seldom(fc.nat(3)),
    reenter: fc.boolean(),
    guard: seldom(guard),
    deeds,
  })
  const leaf = leafOf(level, rule, deeds)
  const none = fc.constant([] as readonly Shape[])
  const simple = fc.record({
    type: fc.constantFrom('leaf', 'leaf', 'leaf', 'leaf', 'final', 'history', 'deep'),
    children: none,
    ...leaf,
  }) as fc.Arbitrary<Shape>
  const { tree } = fc.letrec<{ tree: Shape }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      simple,
      fc.record({
        type: fc.constantFrom('compound', 'compound', 'parallel'),
        children: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }),
        ...leaf,
      }) as fc.Arbitrary<Shape>,
    ),
  }))
  return fc.record({
    type: fc.constantFrom('compound', 'compound', 'parallel') as fc.Arbitrary<'compound'>,
    children: fc.array(tree, { minLength: 2, maxLength: depth === 0 ? 4 : 3 }),
    ...leaf,
  })
}

function leafOf(
  { features, hasMachines }: Level,
  rule: fc.Arbitrary<Rule>,
  deeds: fc.Arbitrary<Deed[]>,
) {
  const delay = fc.oneof(fc.nat(4), fc.constantFrom('short', 'slow'))
  const kinds: Invoke['kind'][] = [
    ...(features.promises ? ['promise' as const] : []),
    ...(hasMachines ? ['child' as const] : []),
  ]
  const invoke = (): fc.Arbitrary<Invoke> =>
    fc.record({
      kind: fc.constantFrom(...kinds),
      n: fc.nat(9),
      done: fc.option(rule, { freq: 4 }),
      error: fc.option(rule, { freq: 9 }),
      snapshot: seldom(rule),
    })
  return {
    rules: fc.array(rule, { maxLength: 4, size: 'max' }),
    forbids: seldom(fc.nat(6)).map((one) => (one === null ? [] : [one])),
    after: seldom(fc.record({ delay, rule })).map((one) => (one === null ? [] : [one])),
    later: seldom(fc.nat(4)),
    always: seldom(rule),
    whenDone: fc.option(rule, { freq: 3 }),
    entry: deeds,
    exit: deeds,
    initial: deeds,
    tags: fc.uniqueArray(fc.nat(3), { maxLength: 2 }),
    meta: seldom(fc.nat(9)),
    output: fc.option(fc.nat(VALUES.length - 1)),
    invokes: kinds.length > 0 ? fc.array(invoke(), { maxLength: 1 }) : fc.constant([]),
  }
}

const value = fc.nat(VALUES.length - 1)

/** What happens to a chart. */
export function happenings({ promises }: Features): fc.Arbitrary<Happening[]> {
  const send = fc.record({ send: fc.constantFrom('A', 'A', 'A', 'B', 'B', ...SENT), v: value })
  const pass = fc.integer({ min: 1, max: 6 }).map((grains) => ({ pass: grains * GRAIN_MS }))
  const settle = fc.record({
    settle: fc.constantFrom('resolve', 'resolve', 'reject'),
    n: fc.nat(PROMISES - 1),
    v: value,
  }) as fc.Arbitrary<Happening>
  const all: fc.WeightedArbitrary<Happening>[] = [
    { weight: 3, arbitrary: send },
    { weight: 2, arbitrary: pass },
    ...(promises ? [{ weight: 3, arbitrary: settle }] : []),
  ]
  return fc.array(fc.oneof(...all), { minLength: 1, maxLength: 14 })
}

/** A start without input and one with null are the same to a task. */
const input = value.filter((place) => VALUES[place] !== null)

/** A chart, its input, and what happens. */
export function cases(features: Features): fc.Arbitrary<Case> {
  // Bias prefers the small and the empty, and such charts hardly move.
  return fc.noBias(fc.record({ chart: charts(features), input, what: happenings(features) }))
}
