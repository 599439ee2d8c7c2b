// Charts as people read and keep them: what is absent is nothing, and need not be said.
// Promise: `full(sparse(drawn))` is `drawn`; whatever is left of a sparse case after parts were taken out
// of it is still a case.
import {
  type Case,
  type Chart,
  type Deed,
  GRAIN_MS,
  type Guard,
  type Happening,
  type Invoke,
  type Rule,
  type Shape,
} from './shape.ts'

/** Without nulls, false and empty lists; plain data to be printed. */
export function sparse(drawn: Case): any {
  return without(drawn)
}

function without(value: any): any {
  if (Array.isArray(value)) return value.map(without)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, part]) => !isNothing(part))
  return Object.fromEntries(entries.map(([key, part]) => [key, without(part)]))
}

const isNothing = (value: unknown) =>
  value === null || value === false || (Array.isArray(value) && value.length === 0)

/** With everything said. */
export function full({ chart, input = 0, what = [] }: any): Case {
  return { chart: chartOf(chart), input, what: what.map(happeningOf) }
}

/** Time passes by grains. */
const happeningOf = (one: any): Happening =>
  'pass' in one ? { pass: Math.max(1, Math.ceil(one.pass / GRAIN_MS)) * GRAIN_MS } : one

const chartOf = ({ root, machines = [] }: any = {}): Chart => ({
  // Nobody can begin in an end, or in a memory.
  root: { ...shapeOf(root), type: root?.type === 'parallel' ? 'parallel' : 'compound' },
  machines: machines.map(chartOf),
})

function shapeOf(shape: any = {}): Shape {
  return {
    type: shape.type ?? 'leaf',
    children: (shape.children ?? []).map(shapeOf),
    rules: (shape.rules ?? []).map(ruleOf),
    forbids: shape.forbids ?? [],
    after: (shape.after ?? []).map(({ delay = 0, rule }: any) => ({ delay, rule: ruleOf(rule) })),
    later: shape.later ?? null,
    always: shape.always ? ruleOf(shape.always) : null,
    whenDone: shape.whenDone ? ruleOf(shape.whenDone) : null,
    entry: deedsOf(shape.entry),
    exit: deedsOf(shape.exit),
    initial: deedsOf(shape.initial),
    tags: shape.tags ?? [],
    meta: shape.meta ?? null,
    output: shape.output ?? null,
    invokes: (shape.invokes ?? []).map(invokeOf),
  }
}

function ruleOf(rule: any = {}): Rule {
  return {
    event: rule.event ?? 0,
    target: rule.target ?? null,
    split: rule.split ?? null,
    reenter: rule.reenter ?? false,
    guard: rule.guard ? guardOf(rule.guard) : null,
    deeds: deedsOf(rule.deeds),
  }
}

const deedsOf = (deeds: any[] = []): Deed[] =>
  deeds.map(({ kind = 'record', n = 0, deeds, guard }) =>
    kind === 'choose' ? { kind, n, deeds: deedsOf(deeds), guard: guardOf(guard) } : { kind, n },
  )

function guardOf({ kind = 'even', key = 0, limit = 0, node = 0, of, all = [] }: any = {}): Guard {
  if (kind === 'in') return { kind, node }
  if (kind === 'not') return { kind, of: guardOf(of) }
  if (kind === 'and' || kind === 'or') return { kind, all: all.map(guardOf) }
  return kind === 'even' ? { kind } : { kind, key, limit }
}

const invokeOf = ({ kind = 'promise', n = 0, done, error, snapshot }: any): Invoke => ({
  kind,
  n,
  done: done ? ruleOf(done) : null,
  error: error ? ruleOf(error) : null,
  snapshot: snapshot ? ruleOf(snapshot) : null,
})
