// Random statecharts, small and wild: nested, parallel, history, timers, guards, raised and eventless moves.
// Promise: every chart is one XState accepts, and none can go round for ever within one event.
import fc from 'fast-check'
import { type AnyStateMachine, assign, cancel, emit, raise, setup } from 'xstate'

interface Deed {
  readonly kind: 'record' | 'count' | 'raise' | 'emit'
  readonly n: number
}

interface Rule {
  readonly event: number
  /** A node, by number; null for a rule that goes nowhere. */
  readonly target: number | null
  readonly reenter: boolean
  readonly guard: { readonly key: number; readonly below: number } | null
  readonly deeds: readonly Deed[]
}

interface Shape {
  readonly type: 'leaf' | 'final' | 'history' | 'deep' | 'compound' | 'parallel'
  readonly children: readonly Shape[]
  readonly rules: readonly Rule[]
  readonly after: readonly { readonly delay: number; readonly rule: Rule }[]
  readonly later: number | null
  readonly always: Rule | null
  readonly whenDone: Rule | null
  readonly entry: readonly Deed[]
  readonly exit: readonly Deed[]
}

export interface Chart {
  readonly root: Shape
}

/** An event to send, or time to pass. */
export type Happening = { readonly send: string } | { readonly pass: number }

export const EVENTS = ['A', 'B', 'C'] as const
/** Delays and pauses are multiples of this, so that moments coincide often. */
export const GRAIN_MS = 10
const COUNTERS = ['a', 'b'] as const
/** Moves a machine makes of itself are limited by a count in its context. */
const MOST_OWN_MOVES = 6

// ---- drawing -----------------------------------------------------------------------------------

const deed: fc.Arbitrary<Deed> = fc.record({
  kind: fc.constantFrom('record', 'record', 'count', 'raise', 'emit'),
  n: fc.nat(99),
})
const deeds = fc.array(deed, { maxLength: 2 })
const rule: fc.Arbitrary<Rule> = fc.record({
  event: fc.nat(EVENTS.length),
  target: fc.option(fc.nat(30), { freq: 5 }),
  reenter: fc.boolean(),
  guard: fc.option(fc.record({ key: fc.nat(1), below: fc.nat(4) }), { freq: 2 }),
  deeds,
})
const leaf = {
  rules: fc.array(rule, { maxLength: 3 }),
  after: fc.array(fc.record({ delay: fc.integer({ min: 1, max: 4 }), rule }), { maxLength: 2 }),
  later: fc.option(fc.integer({ min: 1, max: 4 }), { freq: 1 }),
  always: fc.option(rule, { freq: 1 }),
  whenDone: fc.option(rule, { freq: 2 }),
  entry: deeds,
  exit: deeds,
}
const none = fc.constant([] as readonly Shape[])
const simple = fc.record({
  type: fc.constantFrom('leaf', 'leaf', 'leaf', 'final', 'history', 'deep'),
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

/** A random chart. */
export const chart: fc.Arbitrary<Chart> = fc
  .record({
    type: fc.constantFrom('compound', 'compound', 'parallel') as fc.Arbitrary<'compound'>,
    children: fc.array(tree, { minLength: 2, maxLength: 4 }),
    ...leaf,
  })
  .map((root) => ({ root }))

/** What happens to it. */
export const happenings: fc.Arbitrary<Happening[]> = fc.array(
  fc.oneof(
    fc.constantFrom(...EVENTS, 'R', 'NOBODY').map((send) => ({ send })),
    fc.integer({ min: 1, max: 6 }).map((steps) => ({ pass: steps * GRAIN_MS })),
  ),
  { minLength: 1, maxLength: 12 },
)

// ---- compiling ---------------------------------------------------------------------------------

const isHistory = ({ type }: Shape) => type === 'history' || type === 'deep'

/** A chart as a machine; its custom actions write to `log`. */
export function compile({ root }: Chart, log: unknown[]): AnyStateMachine {
  const nodes: Shape[] = []
  const number = (shape: Shape): void => {
    nodes.push(shape)
    shape.children.forEach(number)
  }
  number(root)
  const at = new Map(nodes.map((shape, index) => [shape, index]))
  const node = (shape: Shape): any => {
    const id = `n${at.get(shape)}`
    if (shape.type === 'final') return { id, type: 'final', entry: shape.entry.map(act) }
    const own = { id, ...behaviour(shape, at.get(shape) as number, nodes.length) }
    if (shape.type === 'leaf') return own
    const ordinary = shape.children.filter((child) => !isHistory(child))
    // A parent of histories alone has nowhere to be: it becomes a leaf.
    if (ordinary.length === 0) return own
    const statesOf = (children: readonly Shape[]) =>
      Object.fromEntries(children.map((child) => [`s${at.get(child)}`, node(child)]))
    if (shape.type === 'parallel') return { ...own, type: 'parallel', states: statesOf(ordinary) }
    const first = at.get(ordinary[0] as Shape)
    const histories = shape.children
      .filter(isHistory)
      .map((child) => [
        `s${at.get(child)}`,
        { id: `n${at.get(child)}`, type: 'history', history: depth(child), target: `s${first}` },
      ])
    const states = { ...statesOf(ordinary), ...Object.fromEntries(histories) }
    return { ...own, initial: `s${first}`, states }
  }
  const config = node(root)
  return setup({
    actions: {
      record: (_, { n }: { n: number }) => void log.push(n),
      count: assign(({ context }, { key }: { key: string }) => ({
        [key]: ((context as any)[key] ?? 0) + 1,
      })) as any,
    },
    guards: {
      below: ({ context }, { key, below }: { key: string; below: number }) =>
        ((context as any)[key] ?? 0) < below,
    },
  }).createMachine({
    ...prune(config, namesIn(config)),
    id: 'n0',
    context: ({ input }: any) => ({ a: 0, b: 0, own: 0, given: input ?? null }),
    output: ({ context }: any) => ({ a: context.a, b: context.b }),
  } as never) as unknown as AnyStateMachine
}

const depth = ({ type }: Shape) => (type === 'deep' ? 'deep' : 'shallow')

function behaviour(shape: Shape, index: number, count: number): object {
  const later = shape.later === null ? [] : [shape.later * GRAIN_MS]
  const id = `later${index}`
  const onDone = shape.whenDone && shape.type !== 'leaf' ? own(shape.whenDone, count) : undefined
  return {
    on: Object.fromEntries(groups(shape.rules, count)),
    after: Object.fromEntries(
      shape.after.map(({ delay, rule }) => [delay * GRAIN_MS, transition(rule, count)]),
    ),
    ...(shape.always && { always: own(shape.always, count) }),
    ...(onDone && { onDone }),
    entry: [...shape.entry.map(act), ...later.map((delay) => raise({ type: 'R' }, { delay, id }))],
    exit: [...shape.exit.map(act), ...later.map(() => cancel(id))],
  }
}

/** Rules by event; the last event is the one machines raise. */
function groups(rules: readonly Rule[], count: number): [string, object[]][] {
  const names = [...EVENTS, 'R']
  return names.map((name, index) => [
    name,
    rules
      .filter(({ event }) => event === index)
      .map((rule) => (name === 'R' ? own(rule, count) : transition(rule, count))),
  ])
}

function transition({ target, reenter, guard, deeds }: Rule, count: number): any {
  return {
    ...(target !== null && { target: `#n${1 + (target % (count - 1))}` }),
    reenter,
    actions: deeds.map(act),
    ...(guard && { guard: below(COUNTERS[guard.key] as string, guard.below) }),
  }
}

/** A move nobody asked for: only so often. */
function own(rule: Rule, count: number): any {
  const { guard: _, ...rest } = transition(rule, count)
  const actions = [...rest.actions, { type: 'count', params: { key: 'own' } }]
  return { ...rest, actions, guard: below('own', MOST_OWN_MOVES) }
}

const below = (key: string, limit: number) => ({ type: 'below', params: { key, below: limit } })

function act({ kind, n }: Deed): any {
  if (kind === 'record') return { type: 'record', params: { n } }
  if (kind === 'count') return { type: 'count', params: { key: COUNTERS[n % 2] } }
  return kind === 'raise' ? raise({ type: 'R' }) : emit({ type: 'out', n } as never)
}

/** Every node there is, and for a history the parent it remembers for. */
function namesIn(config: any): Map<string, string | null> {
  const found = new Map<string, string | null>()
  const walk = (node: any, parent: string) => {
    found.set(`#${node.id}`, node.type === 'history' ? parent : null)
    for (const child of Object.values(node.states ?? {})) walk(child, node.id)
  }
  walk(config, '')
  return found
}

/**
 * Rules to nodes that are not there go nowhere instead. So do rules from inside a state to its own
 * history: XState (5.33) then enters again what it never left, and timers are armed twice.
 */
function prune(value: any, names: Map<string, string | null>, inside: string[] = []): any {
  if (Array.isArray(value)) return value.map((item) => prune(item, names, inside))
  if (Object.getPrototypeOf(value ?? 0) !== Object.prototype) return value
  const here = typeof value.id === 'string' ? [...inside, value.id] : inside
  const isLost = (target: unknown) => {
    if (typeof target !== 'string' || !target.startsWith('#')) return false
    return !names.has(target) || inside.includes(names.get(target) ?? '')
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => !(key === 'target' && isLost(item)))
      .map(([key, item]) => [key, prune(item, names, here)]),
  )
}
