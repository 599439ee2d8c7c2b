// The memory of a task: its rest between steps, to the snapshot column and back.
// Promise: what is read back is what was written, secrets opened; a column nobody could have written is refused.
import { decode, encode, type Json, type Sealer } from '../lib/codec.ts'
import { fault } from '../lib/errors.ts'
import type { Rest } from '../lib/machine.ts'
import { flawOf } from './evidence.ts'

/** @throws VALUE_NOT_STORABLE when the context holds what cannot be kept */
export function toSnapshot(
  { value, context, history, status, output, timers, effects }: Rest,
  sealer: Sealer,
): Json {
  const snapshot = {
    value,
    context,
    status,
    ...(history && { history }),
    ...(output !== undefined && { output }),
    ...(timers.length > 0 && { timers }),
    ...(effects.length > 0 && { effects }),
  }
  return encode(snapshot, sealer)
}

/** @throws STATE_CORRUPT, VALUE_CORRUPT */
export function fromSnapshot(stored: unknown, sealer: Sealer, task: string): Rest {
  const snapshot = decode(stored, sealer) as Partial<Rest>
  const reason = flawOf(snapshot)
  if (reason) throw fault('STATE_CORRUPT', { task, reason })
  return { timers: [], effects: [], ...snapshot } as Rest
}

/** An effect's attempts so far: kept on the task's row, since they are not steps. */
export interface Trial {
  /** The attempt to be made next, from 1. */
  readonly attempt: number
  /** How often the effect asked to be run again. */
  readonly round: number
  /** Not before this moment; null for at once. */
  readonly at: number | null
}

/** Attempts by effect and incarnation (`id@armedAt`). */
export type Trials = Readonly<Record<string, Trial>>

export const FIRST: Trial = { attempt: 1, round: 0, at: null }
