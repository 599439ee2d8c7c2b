// An entry of the table of errors: exit status, sentence, what to do.
// docs/errors.md shows them all, and a spec keeps the two equal.

/** Process exit statuses of the CLI and the bins; documented in docs/cli.md. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  unavailable: 5,
  interrupted: 130,
} as const

export interface ErrorEntry {
  /** The sentence, with {placeholders}. Says what was wrong and where. */
  readonly sentence: string
  /** What the reader should do about it. */
  readonly todo: string
  readonly exit: (typeof EXIT)[keyof typeof EXIT]
}

export const entry = (exit: keyof typeof EXIT, sentence: string, todo: string): ErrorEntry => ({
  sentence,
  todo,
  exit: EXIT[exit],
})
