// An alarm as the store knows it: signals to it, its row, and the port to the machine that decides. Types only.

import type { Author } from './author.ts'
import type { Json } from './codec.ts'
import type { Labels, NewNotice, Severity } from './notice.ts'

export type AlarmState = 'pending' | 'open' | 'reopened' | 'acknowledged' | 'silenced' | 'closed'

/** What an alarm is about, told whenever it is raised. */
export interface AlarmAbout {
  readonly name: string
  readonly kind: string | null
  readonly resourceId: string | null
  readonly taskId: string | null
  readonly task: string | null
  /** What closes it by itself: the next move of its task, the end of its being parked, or nothing. */
  readonly closes: 'moved' | 'freed' | 'told'
  readonly severity: Severity
  readonly message: string
  readonly playbook: string | null
  readonly labels: Labels
  readonly detail: Json | null
  /** How long it must hold before it opens, and must be over before it closes. */
  readonly forMs: number
  readonly clearForMs: number
  /** Opened so often within that time, it stays open until it was quiet for as long. */
  readonly flap: { readonly times: number; readonly withinMs: number } | null
}

/** What an alarm is told. */
export type AlarmEvent =
  | { readonly type: 'RAISE'; readonly about: AlarmAbout }
  | { readonly type: 'CLEAR' }
  | { readonly type: 'ACKNOWLEDGE'; readonly owner: string | null }
  /** Until a moment (milliseconds since 1970), or until it closes for null. */
  | { readonly type: 'SILENCE'; readonly until: number | null }
  | { readonly type: 'CLOSE' }
  | { readonly type: 'REOPEN' }
  | { readonly type: 'NOTE'; readonly note?: string | null; readonly owner?: string | null }
  /** Its time has come: whatever timer is due. */
  | { readonly type: 'TICK' }

export interface AlarmSignal extends Author {
  readonly key: string
  readonly event: AlarmEvent
}

/** A row, as the machine's keeper reads and writes it. */
export interface StoredAlarm extends Omit<AlarmAbout, 'forMs' | 'clearForMs' | 'flap'> {
  readonly id: string
  readonly key: string
  readonly state: AlarmState
  /** Is its condition over for the time being? */
  readonly isClearing: boolean
  readonly count: number
  /** How often it was opened. */
  readonly episode: number
  readonly owner: string | null
  readonly note: string | null
  readonly firstSeenAt: number
  readonly lastSeenAt: number
  readonly openedAt: number | null
  readonly closedAt: number | null
  readonly rest: Json
  readonly dueAt: number | null
  readonly version: number
}

/** What became of a signal. */
export interface AlarmResult {
  readonly key: string
  /** False when it changed nothing. */
  readonly changed: boolean
  readonly from: AlarmState | null
  readonly to: AlarmState | null
  /** Why a person's word was not taken. */
  readonly refused: 'unknown' | 'closed' | 'not-closed' | null
}

/** What follows from one signal. */
export interface AlarmStep extends Omit<AlarmResult, 'key'> {
  /** The row as it is to be; null for an alarm there is none of. */
  readonly alarm: StoredAlarm | null
  readonly notices: readonly NewNotice[]
}

/** The store's way to the machine of alarms and to the rules of users. */
export interface AlarmLogic {
  /** One signal to an alarm, or to one there is none of yet. Pure; does not throw. */
  step(alarm: StoredAlarm | null, signal: AlarmSignal, nowMs: number): AlarmStep
  /** What the rules say of a resource. Does not throw. */
  judge(watched: Watched, nowMs: number): readonly AlarmSignal[]
}

/** A resource as its rules see it, as it is stored. */
export interface Watched {
  readonly resourceId: string
  readonly kind: string
  readonly parentId: string | null
  readonly state: string
  readonly availability: unknown
  readonly fields: Record<string, unknown>
  readonly tasks: readonly WatchedTask[]
  /** Its alarms that are not closed. */
  readonly active: readonly Pick<StoredAlarm, 'key' | 'isClearing'>[]
}

/** The latest run of a task, a live one before any that has ended. */
export interface WatchedTask {
  readonly taskId: string
  readonly task: string
  readonly status: string
  readonly state: string
  readonly step: number
  readonly movedAt: number
}
