// A chart as data: what is drawn, shrunk, printed and replayed. Types and the tables they point into.
// Promise: every chart is plain JSON; values no JSON holds are named by their place in `VALUES`.

/** Things to do: in a transition, on the way in or out, or with the initial state. */
export interface Deed {
  readonly kind: DeedKind
  readonly n: number
  /** For `choose` alone: what is enqueued, the first of them only if the guard says so. */
  readonly deeds?: readonly Deed[]
  readonly guard?: Guard
}

export type DeedKind =
  | 'record'
  | 'mark'
  | 'inline'
  | 'count'
  | 'stash'
  | 'keep'
  | 'raise'
  | 'raiseMore'
  | 'later'
  | 'laterSlow'
  | 'cancel'
  | 'cancelMore'
  | 'emit'
  | 'emitMore'
  | 'log'
  | 'choose'
  | MailDeed
  | ChildDeed

/** An actor writes to itself: through its mailbox, not its internal queue. */
export type MailDeed = 'self' | 'selfLater'
/** Only in charts with children, or of children. */
export type ChildDeed = 'spawn' | 'stop' | 'tell' | 'tellLater' | 'forward' | 'parent'

export type Guard =
  | { readonly kind: 'below' | 'computed'; readonly key: number; readonly limit: number }
  | { readonly kind: 'even' }
  | { readonly kind: 'in'; readonly node: number }
  | { readonly kind: 'not'; readonly of: Guard }
  | { readonly kind: 'and' | 'or'; readonly all: readonly Guard[] }

export interface Rule {
  /** Which of `DESCRIPTORS`; unused where the event is given. */
  readonly event: number
  /** A node, by number; null for a rule that goes nowhere. */
  readonly target: number | null
  /** Two targets, in two regions of the parallel state of this number, if there is one. */
  readonly split: number | null
  readonly reenter: boolean
  readonly guard: Guard | null
  readonly deeds: readonly Deed[]
}

/** How long: grains, a name with a fixed length, or a name computed from the context. */
export type Delay = number | 'short' | 'slow'

export interface Invoke {
  readonly kind: 'promise' | 'child'
  readonly n: number
  readonly done: Rule | null
  readonly error: Rule | null
  readonly snapshot: Rule | null
}

export interface Shape {
  readonly type: 'leaf' | 'final' | 'history' | 'deep' | 'compound' | 'parallel'
  readonly children: readonly Shape[]
  readonly rules: readonly Rule[]
  /** Descriptors this state forbids, so that no state above hears them. */
  readonly forbids: readonly number[]
  readonly after: readonly { readonly delay: Delay; readonly rule: Rule }[]
  readonly later: number | null
  readonly always: Rule | null
  readonly whenDone: Rule | null
  readonly entry: readonly Deed[]
  readonly exit: readonly Deed[]
  readonly initial: readonly Deed[]
  readonly tags: readonly number[]
  readonly meta: number | null
  readonly output: number | null
  readonly invokes: readonly Invoke[]
}

export interface Chart {
  readonly root: Shape
  /** Machines it may invoke or spawn; empty where the feature is off. */
  readonly machines: readonly Chart[]
}

/** An event to send, time to pass, or the oldest pending promise of a number to settle. */
export type Happening =
  | { readonly send: string; readonly v: number }
  | { readonly pass: number }
  | { readonly settle: 'resolve' | 'reject'; readonly n: number; readonly v: number }

/** One case: a chart, what it is started with (a place in `VALUES`), and what happens to it. */
export interface Case {
  readonly chart: Chart
  readonly input: number
  readonly what: readonly Happening[]
}

/** What may be switched on beyond a single machine. */
export interface Features {
  /** `sendTo` itself. */
  readonly mail: boolean
  /** Invoked promises, settled by what happens. */
  readonly promises: boolean
  /** Invoked and spawned machines. */
  readonly children: boolean
}

/** What rules listen to. Those from the fourth-last on are limited, for machines cause them themselves. */
export const DESCRIPTORS = ['A', 'B', 'C', 'a.x', 'a.y.z', 'a.*', 'a.y.*', '*', 'R', 'S'] as const
export const SENT = ['A', 'B', 'C', 'a.x', 'a.y.z', 'a', 'R', 'NOBODY'] as const
/** Delays and pauses are multiples of this, so that moments coincide often. */
export const GRAIN_MS = 10
export const COUNTERS = ['a', 'b'] as const
export const PROMISES = 3

const MOMENT_MS = Date.UTC(2026, 1, 3, 4, 5, 6, 789)

/** What contexts, inputs, events and outputs are made of: all that the codec has a sign for, and more. */
export const VALUES: readonly unknown[] = [
  undefined,
  { x: 1 },
  null,
  0,
  'text',
  new Date(MOMENT_MS),
  new Map<unknown, unknown>([
    ['b', 2],
    [{ k: 1 }, new Set([1])],
  ]),
  new Set<unknown>(['z', 'a', 10n]),
  12_345_678_901_234_567_890n,
  { deep: { list: [1, undefined, { at: new Date(MOMENT_MS) }], none: undefined } },
  { $date: 'not one', zz: 1, a: 2 },
  new Uint8Array([0, 255]),
  [],
  -0,
]

export const valueAt = (place: number): unknown => VALUES[place % VALUES.length]
