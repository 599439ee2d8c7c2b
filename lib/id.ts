// Identities. With the keyring, the only source of randomness.
// Promise: ids made by one process sort in the order they were made, so rows land at the end of
// their index; tokens say nothing at all.
import { createHash, randomFillSync, randomUUID } from 'node:crypto'
import type { Time } from './time.ts'

const COUNTER_BITS = 12
const COUNTER_END = 1 << COUNTER_BITS

let lastMs = 0
let counter = 0
/** The millisecond as it was last written, and when that was: many ids are made in one. */
let writtenMs = -1
let written = ''

/** Random bytes are drawn many at a time: each draw costs more than the id. No byte serves twice. */
const POOL_BYTES = 4_096
const TAKEN_BYTES = 10
const pool = Buffer.alloc(POOL_BYTES)
let taken = POOL_BYTES

/** Where in the pool so many fresh bytes begin. */
function drawn(): number {
  if (taken + TAKEN_BYTES > POOL_BYTES) {
    randomFillSync(pool)
    taken = 0
  }
  taken += TAKEN_BYTES
  return taken - TAKEN_BYTES
}

/**
 * A UUID of version 7: 48 bits of milliseconds, a 12-bit counter within the millisecond, 62 random
 * bits (RFC 9562, 5.7 and method 1 of 6.2). A clock that steps back does not: the last millisecond
 * is used until the clock has caught up, and a full counter borrows the next one.
 */
export function newId(time: Time): string {
  const at = drawn()
  const nowMs = Math.floor(time.now())
  if (nowMs > lastMs) {
    lastMs = nowMs
    // Starts in the lower half, so that there is room to count.
    counter = pool.readUInt16BE(at) % (COUNTER_END / 2)
  } else if (++counter === COUNTER_END) {
    lastMs++
    counter = 0
  }
  if (writtenMs !== lastMs) {
    const moment = lastMs.toString(16).padStart(12, '0')
    written = `${moment.slice(0, 8)}-${moment.slice(8)}-`
    writtenMs = lastMs
  }
  const count = (0x7000 | counter).toString(16)
  pool[at + 2] = 0x80 | (pool[at + 2]! & 0x3f)
  const rest = pool.toString('hex', at + 2, at + TAKEN_BYTES)
  return `${written}${count}-${rest.slice(0, 4)}-${rest.slice(4)}`
}

/** The UUID of a name, the same whenever and wherever it is asked for (version 8: the first bits of SHA-256). */
export function namedId(...names: readonly string[]): string {
  const bytes = createHash('sha256').update(JSON.stringify(names)).digest().subarray(0, 16)
  bytes[6] = 0x80 | (bytes[6]! & 0x0f)
  bytes[8] = 0x80 | (bytes[8]! & 0x3f)
  return dashed(bytes)
}

const dashed = (bytes: Buffer): string =>
  bytes.toString('hex').replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5')

/** A UUID nobody can guess or order (version 4). */
export const newToken = (): string => randomUUID()
