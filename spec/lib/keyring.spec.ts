import { hkdfSync } from 'node:crypto'
import { format, inspect } from 'node:util'
import fc from 'fast-check'
import { EscapementError, isFault } from '../../lib/errors.ts'
import { openFernet } from '../../lib/fernet.ts'
import { Keyring } from '../../lib/keyring.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('keyring')
const NOW_MS = Date.UTC(2026, 0, 1)
const A = Buffer.from('a key of thirty-two bytes, no. A').toString('base64url')
const B = Buffer.from('a key of thirty-two bytes, no. B').toString('base64url')

/** The refusal of a text, which must show no piece of any key in it. */
function refusal(text: string): string {
  try {
    Keyring.parse(text)
  } catch (error) {
    assert.ok(error instanceof EscapementError, `a fault, not ${error}`)
    const shown = inspect(error, { showHidden: true, depth: 9 }).replace(/^ +at .*$/gm, '')
    for (const piece of text.match(/[\w+/-]{10,}/g) ?? []) {
      assert.not.ok(shown.includes(piece.slice(0, 10)), `the error shows a key: ${shown}`)
    }
    return `${error.code} ${error.message}`
  }
  throw new Error('it was accepted')
}

const broken = (error: unknown) => isFault(error, 'SEAL_BROKEN')

test('reads lists, lines and JSON', () => {
  for (const text of [`0:${A},1:${B}`, `1:${B}\n0:${A}\n`, ` 0:${A}, 1:${B},`]) {
    assert.equal(Keyring.parse(text).ids, [1, 0], text)
  }
  const ring = Keyring.parse(JSON.stringify({ 0: A, 12: B }))
  assert.equal([ring.newest, ring.ids], [12, [12, 0]])
  assert.is(ring.serialize(), `0:${A},12:${B}`)
})

test('reads base64 and base64url, padded or not', () => {
  const bytes = Buffer.from(Array.from({ length: 32 }, (_, index) => 255 - index))
  const url = bytes.toString('base64url')
  const plain = bytes.toString('base64')
  assert.match(plain, /[+/]/)
  const spellings = [url, `${url}=`, plain, plain.replace('=', '')]
  for (const key of spellings) assert.is(Keyring.parse(`3:${key}`).serialize(), `3:${url}`)
})

test('says what is wrong with a key, and never the key', () => {
  const expected: [text: string, message: RegExp][] = [
    ['', /^KEYS_MISSING/],
    [' \n,', /^KEYS_MISSING/],
    ['{}', /^KEYS_MISSING/],
    [A, /^KEY_INVALID .*key in place 1 .*no number/],
    [`0:${A},${B}`, /key in place 2 .*no number/],
    [`${A}:0`, /key in place 1 .*no number/],
    [`-1:${A}`, /key in place 1 /],
    [`01:${A}`, /key in place 1 /],
    [`1e3:${A}`, /key in place 1 /],
    [`9999999999:${A}`, /key in place 1 /],
    [`0:${A},0:${B}`, /key 0 .*twice/],
    [`{"0":"${A}","0":"${B}"}`, /each given once/],
    [`0:${A},4:${A}`, /key 4 .*same as key 0/],
    ['0:', /key 0 .*0 bytes/],
    [`2:${A.slice(0, 20)}`, /key 2 .*15 bytes, not 32/],
    [`2:${A}${B}`, /key 2 .*bytes, not 32/],
    [`2:${A.slice(0, 20)}!${A.slice(21)}`, /key 2 .*not base64url/],
    [`2:${A.slice(0, 40)}-+a`, /key 2 .*not base64url/],
    [`2:${A}===`, /key 2 .*not base64url/],
    [`2:${A.slice(0, -1)}F`, /key 2 .*belong to no byte/],
    [`5:${Buffer.alloc(32).toString('base64url')}`, /key 5 .*repeated/],
    [`5:${Buffer.alloc(32, 7).toString('base64url')}`, /key 5 .*repeated/],
    ['5:cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=', /key 5 .*example key/],
    [`{"0":"${A}"`, /not JSON/],
    [`{"0":["${A}"]}`, /not an object/],
    [`{"0":{"1":"${A}"}}`, /not an object/],
    [`{"zero":"${A}"}`, /key in place 1 .*no number/],
  ]
  for (const [text, message] of expected) assert.match(refusal(text), message)
})

test('generates keys that parse, never the same', () => {
  const keys = Array.from({ length: 20 }, () => Keyring.generate(7))
  assert.is(new Set(keys).size, 20)
  for (const key of keys) assert.is(Keyring.parse(key).serialize(), key)
  assert.match(Keyring.generate(), /^0:[\w-]{43}$/)
})

test('the highest seals, all open', () => {
  const old = Keyring.parse(`0:${A}`)
  const both = Keyring.parse(`1:${B},0:${A}`)
  const sealed = old.seal('queue', 'text', NOW_MS)
  assert.is(both.open('queue', sealed, NOW_MS), 'text')
  assert.is(both.keyIdOf(sealed), 0)
  assert.match(both.seal('queue', 'text', NOW_MS), /^1\.gAAAA/)
  assert.throws(
    () => old.open('queue', both.seal('queue', 'text', NOW_MS), NOW_MS),
    (error: unknown) => isFault(error, 'SEAL_UNKNOWN_KEY') && /key 1,/.test(error.message),
  )
})

test('what is sealed for one purpose opens for no other', () => {
  const ring = Keyring.parse(`0:${A}`)
  assert.throws(() => ring.open('fields', ring.seal('queue', 'x', NOW_MS), NOW_MS), broken)
  assert.throws(() => ring.open('queue', ring.seal('fields', 'x', NOW_MS), NOW_MS), broken)
})

test('works with keys derived by HKDF-SHA256, never with the master key', () => {
  const sealed = Keyring.parse(`0:${A}`).seal('fields', 'x', NOW_MS).slice(2)
  const master = Buffer.from(A, 'base64url')
  const derived = Buffer.from(hkdfSync('sha256', master, '', 'escapement fields 1', 32))
  assert.is(openFernet(derived, sealed, NOW_MS).toString(), 'x')
  assert.throws(() => openFernet(master, sealed, NOW_MS), broken)
})

test('a text under another key number does not open', () => {
  const ring = Keyring.parse(`0:${A},1:${B}`)
  const sealed = ring.seal('queue', 'x', NOW_MS)
  assert.throws(() => ring.open('queue', sealed.replace(/^1/, '0'), NOW_MS), broken)
})

test('refuses what is not sealed at all', () => {
  const ring = Keyring.parse(`0:${A}`)
  for (const text of ['', '.', '0', '0.', 'x.y', '0.y', '00.y', '-0.y', '0.a.b', '0.\n']) {
    assert.throws(() => ring.open('queue', text, NOW_MS), broken, JSON.stringify(text))
  }
  for (const text of ['', 'x.y', '00.y']) assert.throws(() => ring.keyIdOf(text), broken)
})

test('hands the ttl on', () => {
  const ring = Keyring.parse(`0:${A}`)
  const sealed = ring.seal('queue', 'x', NOW_MS)
  assert.is(ring.open('queue', sealed, NOW_MS + 5_000, { ttlMs: 5_000 }), 'x')
  assert.throws(() => ring.open('queue', sealed, NOW_MS + 5_001, { ttlMs: 5_000 }), broken)
  assert.is(ring.open('queue', sealed, NOW_MS + 1e12), 'x')
})

test('rotation adds a higher key and keeps the others', () => {
  const ring = Keyring.parse(`0:${A},4:${B}`)
  const rotated = ring.rotated()
  assert.equal(rotated.ids, [5, 4, 0])
  assert.equal(ring.ids, [4, 0])
  assert.is(rotated.open('fields', ring.seal('fields', 'x', NOW_MS), NOW_MS), 'x')
  assert.is(Keyring.parse(rotated.serialize()).serialize(), rotated.serialize())
})

test('shows fingerprints and nothing else', () => {
  const ring = Keyring.parse(`0:${A},1:${B}`)
  const prints = ring.fingerprints()
  assert.equal(
    prints.map((print) => print.id),
    [1, 0],
  )
  for (const { fingerprint } of prints) assert.match(fingerprint, /^[0-9a-f]{8}$/)
  const shown = [
    inspect(ring, { depth: 9, showHidden: true }),
    inspect(ring, { depth: 9, showHidden: true, customInspect: false }),
    format('%s %o %j', ring, ring, ring),
    JSON.stringify({ ring }),
    String(ring),
  ].join('\n')
  for (const key of [A, B]) {
    assert.not.ok(shown.includes(key.slice(0, 10)))
    const hex = Buffer.from(key, 'base64url').toString('hex').match(/../g)!
    assert.not.ok(shown.includes(hex.slice(0, 5).join(' ')), 'nor as bytes')
  }
  assert.match(shown, new RegExp(prints[0]!.fingerprint))
})

test('opens any text it sealed, for each purpose', () => {
  const ring = Keyring.parse(`0:${A},1:${B}`)
  const purpose = fc.constantFrom('queue' as const, 'fields' as const)
  fc.assert(
    fc.property(purpose, fc.string({ unit: 'grapheme' }), (purpose, text) => {
      assert.is(ring.open(purpose, ring.seal(purpose, text, NOW_MS), NOW_MS), text)
    }),
  )
})

test.run()
