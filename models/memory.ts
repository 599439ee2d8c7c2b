// The memory of a task: its rest between steps, to the snapshot column and back.
// Promise: what is read back is what was written, secrets opened; a column nobody could have written is refused.

import { Address, bornIn } from '../lib/address.ts'
import type { StoredTask } from '../lib/claim.ts'
import { decode, encodeRow, type Json, type Sealer } from '../lib/codec.ts'
import { fault } from '../lib/errors.ts'
import { moved } from '../lib/moved.ts'
import type { Actor, Rest } from '../lib/rest.ts'
import { strayed } from '../lib/wake.ts'
import { flawOf } from './evidence.ts'
import type { TaskDefinition } from './kind.ts'

/** @throws VALUE_NOT_STORABLE when the context holds what cannot be kept, or more than a row is to hold */
export function toSnapshot(
  { value, context, order, history, status, output, timers, actors }: Rest,
  sealer: Sealer,
): Json {
  const snapshot: Partial<Record<keyof Rest, unknown>> = { value, context, status }
  if (order) snapshot.order = order
  if (history) snapshot.history = history
  if (output !== undefined) snapshot.output = output
  if (timers.length > 0) snapshot.timers = timers
  if (actors.length > 0) snapshot.actors = actors.map(shortened)
  return encodeRow(snapshot, sealer)
}

/** @throws STATE_CORRUPT, VALUE_CORRUPT */
export function fromSnapshot(stored: unknown, sealer: Sealer, task: string): Rest {
  const snapshot = wholeOf(decode(stored, sealer))
  const reason = flawOf(snapshot)
  if (reason) throw fault('STATE_CORRUPT', { task, reason })
  return { timers: [], actors: [], ...snapshot } as Rest
}

/**
 * An actor without what its address says already: its own id, often its source, that it is an effect, and since which
 * step. PostgreSQL parses every word of it with every step; see docs/decisions/0026-an-address-says-it-once.md.
 */
function shortened(actor: Actor): Partial<Actor> {
  const { id, src, armedAt, kind, address } = actor
  if (kind !== 'effect' || address.id !== id || bornIn(address) !== armedAt) return actor
  const short: Record<string, unknown> = { address }
  if (src !== id) short.src = src
  for (const name of BESIDE) if (actor[name] !== undefined) short[name] = actor[name]
  return short
}

/** What no address says. */
type Beside = Exclude<keyof Actor, 'id' | 'src' | 'armedAt' | 'kind' | 'address'>
const BESIDE = Object.keys({
  ...{ input: true, keyId: true, systemId: true, sync: true, ended: true },
} satisfies Record<Beside, true>) as Beside[]

/** The same the other way; whatever is said of an actor counts, and what nobody could have written is left as it is. */
function wholeOf(snapshot: unknown): Partial<Rest> {
  const { actors } = (snapshot ?? {}) as { actors?: unknown }
  if (!Array.isArray(actors)) return snapshot as Partial<Rest>
  return { ...(snapshot as Partial<Rest>), actors: actors.map(told) }
}

function told(actor: any): any {
  const address: unknown = actor?.address
  const armedAt = address instanceof Address ? bornIn(address) : null
  if (armedAt === null) return actor
  const { id } = actor.address
  return { id, src: id, kind: 'effect', armedAt, ...actor }
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
  if (rest.status !== 'active') {
    throw fault('STATE_CORRUPT', { task, reason: `it says "${rest.status}" of a run that lives` })
  }
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
  /** When the first attempt could have begun, where that counts, in milliseconds since 1970. */
  readonly since?: number
  /** How far the work was when it last said so. */
  readonly progress?: Json
}

/** Attempts by effect and incarnation (`id@armedAt`). */
export type Trials = Readonly<Record<string, Trial>>

export const FIRST: Trial = { attempt: 1, round: 0, at: null }

/** What is left of trials when a person says "try again": all attempts anew, with the same key, from where the work was. */
export function refreshed(trials: Trials | null): Trials | null {
  const fresh = Object.entries(trials ?? {})
    .filter(([, { round, progress }]) => round > 0 || progress !== undefined)
    .map(([name, { round, progress }]) => {
      return [name, { ...FIRST, round, ...(progress !== undefined && { progress }) }]
    })
  return fresh.length === 0 ? null : Object.fromEntries(fresh)
}

/** What is known of an effect beyond its first attempt, for those who look. */
export interface Effort {
  readonly effect: string
  readonly attempt: number
  /** When the attempt may be made, in milliseconds since 1970; null for at once. */
  readonly notBefore: number | null
  /** How far it is, as it said; undefined when it said nothing. */
  readonly progress: unknown
}

/** @throws VALUE_CORRUPT */
export function effortsOf(trials: Trials | null): Effort[] {
  return Object.entries(trials ?? {}).map(([name, { attempt, at, progress }]) => ({
    effect: name.slice(0, name.lastIndexOf('@')),
    attempt,
    notBefore: at,
    progress: progress === undefined ? undefined : decode(progress),
  }))
}
