// Fernet tokens on node:crypto: AES-128-CBC, then HMAC-SHA256 over everything.
// Promise: a token opens only if not one bit of it changed, and every refusal is the same error.
// Source: the Fernet specification, version 0x80 (github.com/fernet/spec, Spec.md).
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'
import { fault } from './errors.ts'

const VERSION = 0x80
const BLOCK_BYTES = 16
const MAC_BYTES = 32
/** Version, 8 bytes of seconds since 1970, initialisation vector. */
const HEAD_BYTES = 1 + 8 + BLOCK_BYTES
/** Head, one block, MAC: the token of an empty body. */
const LEAST_BYTES = HEAD_BYTES + BLOCK_BYTES + MAC_BYTES
/** How far the sealer's clock may be ahead of ours. */
const MOST_SKEW_MS = 60_000

/**
 * Seals a body.
 * @param key 32 bytes: 16 that sign, then 16 that encrypt
 * @param body what to hide; text is taken as UTF-8
 * @param atMs now, in milliseconds since 1970; the token keeps whole seconds, rounded down
 * @param iv 16 bytes, never the same twice under one key; only the official vectors give their own
 * @returns the token, base64url with padding
 */
export function sealFernet(
  key: Buffer,
  body: string | Buffer,
  atMs: number,
  iv: Buffer = randomBytes(BLOCK_BYTES),
): string {
  const { signing, encrypting } = halves(key)
  const head = Buffer.alloc(HEAD_BYTES)
  head[0] = VERSION
  head.writeBigUInt64BE(BigInt(Math.floor(atMs / 1000)), 1)
  iv.copy(head, 9)
  const cipher = createCipheriv('aes-128-cbc', encrypting, iv)
  const sealed = Buffer.concat([head, cipher.update(body), cipher.final()])
  return encode64(Buffer.concat([sealed, mac(signing, sealed)]))
}

/**
 * Opens a token.
 * @param key the 32 bytes it was sealed with
 * @param token strict base64url: the one spelling of its bytes, padding included
 * @param nowMs now, in milliseconds since 1970; a token from more than 60 s ahead is refused
 * @param options.ttlMs refuse what is older than this; without it age does not matter
 * @returns the body
 * @throws SEAL_BROKEN, whatever the cause
 */
export function openFernet(
  key: Buffer,
  token: string,
  nowMs: number,
  options: { ttlMs?: number } = {},
): Buffer {
  const { signing, encrypting } = halves(key)
  const bytes = Buffer.from(token, 'base64url')
  const sealed = bytes.subarray(0, -MAC_BYTES)
  const wellFormed = bytes.length >= LEAST_BYTES && encode64(bytes) === token
  if (!wellFormed || !timingSafeEqual(mac(signing, sealed), bytes.subarray(-MAC_BYTES))) {
    throw fault('SEAL_BROKEN')
  }
  if (sealed[0] !== VERSION || !isTimely(sealed, nowMs, options.ttlMs)) throw fault('SEAL_BROKEN')
  try {
    const decipher = createDecipheriv('aes-128-cbc', encrypting, sealed.subarray(9, HEAD_BYTES))
    return Buffer.concat([decipher.update(sealed.subarray(HEAD_BYTES)), decipher.final()])
  } catch {
    throw fault('SEAL_BROKEN')
  }
}

/** Asked so that a now or a ttl that is not a number refuses. */
function isTimely(sealed: Buffer, nowMs: number, ttlMs = Number.POSITIVE_INFINITY): boolean {
  const sealedAtMs = Number(sealed.readBigUInt64BE(1)) * 1000
  return sealedAtMs <= nowMs + MOST_SKEW_MS && nowMs <= sealedAtMs + ttlMs
}

function halves(key: Buffer): { signing: Buffer; encrypting: Buffer } {
  if (key.length !== 32) {
    throw fault('KEY_INVALID', { id: 'given', reason: `it has ${key.length} bytes, not 32` })
  }
  return { signing: key.subarray(0, 16), encrypting: key.subarray(16) }
}

const mac = (signing: Buffer, sealed: Buffer) =>
  createHmac('sha256', signing).update(sealed).digest()

/** Node writes base64url without the padding that the specification asks for. */
function encode64(bytes: Buffer): string {
  const text = bytes.toString('base64url')
  return text + '='.repeat(-text.length & 3)
}
