// Eventless cycles, against XState itself: what is called endless is, and nothing endless is missed.
import fc from 'fast-check'
import {
  type AnyStateMachine,
  assign,
  createMachine,
  getInitialSnapshot,
  getNextSnapshot,
} from 'xstate'
import { nodesOf } from '../../lib/blueprint.ts'
import { type Finding, lint } from '../../lib/lint.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('eventless cycles')

interface Always {
  readonly target: number | null
  readonly guard: boolean | null
  readonly counts: boolean
  readonly reenter: boolean
}
interface Shape {
  readonly type: 'leaf' | 'final' | 'compound' | 'parallel'
  readonly children: readonly Shape[]
  readonly always: readonly Always[]
  readonly counts: boolean
}

const always = fc.record({
  target: fc.option(fc.nat(20), { freq: 6 }),
  guard: fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    { weight: 2, arbitrary: fc.boolean() },
  ),
  counts: fc.boolean(),
  reenter: fc.boolean(),
})
const own = { always: fc.array(always, { maxLength: 2 }), counts: fc.boolean() }
const leaf = fc.record({
  type: fc.constantFrom('leaf', 'leaf', 'leaf', 'final'),
  children: fc.constant([]),
  ...own,
}) as fc.Arbitrary<Shape>
const { tree } = fc.letrec<{ tree: Shape }>((tie) => ({
  tree: fc.oneof({ depthSize: 'small' }, leaf, inner(tie('tree'))),
}))
function inner(child: fc.Arbitrary<Shape>): fc.Arbitrary<Shape> {
  const children = fc.array(child, { minLength: 1, maxLength: 3 })
  const type = fc.constantFrom('compound', 'compound', 'parallel')
  return fc.record({ type, children, ...own }) as fc.Arbitrary<Shape>
}
const chart = inner(tree)

const MOST = 300
const count = assign({ n: ({ context }: any) => (context.n ?? 0) + 1 })

function compile(root: Shape): AnyStateMachine {
  const all: Shape[] = []
  const number = (shape: Shape): void => {
    all.push(shape)
    shape.children.forEach(number)
  }
  number(root)
  const node = (shape: Shape): any => ({
    id: `n${all.indexOf(shape)}`,
    ...(shape.counts && { entry: count }),
    ...(shape.type === 'final' ? { type: 'final' } : { always: shape.always.map(move) }),
    ...(shape.type === 'parallel' && { type: 'parallel' }),
    ...(shape.type === 'compound' && { initial: 's0' }),
    ...(shape.children.length > 0 && {
      states: Object.fromEntries(shape.children.map((child, index) => [`s${index}`, node(child)])),
    }),
  })
  const move = ({ target, guard, counts, reenter }: Always) => ({
    ...(target !== null && { target: `#n${1 + (target % Math.max(all.length - 1, 1))}` }),
    ...(guard !== null && { guard: () => guard }),
    ...(counts && { actions: count }),
    reenter,
  })
  return createMachine({ ...node(root), context: { n: 0 }, options: { maxIterations: MOST } })
}

const cycles = (machine: AnyStateMachine): Finding[] =>
  lint(machine).filter(({ rule }) => rule === 'eventless-cycle')

const isEndless = (work: () => any): boolean => {
  try {
    return /Infinite loop/.test(String(work().error))
  } catch (thrown) {
    return /Infinite loop/.test(String(thrown))
  }
}

/** The machine resting in a state, asked to go on. */
function goesRoundIn(machine: AnyStateMachine, id: string): boolean {
  const { path } = nodesOf(machine).find((node) => node.id === id)
  const value = path.reduceRight((inside: any, key: string) => ({ [key]: inside }), {})
  const resting = machine.resolveState({ value, context: { n: 0 } })
  return isEndless(() => getNextSnapshot(machine, resting, { type: 'NOBODY' }))
}

test('calls nothing endless that ends', () => {
  let found = 0
  fc.assert(
    fc.property(chart, (shape) => {
      const machine = compile(shape)
      for (const { path, severity } of cycles(machine)) {
        if (severity === 'warning') continue
        found++
        assert.ok(goesRoundIn(machine, path), `${path} comes to rest`)
      }
    }),
    { numRuns: 500 },
  )
  assert.ok(found > 20, `only ${found} cycles were drawn`)
})

test('misses nothing that goes round for ever', () => {
  let found = 0
  fc.assert(
    fc.property(chart, (shape) => {
      const machine = compile(shape)
      if (!isEndless(() => getInitialSnapshot(machine))) return
      found++
      assert.ok(cycles(machine).length > 0)
    }),
    { numRuns: 500 },
  )
  assert.ok(found > 20, `only ${found} endless machines were drawn`)
})

test.run()
