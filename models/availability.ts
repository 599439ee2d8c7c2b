// Availability: whether a resource can be reached and used, as somebody last said it, since when and why.
// Promise: a status that may not follow the one before changes nothing; what is said twice keeps its `since`.
import { fault } from '../lib/errors.ts'

/** What may be said; the statuses that each may follow. */
const MOVES = {
  /** Nobody has said, or what was said counts no more: the end of a maintenance, of a restart. */
  unknown: ['online', 'uncertain', 'offline', 'known_offline', 'restarting'],
  online: ['unknown', 'uncertain', 'offline', 'restarting'],
  /** A first miss. It says nothing new of what is offline, or is being restarted. */
  uncertain: ['unknown', 'online'],
  /** Confirmed. What is being restarted is not there, and that is known. */
  offline: ['unknown', 'online', 'uncertain'],
  /** By hand: a maintenance. Whatever monitors say is not heard until somebody says `unknown`. */
  known_offline: ['unknown', 'online', 'uncertain', 'offline', 'restarting'],
  restarting: ['unknown', 'online', 'uncertain', 'offline'],
} as const satisfies Record<string, readonly string[]>

export type AvailabilityStatus = keyof typeof MOVES

/** What was last said of a resource. */
export interface Availability {
  readonly status: AvailabilityStatus
  readonly reason: string | null
  /** Epoch milliseconds; null when nobody has said anything yet. */
  readonly since: number | null
  readonly by: string | null
}

export const AVAILABILITIES = Object.keys(MOVES) as readonly AvailabilityStatus[]

/** The statuses this one may follow. @throws ARGUMENT_INVALID */
export function mayFollow(status: AvailabilityStatus): readonly AvailabilityStatus[] {
  if (Object.hasOwn(MOVES, status)) return MOVES[status]
  const reason = `"${status}" is none of ${AVAILABILITIES.join(', ')}`
  throw fault('ARGUMENT_INVALID', { what: 'The availability', reason })
}

/** The column as users see it. */
export function availabilityOf(stored: unknown): Availability {
  const nothing = { status: 'unknown', reason: null, since: null, by: null } as const
  return { ...nothing, ...(stored as Partial<Availability> | null) }
}
