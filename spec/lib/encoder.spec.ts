import fc from 'fast-check'
import { Address } from '../../lib/address.ts'
import { encode, encodeRow, Ref } from '../../lib/codec.ts'
import { Encoder } from '../../lib/encoder.ts'
import { secretOf } from '../../lib/secret.ts'
import { assert, suite } from '../support/suite.ts'
import {
  anyValue,
  corrupt,
  FORBIDDEN,
  notStorable,
  refusal,
  sealer,
  through,
} from '../support/values.ts'

const test = suite('encoder')

class Stranger {}
class LateDate extends Date {}

const unstorable: Record<string, [value: () => unknown, reason: string]> = {
  'a function': [() => () => 1, 'it is a function'],
  'a symbol': [() => Symbol('x'), 'it is a symbol'],
  NaN: [() => Number.NaN, 'it is NaN'],
  Infinity: [() => Number.POSITIVE_INFINITY, 'it is Infinity'],
  '-Infinity': [() => Number.NEGATIVE_INFINITY, 'it is -Infinity'],
  'an unknown class': [() => new Stranger(), 'an instance of Stranger'],
  'a class without a name': [() => new (class {})(), 'a class without a name'],
  'a subclass of a known one': [() => new LateDate(), 'an instance of LateDate'],
  'an array of a subclass': [() => new (class Rows extends Array {})(), 'an instance of Rows'],
  'a regular expression': [() => /x/, 'an instance of RegExp'],
  'a promise': [() => Promise.resolve(), 'an instance of Promise'],
  'another typed array': [() => new Float64Array(1), 'an instance of Float64Array'],
  'a boxed text': [() => new String('x'), 'an instance of String'],
  'a NUL': [() => 'a\0b', 'NUL'],
  'a lone surrogate': [() => 'a\ud800b', 'half a surrogate pair'],
  'an invalid date': [() => new Date(Number.NaN), 'an invalid date'],
  'a date in name only': [() => Object.create(Date.prototype), 'reading it failed'],
  'a symbol for a key': [() => ({ [Symbol('x')]: 1 }), 'a symbol among its keys'],
  'a NUL in a reference': [() => new Ref('task', 'a', '\0'), 'NUL'],
  'a reference to itself': [selfish, 'it contains itself'],
  'a map in itself': [selfishMap, 'it contains itself'],
  'a secret in itself': [selfishSecret, 'it contains itself'],
}

function selfish(): unknown {
  const own: unknown[] = []
  own.push({ own })
  return own
}

function selfishMap(): unknown {
  const map = new Map()
  return map.set(map, 1)
}

function selfishSecret(): unknown {
  const held: unknown[] = []
  const secret = secretOf(held)
  held.push(secret)
  return secret
}

for (const [what, [make, reason]] of Object.entries(unstorable)) {
  test(`refuses ${what}, wherever it stands, with its path`, () => {
    const step = fc.oneof(fc.nat(3), fc.constantFrom('a', 'Name_1', 'odd key', '', 'é', '$tag'))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 6 }), (steps) => {
        const value = steps.reduceRight<unknown>(
          (inner, step) =>
            typeof step === 'number'
              ? [...Array(step).fill(0), inner]
              : { z: 1, [step]: inner, y: 2 },
          make(),
        )
        const message = refusal(() => encode(value, sealer), 'VALUE_NOT_STORABLE')
        assert.ok(message.includes(reason), message)
        assert.ok(message.startsWith(`The value at $${steps.map(written).join('')}`), message)
      }),
      { numRuns: 30 },
    )
  })
}

const written = (step: number | string) =>
  typeof step === 'number'
    ? `[${step}]`
    : /^\w+$/.test(step)
      ? `.${step}`
      : `[${JSON.stringify(step)}]`

test('names the place in maps, sets and secrets', () => {
  notStorable(
    {
      m: new Map([
        ['a', 1],
        ['b', Number.NaN],
      ]),
    },
    'at $.m[1] ',
  )
  notStorable({ s: new Set([1, { x: [Number.NaN] }]) }, 'at $.s[1].x[0] ')
  notStorable({ before: { it: 1 }, p: secretOf(Number.NaN) }, 'at $.p cannot', sealer)
  notStorable({ p: secretOf({ pin: Number.NaN }) }, 'at $.p.pin ', sealer)
})

test('keeps of an error its name, message and code, and of an actor its address', () => {
  const error = Object.assign(new TypeError('no'), { code: 'E_NO', password: 'x' })
  const back = through({ error }) as { error: Error & { code?: string } }
  assert.ok(back.error instanceof Error)
  assert.equal(
    [back.error.name, back.error.message, back.error.code, JSON.stringify(encode(error))],
    ['TypeError', 'no', 'E_NO', '{"$error":{"name":"TypeError","message":"no","code":"E_NO"}}'],
  )
  assert.equal(encode(back.error), encode(error))
  const address = new Address('kid', 'boss/kid:2')
  const copy = through([address]) as Address[]
  assert.ok(copy[0] instanceof Address && copy[0].equals(address))
  assert.not(copy[0].equals(new Address('kid', 'boss/kid:3')))
  for (const wrong of [{ $actor: ['a'] }, { $actor: ['a', 'b', 1] }, { $error: { name: 1 } }]) {
    corrupt(wrong, 'its tag holds')
  }
})

test('refuses holes, and takes undefined', () => {
  const holed = [1, 2, 3]
  delete holed[1]
  notStorable(holed, /at \$\[1\] .*a hole/)
  notStorable(new Array(1e9), /at \$\[0\] .*a hole/)
  assert.equal(through([1, undefined]), [1, undefined])
})

test('refuses forbidden keys both ways', () => {
  for (const key of FORBIDDEN) {
    const value = { a: JSON.parse(`{"x":1,"${key}":{"admin":true}}`) }
    notStorable(value, `at $.a.${key} cannot be stored: its key is forbidden`)
    corrupt(value, `at $.a.${key}, the key "${key}" is forbidden`)
    notStorable(JSON.parse(`{"$x":1,"${key}":2}`), 'its key is forbidden')
    corrupt(
      {
        $object: [
          ['$x', 1],
          [key, { admin: true }],
        ],
      },
      'is forbidden',
    )
  }
  assert.is(({} as { admin?: boolean }).admin, undefined)
})

test('refuses keys no database keeps', () => {
  notStorable({ 'a\0b': 1 }, 'its key has a NUL')
  notStorable({ '\udfff': 1 }, 'half a surrogate pair')
  notStorable({ $a: 1, '\0': undefined }, 'its key has a NUL')
})

test('reports what a getter or a proxy throws, with its path', () => {
  const value = {
    list: [
      {
        get broken() {
          throw new Error('not today')
        },
      },
    ],
  }
  notStorable(value, 'at $.list[0].broken cannot be stored: reading it failed: not today')
  const strange = {
    get broken() {
      throw null
    },
  }
  notStorable(strange, 'at $.broken cannot be stored: reading it failed: null')
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  notStorable({ proxy }, 'at $.proxy cannot be stored: reading it failed')
})

test('no text is longer than the most that was added up for it', () => {
  const text = fc.string({ unit: 'binary' }).map((drawn) => drawn.replaceAll('\0', ''))
  fc.assert(
    fc.property(fc.oneof(anyValue, text), (value) => {
      const encoder = new Encoder(sealer)
      const json = JSON.stringify(encoder.guarded(() => encoder.value(value)))
      assert.ok(Buffer.byteLength(json) <= encoder.mostBytes, json)
    }),
    { numRuns: 500 },
  )
})

const longest: Record<string, unknown> = {
  'letters that are escaped': '\u001f'.repeat(1_000),
  'letters beyond the first plane': '😀'.repeat(1_000),
  'keys that are escaped': { ['\u001f'.repeat(1_000)]: 1 },
  'tagged keys': { [`$${'\u001f'.repeat(1_000)}`]: 1 },
  'numbers of many digits': Array.from({ length: 1_000 }, () => -Number.MIN_VALUE / 3 - 1.1e-300),
  'large numbers': 10n ** 5_000n,
  bytes: new Uint8Array(10_000),
  secrets: secretOf('x'.repeat(10_000)),
  errors: new Error('\u001f'.repeat(3_000)),
  'empty lists': Array.from({ length: 1_000 }, () => []),
}
for (const [what, value] of Object.entries(longest)) {
  test(`a row of ${what} is bounded to the byte`, () => {
    const bytes = Buffer.byteLength(JSON.stringify(encode({ value }, sealer)))
    assert.ok(encodeRow({ value }, sealer, { maxBytes: bytes }))
    const over = refusal(
      () => encodeRow({ value }, sealer, { maxBytes: bytes - 1 }),
      'VALUE_NOT_STORABLE',
    )
    assert.match(over, `the whole takes ${bytes} bytes, more than ${bytes - 1}`)
  })
}

test.run()
