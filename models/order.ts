// The order in which the tasks of one tree go on. Types only.
import type { StoredEvent } from '../lib/claim.ts'

/** What others of its tree see of a turn. */
export interface InTurn {
  readonly task: string
  /** The mail it would take next. */
  readonly nextMail: StoredEvent | undefined
}

/** In which order the tasks of one tree take their mail. */
export interface Order {
  /** May the task of this turn take its first step now? */
  mayBegin(turn: InTurn): boolean
  /** May this turn take its mail now or, without any, a timer? */
  mayGoOn(turn: InTurn, mail: StoredEvent | undefined): boolean
  /** A turn has moved, or is over: those that waited for it look again. */
  moved(turn: InTurn): void
  /** These tasks have been sent mail they have yet to see. */
  wrote(tasks: readonly string[]): void
}
