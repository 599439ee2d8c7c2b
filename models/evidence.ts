// Evidence: does a stored snapshot look like one of ours, before any room relies on it?
// Promise: says no to whatever no step could have written, by shape alone; whether the machine has such a
// state is the machine's to say.
import * as z from 'zod'
import { Address } from '../lib/address.ts'

const uniqueIds = (all: readonly { id: string }[]) =>
  new Set(all.map(({ id }) => id)).size === all.length

/** Two actors may have been given one id; the address is what tells them apart. */
const uniqueAddresses = (all: readonly { address: Address }[]) =>
  new Set(all.map(({ address }) => address.sessionId)).size === all.length

const timers = z
  .array(
    z.looseObject({
      id: z.string(),
      event: z.looseObject({ type: z.string() }),
      dueAt: z.number(),
      to: z.instanceof(Address).optional(),
    }),
  )
  .refine(uniqueIds, 'two have one id')

const actors = z
  .array(
    z.looseObject({
      id: z.string(),
      src: z.string(),
      armedAt: z.int(),
      kind: z.enum(['task', 'effect']),
      address: z.instanceof(Address),
    }),
  )
  .refine(uniqueAddresses, 'two have one address')

const snapshot = z.looseObject({
  value: z.union([z.string(), z.record(z.string(), z.unknown())]),
  status: z.enum(['active', 'done', 'error']),
  history: z.record(z.string(), z.array(z.string())).optional(),
  timers: timers.optional(),
  actors: actors.optional(),
})

/** What is wrong with it, as the end of a sentence; null when nothing is. */
export function flawOf(stored: unknown): string | null {
  if (typeof stored !== 'object' || stored === null || !('value' in stored)) {
    return 'it is not a snapshot'
  }
  const [issue] = snapshot.safeParse(stored).error?.issues ?? []
  return issue ? `its ${issue.path.join('.') || 'shape'} is wrong: ${issue.message}` : null
}
