// The codec: values of the house to JSON and back.
// Promise: what comes back deep-equals what went in, or the value is refused with the path to what
// is wrong. Plain data passes through untouched.
//
// What JSON lacks is written as an object of one key that starts with "$": {"$date": "2026-…Z"};
// decoder.ts lists them all. An object of the user that has such a key is itself written as
// {"$object": [[key, value], …]}. Only data counts: undefined properties are left out, and so are
// properties hung on an array, a Date, a Map or a Set.
import { Decoder } from './decoder.ts'
import { Encoder } from './encoder.ts'
import { fault } from './errors.ts'
import type { Json, Sealer } from './trail.ts'

export { type ErrorRecord, encodeError } from './error-record.ts'
export { type Json, Ref, type Sealer } from './trail.ts'

const MOST_BYTES = 1_048_576

/** How much text the codec may write or read. */
export interface SizeOptions {
  /** The most it may take as UTF-8, in bytes; 1 MiB unless told. */
  readonly maxBytes?: number
}

/**
 * Makes JSON of a value. Unchanged parts are shared, so write it out before the value changes.
 * @param value plain data, Date, Map, Set, bigint, Uint8Array, Buffer, Error, Secret, Ref, Address
 * @param sealer hides the secrets; without one a Secret is refused
 * @throws VALUE_NOT_STORABLE with path and reason
 */
export function encode(value: unknown, sealer?: Sealer): Json {
  const encoder = new Encoder(sealer)
  return encoder.guarded(() => encoder.value(value))
}

/**
 * Makes the value again from JSON that `encode` made. Unchanged parts are shared with the JSON.
 * @param sealer opens the secrets; without one a secret is refused
 * @throws VALUE_CORRUPT with the reason; whatever the sealer throws
 */
export function decode(json: unknown, sealer?: Sealer): unknown {
  const decoder = new Decoder(sealer)
  return decoder.guarded(() => decoder.value(json))
}

/**
 * Encodes to text.
 * @throws VALUE_NOT_STORABLE with path and reason
 */
export function stringify(value: unknown, sealer?: Sealer, options?: SizeOptions): string {
  return bounded(JSON.stringify(encode(value, sealer)), options)
}

/**
 * Decodes from text. What was written under a larger bound is read under the same.
 * @throws VALUE_CORRUPT with the reason; VALUE_NOT_STORABLE when the text is too long
 */
export function parse(text: string, sealer?: Sealer, options?: SizeOptions): unknown {
  const decoder = new Decoder(sealer)
  return decoder.guarded(() => decoder.text(bounded(text, options)))
}

/**
 * Encodes to JSON for a row.
 * @throws VALUE_NOT_STORABLE with path and reason: also when it takes more bytes than a row is to hold
 */
export function encodeRow(value: unknown, sealer?: Sealer, options?: SizeOptions): Json {
  const encoder = new Encoder(sealer)
  const json = encoder.guarded(() => encoder.value(value))
  const { maxBytes = MOST_BYTES } = options ?? {}
  if (encoder.mostBytes <= maxBytes) return json
  const bytes = bytesOf(json)
  if (bytes <= maxBytes) return json
  const reason = `with it the whole takes ${bytes} bytes, more than ${maxBytes}`
  throw fault('VALUE_NOT_STORABLE', { path: heaviest(json, '$', bytes / 2), reason })
}

/** The path to the part that takes more than so many bytes by itself. */
function heaviest(json: Json, path: string, bytes: number): string {
  const parts = typeof json === 'object' && json !== null ? Object.entries(json) : []
  const part = parts.find(([, one]) => one !== undefined && bytesOf(one) > bytes)
  if (!part) return path
  const step = Array.isArray(json) ? `[${part[0]}]` : `.${part[0]}`
  return heaviest(part[1], `${path}${step}`, bytes)
}

const bytesOf = (json: Json) => Buffer.byteLength(JSON.stringify(json))

function bounded(text: string, { maxBytes = MOST_BYTES }: SizeOptions = {}): string {
  // A character takes at most three bytes, so short texts need no counting.
  const bytes = text.length * 3 <= maxBytes ? 0 : Buffer.byteLength(text)
  if (bytes <= maxBytes) return text
  const reason = `it takes ${bytes} bytes, more than ${maxBytes}`
  throw fault('VALUE_NOT_STORABLE', { path: '$', reason })
}
