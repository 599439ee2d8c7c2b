// The keyring: numbered keys, of which the highest seals and all open. The door of key material.
// Promise: no key leaves except through `serialize()`; no error, print or log shows one. What is
// sealed for one purpose opens for no other.
import { createHash, hkdfSync, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { fault } from './errors.ts'
import { openFernet, sealFernet } from './fernet.ts'

/** What a sealed text is for: queue messages, or secret fields. */
export type Purpose = 'queue' | 'fields'

interface Key {
  readonly id: number
  readonly master: Buffer
  /** One working key a purpose, so that a text moved elsewhere does not open there. */
  readonly working: Readonly<Record<Purpose, Buffer>>
}

const KEY_BYTES = 32
const ID = /^(0|[1-9]\d{0,8})$/
const SEALED = /^(0|[1-9]\d{0,8})\.([^.]+)$/
/** The key in the Fernet specification; everybody has it. */
const EXAMPLE = Buffer.from('cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=', 'base64url')

/** Unchangeable; rotation answers a new one. */
export class Keyring {
  /** By id, highest first. */
  readonly #keys: ReadonlyMap<number, Key>

  private constructor(masters: ReadonlyMap<number, Buffer>) {
    const descending = [...masters].sort(([a], [b]) => b - a)
    this.#keys = new Map(descending.map(([id, master]) => [id, keyOf(id, master)]))
  }

  /**
   * Reads a keyring.
   * @param text `0:<key>,1:<key>` (commas or new lines) or JSON `{"0":"<key>"}`; a key is 32 bytes
   *   in base64url or base64, padded or not
   * @throws KEYS_MISSING, KEY_INVALID (which names the key by its number or place, never by itself)
   */
  static parse(text: string): Keyring {
    const pairs = pairsOf(text.trim())
    if (pairs.length === 0) throw fault('KEYS_MISSING')
    const masters = new Map<number, Buffer>()
    for (const [index, [number, key]] of pairs.entries()) {
      if (!ID.test(number))
        throw invalid(`in place ${index + 1}`, 'it has no number before its ":"')
      const id = Number(number)
      if (masters.has(id)) throw invalid(id, 'its number is given twice')
      const master = bytesOf(id, key)
      for (const [other, bytes] of masters) {
        if (bytes.equals(master)) throw invalid(id, `it is the same as key ${other}`)
      }
      masters.set(id, master)
    }
    return new Keyring(masters)
  }

  /** A fresh key, written as `parse` reads it. */
  static generate(id = 0): string {
    return `${id}:${randomBytes(KEY_BYTES).toString('base64url')}`
  }

  /** The number of the key that seals. */
  get newest(): number {
    return this.ids[0]!
  }

  /** All numbers, highest first. */
  get ids(): number[] {
    return [...this.#keys.keys()]
  }

  /**
   * Seals a text with the newest key.
   * @param nowMs milliseconds since 1970
   * @returns `<key id>.<Fernet token>`
   */
  seal(purpose: Purpose, text: string, nowMs: number): string {
    const { id, working } = this.#keys.get(this.newest)!
    return `${id}.${sealFernet(working[purpose], text, nowMs)}`
  }

  /**
   * Opens what any key of the ring sealed for this purpose.
   * @param options.ttlMs refuse what is older than this; without it age does not matter
   * @throws SEAL_UNKNOWN_KEY, SEAL_BROKEN
   */
  open(purpose: Purpose, sealed: string, nowMs: number, options?: { ttlMs?: number }): string {
    const [id, token] = partsOf(sealed)
    const key = this.#keys.get(id)
    if (key === undefined) throw fault('SEAL_UNKNOWN_KEY', { id })
    return openFernet(key.working[purpose], token, nowMs, options).toString('utf8')
  }

  /** The number of the key that sealed this, in the ring or not. */
  keyIdOf(sealed: string): number {
    return partsOf(sealed)[0]
  }

  /** The same ring with one fresh key more, which seals from then on. */
  rotated(): Keyring {
    return Keyring.parse(`${this.serialize()},${Keyring.generate(this.newest + 1)}`)
  }

  /** The keys themselves, as `parse` reads them: for the key file and nothing else. */
  serialize(): string {
    const ascending = [...this.#keys.values()].reverse()
    return ascending.map(({ id, master }) => `${id}:${master.toString('base64url')}`).join(',')
  }

  /** What may be shown of a key: enough to see whether two processes hold the same. */
  fingerprints(): { id: number; fingerprint: string }[] {
    return [...this.#keys.values()].map(({ id, master }) => ({
      id,
      fingerprint: createHash('sha256').update(master).digest('hex').slice(0, 8),
    }))
  }

  toJSON(): { id: number; fingerprint: string }[] {
    return this.fingerprints()
  }

  [inspect.custom](): string {
    return `Keyring [${this.fingerprints().map((key) => `${key.id}:${key.fingerprint}…`)}]`
  }
}

/** The working keys of a master key, by HKDF-SHA256 (RFC 5869) with the purpose as info. */
function keyOf(id: number, master: Buffer): Key {
  const derive = (purpose: Purpose) =>
    Buffer.from(hkdfSync('sha256', master, '', `escapement ${purpose} 1`, KEY_BYTES))
  return { id, master, working: { queue: derive('queue'), fields: derive('fields') } }
}

function partsOf(sealed: string): [id: number, token: string] {
  const [, id, token] = SEALED.exec(sealed) ?? []
  if (id === undefined || token === undefined) throw fault('SEAL_BROKEN')
  return [Number(id), token]
}

/** Splits the text and judges nothing, except JSON that is not an object of texts. */
function pairsOf(text: string): [number: string, key: string][] {
  if (text.startsWith('{')) return jsonPairsOf(text)
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '')
  return entries.map((entry) => {
    const colon = entry.indexOf(':')
    return [entry.slice(0, Math.max(colon, 0)), entry.slice(colon + 1)]
  })
}

function jsonPairsOf(text: string): [string, string][] {
  const pairs = Object.entries(tolerantJson(text))
  // A number given twice would silently lose a key: JSON keeps the last. Each pair has one colon.
  const twice = pairs.length !== text.split(':').length - 1
  if (twice || !pairs.every((pair): pair is [string, string] => typeof pair[1] === 'string')) {
    throw invalid('list', 'its JSON is not an object of numbers, each given once, and keys')
  }
  return pairs
}

/** Answers JSON, or nothing: the parser's own message would quote the keys. */
function tolerantJson(text: string): object {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid('list', 'it starts with "{" and is not JSON')
  }
}

function bytesOf(id: number, key: string): Buffer {
  const text = key.replace(/={1,2}$/, '')
  if (!/^([\w-]*|[A-Za-z0-9+/]*)$/.test(text)) throw invalid(id, 'it is not base64url')
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length !== KEY_BYTES) throw invalid(id, `it has ${bytes.length} bytes, not 32`)
  if (bytes.toString('base64url') !== text.replaceAll('+', '-').replaceAll('/', '_')) {
    throw invalid(id, 'its last character carries bits that belong to no byte')
  }
  if (bytes.every((byte) => byte === bytes[0])) throw invalid(id, 'it is one byte, repeated')
  if (bytes.equals(EXAMPLE)) throw invalid(id, 'it is the example key of the Fernet documents')
  return bytes
}

const invalid = (id: number | string, reason: string) => fault('KEY_INVALID', { id, reason })
