// A part of the history, and how what is too old in it is found; types, and what the parts share.
import type { Runner } from '../../lib/database.ts'
import type { Line } from './archive.ts'
import type { Scope } from './scope.ts'

/** How far a rule has come in a part: everything up to it was looked at. */
export interface Mark {
  /** A moment as PostgreSQL writes it. */
  readonly at: string
  readonly id: string
  readonly step: number
}

/** What is asked of a part. */
export interface Question {
  readonly scope: Scope
  readonly mark: Mark
  /** What is older goes; milliseconds since 1970. */
  readonly before: number
  /** Rows to look at, and rows to take, at most. */
  readonly limit: number
  /** Are the rows wanted themselves? */
  readonly isKept: boolean
}

/** A live run whose first steps go. */
export interface Retired {
  readonly taskId: string
  readonly firstStep: number
}

export interface Taken {
  /** The rows that go, children before parents. */
  readonly lines: readonly Line[]
  /** Where to go on; the mark that was given when there is more to take first. */
  readonly mark: Mark
  /** Is nothing left that is old? */
  readonly isDone: boolean
  readonly retired?: readonly Retired[]
}

/** Rows by kind and table. */
export type Count = (kind: string | null, table: string, rows: number) => void

export interface Part {
  readonly name: string
  /** One chunk. */
  take(runner: Runner, question: Question): Promise<Taken>
  /** Counts all that would go; each row once. */
  count(runner: Runner, question: Question, add: Count): Promise<void>
}

/** Takes chunk after chunk without removing any, for parts whose chunks never overlap. */
export async function countByTaking(
  part: Pick<Part, 'take'>,
  runner: Runner,
  question: Question,
  add: Count,
): Promise<void> {
  for (let { mark } = question; ; ) {
    const taken = await part.take(runner, { ...question, mark, isKept: false })
    for (const { kind, table } of taken.lines) add(kind, table, 1)
    if (taken.isDone) return
    mark = taken.mark
  }
}

export const lineOf = (table: string, row: any): Line => ({
  table,
  kind: row.kind,
  id: String(row.id),
  step: row.step ?? null,
  at: row.at,
  text: row.line,
})
