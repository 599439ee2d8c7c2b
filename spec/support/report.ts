// What a process of specs tells the runner, and how.

/** What one process of specs did. */
export interface Report {
  readonly passed: number
  readonly failures: string[]
}

/** Begins the line that carries a report. */
export const REPORT = '@@spec-report '
/** Exit status of a process that could not end by itself. */
export const LEAKED = 86
