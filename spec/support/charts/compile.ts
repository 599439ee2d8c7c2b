// A chart as a machine.
// Promise: the same chart makes the same machine every time; nothing is shared between two of them but
// the world they are given.
import { type AnyStateMachine, and, cancel, fromPromise, raise, setup } from 'xstate'
import {
  act,
  below,
  chainOf,
  delayOf,
  guardOf,
  KIN,
  mostOwnMoves,
  type Plan,
  parts,
} from './deeds.ts'
import { prune } from './prune.ts'
import {
  type Chart,
  DESCRIPTORS,
  type Deed,
  type Delay,
  type Invoke,
  PROMISES,
  type Rule,
  type Shape,
  valueAt,
} from './shape.ts'

/** What machines touch outside of themselves. */
export interface World {
  /** What custom actions write, in order. */
  readonly log: unknown[]
  /** An invoked promise waits here until it is settled. */
  wait(id: string, signal: AbortSignal): Promise<unknown>
}

/** A world for machines that are only looked at. */
export const STILL: World = { log: [], wait: () => new Promise(() => {}) }

/** A chart as a machine; `path` tells it from its relatives. */
export function compile(chart: Chart, world: World, path = 'root'): AnyStateMachine {
  const { actions, guards, delays } = parts(world.log, depthOf(path))
  const children = chart.machines.map((one, n) => [
    `child${n}`,
    compile(one, world, `${path}.${n}`),
  ])
  const promises = Array.from({ length: PROMISES }, (_, n) => [
    `p${n}`,
    fromPromise(({ input, signal }: any) => world.wait(input.id, signal)),
  ])
  const actors = Object.fromEntries([...children, ...promises])
  return setup({ actions, guards, delays, actors } as never).createMachine(
    configOf(chart, path) as never,
  ) as unknown as AnyStateMachine
}

const depthOf = (path: string) => path.split('.').length - 1

/** A definition is text; what is made of it is what must not be shared. */
const configs = new WeakMap<Chart, object>()

function configOf(chart: Chart, path: string): object {
  const config = configs.get(chart) ?? new Compiler(chart, path).config()
  configs.set(chart, config)
  return config
}

/** What becomes of an error that is only to be heard. */
const HEARD: Rule = { event: 0, target: null, split: null, reenter: false, guard: null, deeds: [] }

const isHistory = ({ type }: Shape) => type === 'history' || type === 'deep'

/** Names in an order that is neither that of the document nor that of any database. */
const nameOf = (index: number): string => `${'zyxwvutsrq'[(index * 7) % 10]}${index}`

class Compiler {
  readonly #chart: Chart
  readonly #nodes: Shape[] = []
  readonly #at = new Map<Shape, number>()
  readonly #plan: Plan
  /** Parallel states, each as the numbers of its regions' nodes. */
  readonly #splits: number[][][]

  constructor(chart: Chart, path: string) {
    this.#chart = chart
    this.#number(chart.root)
    const ordinary = this.#nodes.filter((one) => !isHistory(one) && !this.#isLost(one))
    const machines = chart.machines.length
    const ids = ordinary.map((one) => this.#id(one))
    this.#plan = { ids, machines, depth: depthOf(path) }
    const parallels = ordinary.filter((one) => this.#typeOf(one) === 'parallel')
    this.#splits = parallels
      .map((one) => one.children.filter((child) => !isHistory(child)).map((c) => this.#beneath(c)))
      .filter((regions) => regions.length > 1)
  }

  config(): object {
    const { root } = this.#chart
    return {
      ...(prune(this.#node(root)) as object),
      id: 'n0',
      context: ({ input }: any) => ({ a: 0, b: 0, own: 0, given: input }),
      output: ({ context, event }: any) => ({ a: context.a, kept: context.kept, of: event.output }),
    }
  }

  #number(shape: Shape): void {
    this.#at.set(shape, this.#nodes.length)
    this.#nodes.push(shape)
    for (const child of shape.children) this.#number(child)
  }

  #index = (shape: Shape): number => this.#at.get(shape) as number
  #id = (shape: Shape): string => `n${this.#index(shape)}`

  /** A parent of nobody, or of histories alone, has nowhere to be: it becomes a leaf. */
  #typeOf({ type, children }: Shape): Shape['type'] {
    const isParent = type === 'compound' || type === 'parallel'
    return isParent && children.every(isHistory) ? 'leaf' : type
  }

  /** Histories of a parallel state or of a leaf are left out. */
  #isLost(shape: Shape): boolean {
    const parent = this.#nodes.find(({ children }) => children.includes(shape))
    return isHistory(shape) && parent !== undefined && this.#typeOf(parent) !== 'compound'
  }

  #beneath(shape: Shape): number[] {
    const inner = this.#typeOf(shape) === 'leaf' ? [] : shape.children
    const ordinary = inner.filter((child) => !isHistory(child))
    return [this.#index(shape), ...ordinary.flatMap((child) => this.#beneath(child))]
  }

  #node(shape: Shape): any {
    const id = this.#id(shape)
    const seen = {
      id,
      tags: shape.tags.map((tag) => `tag${tag}`),
      ...(shape.meta !== null && { meta: { note: shape.meta } }),
      ...(shape.output !== null && {
        output: ({ context }: any) => ({ v: valueAt(shape.output as number), a: context.a }),
      }),
    }
    const type = this.#typeOf(shape)
    if (type === 'final') return { ...seen, type, entry: this.#deeds(shape.entry) }
    const { output: _, ...own } = { ...seen, ...this.#behaviour(shape) } as any
    if (type === 'leaf') return own
    const ordinary = shape.children.filter((child) => !isHistory(child))
    const states = Object.fromEntries(
      ordinary.map((child) => [this.#name(child), this.#node(child)]),
    )
    if (type === 'parallel') return { ...own, type, states }
    const [first] = ordinary as [Shape]
    const histories = shape.children.filter(isHistory).map((child) => [
      this.#name(child),
      {
        id: this.#id(child),
        type: 'history',
        history: child.type === 'deep' ? 'deep' : 'shallow',
        target: this.#name(first),
      },
    ])
    const initial =
      shape.initial.length > 0
        ? { target: this.#name(first), actions: this.#deeds(shape.initial) }
        : this.#name(first)
    return { ...own, initial, states: { ...states, ...Object.fromEntries(histories) } }
  }

  #name(shape: Shape): string {
    return nameOf(this.#index(shape))
  }

  #behaviour(shape: Shape): object {
    const index = this.#index(shape)
    const later = shape.later === null ? [] : [delayOf(this.#plan, shape.later)]
    const id = `later${index}`
    const onDone = shape.whenDone && shape.children.length > 0 ? this.#own(shape.whenDone) : null
    return {
      on: this.#on(shape),
      after: Object.fromEntries(shape.after.map(({ delay, rule }) => this.#after(delay, rule))),
      ...(shape.always && { always: this.#own(shape.always) }),
      ...(onDone && { onDone }),
      invoke: shape.invokes
        .filter(({ kind }) => kind === 'promise' || this.#plan.machines > 0)
        .map((one) => this.#invoke(one, index)),
      entry: [
        ...this.#deeds(shape.entry),
        ...later.map((delay) => raise({ type: 'R' }, { delay, id })),
      ],
      exit: [...this.#deeds(shape.exit), ...later.map(() => cancel(id))],
    }
  }

  #after(delay: Delay, rule: Rule): [string | number, object] {
    if (typeof delay === 'string') return [delay, this.#transition(rule)]
    return [delayOf(this.#plan, delay), delay === 0 ? this.#own(rule) : this.#transition(rule)]
  }

  /** Rules by event; those a machine may cause itself are limited. */
  #on({ rules, forbids }: Shape): object {
    const groups = DESCRIPTORS.map((name, index) => {
      const isOwn = name === '*' || name === 'R' || name === 'S'
      const mine = rules.filter(({ event }) => event === index)
      return [name, mine.map((rule) => (isOwn ? this.#own(rule) : this.#transition(rule)))] as const
    })
    const forbidden = forbids.map((index) => [DESCRIPTORS[index], {}] as const)
    return Object.fromEntries([...groups.filter(([, mine]) => mine.length > 0), ...forbidden])
  }

  #invoke({ kind, n, done, error, snapshot }: Invoke, index: number): object {
    const src = kind === 'promise' ? `p${n % PROMISES}` : `child${n % this.#chart.machines.length}`
    const id = `${src}_${index}`
    const input = ({ context, self }: any) =>
      kind === 'child' ? { from: context.a } : { id: [chainOf(self), id].join('/') }
    const rule = (name: string, one: Rule | null) =>
      one && { [name]: kind === 'child' ? this.#own(one) : this.#transition(one) }
    // Most errors are handled; one nobody handles is the end of a machine. In a child it would park the child
    // and leave its parent alone, which is not what XState does.
    const isOpen = n % 4 === 0 && this.#plan.depth === 0
    const handler = this.#plan.depth > 0 && !error ? HEARD : error
    const given = handler && (isOpen ? handler : { ...handler, guard: null })
    return {
      ...{ src, id, input },
      ...(kind === 'child' && index === 0 && this.#plan.depth === 0 && { systemId: KIN }),
      ...rule('onDone', done),
      ...rule('onError', given),
      ...(kind === 'child' && rule('onSnapshot', snapshot)),
    }
  }

  #transition({ target, split, reenter, guard, deeds }: Rule): any {
    return {
      ...this.#target(target, split),
      reenter,
      actions: this.#deeds(deeds),
      ...(guard && { guard: guardOf(this.#plan, guard) }),
    }
  }

  #target(target: number | null, split: number | null): object {
    if (target === null || this.#nodes.length === 1) return {}
    if (split === null || this.#splits.length === 0)
      return { target: `#n${1 + (target % (this.#nodes.length - 1))}` }
    const regions = this.#splits[split % this.#splits.length] as number[][]
    return { target: regions.map((nodes) => `#n${nodes[target % nodes.length]}`) }
  }

  /** A move nobody asked for: only so often. */
  #own(rule: Rule): any {
    const { guard: asked, ...rest } = this.#transition(rule)
    const limit = below('own', mostOwnMoves(this.#plan))
    const actions = [...rest.actions, { type: 'count', params: { key: 'own' } }]
    return { ...rest, actions, guard: asked ? and([asked, limit]) : limit }
  }

  #deeds(deeds: readonly Deed[]): any[] {
    return deeds.flatMap((deed) => act(this.#plan, deed))
  }
}
