// The memory of a task: its rest between steps, to the snapshot column and back.
// Promise: what is read back is what was written, secrets opened; a column nobody could have written is refused.

import type { StoredTask } from '../lib/claim.ts'
import { decode, encode, type Json, type Sealer } from '../lib/codec.ts'
import { fault } from '../lib/errors.ts'
import type { Rest } from '../lib/machine.ts'
import { moved } from '../lib/moved.ts'
import { strayed } from '../lib/wake.ts'
import type { TaskDefinition } from './kind.ts'

/** @throws VALUE_NOT_STORABLE when the context holds what cannot be kept */
export function toSnapshot(
  { value, context, history, status, output, timers, actors }: Rest,
  sealer: Sealer,
): Json {
  const snapshot = {
    value,
    context,
    status,
    ...(history && { history }),
    ...(output !== undefined && { output }),
    ...(timers.length > 0 && { timers }),
    ...(actors.length > 0 && { actors }),
  }
  return encode(snapshot, sealer)
}

/** @throws STATE_CORRUPT, VALUE_CORRUPT */
export function fromSnapshot(stored: unknown, sealer: Sealer, task: string): Rest {
  const snapshot = decode(stored, sealer) as Partial<Rest> | null
  if (
    typeof snapshot !== 'object' ||
    snapshot === null ||
    !('value' in snapshot) ||
    snapshot.status === undefined
  ) {
    throw fault('STATE_CORRUPT', { task, reason: 'it is not a snapshot' })
  }
  return { timers: [], actors: [], ...snapshot } as Rest
}

/** A rest as the definition that runs now has it; `migrated` is the snapshot to store, when it had to be changed. */
export interface Woken {
  readonly rest: Rest
  readonly migrated: Json | null
}

/**
 * Where a stored run rests, for the definition that runs now.
 * @throws STATE_CORRUPT, VALUE_CORRUPT for what nobody could have written; STATE_STRANDED for what this
 *   definition cannot hold; whatever a migration throws
 */
export function awaken(stored: StoredTask, definition: TaskDefinition, sealer: Sealer): Woken {
  const { name: task, machine, version, options, stranded } = definition
  if (stranded) throw stranded
  let rest = fromSnapshot(stored.snapshot, sealer, task)
  const from = stored.machineVersion
  const { migrate = {}, states } = options
  const names = Object.keys(migrate)
  const isOld = from !== version && names.includes(from)
  if (isOld) {
    for (const name of names.slice(names.indexOf(from)))
      rest = { ...rest, ...migrate[name]?.(rest) }
  }
  if (states) rest = moved(machine, rest, states)
  const reason = strayed(machine, rest)
  if (reason !== null) throw fault('STATE_STRANDED', { task, version, reason })
  return { rest, migrated: isOld ? toSnapshot(rest, sealer) : null }
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
