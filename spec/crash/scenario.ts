// A scenario: a machine that shows some features, and what happens to it. Types only, but for the list of features.
import type { ResourceClass } from '../../models/handle.ts'

/** What "crash everywhere" is asked to cover; every one is claimed by a scenario, which everywhere.spec.ts holds us to. */
export const FEATURES = [
  ...[
    'nested',
    'parallel',
    'final output',
    'onDone of compound',
    'shallow history',
    'deep history',
  ],
  ...['always', 'guards', 'composite guards', 'assign', 'enqueueActions', 'raise', 'delayed raise'],
  ...['cancel', 'sendTo parent', 'sendTo child', 'sendTo sibling', 'sendTo self', 'delayed sendTo'],
  ...['emit', 'log', 'wildcard', 'partial wildcard', 'reenter', 'named delays', 'computed delays'],
  ...['promise', 'retry', 'again', 'timeout', 'invoked machine', 'onDone', 'onError', 'onSnapshot'],
  ...[
    'spawnChild',
    'stopChild',
    'system id',
    'callback',
    'observable',
    'meta.tick',
    'meta.timeoutMs',
  ],
  ...[
    'deadline timer',
    'frozen timer',
    'restart timer',
    'pause',
    'migrate',
    'rewind',
    'retry verb',
  ],
  ...['fields', 'action', 'starts others', 'child resource', 'steps', 'life', 'stop', 'tags'],
] as const
export type Feature = (typeof FEATURES)[number]

/** The outside world, as effects and actions of a scenario reach it: each deed is a call the process may die of. */
export interface World {
  /** Notes a deed under its key; the answer is what `work` makes of it. */
  deed<T>(work: { readonly resource: any; readonly key: string }, answer: () => T): Promise<T>
}

/** Milliseconds to pass, an event to send to the task `main`, or something done from outside. */
export type Happening =
  | number
  | string
  | { readonly type: string; readonly [key: string]: unknown }
  | ((held: any) => Promise<unknown>)
  | 'deploy!'

export interface Scenario {
  readonly name: string
  readonly covers: readonly Feature[]
  readonly shape: ResourceClass
  /** The class of a later deployment, from the happening `deploy!` on. */
  readonly later?: ResourceClass
  readonly script: readonly Happening[]
  /** Without a crash each of its tasks ends so; numbers in names of children are left out. */
  readonly ends: Readonly<Record<string, string>>
  /** Values in the last context of `main`, without a crash. */
  readonly context?: Readonly<Record<string, unknown>>
  /** Live actors speak again when they are started again: only ends are compared, not the way there. */
  readonly isLive?: true
}
