// A notice: something that somebody is to be told. Types only.
import type { Json } from './codec.ts'

/** From the gravest to the lightest; the four words of PagerDuty. */
export const SEVERITIES = ['critical', 'error', 'warning', 'info'] as const
export type Severity = (typeof SEVERITIES)[number]

/** Names to short texts, to route and to group by. Never secrets. */
export type Labels = Readonly<Record<string, string>>

/** A row of the outbox, written in the commit that gave rise to it. */
export interface NewNotice {
  /** The same however often it is delivered. */
  readonly id: string
  /** `alarm.opened`, `alarm.reopened`, `alarm.repeated`, `alarm.closed`, or a type of the user's own. */
  readonly type: string
  readonly severity: Severity
  readonly alarmId: string | null
  readonly episode: number | null
  readonly kind: string | null
  readonly resourceId: string | null
  readonly task: string | null
  /** One sentence without secrets. */
  readonly message: string
  readonly labels: Labels
  /** Plain data without secrets. */
  readonly payload: Json
}

/** A notice as it lies in the outbox. */
export interface Notice extends NewNotice {
  /** When it was written, in milliseconds since 1970. */
  readonly at: number
}
