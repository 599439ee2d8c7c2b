// Limits: what one event may weigh and how it may be named.
// Promise: what is too large is refused by whoever sends it, with its size, before anything is written.
import type { Json } from './codec.ts'
import { fault } from './errors.ts'

/** The most one event, or the arguments of one start, may take when encoded. */
export const MOST_EVENT_BYTES = 262_144
/** The most characters of an event's type or dedup key: both are in an index or a line of history. */
const MOST_NAME = 256

/**
 * The same JSON, if it is light enough for a mailbox.
 * @param what stands at the start of the sentence
 * @throws EVENT_TOO_LARGE
 */
export function weighed(json: Json, what: string): Json {
  const bytes = Buffer.byteLength(JSON.stringify(json))
  if (bytes <= MOST_EVENT_BYTES) return json
  const error = fault('EVENT_TOO_LARGE', { what, bytes, limit: MOST_EVENT_BYTES })
  // An effect that sends it would only weigh it again.
  throw Object.assign(error, { retryable: false })
}

/** A name short and whole enough for a column. @throws ARGUMENT_INVALID */
export function named(what: string, name: unknown): string {
  const reason =
    typeof name !== 'string' || name === ''
      ? `${JSON.stringify(name)} is no name`
      : name.length > MOST_NAME
        ? `it has ${name.length} characters; the most is ${MOST_NAME}`
        : /[\0\p{Cs}]/u.test(name)
          ? 'it holds characters no column can keep'
          : null
  if (reason === null) return name as string
  throw fault('ARGUMENT_INVALID', { what, reason })
}
