// Lanes: the same is done to many, several at once, and counted.
// Promise: never more of them in hand than there are lanes, and never more than a page in memory; one that refuses does
// not keep the others from their turn; whoever asks for an end waits for what is in hand and for nothing else.
import { EscapementError, EXIT } from '../lib/errors.ts'

/** What was done. */
export interface Tally {
  readonly changed: number
  /** Those there was nothing to do for, because somebody else was faster. */
  readonly skipped: number
  /** Those that refused, by the code of their error. */
  readonly refused: Readonly<Record<string, number>>
}

export interface LaneOptions {
  /** Ends it before its time: what is in hand is finished. */
  readonly signal?: AbortSignal | undefined
  /** Told of each, whatever became of it. */
  readonly onDone?: ((count: number) => void) | undefined
}

/** A commit takes whoever asks at the same time along, so this many cost little more than one. */
const LANES = 32

/** Somebody else was faster. */
const OVERTAKEN: ReadonlySet<string> = new Set(['DESYNCHRONIZED', 'TASK_NOT_RUNNING'])
/** What is wrong with one alone, and not with the house. */
const OWN_FAULT: ReadonlySet<number> = new Set([EXIT.conflict, EXIT.usage, EXIT.notFound])

/**
 * Does something to each.
 * @param verb false when there was nothing to do
 * @throws what is wrong with the question, when nothing was changed by it; what is wrong with the house, such as DATABASE_UNREACHABLE, once what was in hand is finished
 */
export async function lanes<T>(
  many: AsyncIterable<T>,
  verb: (one: T) => Promise<boolean>,
  { signal, onDone }: LaneOptions = {},
): Promise<Tally> {
  let changed = 0
  let skipped = 0
  const refused: Record<string, number> = {}
  let misuse: EscapementError | null = null
  const note = (thrown: unknown) => {
    if (!(thrown instanceof EscapementError) || !OWN_FAULT.has(thrown.exit)) throw thrown
    if (thrown.code === 'ARGUMENT_INVALID') misuse ??= thrown
    if (OVERTAKEN.has(thrown.code)) skipped += 1
    else refused[thrown.code] = (refused[thrown.code] ?? 0) + 1
  }
  // One row of many lanes: who is free takes the next.
  const row = until(many, signal)
  const lane = async () => {
    for await (const one of row) {
      try {
        if (await verb(one)) changed += 1
        else skipped += 1
      } catch (thrown) {
        note(thrown)
      }
      onDone?.(1)
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: LANES }, lane))
  const failed = ends.find((end) => end.status === 'rejected')
  if (failed) throw failed.reason
  // What is wrong with the question is wrong for all of them: then it is said as for one.
  if (misuse && changed + skipped === 0) throw misuse
  return { changed, skipped, refused }
}

async function* until<T>(many: AsyncIterable<T>, signal?: AbortSignal): AsyncGenerator<T> {
  if (signal?.aborted) return
  for await (const one of many) {
    yield one
    if (signal?.aborted) return
  }
}
