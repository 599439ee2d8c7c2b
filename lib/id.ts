// Identities. With the keyring, the only source of randomness.
// Promise: ids made by one process sort in the order they were made, so rows land at the end of
// their index; tokens say nothing at all.
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { Time } from './time.ts'

const COUNTER_BITS = 12
const COUNTER_END = 1 << COUNTER_BITS

let lastMs = 0
let counter = 0

/**
 * A UUID of version 7: 48 bits of milliseconds, a 12-bit counter within the millisecond, 62 random
 * bits (RFC 9562, 5.7 and method 1 of 6.2). A clock that steps back does not: the last millisecond
 * is used until the clock has caught up, and a full counter borrows the next one.
 */
export function newId(time: Time): string {
  const bytes = randomBytes(16)
  const nowMs = Math.floor(time.now())
  if (nowMs > lastMs) {
    lastMs = nowMs
    // Starts in the lower half, so that there is room to count.
    counter = bytes.readUInt16BE(6) % (COUNTER_END / 2)
  } else if (++counter === COUNTER_END) {
    lastMs++
    counter = 0
  }
  bytes.writeUIntBE(lastMs, 0, 6)
  bytes.writeUInt16BE(0x7000 | counter, 6)
  bytes[8] = 0x80 | (bytes[8]! & 0x3f)
  return dashed(bytes)
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
