// What a rule finds. Types only.
import type { StateNode } from '../blueprint.ts'

export type Severity = 'error' | 'warning'

export interface Found {
  /** The state it was found at, or a place that is none. */
  readonly at: StateNode | string
  /** When it is not the usual one of the rule. */
  readonly severity?: Severity
  /** What is wrong, without a full stop. */
  readonly problem: string
  /** What to do about it, without a full stop. */
  readonly wayOut: string
}
