// A unit of work: everything one step changes, to be committed together or not at all.
// Types only. The store's one door takes a list of these; a direct call of a user is a unit
// without a fence, a tick's unit carries the fence it was claimed under.
import type { AlarmResult, AlarmSignal } from './alarm.ts'
import type { Author } from './author.ts'
import type { Json } from './codec.ts'
import type { Count, HoldSignal } from './hold.ts'
import type { NewNotice, Severity } from './notice.ts'

export type { Author } from './author.ts'

/**
 * Live: `running`, `paused` by somebody, `panicked` by an error, `stranded` by a definition that cannot hold it,
 * `stopping` while its exit machine runs.
 * Ended: `stopped` by somebody, `failed` towards the machine that spawned it, `done`.
 */
export type RunStatus =
  | 'running'
  | 'paused'
  | 'panicked'
  | 'stranded'
  | 'stopping'
  | 'stopped'
  | 'failed'
  | 'done'

/** Where a run that a machine spawned comes from. */
export interface Origin {
  /** The names of the actors on the way from the root's machine, the last of them its own. */
  readonly src: readonly string[]
  /** The id by which its parent knows it. */
  readonly id: string
  /** Does the parent hear of each of its snapshots? */
  readonly sync: boolean
}

/** A committed move of one task: compare-and-set on `expected`. */
export interface StepChange {
  readonly taskId: string
  readonly task: string
  readonly resourceId: string
  /** The step the task must still be at. */
  readonly expected: number
  /** `expected + 1`, or `expected` for a change that is not a step (an attempt counted). */
  readonly step: number
  /** The step whose row holds the snapshot the task rests in. */
  readonly restStep: number
  readonly status: RunStatus
  readonly state: string
  readonly tries: Json | null
  readonly finished: boolean
  /** Does it prove that whatever took processes down is over? */
  readonly clears?: boolean
  /** The actors of this task that can be found by a system id: id, task and actor of each. */
  readonly system: Json | null
  /** The name of the task, when the run is stored under an old one and nothing knows it by that. */
  readonly name?: string
  /** The version of the machine that holds the snapshot; as it was unless told. */
  readonly version?: string
  readonly transition: TransitionRow | null
}

/** Old names of a task, under which a run of it may still live. */
export interface Renamed {
  readonly was?: readonly string[]
}

/** One line of a task's history. */
export interface TransitionRow extends Author {
  /** The step whose snapshot this one grew from; `rewind` follows it. */
  readonly base: number | null
  readonly from: string
  readonly to: string
  readonly event: string
  readonly payload: Json | null
  readonly snapshot: Json | null
  /** What the code of the step had to say. */
  readonly message?: string
}

/** Changed fields of one resource; `version` null means: whatever it is now. */
export interface FieldChange {
  readonly resourceId: string
  readonly set: Readonly<Record<string, Json>>
  readonly unset: readonly string[]
  /** Stored fields no code knows: moved to lost_and_found, never dropped. */
  readonly aside: Readonly<Record<string, unknown>>
  readonly version: number | null
  readonly state?: string
  /** The name of its type, when it is stored under an old one. */
  readonly kind?: string
  /** Who set them, when it was not a step. */
  readonly author?: Author
}

export interface NewResource extends Author {
  readonly id: string
  readonly kind: string
  readonly parentId: string | null
  readonly fields: Readonly<Record<string, Json>>
}

/** The first step of a run as a worker would have left it, taken by whoever starts it. */
export interface FirstStep {
  readonly state: string
  readonly event: string
  readonly snapshot: Json
  /** Its due entry. */
  readonly at: number | null
  readonly why: string
}

export interface NewRun extends Author, Renamed {
  readonly id: string
  readonly resourceId: string
  readonly task: string
  readonly version: string
  /** True for the life task alone, which is how a stopped resource starts again. */
  readonly evenStopped: boolean
  readonly origin: Origin | null
  readonly args: Json | null
  /** Written with the start, unless something holds the task; without it a worker takes the first step. */
  readonly first?: FirstStep
  /** From 0, which goes first, to 9; ordinary unless told. */
  readonly rank?: number
  /** The field of its resource that names the tenant, where tenants share. */
  readonly tenant?: string
  /** The queue of its resource's kind, if that names one: for the ticket. */
  readonly queue?: string
}

export interface NewEvent extends Author, Renamed {
  /** Sent twice under one id is sent once: a commit of unknown end may be repeated. */
  readonly id: string
  readonly resourceId: string
  readonly task: string
  readonly type: string
  readonly payload: Json | null
  readonly dedupKey: string | null
  readonly expiresAt: number | null
  /** The run that sent it, if it was one: a child's, so that an earlier one's news are told from its successor's. */
  readonly sender: string | null
  /** The actor the task runs that it is for; the task itself unless told. */
  readonly recipient: string | null
  /** As that of a run. */
  readonly queue?: string
}

export interface RunStop extends Author, Renamed {
  readonly resourceId: string
  /** Null stops every task of the resource but `except`. */
  readonly task: string | null
  readonly except: string | null
  /** Only what the task has spawned. What a stopped task has spawned stops with it in any case. */
  readonly beneath?: boolean
  /** Which of these runs have an exit machine, to be run before they are gone. */
  readonly exits?: readonly ExitRule[]
  /** Nothing is waited for: runs that are stopping, and their exit machines, end too. */
  readonly force?: boolean
  /** As that of a run. */
  readonly queue?: string
}

/** Runs of a task, or of an actor in its tree, that have an exit machine. */
export interface ExitRule {
  /** The task at the root. */
  readonly task: string
  /** The name of the actor; null for the root itself. */
  readonly src: string | null
  /** The version of the exit machine. */
  readonly version: string
}

/** A run whose exit machine is done: it was `stopping`, and is stopped in the same commit. */
export interface RunEnd extends Author {
  readonly resourceId: string
  readonly task: string
}

/** A state that a resource is given from outside its life. */
export interface Mark extends Author {
  readonly resourceId: string
  readonly state: string
  /** What the history calls it. */
  readonly event: string
}

/** What is said of a resource's availability; it counts only where it may follow what was said before. */
export interface Report extends Author {
  readonly resourceId: string
  readonly status: string
  readonly from: readonly string[]
}

/** A resource's row goes, and all that hangs on it; a tombstone stays. */
export interface Removal extends Author {
  readonly resourceId: string
  /** Nothing was waited for. */
  readonly isForced: boolean
  /** The resources that belong to it go with it; without this they keep it from going. */
  readonly cascade: boolean
}

export interface NewFailure {
  readonly id: string
  readonly resourceId: string
  readonly taskId: string
  /** Of an attempt, the step its state began with; of a panic, the step of its line in the history. */
  readonly step: number
  readonly effect: string | null
  readonly attempt: number
  readonly class: string
  readonly code: string | null
  readonly message: string
  readonly severity: Severity
  readonly isRetryable: boolean
  /** What whoever is called should do. */
  readonly playbook: string | null
  /** Stack, causes and context, without secrets. */
  readonly detail: Json | null
  /** What the effect needed, if it said so. */
  readonly dependency: string | null
}

/** Mail that no state accepted, for the history. */
export interface Ignored extends Author {
  readonly resourceId: string
  readonly task: string
  readonly type: string
  readonly why: string
}

/** When a task wants its next turn. `wakes` is how often it had been rung when it was read. */
export interface DueChange {
  readonly taskId: string
  readonly at: number | null
  readonly reason: string
  readonly wakes: number
}

export interface Unit {
  readonly id: string
  readonly fence?: { readonly resourceId: string; readonly fence: number }
  readonly step?: StepChange
  readonly fields?: FieldChange
  readonly due?: DueChange
  readonly consumes?: readonly string[]
  readonly creates?: readonly NewResource[]
  readonly starts?: readonly NewRun[]
  readonly stops?: readonly RunStop[]
  readonly sends?: readonly NewEvent[]
  readonly failures?: readonly NewFailure[]
  readonly ignored?: readonly Ignored[]
  readonly ends?: readonly RunEnd[]
  readonly marks?: readonly Mark[]
  readonly reports?: readonly Report[]
  readonly removes?: readonly Removal[]
  readonly alarms?: readonly AlarmSignal[]
  /** Resources whose rules are to be asked once all else is written. */
  readonly watches?: readonly string[]
  readonly notices?: readonly NewNotice[]
  readonly holds?: readonly HoldSignal[]
  readonly counts?: readonly Count[]
}

export type Outcome =
  | {
      readonly kind: 'committed'
      /** The ids of the runs that were really started; the others were live already. */
      readonly started: readonly string[]
      /** Those of them whose first step was written with them. */
      readonly begun: readonly string[]
      /** How many events found a live task. */
      readonly delivered: number
      readonly stopped: number
      /** No ticket is needed: earlier mail waits wherever this went, and somebody was told of it, or nothing is due yet. */
      readonly isQuiet: boolean
      /** The task was rung after it was read: there is mail it has not seen. */
      readonly isRung: boolean
      /** How many reports changed something. */
      readonly reported: number
      /** What became of the signals to alarms, in their order. */
      readonly alarmed: readonly AlarmResult[]
      /** Scopes that were shut or opened by this unit. */
      readonly held: readonly string[]
    }
  /** Another worker holds the resource now: this one came too late. */
  | { readonly kind: 'fenced' }
  /** The task or the fields had moved on. */
  | { readonly kind: 'desynchronized' }
