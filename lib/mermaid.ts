// A graph as Mermaid text, a `stateDiagram-v2`.
// Promise: valid Mermaid whatever the names are, for none of them is written as it is: letters, digits
// and a few harmless marks stay, all else becomes `#code;`. States are s0, s1, … in the order of the graph.
import type { Graph, GraphEdge, GraphNode } from './graph.ts'

/** A name longer than this is cut. */
const MOST_CHARACTERS = 120

/** Writes a graph as Mermaid. */
export function mermaidOf(graph: Graph): string {
  const drawing = new Drawing(graph)
  return `${['stateDiagram-v2', ...drawing.lines()].join('\n')}\n`
}

class Drawing {
  readonly #graph: Graph
  readonly #marks: ReadonlyMap<string, string>

  constructor(graph: Graph) {
    this.#graph = graph
    this.#marks = new Map(graph.nodes.map(({ id }, index) => [id, `s${index}`]))
  }

  lines(): string[] {
    const { nodes } = this.#graph
    const root = nodes.find(({ parent }) => parent === null) as GraphNode
    // Mermaid moves a state into the block where an arrow names it, so all arrows stand outside.
    return [
      ...indented([`[*] --> ${this.#mark(root.id)}`, ...this.#state(root)]),
      ...indented(this.#graph.edges.flatMap((edge) => this.#arrows(edge))),
      ...indented(nodes.flatMap((node) => this.#note(node))),
    ]
  }

  #mark(id: string): string {
    return this.#marks.get(id) as string
  }

  #state(node: GraphNode): string[] {
    const title = `state "${safe(titleOf(node))}" as ${this.#mark(node.id)}`
    const children = this.#graph.nodes.filter(({ parent }) => parent === node.id)
    if (children.length === 0) return [title]
    return [`${title} {`, ...indented(this.#within(node, children)), '}']
  }

  #within(node: GraphNode, children: GraphNode[]): string[] {
    const regions = children.map((child) => [
      ...this.#state(child),
      ...(child.type === 'final' ? [`${this.#mark(child.id)} --> [*]`] : []),
    ])
    if (node.type === 'parallel') {
      return regions.flatMap((region, index) => (index === 0 ? region : ['--', ...region]))
    }
    const starts = this.#graph.edges.filter(
      ({ from, kind }) => from === node.id && kind === 'initial',
    )
    const first = starts.flatMap(({ to, actions }) =>
      to.map((id) => `[*] --> ${this.#mark(id)}${caption(deeds(actions))}`),
    )
    return [...first, ...regions.flat()]
  }

  /** What only acts is told in the note of its state. */
  #arrows({ kind, from, to, ...edge }: GraphEdge): string[] {
    if (kind === 'initial') return []
    const said = caption(label({ kind, ...edge }))
    return to.map((id) => `${this.#mark(from)} --> ${this.#mark(id)}${said}`)
  }

  #note({ id, entry, exit, invokes, tags, tick }: GraphNode): string[] {
    const inner = this.#graph.edges.filter(({ from, to }) => from === id && to.length === 0)
    const lines = [
      ...entry.map((action) => `entry / ${action}`),
      ...invokes.map(({ src, id: name }) => `invoke ${src}${src === name ? '' : ` as ${name}`}`),
      ...inner.filter(({ kind }) => kind !== 'initial').map(label),
      ...exit.map((action) => `exit / ${action}`),
      ...(tick === null ? [] : [`tick ${tick}`]),
      ...tags.map((tag) => `tag ${tag}`),
    ]
    if (lines.length === 0) return []
    return [`note right of ${this.#mark(id)}`, ...indented(lines.map(safe)), 'end note']
  }
}

const indented = (lines: string[]): string[] => lines.map((line) => `  ${line}`)

const titleOf = ({ name, history }: GraphNode): string =>
  history === null ? name : `${name} (history${history === 'deep' ? ' of all' : ''})`

const WORDS: Readonly<Record<GraphEdge['kind'], (on: string) => string>> = {
  initial: () => '',
  history: () => 'at first',
  event: (on) => on,
  after: (on) => `after ${on}`,
  always: () => 'always',
  done: () => 'done',
  'actor.done': (on) => `done ${on}`,
  'actor.error': (on) => `error ${on}`,
  'actor.snapshot': (on) => `snapshot ${on}`,
}

function label({ kind, on, guard, actions }: Omit<GraphEdge, 'from' | 'to'>): string {
  const asked = guard === null ? '' : ` [${guard}]`
  return `${WORDS[kind](on)}${asked}${deeds(actions)}`
}

const deeds = (actions: readonly string[]): string =>
  actions.length === 0 ? '' : ` / ${actions.join(', ')}`

const caption = (text: string): string => (text === '' ? '' : ` : ${safe(text.trimStart())}`)

/** Text in which nothing means anything to Mermaid. */
function safe(text: string): string {
  const [...marks] = text
  const cut = marks.length > MOST_CHARACTERS ? [...marks.slice(0, MOST_CHARACTERS), '…'] : marks
  const told = cut.map((mark) => (HARMLESS.test(mark) ? mark : `#${mark.codePointAt(0)};`)).join('')
  return told.replace(DASH, '-').replaceAll('end note', 'end#32;note')
}

/** A dash between letters can be no arrow. */
const DASH = /(?<=[\p{L}\p{N}])#45;(?=[\p{L}\p{N}])/gu
const HARMLESS = /^[\p{L}\p{N} _.,()[\]/*+=!?]$/u
