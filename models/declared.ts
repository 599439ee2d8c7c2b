// A declared task: a machine, and how the house is to treat its runs.
// Promise: a bare machine is a task with every option at its default.
import { isMachine } from '../lib/blueprint.ts'
import type { Duration } from '../lib/duration.ts'
import type { AnyStateMachine, Rest } from '../lib/machine.ts'
import type { BreakerOptions } from './rating.ts'

/** What a snapshot of the version it is named by becomes in the next. */
export type Migrations = Readonly<Record<string, (rest: Rest) => Partial<Rest>>>

/** What `new` is handed, before the machine's first step. */
export interface NewWork {
  /** The resource; fields set here are committed with the first step. */
  readonly resource: any
  /** What the run was started with. */
  readonly input: any
  /** Idempotency key, the same on every attempt. */
  readonly key: string
  /** A message for the line of the first step in the history. */
  note(text: string): void
}

/** A finished run about to be removed. */
export interface EndedRun {
  readonly kind: string
  readonly resourceId: string
  readonly taskId: string
  readonly task: string
  readonly status: string
  readonly state: string
  readonly step: number
  readonly finishedAt: number
}

/** Whether the conditions of a task hold. They look at the fields and the state, and answer at once. */
export interface Conditions {
  /** While this holds and no run lives, one is started. */
  readonly shouldStart?: (resource: any) => boolean
  /** While this holds, a live run is stopped; a text is the reason. It wins over `shouldStart`. */
  readonly shouldStop?: (resource: any) => boolean | string
}

/** When a task is run again and again. */
export interface Repetition {
  /** The pace of the slots: '1h', or milliseconds. The first is when the resource first reaches `running`. */
  readonly every?: Duration
  /** A slot that comes while a run lives: it passes (default), one is remembered, or the run is stopped for it. */
  readonly overlap?: 'skip' | 'queue' | 'replace'
  /** Slots nobody was there for: one run for all of them (default), none, or one for each, oldest first. */
  readonly missed?: 'once' | 'skip' | 'all'
  /** Resources are spread over this time after each slot, each always at the same distance. */
  readonly jitter?: Duration
}

export interface TaskOptions extends Repetition, Conditions {
  /**
   * Snapshots of older versions, oldest first: each function takes what rests under the version it is named by to the
   * next one named, the last to the machine's own `version`.
   */
  readonly migrate?: Migrations
  /** The same for the machines it invokes or spawns, by the name of the actor. */
  readonly actors?: Readonly<Record<string, Pick<TaskOptions, 'migrate' | 'exit'>>>
  /**
   * Runs when a run is stopped, before it is gone, as a run of its own; its input is an `ExitInput`. While it runs
   * the task is `stopping`. When it is done both end; when it fails it panics, and the task waits.
   */
  readonly exit?: AnyStateMachine
  /** Names the task had before; runs stored under them are runs of this task. */
  readonly was?: readonly string[]
  /** States that were renamed or moved: the old path to the new one. */
  readonly states?: Readonly<Record<string, string>>
  /** Runs before the machine's first step, at least once; its answer is the machine's input. */
  readonly new?: (work: NewWork) => unknown
  /** Finished runs older than this are removed; `each` is called before, and keeps the run when it throws. */
  readonly gc?: {
    readonly after: Duration
    readonly each?: (run: EndedRun) => void | Promise<void>
  }
  /** Panics, and effects that failed for the last time, shut it for every resource of the kind; docs/holds.md. */
  readonly breaker?: BreakerOptions
  /** From 0, which goes first, to 9; 5 unless told. It orders what is due of one kind, or one tenant; docs/queues.md. */
  readonly priority?: number
  /** How many runs may be in hand at once, or begin within a period, by key; the others wait; docs/queues.md. */
  readonly limit?: LimitOptions
}

export interface LimitOptions {
  /** Runs whose keys are the same share the limit; all runs of the task do without it. It answers at once. */
  readonly key?: (resource: any) => string
  /** How many of them workers have in hand at once. A run that waits for a timer or an event is in nobody's hand. */
  readonly concurrency?: number
  /** How many of them begin within any such period. */
  readonly rate?: { readonly count: number; readonly per: Duration }
}

/** What an exit machine is started with. */
export interface ExitInput<C = any> {
  /** Where the run was when it was stopped. */
  readonly state: string
  /** What it knew; absent when it had not begun. */
  readonly context?: C
  /** Why it was stopped. */
  readonly reason: string | null
}

const DECLARED = Symbol('escapement.task')

/** A machine with options, for `static tasks`. */
export interface DeclaredTask<M extends AnyStateMachine = AnyStateMachine> extends TaskOptions {
  readonly [DECLARED]: true
  readonly machine: M
}

/** A task in `static tasks`: a machine, or one with options. */
export type Declaration = AnyStateMachine | DeclaredTask
export type MachineOf<D> =
  D extends DeclaredTask<infer M> ? M : D extends AnyStateMachine ? D : never

/** Declares a task with options. */
export function task<M extends AnyStateMachine>(
  machine: M,
  options: TaskOptions = {},
): DeclaredTask<M> {
  return { [DECLARED]: true, machine, ...options }
}

/** The machine and the options of a declaration; null for something else. */
export function declared(declaration: unknown): DeclaredTask | null {
  if (isMachine(declaration)) return task(declaration)
  const isDeclared =
    typeof declaration === 'object' && declaration !== null && DECLARED in declaration
  return isDeclared && isMachine((declaration as DeclaredTask).machine)
    ? (declaration as DeclaredTask)
    : null
}
