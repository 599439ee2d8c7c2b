// What the harness and a program say to one another: a JSON line each way; types only.
// Promise: a program does one thing at a time and answers with one line when it is done.

/** Where a program works, handed over in its environment as JSON. */
export interface Ground {
  /** `full` in `escapement:full`: which way of using the system. */
  readonly variant: string
  readonly databaseUrl: string
  readonly redisUrl: string
  readonly restate: RestateAddress | null
  /** A folder of its own, removed afterwards. */
  readonly folder: string
  /** How many steps may be in hand at once. */
  readonly concurrency: number
  readonly instances: number
  /** Steps of one instance. */
  readonly steps: number
}

/** Where a restate-server listens. */
export interface RestateAddress {
  readonly ingressUrl: string
  readonly adminUrl: string
}

/**
 * What a program is asked.
 * `prepare`: put the instances where a worker will find them, and let nothing work on them.
 * `stand`: open everything that work needs, and wait.
 * `work`: go; answer when the last step of the last instance is durable.
 * `idle`: go, though nothing is queued; make what so many probes need.
 * `probe`: start tasks of one step at a steady pace, from that number on; answer when the last one is durable.
 * `lay`: put so many of a kind into the database, asleep for an hour, due since an hour, or as one long history.
 * `begin`: go, and answer at once; what comes of it is seen by whoever is told to `watch`.
 * `watch`: answer when nothing is left to do, as the database has it.
 * `drain`: go; start a task of one step so many times a second meanwhile; answer when nothing is left to do.
 * `fan`: start one task that makes so many children; answer when the last one has ended.
 * `stride`: take so many steps in a task with a short history and in one with a long history, by turns.
 * `leave`: let go of everything, and stay.
 * `enter`: come to another ground, as a process that has worked before.
 * `close`: let go of everything and end.
 */
export type Order =
  | { readonly does: 'prepare' | 'stand' | 'begin' | 'watch' | 'leave' | 'close' }
  | { readonly does: 'enter'; readonly ground: Ground }
  | Race
  | { readonly does: 'idle' | 'fan' | 'stride'; readonly count: number }
  | { readonly does: 'lay'; readonly what: Laid; readonly count: number }
  | { readonly does: 'drain'; readonly perSecond: number }

/** The orders that are measured step by step. */
export type Race =
  | { readonly does: 'work' }
  | {
      readonly does: 'probe'
      readonly count: number
      readonly perSecond: number
      readonly from?: number
    }

/** Tasks with a timer an hour away; tasks due since an hour; one task of so many steps. */
export type Laid = 'herd' | 'backlog' | 'history'

/** What it answers: numbers with their units in the name, or why it could not. */
export interface Answer {
  readonly did?: Order['does']
  readonly failed?: string
  readonly figures?: Figures
}

/** What was measured, by name. */
export type Figures = Readonly<Record<string, number>>

/** The variable of the environment that holds the ground. */
export const GROUND = 'BENCH_GROUND'
