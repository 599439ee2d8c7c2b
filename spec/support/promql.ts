// PromQL, read by the grammar that Prometheus ships for editors.

import type { SyntaxNode } from '@lezer/common'
import { parser } from '@prometheus-io/lezer-promql'

export interface Selector {
  readonly metric: string
  readonly matchers: readonly { label: string; op: string; value: string }[]
  /** Functions around it, the innermost first. */
  readonly within: readonly string[]
}

export interface Expression {
  readonly selectors: readonly Selector[]
  /** Labels it groups by. */
  readonly groups: readonly string[]
}

/** @throws where it is no PromQL */
export function readExpression(text: string): Expression {
  const tree = parser.parse(text)
  const selectors: Selector[] = []
  const groups: string[] = []
  const textOf = ({ from, to }: { from: number; to: number }) => text.slice(from, to)
  tree.iterate({
    enter: ({ name, type, node }) => {
      if (type.isError) throw new Error(`no PromQL at "${text.slice(node.from)}": ${text}`)
      if (name === 'GroupingLabels') groups.push(...node.getChildren('LabelName').map(textOf))
      if (name === 'VectorSelector') selectors.push(selectorOf(node, textOf))
    },
  })
  return { selectors, groups }
}

function selectorOf(node: SyntaxNode, textOf: (node: SyntaxNode) => string): Selector {
  const within: string[] = []
  for (let up = node.parent; up; up = up.parent) {
    const called = up.name === 'FunctionCall' && up.getChild('FunctionIdentifier')
    if (called) within.push(textOf(called))
  }
  const matchers = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []
  return {
    metric: textOf(node.getChild('Identifier')!),
    matchers: matchers.map((matcher) => ({
      label: textOf(matcher.getChild('LabelName')!),
      op: textOf(matcher.getChild('MatchOp')!),
      value: JSON.parse(textOf(matcher.getChild('StringLiteral')!)),
    })),
    within,
  }
}
