// The graph: a machine as nodes and edges, in data that JSON can say.
// Promise: pure, never throws, the same for the same machine; in the order in which it is written.
import {
  historyDefaults,
  initialOf,
  isOwnTimer,
  nodesOf,
  type StateNode,
  transitionsOf,
} from './blueprint.ts'
import { actionCaption, delayCaption, guardCaption, sourceCaption } from './caption.ts'
import type { AnyStateMachine } from './machine-type.ts'

export interface GraphNode {
  /** XState's id of the state; made unique where a machine uses one twice. */
  readonly id: string
  /** Its name; the machine's id for the root. */
  readonly name: string
  /** The id of the state it is in; null for the root. */
  readonly parent: string | null
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history'
  readonly history: 'shallow' | 'deep' | null
  readonly tags: readonly string[]
  readonly entry: readonly string[]
  readonly exit: readonly string[]
  readonly invokes: readonly { readonly id: string; readonly src: string }[]
  /** `meta.tick`, as it is written. */
  readonly tick: string | null
}

/** What sets a transition off. */
export type EdgeKind =
  | 'initial'
  | 'history'
  | 'event'
  | 'after'
  | 'always'
  | 'done'
  | 'actor.done'
  | 'actor.error'
  | 'actor.snapshot'

export interface GraphEdge {
  /** The id of its source, `#` and a number counted from 0. */
  readonly id: string
  readonly from: string
  /** None for a transition that only acts; several for regions of a parallel state. */
  readonly to: readonly string[]
  readonly kind: EdgeKind
  /** The event's type, the delay, or the id of the actor; empty for the other kinds. */
  readonly on: string
  readonly guard: string | null
  readonly actions: readonly string[]
  readonly reenter: boolean
}

export interface Graph {
  readonly id: string
  readonly version: string
  readonly nodes: readonly GraphNode[]
  readonly edges: readonly GraphEdge[]
}

/** Draws a machine; machines within are named where they are invoked, and not drawn. */
export function graphOf(machine: AnyStateMachine): Graph {
  const nodes = nodesOf(machine)
  const ids = idsOf(nodes)
  return {
    id: machine.id,
    version: machine.version ?? '1',
    nodes: nodes.map((node) => nodeOf(node, ids)),
    edges: nodes.flatMap((node) => edgesOf(node, ids)),
  }
}

function idsOf(nodes: StateNode[]): Map<StateNode, string> {
  const taken = new Set<string>()
  const ids = new Map<StateNode, string>()
  for (const node of nodes) {
    let id = node.id
    for (let count = 2; taken.has(id); count++) id = `${node.id}#${count}`
    taken.add(id)
    ids.set(node, id)
  }
  return ids
}

type Ids = ReadonlyMap<StateNode, string>

function nodeOf(node: StateNode, ids: Ids): GraphNode {
  const { type, tags, entry, exit, invoke, meta } = node
  const captions = (actions: any[]) =>
    actions.filter((action) => !isOwnTimer(action)).map(actionCaption)
  return {
    id: ids.get(node) as string,
    name: node.parent ? node.key : node.machine.id,
    parent: ids.get(node.parent) ?? null,
    type,
    history: node.history || null,
    tags: tags.map(String),
    entry: captions(entry),
    exit: captions(exit),
    invokes: invoke.map(({ id, src }: any) => ({ id, src: sourceCaption(src) })),
    tick: meta?.tick === undefined ? null : String(meta.tick),
  }
}

function edgesOf(node: StateNode, ids: Ids): GraphEdge[] {
  const from = ids.get(node) as string
  const drawn = [...inward(node), ...transitionsOf(node).map((one) => ({ ...one, ...cause(one) }))]
  return drawn.map(({ kind, on = '', target, guard, actions = [], reenter = false }, index) => ({
    id: `${from}#${index}`,
    from,
    to: (target ?? []).flatMap((to: StateNode) => ids.get(to) ?? []),
    kind,
    on,
    guard: guard === undefined ? null : guardCaption(guard),
    actions: actions.map(actionCaption),
    reenter,
  }))
}

/** Into the first child, or from a history to what it stands for at first. */
function inward(node: StateNode): any[] {
  if (node.type === 'history') {
    return [{ kind: 'history', target: historyDefaults(node).filter((found) => found !== null) }]
  }
  const initial = node.type === 'compound' ? initialOf(node) : null
  return initial === null ? [] : [{ ...initial, kind: 'initial', guard: undefined }]
}

const OWN = /^xstate\.(done\.state|done\.actor|error\.actor|snapshot)\.(.*)$/s
const KINDS: Readonly<Record<string, EdgeKind>> = {
  'done.state': 'done',
  'done.actor': 'actor.done',
  'error.actor': 'actor.error',
  snapshot: 'actor.snapshot',
}

function cause({ eventType, delay }: any): { kind: EdgeKind; on: string } {
  if (eventType === '') return { kind: 'always', on: '' }
  if (delay !== undefined) return { kind: 'after', on: delayCaption(delay) }
  const [, own = '', of = ''] = OWN.exec(eventType) ?? []
  const kind = KINDS[own]
  if (!kind) return { kind: 'event', on: eventType }
  return { kind, on: kind === 'done' ? '' : of }
}
