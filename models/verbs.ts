// The verbs: what can be asked of tasks and resources, by whoever asks.
// The desk carries them out at once; the outbox of a step keeps them for the step's commit.

import type { AlarmResult, AlarmSignal } from '../lib/alarm.ts'
import type { Sealer } from '../lib/codec.ts'
import type { Duration } from '../lib/duration.ts'
import type { NewNotice } from '../lib/notice.ts'
import type { Time } from '../lib/time.ts'
import type { RunStatus } from '../lib/unit.ts'
import type { AvailabilityStatus } from './availability.ts'
import type { Plan } from './cadence.ts'
import type { Explanation } from './explanations.ts'
import type { Kind } from './kind.ts'
import type { PanicTold, ParkedAct, ParkedRun } from './panic.ts'
import type { Begun, TaskSnapshot } from './snapshot.ts'

export interface Target {
  readonly kind: Kind
  readonly resourceId: string
  readonly task: string
}

/** Every change may say who and why. */
export interface Because {
  readonly actor?: string
  readonly reason?: string
}

/** Something open that a change can be part of: a pg client inside a transaction, or what `app.transaction` lends. */
export interface Transaction {
  query(text: string, params?: unknown[]): Promise<{ rows: any[]; rowCount: number | null }>
}

export interface StartOptions extends Because {
  /** The start is committed with this transaction, or not at all. */
  readonly trx?: Transaction
}

export interface SendOptions extends Because {
  /** A second event with the same key is refused by the same task for as long as it lives. */
  readonly dedupKey?: string
  /** An event not taken by then (milliseconds from now, or '5m') is dropped. */
  readonly expiresIn?: number | string
}

export interface StopOptions extends Because {
  /** Exit machines are not waited for; those under way end at once. */
  readonly force?: boolean
}

export interface DeleteOptions extends Because {
  /** The row goes at once: no task is stopped in good order, no exit machine runs. */
  readonly force?: boolean
  /** The resources that belong to it are deleted first; without this they are a reason to refuse. */
  readonly cascade?: boolean
}

export interface PauseOptions extends Because {
  /** How long: '1h', or milliseconds. Until somebody resumes it, unless told. */
  readonly for?: Duration
  /** Until when: milliseconds since 1970, or a date. */
  readonly until?: number | Date | string
}

/** A run as `start` reports it: the new one, or the one that lives already. */
export interface Started {
  readonly taskId: string
  readonly isNew: boolean
}

/** An event as users write it: its type alone, or an object. */
export type EventInput = string | { readonly type: string; readonly [key: string]: unknown }

/** What is waited for: the end, a tag, or whatever a function finds in the snapshot. */
export type Condition = string | ((snapshot: Begun<any>) => boolean)

export interface WaitOptions {
  /** 30 s unless told, a day at most. */
  readonly timeoutMs?: number | undefined
  /** Ends the waiting; it rejects with the reason of the signal. */
  readonly signal?: AbortSignal | undefined
}

/** What requests are made with. */
export interface RequestParts {
  readonly time: Time
  readonly sealer: Sealer
  /** Who acts when nobody is named. */
  readonly actor: string
}

export interface Verbs {
  /** What requests are made with: whose they are, and what time it is. */
  readonly requests: RequestParts
  start(target: Target, args: unknown, options: StartOptions): Promise<Started>
  stop(target: Target, options: StopOptions): Promise<boolean>
  stopAll(kind: Kind, resourceId: string, options: StopOptions): Promise<number>
  delete(kind: Kind, resourceId: string, options: DeleteOptions): Promise<void>
  /** The row goes with the commit; for lives. */
  remove(resourceId: string, because: Because): Promise<void>
  /** False when nothing changed; always true inside a step. */
  report(resourceId: string, status: AvailabilityStatus, because: Because): Promise<boolean>
  /** A row of a user's table, by the column that names it. */
  row(table: { readonly name: string; readonly key: string }, key: string): Promise<unknown>
  /** How many runs but the life are live, and how many resources belong to it. */
  remains(resourceId: string): Promise<Remains>
  send(target: Target, event: EventInput, options: SendOptions): Promise<void>
  rewind(target: Target, steps: number, because: Because): Promise<{ step: number; state: string }>
  retry(target: Target, because: Because): Promise<void>
  goto(target: Target, state: string, because: Because): Promise<{ step: number; state: string }>
  /** Does something to a run that is still parked by this panic; false when it is not. */
  unpark(panic: ParkedRun, act: ParkedAct, because: Because): Promise<boolean>
  /** Tells whoever is next of a panic: the one the resource belongs to, or else everybody, by its alarm. */
  climb(panic: PanicTold, at: { resourceId: string; parentId: string | null }): Promise<void>
  /** Raises an alarm, or clears one. */
  signal(signal: AlarmSignal): Promise<AlarmResult>
  notify(notice: NewNotice, because: Because): Promise<void>
  pause(target: Target, because: Because): Promise<boolean>
  resume(target: Target, because: Because): Promise<void>
  /** Holds a resource; false when it was held already, and is now by these terms. Inside a step always true. */
  hold(resourceId: string, options: PauseOptions): Promise<boolean>
  /** False when it was not held. Inside a step always true. */
  release(resourceId: string, because: Because): Promise<boolean>
  status(target: Target): Promise<RunInfo | null>
  schedule(target: Target): Promise<Schedule | null>
  snapshot(target: Target): Promise<TaskSnapshot | null>
  /** Why it does not move; of the most telling task for null. */
  explain(kind: Kind, resourceId: string, task: string | null): Promise<Explanation>
  waitFor(target: Target, condition: Condition, options: WaitOptions): Promise<TaskSnapshot>
  on(target: Target, type: string, listener: (event: any) => void): () => void
}

/** Where the schedule of a repeating task is. */
export interface Schedule {
  readonly plan: Plan
  /** Did its last run come to its end by itself, so that another goes on? */
  readonly isDone: boolean
}

/** What keeps a resource from being gone. */
export interface Remains {
  readonly runs: number
  readonly children: number
}

/** What is known of the latest run of a task. */
export interface RunInfo {
  readonly taskId: string
  readonly task: string
  readonly status: RunStatus
  readonly state: string
  readonly step: number
  readonly startedAt: number
  readonly movedAt: number
  readonly finishedAt: number | null
  readonly dueAt: number | null
}
