// Compiling: a machine of simple shape made into a chart, from the nodes XState itself works on.
// Promise: whatever is not known here to the letter is marked as XState's to tell. Flat machines only: one level
// of states, nothing parallel, nothing remembered, nothing that follows by itself.
import type { AnyStateMachine } from 'xstate'
import { actorLogic, initialOf, type StateNode } from './blueprint.ts'
import {
  type Chart,
  type ChartState,
  isMeant,
  opened,
  type Rule,
  stepped,
  type Way,
} from './chart.ts'
import { runnableOf } from './effect.ts'
import { all, Parts } from './machine-parts.ts'
import type { MachineEvent, Rest, Step, Timer } from './rest.ts'
import type { Deed, Moment, Stride } from './stride.ts'

const charts = new WeakMap<AnyStateMachine, Chart | null>()

/** The first step, as `begin` has it; null when only XState can tell. */
export function chartedStart(
  machine: AnyStateMachine,
  input: unknown,
  moment: Moment,
): Step | null {
  const chart = chartOf(machine)
  return chart && opened(chart, input, moment)
}

/** One event from rest to rest, as `advance` has it; null when only XState can tell. */
export function charted(
  machine: AnyStateMachine,
  rest: Rest,
  event: MachineEvent,
  moment: Moment,
  fired?: Timer,
): Step | null {
  const chart = chartOf(machine)
  return chart && stepped(chart, rest, event, moment, fired)
}

/** The chart of a machine, compiled once; null when it has none. */
export function chartOf(machine: AnyStateMachine): Chart | null {
  let chart = charts.get(machine)
  if (chart === undefined) {
    chart = isFlat(machine.root) ? new Compiler(machine).chart() : null
    charts.set(machine, chart)
  }
  return chart
}

/** Leaves this machine to XState: for those who compare the two. */
export function uncharted<M extends AnyStateMachine>(machine: M): M {
  charts.set(machine, null)
  return machine
}

function isFlat(root: StateNode): boolean {
  const states: StateNode[] = Object.values(root.states)
  return (
    root.type === 'compound' &&
    root.always === undefined &&
    initialOf(root) !== null &&
    states.every(
      ({ type, states: inner, always }) =>
        (type === 'atomic' || type === 'final') &&
        Object.keys(inner).length === 0 &&
        always === undefined,
    )
  )
}

class Compiler {
  readonly #machine: AnyStateMachine
  readonly #root: StateNode
  readonly #parts: Parts

  constructor(machine: AnyStateMachine) {
    this.#machine = machine
    this.#parts = new Parts(machine)
    this.#root = machine.root
  }

  chart(): Chart {
    const nodes: StateNode[] = Object.values(this.#root.states)
    const named = [this.#root, ...nodes].flatMap(({ transitions }) => [...transitions.keys()])
    const invoked = [this.#root, ...nodes].flatMap(({ invoke }) => invoke)
    const known = invoked.filter(({ src }) => actorLogic(this.#machine, src) !== undefined)
    const first = this.#root.initial
    return {
      states: new Map(nodes.map((node) => [node.key, this.#state(node)])),
      opening: this.#way(first.target[0], true, [
        this.#entry(this.#root),
        this.#parts.deeds(first.actions),
        this.#entry(first.target[0]),
      ]),
      context: this.#machine.config.context,
      types: new Set(named),
      actors: new Set(known.map(({ src }) => src)),
    }
  }

  #state(node: StateNode): ChartState {
    const rules = new Map<unknown, Rule>()
    const ruleOf = (transition: any) => {
      const rule = rules.get(transition) ?? this.#rule(node, transition)
      rules.set(transition, rule)
      return rule
    }
    const reach = [node, this.#root].map(({ transitions }) => ({
      exact: transitions as ReadonlyMap<string, any[]>,
      wild: [...(transitions as ReadonlyMap<string, any[]>)]
        .map(([descriptor, ways]) => ({
          descriptor,
          prefix: prefixOf(descriptor),
          rules: ways.map(ruleOf),
        }))
        .filter(({ prefix }) => prefix !== null)
        .sort((a, b) => b.descriptor.length - a.descriptor.length),
    }))
    const rulesFor = (type: string) =>
      reach.flatMap(({ exact, wild }) => [
        ...(exact.get(type) ?? []).map(ruleOf),
        ...wild
          .filter((one) => one.descriptor !== type && isMeant(one, type))
          .flatMap((one) => one.rules),
      ])
    const types = reach.flatMap(({ exact }) => [...exact.keys()])
    return {
      node,
      isFinal: node.type === 'final',
      rules: new Map(types.map((type) => [type, rulesFor(type)])),
      wild: reach.flatMap(({ wild }) => wild),
    }
  }

  #rule(from: StateNode, { guard, target, source, reenter, actions }: any): Rule {
    // XState takes any guard that is falsy for none.
    const asked = guard ? this.#parts.guard(guard) : undefined
    const done = this.#parts.deeds(actions)
    if (target === undefined) {
      const isTaken = actions.length > 0
      return { guard: asked, way: done && { isTaken, deeds: done, to: from.key } }
    }
    const [to] = target
    if (target.length !== 1 || to.parent !== this.#root || (source === this.#root && reenter)) {
      return { guard: asked, way: null }
    }
    const stays = to === from && source === from && !reenter
    if (stays) return { guard: asked, way: done && { isTaken: true, deeds: done, to: to.key } }
    const way = this.#way(to, true, [this.#exit(from), done, this.#entry(to)])
    return { guard: asked, way }
  }

  #way(to: StateNode, isTaken: boolean, parts: readonly (Deed[] | null)[]): Way | null {
    const ending = to.type === 'final' ? this.#ending(to) : []
    const deeds = all([...parts, ending])
    return deeds && { isTaken, deeds: deeds.flat(), to: to.key }
  }

  #entry(node: StateNode): Deed[] | null {
    const entered = this.#parts.deeds(node.entry)
    const spawned = all<Deed>(node.invoke.map((invoke: any) => this.#spawn(node, invoke)))
    return entered && spawned && [...entered, ...spawned]
  }

  #exit(node: StateNode): Deed[] | null {
    const left = this.#parts.deeds(node.exit)
    return (
      left && [
        ...left,
        ...node.invoke.map(
          ({ id }: any) =>
            (on: Stride) =>
              on.stop(id),
        ),
      ]
    )
  }

  /** The end of a machine: its output, and the way out of all that is active. */
  #ending(final: StateNode): Deed[] | null {
    const left = all([this.#parts.deeds(final.exit), this.#parts.deeds(this.#root.exit)])
    const type = `xstate.done.state.${final.id}`
    const { output } = this.#root
    const finish: Deed = (on) => {
      const of = mapped(final.output, on)
      on.finish(output === undefined ? undefined : mapped(output, on, { type, output: of }))
    }
    return left && [finish, ...left.flat()]
  }

  /** Promises alone: of all actors they ask nothing of the machine while they are made. */
  #spawn(node: StateNode, { id, src, input, systemId, onSnapshot }: any): Deed | null {
    const isPlain = typeof id === 'string' && !(id in {}) && systemId === undefined && !onSnapshot
    const beside = [...node.invoke, ...(node === this.#root ? [] : this.#root.invoke)]
    const isAlone = beside.filter((other) => other.id === id).length === 1
    // An inline source is found by the id of its state, where XState can find the state by it.
    const isFound = !src.startsWith('xstate.invoke.') || this.#parts.node(`#${node.id}`) === node
    if (!isPlain || !isAlone || !isFound || runnableOf(actorLogic(this.#machine, src)) === null) {
      return null
    }
    const invoke = { id, src, input }
    return (on) => on.spawn(invoke)
  }
}

/** The start of all types a descriptor with a wildcard stands for; null for one that stands for itself. */
function prefixOf(descriptor: string): string | null {
  if (descriptor === '*') return ''
  const isPartial = descriptor.endsWith('.*') && !descriptor.slice(0, -2).split('.').includes('*')
  return isPartial ? descriptor.slice(0, -1) : null
}

const mapped = (mapper: unknown, on: Stride, event?: MachineEvent) =>
  typeof mapper === 'function' ? on.mapped(mapper as () => unknown, event) : mapper
