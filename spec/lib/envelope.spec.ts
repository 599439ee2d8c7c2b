import fc from 'fast-check'
import { bundlesOf, Envelope } from '../../lib/envelope.ts'
import { isFault } from '../../lib/errors.ts'
import { Keyring } from '../../lib/keyring.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const test = suite('envelope')
const keyring = Keyring.parse(Keyring.generate(3))
const TICKET = { resourceId: '0190a1b2-0000-7000-8000-000000000001' }
const TTL_MS = 3_600_000

function envelopeAt(time = new FakeTime(), queue = 'tickets', ring = keyring): Envelope {
  return new Envelope({ keyring: ring, queue, time, ttlMs: TTL_MS })
}

/** The tickets of a message; each knows when it was sealed. */
function opened(envelope: Envelope, message: unknown) {
  return envelope.open(message).map(({ issuedAt, ...ticket }) => {
    assert.type(issuedAt, 'number')
    return ticket
  })
}

/** Seals a body of our own choice, as only a holder of the key could. */
const sealed = (body: string, nowMs = new FakeTime().now()) =>
  `e1.f.${keyring.seal('queue', body, nowMs)}`

function refuses(message: unknown, reason: RegExp, envelope = envelopeAt()): void {
  assert.throws(
    () => envelope.open(message),
    (error: unknown) => isFault(error, 'TICKET_REFUSED') && reason.test(error.message),
    `expected ${reason} for ${String(message).slice(0, 80)}`,
  )
}

function bodyWith(change: Record<string, unknown>): string {
  const iat = new FakeTime().now()
  const jti = '0190a1b2-0000-7000-8000-000000000002'
  return JSON.stringify({ aud: 'tickets', sub: 'r1', jti, iat, exp: iat + TTL_MS, ...change })
}

test('opens what it sealed, and shows nothing but version, cipher and key', () => {
  const envelope = envelopeAt()
  const message = envelope.seal(TICKET)
  assert.match(message, /^e1\.f\.3\.gAAAAA[\w-]+={0,2}$/)
  assert.not.ok(message.includes(TICKET.resourceId))
  assert.equal(opened(envelope, message), [TICKET])
  assert.is.not(envelope.seal(TICKET), message)
})

test('tells its clock when the sender sealed, and of nothing that does not open', () => {
  const heard: number[] = []
  const time = Object.assign(new FakeTime(), { heard: (atMs: number) => void heard.push(atMs) })
  const message = envelopeAt().seal(TICKET)
  envelopeAt(time).open(message)
  assert.equal(heard, [new FakeTime().now()])
  refuses(message, /another queue/, envelopeAt(time, 'others'))
  assert.is(heard.length, 1)
})

test('opens any ticket it sealed', () => {
  const envelope = envelopeAt()
  const id = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(id, (resourceId) => {
      assert.equal(opened(envelope, envelope.seal({ resourceId })), [{ resourceId }])
    }),
  )
})

test('will not seal what nobody could open', () => {
  for (const resourceId of ['', 'x'.repeat(257), 7 as unknown as string]) {
    assert.throws(
      () => envelopeAt().seal({ resourceId }),
      (error: unknown) => isFault(error, 'ARGUMENT_INVALID'),
    )
  }
  const longest = { resourceId: '\u0001'.repeat(256) }
  assert.equal(opened(envelopeAt(), envelopeAt().seal(longest)), [longest])
})

test('refuses what is not a message', () => {
  for (const message of [undefined, null, 7, true, {}, [], Symbol('x'), new String('e1.f.3.x')]) {
    refuses(message, /it is not text/)
  }
  for (const message of ['', 'e1.f.3', 'e1.f..x', 'e1.f.x.y', 'e1.f.03.y', 'e1.f.-3.y', '{}']) {
    refuses(message, /its header is not one of ours/)
  }
  refuses('e1.f.3.', /its seal is broken/)
  refuses(envelopeAt().seal(TICKET).replace('e1', 'e2'), /header/)
  refuses(envelopeAt().seal(TICKET).replace('.f.', '.g.'), /header/)
  refuses(`e1.f.3.${'A'.repeat(9_000)}`, /it is too long/)
})

test('refuses an unknown key, naming it', () => {
  const other = envelopeAt(new FakeTime(), 'tickets', Keyring.parse(Keyring.generate(8)))
  refuses(other.seal(TICKET), /key 8 is not in the keyring/)
})

test('refuses another key under the same number, and a seal for another purpose', () => {
  const other = envelopeAt(new FakeTime(), 'tickets', Keyring.parse(Keyring.generate(3)))
  refuses(other.seal(TICKET), /its seal is broken/)
  const field = keyring.seal('fields', bodyWith({}), new FakeTime().now())
  refuses(`e1.f.${field}`, /its seal is broken/)
})

test("refuses another queue's message", () => {
  refuses(envelopeAt(new FakeTime(), 'others').seal(TICKET), /it is for another queue/)
})

test('refuses what expired, at the millisecond', () => {
  const time = new FakeTime()
  const envelope = envelopeAt(time)
  const message = envelope.seal(TICKET)
  time.jump(TTL_MS - 1)
  assert.equal(opened(envelope, message), [TICKET])
  time.jump(1)
  refuses(message, /it has expired/, envelope)
})

test('forgives a clock 60 s ahead, and not more', () => {
  const ahead = new FakeTime()
  ahead.jump(60_000)
  assert.equal(opened(envelopeAt(), envelopeAt(ahead).seal(TICKET)), [TICKET])
  ahead.jump(1)
  refuses(envelopeAt(ahead).seal(TICKET), /it comes from the future/)
  ahead.jump(1e12)
  refuses(envelopeAt(ahead).seal(TICKET), /it comes from the future/)
})

test('refuses a malformed body, though rightly sealed', () => {
  assert.equal(opened(envelopeAt(), sealed(bodyWith({}))), [{ resourceId: 'r1' }])
  const bodies = [
    '',
    'x',
    'null',
    '[]',
    '7',
    bodyWith({ sub: '' }),
    bodyWith({ sub: 7 }),
    bodyWith({ sub: 'x'.repeat(257) }),
    bodyWith({ sub: undefined }),
    bodyWith({ aud: ['tickets'] }),
    bodyWith({ jti: 'x' }),
    bodyWith({ iat: '0' }),
    bodyWith({ iat: 1.5 }),
    bodyWith({ exp: null }),
    bodyWith({ exp: 1e300 }),
    bodyWith({ extra: 1 }),
    bodyWith({ constructor: {} }),
    bodyWith({}).replace('{', '{"__proto__":{"sub":"x"},'),
    '['.repeat(1_000),
  ]
  for (const body of bodies) refuses(sealed(body), /its body is malformed/)
})

const many = (count: number, length = 36) =>
  Array.from({ length: count }, (_, index) => ({ resourceId: `${index}`.padStart(length, 'r') }))

test('a bundle opens whole, in order, and shows only how many are in it', () => {
  const bundle = many(16)
  const message = envelopeAt().seal(...bundle)
  assert.match(message, /^e2\.f\.16\.3\.gAAAAA[\w-]+={0,2}$/)
  assert.equal(opened(envelopeAt(), message), bundle)
  assert.is(Envelope.countOf(message), 16)
  assert.is(Envelope.keyIdOf(message), '3')
  assert.ok(message.length < 16 * envelopeAt().seal(bundle[0]!).length, 'no smaller than alone')
  for (const odd of [null, 7, '', 'e2.f.17.3.x', 'e2.f.1.3.x', 'e2.f.x.3.y', 'e1.f.3.x']) {
    assert.is(Envelope.countOf(odd), 1)
  }
})

test('tickets travel by sixteens in their order, and alone what has a long name', () => {
  const long = { resourceId: 'x'.repeat(65) }
  const bundles = bundlesOf([...many(20), long, ...many(2)])
  assert.equal(
    bundles.map(({ length }) => length),
    [16, 4, 1, 2],
  )
  assert.equal(bundles[2], [long])
  assert.equal(bundles.flat(), [...many(20), long, ...many(2)])
  assert.equal(bundlesOf([]), [])
  const widest = many(16, 64).map(() => ({ resourceId: '\u0001'.repeat(64) }))
  assert.equal(opened(envelopeAt(), envelopeAt().seal(...widest)), widest)
})

test('refuses a bundle that holds another number than it says, or what is no ticket', () => {
  const now = new FakeTime().now()
  const says = (count: number, sub: unknown) =>
    `e2.f.${count}.${keyring.seal('queue', bodyWith({ sub }), now)}`
  assert.is(envelopeAt().open(says(2, ['a', 'b'])).length, 2)
  refuses(says(3, ['a', 'b']), /its header miscounts its tickets/)
  refuses(says(2, 'a'), /its header miscounts its tickets/)
  refuses(sealed(bodyWith({ sub: ['a', 'b'] })), /its header miscounts its tickets/)
  for (const sub of [['a', ''], ['a', 7], ['a'], ['a', 'x'.repeat(65)], ['a', ['b']]]) {
    refuses(says(2, sub), /its body is malformed/)
  }
  const message = envelopeAt().seal(...many(12))
  for (let index = 0; index < message.length; index++) {
    refuses(message.slice(0, index) + message.slice(index + 1), /refused/)
  }
})

test('refuses a message with any one byte changed, added or taken', () => {
  const envelope = envelopeAt()
  const message = envelope.seal(TICKET)
  for (let index = 0; index < message.length; index++) {
    refuses(message.slice(0, index) + message.slice(index + 1), /refused/, envelope)
  }
  const code = fc.integer({ min: 0, max: 255 })
  fc.assert(
    fc.property(fc.nat(message.length - 1), code, fc.boolean(), (index, code, add) => {
      const letter = String.fromCharCode(code)
      fc.pre(add || letter !== message[index])
      const changed = message.slice(0, index) + letter + message.slice(index + (add ? 0 : 1))
      refuses(changed, /refused/, envelope)
    }),
    { numRuns: 2_000 },
  )
})

test('refuses, and never throws anything else', () => {
  const anything = fc.oneof(
    fc.anything({ withNullPrototype: true, withBigInt: true, withMap: true }),
    fc.string(),
    fc.string().map((text) => `e1.f.3.${text}`),
  )
  fc.assert(
    fc.property(anything, (message) => {
      assert.throws(
        () => envelopeAt().open(message),
        (error: unknown) => isFault(error, 'TICKET_REFUSED'),
      )
    }),
  )
})

test('tells the key a message names', () => {
  assert.is(Envelope.keyIdOf(envelopeAt().seal(TICKET)), '3')
  assert.is(Envelope.keyIdOf('e1.f.0.x'), '0')
  for (const message of [null, 7, '', 'e1.f.x.y']) assert.is(Envelope.keyIdOf(message), null)
})

test.run()
