import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import {
  decode,
  encode,
  encodeError,
  type Json,
  parse,
  Ref,
  type Sealer,
  stringify,
} from '../../lib/codec.ts'
import { fault, isFault } from '../../lib/errors.ts'
import { secretOf } from '../../lib/secret.ts'
import { assert, suite } from '../support/suite.ts'
import {
  anyValue,
  bare,
  corrupt,
  notStorable,
  refusal,
  same,
  sealer,
  through,
} from '../support/values.ts'

const test = suite('codec')

test('keeps every kind of value through JSON text', () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      assert.ok(same(through(value), value))
    }),
    { numRuns: 1_000 },
  )
})

test('keeps each kind by itself', () => {
  const values: unknown[] = [
    new Date(0),
    new Date(8.64e15),
    new Date(-8.64e15),
    new Map<unknown, unknown>([
      [{ a: 1 }, new Set([1n])],
      [null, undefined],
      ['$k', -0],
    ]),
    new Set(['b', 'a', ['c']]),
    2n ** 200n,
    -(2n ** 64n),
    -0,
    5e-324,
    Number.MAX_VALUE,
    2 ** 53 + 2,
    undefined,
    [undefined, null],
    '',
    '\u2028 \u202e \x1b[2J é 👍',
    new Uint8Array([0, 255]),
    Buffer.from('bytes'),
    new Ref('task', 'Server.provision', 'id-1'),
    { $date: 'not a date' },
    { $object: [['$date', 1]] },
    { $: { $: { $secret: [] } }, plain: new Date(1), gone: undefined },
    { toJSON: 'a field of that name', length: 1, hasOwnProperty: 2, toString: 'x' },
    { 2: 'b', 1: 'a' },
  ]
  for (const value of values) {
    assert.ok(isDeepStrictEqual(through(value), bare(value)), JSON.stringify(encode(value)))
    assert.ok(isDeepStrictEqual(parse(stringify(value)), bare(value)))
  }
})

test('keeps the order of maps, sets and keys', () => {
  const map = new Map([
    ['b', 1],
    ['a', 2],
  ])
  assert.equal([...(through(map) as typeof map).keys()], ['b', 'a'])
  assert.equal([...(through(new Set(['b', 'a'])) as Set<string>)], ['b', 'a'])
  assert.equal(Object.keys(through({ b: 1n, a: 2, $c: 3 }) as object), ['b', 'a', '$c'])
})

test('writes what the documentation shows', () => {
  assert.equal(encode(new Date(0)), { $date: '1970-01-01T00:00:00.000Z' })
  assert.equal(encode(new Map([['a', 1n]])), { $map: [['a', { $bigint: '1' }]] })
  assert.equal(encode(new Set([-0])), { $set: [0] }, 'a Set itself forgets the sign of zero')
  assert.equal(encode([-0]), [{ $number: '-0' }])
  assert.equal(encode({ $date: 1, b: 2 }), {
    $object: [
      ['$date', 1],
      ['b', 2],
    ],
  })
  assert.equal(encode({ a: undefined, b: 1 }), { b: 1 })
  assert.equal(encode(new Ref('resource', 'Server', '7')), {
    $ref: { kind: 'resource', type: 'Server', id: '7' },
  })
})

test('hands plain data through, the same reference, both ways', () => {
  const plain = { a: [1, 'x', { b: null }], c: true }
  assert.is(encode(plain), plain)
  assert.is(decode(plain), plain)
  const half = { plain, when: new Date(0) }
  const encoded = encode(half) as Record<string, Json>
  assert.is(encoded.plain, plain, 'also beneath something that changed')
  assert.is.not(encoded, half)
  assert.is((decode(encoded) as typeof half).plain, plain)
})

test('changes neither the value nor the JSON', () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const json = encode(value, sealer)
      const before = JSON.stringify(json)
      decode(json, sealer)
      assert.is(JSON.stringify(json), before)
      assert.ok(same(decode(json, sealer), value))
    }),
  )
})

test('a secret is readable only through the sealer', () => {
  const value = {
    password: secretOf('canary'),
    deep: secretOf({ at: new Date(0), also: secretOf(1n) }),
  }
  const text = stringify(value, sealer)
  assert.not.match(text, /canary|1970/)
  assert.match(text, /"password":\{"\$secret":"0\.gAAAA/)
  assert.is((parse(text, sealer) as typeof value).password.reveal(), 'canary')
  assert.ok(same(parse(text, sealer), value))
  notStorable(value, /at \$\.password .*no key to seal/)
  const refused = refusal(() => parse(text), 'VALUE_CORRUPT')
  assert.match(refused, /at \$\.password, .*no key to open/)
})

test("passes the sealer's refusal on", () => {
  const others: Sealer = {
    seal: () => '9.x',
    open: () => {
      throw fault('SEAL_UNKNOWN_KEY', { id: 9 })
    },
  }
  const text = stringify(secretOf('x'), others)
  assert.throws(
    () => parse(text, others),
    (error: unknown) => isFault(error, 'SEAL_UNKNOWN_KEY'),
  )
  assert.throws(
    () => parse(text, sealer),
    (error: unknown) => isFault(error, 'SEAL_UNKNOWN_KEY'),
  )
})

test('goes 64 levels deep and no deeper, both ways', () => {
  const nest = (levels: number, core: unknown, wrap: (inner: unknown) => unknown) => {
    let value = core
    for (let level = 0; level < levels; level++) value = wrap(value)
    return value
  }
  const wraps: ((inner: unknown) => unknown)[] = [
    (inner) => [inner],
    (inner) => ({ a: inner }),
    (inner) => ({ $a: inner }),
    (inner) => new Map([[1, inner]]),
    (inner) => new Set([inner]),
  ]
  for (const wrap of wraps) {
    for (const core of [1n, new Date(0), 'x']) {
      assert.ok(same(through(nest(64, core, wrap)), nest(64, core, wrap)))
    }
    notStorable(nest(65, 1, wrap), /more than 64 levels/)
  }
  assert.ok(through(nest(8, 1, secretOf)))
  corrupt(
    nest(65, 1, (inner) => [inner]),
    /more than 64 levels/,
  )
  corrupt(JSON.parse(`${'['.repeat(1e5)}${']'.repeat(1e5)}`), /more than 64 levels/)
})

test('a value met twice is no circle', () => {
  const shared = { a: 1 }
  assert.equal(through([shared, shared, { shared }]), [shared, shared, { shared }])
})

test('never throws anything but its own errors', () => {
  const tag = fc.constantFrom(
    '$date',
    '$map',
    '$set',
    '$bigint',
    '$bytes',
    '$ref',
    '$object',
    '$x',
    'a',
  )
  const tagged = fc.dictionary(tag, fc.jsonValue(), { maxKeys: 2 })
  fc.assert(
    fc.property(fc.oneof(tagged, fc.anything({ withBigInt: true, withMap: true })), (json) => {
      for (const act of [() => decode(json, sealer), () => encode(json, sealer)]) {
        try {
          act()
        } catch (error) {
          assert.ok(
            isFault(error, 'VALUE_CORRUPT') || isFault(error, 'VALUE_NOT_STORABLE'),
            `${error}`,
          )
        }
      }
    }),
    { numRuns: 1_000 },
  )
})

test('what decodes, encodes again', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      let value: unknown
      try {
        value = decode(json)
        encode(value)
      } catch (error) {
        assert.ok(isFault(error))
        return
      }
      assert.ok(same(through(value), value))
    }),
  )
})

test('counts bytes, not characters', () => {
  assert.is(stringify('é', undefined, { maxBytes: 4 }), '"é"')
  const over = refusal(() => stringify('éé', undefined, { maxBytes: 5 }), 'VALUE_NOT_STORABLE')
  assert.match(over, /at \$ .*6 bytes, more than 5/)
  assert.is(stringify('x'.repeat(1_048_574)).length, 1_048_576)
  refusal(() => stringify('x'.repeat(1_048_575)), 'VALUE_NOT_STORABLE')
  refusal(() => parse(`"${'x'.repeat(1_048_575)}"`), 'VALUE_NOT_STORABLE')
  assert.is(parse('"éé"', undefined, { maxBytes: 6 }), 'éé')
})

test('parse refuses what is not JSON, and does not quote it', () => {
  for (const text of ['', '{"a":canary}', 'NaN', '[1,]', '\ufeff1', '{} {}']) {
    assert.not.match(
      refusal(() => parse(text), 'VALUE_CORRUPT'),
      /canary/,
    )
  }
  assert.match(
    refusal(() => parse('[1e400]'), 'VALUE_CORRUPT'),
    /at \$\[0\]/,
  )
})

test('describes errors within bounds', () => {
  const error = Object.assign(new TypeError('bad\0 \ud800'), { code: 'E_BAD' })
  const { stack, ...record } = encodeError(error)
  assert.equal(record, { name: 'TypeError', message: 'bad\ufffd \ufffd', code: 'E_BAD' })
  assert.match(stack!, /codec\.spec/)
  assert.not.ok('stack' in encodeError(error, { stack: false }))
  const long = encodeError(Object.assign(new Error('x'.repeat(1e5)), { name: 'y'.repeat(1e5) }))
  assert.ok(JSON.stringify(long).length < 13_000)
})

test('describes whatever was thrown, always storable', () => {
  const getter = Object.defineProperty(new Error('x'), 'message', {
    get() {
      throw new Error('no')
    },
  })
  assert.is(encodeError(getter).message, '')
  assert.equal(encodeError('plain', { stack: false }), { name: 'Error', message: 'plain' })
  assert.is(encodeError(null).message, 'null')
  assert.is(encodeError(Object.assign(new Error('x'), { code: 7 })).code, '7')
  assert.not.ok('code' in encodeError(Object.assign(new Error('x'), { code: {} })))
  fc.assert(
    fc.property(fc.anything(), (thrown) => {
      const record = encodeError(thrown)
      assert.is(encode(record), record)
    }),
  )
})

test.run()
