import { createCipheriv, createHmac } from 'node:crypto'
import { createRequire } from 'node:module'
import fc from 'fast-check'
import { isFault } from '../../lib/errors.ts'
import { openFernet, sealFernet } from '../../lib/fernet.ts'
import { assert, suite } from '../support/suite.ts'

/** The independent oracle: another author, another cipher library. */
const fernet = createRequire(import.meta.url)('fernet')

const test = suite('fernet')

// The specification's vectors, as the npm package fernet 0.4.0 carries them in its own tests.
const VECTOR = {
  token:
    'gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==',
  atMs: Date.parse('1985-10-26T01:20:00-07:00'),
  iv: Buffer.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
  src: 'hello',
  key: Buffer.from('cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=', 'base64url'),
}
const FROM_THE_FUTURE =
  'gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw=='
const NOW_MS = VECTOR.atMs + 1_000

interface Parts {
  readonly version?: number
  readonly atMs?: number
  readonly sealed?: Buffer
  readonly iv?: Buffer
}

/** Makes a token by hand, rightly signed, so that one thing at a time can be wrong inside. */
function forge({ version = 0x80, atMs = VECTOR.atMs, sealed, iv = VECTOR.iv }: Parts): string {
  const seconds = Buffer.alloc(8)
  seconds.writeBigUInt64BE(BigInt(atMs / 1000))
  const head = Buffer.concat([Buffer.of(version), seconds, iv, sealed ?? encrypted('hello')])
  const mac = createHmac('sha256', VECTOR.key.subarray(0, 16)).update(head).digest()
  return padded(Buffer.concat([head, mac]))
}

function encrypted(text: string, padding = true): Buffer {
  const cipher = createCipheriv('aes-128-cbc', VECTOR.key.subarray(16), VECTOR.iv)
  cipher.setAutoPadding(padding)
  return Buffer.concat([cipher.update(text), cipher.final()])
}

const padded = (bytes: Buffer) => bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_')

const refuses = (token: string, nowMs = NOW_MS, ttlMs?: number) =>
  assert.throws(
    () => openFernet(VECTOR.key, token, nowMs, ttlMs === undefined ? {} : { ttlMs }),
    (error: unknown) => isFault(error, 'SEAL_BROKEN') && error.cause === undefined,
  )

const key = () => fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes))
/** From 1970 to 2100, less its first second: npm fernet takes time 0 for "now". */
const atMs = () => fc.integer({ min: 1_000, max: 4_102_444_800_000 })

test('seals the vector to the letter', () => {
  assert.is(sealFernet(VECTOR.key, VECTOR.src, VECTOR.atMs, VECTOR.iv), VECTOR.token)
})

test('opens the vector', () => {
  const body = openFernet(VECTOR.key, VECTOR.token, NOW_MS, { ttlMs: 60_000 })
  assert.is(body.toString(), VECTOR.src)
})

test('opens what was forged rightly', () => {
  assert.is(openFernet(VECTOR.key, forge({}), NOW_MS).toString(), 'hello')
})

const causes: Record<string, () => string> = {
  'a wrong mac': () => `${forge({}).slice(0, -8)}QUFBQQ==`,
  'a missing mac': () => padded(Buffer.from(forge({}), 'base64url').subarray(0, -32)),
  'nothing at all': () => '',
  'what is no base64': () => `%%%%%%%%%%%%%${forge({}).slice(13)}`,
  'a body that fills no block': () => forge({ sealed: encrypted('hello').subarray(0, 15) }),
  'no body': () => forge({ sealed: Buffer.alloc(0) }),
  'wrong padding': () => forge({ sealed: encrypted('sixteen letters!', false) }),
  'a wrong iv, which spoils the padding': () =>
    forge({ iv: Buffer.concat([VECTOR.iv.subarray(0, 15), Buffer.of(0xff)]) }),
  'another version': () => forge({ version: 0x81 }),
  'the vector from the future': () => FROM_THE_FUTURE,
  'a time beyond all times': () => forge({ atMs: 2 ** 53 * 1000 }),
  'missing padding characters': () => forge({}).replace(/=+$/, ''),
  'one padding character too many': () => `${forge({})}=`,
  'plain base64': () => Buffer.from(forge({}), 'base64url').toString('base64').replace(/^g/, '+'),
  'a space': () => `${forge({})} `,
  'a last character with stray bits': () => forge({}).replace(/.==$/, (end) => `${next(end)}==`),
}
const next = (end: string) => String.fromCharCode(end.charCodeAt(0) + 1)

for (const [cause, token] of Object.entries(causes)) {
  test(`refuses ${cause}`, () => refuses(token()))
}

test('refuses what is older than the ttl, and only then', () => {
  refuses(VECTOR.token, VECTOR.atMs + 60_001, 60_000)
  assert.ok(openFernet(VECTOR.key, VECTOR.token, VECTOR.atMs + 60_000, { ttlMs: 60_000 }))
  assert.ok(openFernet(VECTOR.key, VECTOR.token, VECTOR.atMs + 1e12))
})

test('refuses more than 60 s ahead, with or without a ttl', () => {
  assert.ok(openFernet(VECTOR.key, VECTOR.token, VECTOR.atMs - 60_000))
  refuses(VECTOR.token, VECTOR.atMs - 60_001)
  refuses(VECTOR.token, VECTOR.atMs - 60_001, 0)
})

test('refuses when now or the ttl is not a number', () => {
  refuses(VECTOR.token, Number.NaN)
  refuses(VECTOR.token, NOW_MS, Number.NaN)
})

test('asks for a key of 32 bytes', () => {
  const isKeyFault = (error: unknown) => isFault(error, 'KEY_INVALID')
  assert.throws(() => sealFernet(Buffer.alloc(16), 'x', 0), isKeyFault)
  assert.throws(() => openFernet(Buffer.alloc(33), VECTOR.token, 0), isKeyFault)
})

test('never seals the same body to the same token', () => {
  const tokens = Array.from({ length: 50 }, () => sealFernet(VECTOR.key, 'x', NOW_MS))
  assert.is(new Set(tokens).size, 50)
})

test('opens any bytes it sealed', () => {
  fc.assert(
    fc.property(key(), fc.uint8Array({ maxLength: 300 }), atMs(), (key, bytes, at) => {
      const body = Buffer.from(bytes)
      assert.ok(openFernet(key, sealFernet(key, body, at), at, { ttlMs: 1_000 }).equals(body))
    }),
  )
})

test('refuses any other key', () => {
  fc.assert(
    fc.property(key(), fc.nat(31), fc.integer({ min: 1, max: 255 }), (key, index, flip) => {
      const other = Buffer.from(key)
      other[index]! ^= flip
      const token = sealFernet(key, 'hello', NOW_MS)
      const opened = () => openFernet(other, token, NOW_MS).toString()
      // The MAC covers the signing half; a wrong encrypting half gives broken padding or rubbish.
      if (index < 16) assert.throws(opened, (error: unknown) => isFault(error, 'SEAL_BROKEN'))
      else assert.not.equal(tried(opened), 'hello')
    }),
  )
})

test('refuses a token with any one bit turned', () => {
  const bytes = Buffer.from(VECTOR.token, 'base64url')
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const turned = Buffer.from(bytes)
    turned[bit >> 3]! ^= 1 << (bit & 7)
    refuses(padded(turned))
  }
})

test('npm fernet opens what we seal', () => {
  fc.assert(
    fc.property(key(), fc.string({ unit: 'grapheme', minLength: 1 }), atMs(), (key, text, at) => {
      const secret = new fernet.Secret(key.toString('base64url'))
      const token = new fernet.Token({ secret, ttl: 0, token: sealFernet(key, text, at) })
      assert.is(token.decode(), text)
      assert.is(token.time.getTime(), at - (at % 1000))
    }),
  )
})

test('we open what npm fernet seals', () => {
  fc.assert(
    fc.property(key(), fc.string({ unit: 'grapheme', minLength: 1 }), atMs(), (key, text, at) => {
      const secret = new fernet.Secret(key.toString('base64url'))
      const time = new Date(at - (at % 1000)).toISOString()
      const token = new fernet.Token({ secret, time }).encode(text)
      assert.is(openFernet(key, token, at, { ttlMs: 1_000 }).toString(), text)
    }),
  )
})

function tried(open: () => string): string | null {
  try {
    return open()
  } catch {
    return null
  }
}

test.run()
