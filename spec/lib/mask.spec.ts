// Masking: no secret this process has held is readable afterwards; a text without one is as it was.
import { inspect } from 'node:util'
import fc from 'fast-check'
import { remember } from '../../lib/known.ts'
import { masked, maskedJson } from '../../lib/mask.ts'
import { Secret } from '../../lib/secret.ts'
import { SystemTime } from '../../lib/time.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('masking')

const bytes = (text: string) => Buffer.from(text)
/** The ways in which a secret finds its way into a text. */
const WAYS: Readonly<Record<string, (secret: string) => string>> = {
  'as it is': (secret) => secret,
  'in JSON': (secret) => JSON.stringify({ it: secret }),
  'in JSON within JSON': (secret) => JSON.stringify(JSON.stringify([secret])),
  'in a URL': encodeURIComponent,
  'in a form': (secret) => new URLSearchParams({ it: secret }).toString(),
  'in hex': (secret) => bytes(secret).toString('hex'),
  'in hex, in capitals': (secret) => bytes(secret).toString('hex').toUpperCase(),
  'as a buffer that is printed': (secret) => inspect(bytes(secret), { maxArrayLength: 999 }),
  'in base64': (secret) => bytes(secret).toString('base64'),
  'in base64url': (secret) => bytes(secret).toString('base64url'),
  'in base64 behind one letter': (secret) => bytes(`:${secret}!`).toString('base64'),
  'in base64 behind two letters': (secret) => bytes(`a:${secret}?`).toString('base64url'),
  'in base64 in a URL': (secret) => encodeURIComponent(bytes(secret).toString('base64')),
}

/** Undoes every way again, at every place: what is left in a text for somebody who knows them all. */
function readings(text: string): string[] {
  const found = [text]
  const undo = (work: () => string) => {
    try {
      found.push(work())
    } catch {
      // Not written that way.
    }
  }
  for (let round = 0; round < 2; round++) {
    for (const one of [...found]) {
      undo(() => one.replace(/(?:%[0-9a-f]{2})+/gi, (codes) => decodeURIComponent(codes)))
      undo(() => one.replaceAll('+', ' ').replace(/(?:%[0-9a-f]{2})+/gi, decodeURIComponent))
      undo(() => one.replace(/\\(u[0-9a-f]{4}|.)/g, (code) => JSON.parse(`"${code}"`)))
    }
  }
  for (const one of [...new Set(found)]) {
    for (const [run] of one.matchAll(/[\w+/-]{8,}/g)) {
      for (const from of [0, 1, 2, 3]) undo(() => Buffer.from(run.slice(from), 'base64').toString())
    }
    for (const [run] of one.replaceAll(' ', '').matchAll(/[0-9a-f]{12,}/gi)) {
      for (const from of [0, 1]) undo(() => Buffer.from(run.slice(from), 'hex').toString())
    }
  }
  return found
}

const letter = fc.constantFrom(...'abcXYZ019 -_.:/+%&="\'\\\n{}[]é東🙂')
/** Nothing that stands in the sentences around it by chance. */
const secret = fc
  .array(letter, { minLength: 1, maxLength: 30 })
  .map((letters) => `Q7${letters.join('')}#Z9`)
const words = fc
  .array(
    fc.constantFrom('the', 'effect', 'failed', 'at', '12:30', 'file.ts:7:9', '{"a":1}', 'Zürich'),
    { maxLength: 12 },
  )
  .map((list) => list.join(' '))

test('leaves nothing of a secret to be read, however it was written, whatever stands around it', () => {
  const way = fc.constantFrom(...Object.keys(WAYS))
  const around = fc.oneof(words, fc.string({ unit: 'binary', maxLength: 40 }))
  fc.assert(
    fc.property(secret, way, around, around, (hidden, how, before, after) => {
      remember(hidden)
      const text = `${before}${WAYS[how]!(hidden)}${after}`
      const left = masked(text)
      for (const reading of readings(left)) {
        assert.not.ok(reading.includes(hidden), `${how}: ${JSON.stringify(text)} became ${left}`)
      }
    }),
    { numRuns: 1_500 },
  )
})

test('finds each way by itself', () => {
  const hidden = 'Kn0w"n sécret/of+mine%'
  remember(hidden)
  for (const [how, write] of Object.entries(WAYS)) {
    const left = masked(`it said <${write(hidden)}> to me`)
    assert.match(left, '[secret]', how)
    assert.match(left, /^it said <.*> to me$/, how)
    for (const reading of readings(left)) assert.not.match(reading, 'sécret', how)
  }
})

test('leaves a text without secrets as it is', () => {
  fc.assert(
    fc.property(words, (text) => {
      assert.is(masked(text), text)
    }),
  )
  for (const text of [
    'The token: expired. Basic authentication failed for Bearer tokens.',
    'FIELDS_INVALID: password: Too small: expected string to have >=8 characters',
    'GET https://api.example.com:8443/a/b?page=2 answered 503, see me@example.com',
    'max_tokens=100, retries: 3, at Object.<anonymous> (file:///a/b.ts:10:20)',
    '018f5a3e-7b1c-7e4d-9a2b-3c4d5e6f7a8b d41d8cd98f00b204e9800998ecf8427e',
    '',
  ]) {
    assert.is(masked(text), text)
  }
})

test('knows logins, tokens and keys by their looks', () => {
  const shapes: [text: string, canary: string][] = [
    ['postgres://me:canary@db:5432/x refused', 'canary'],
    ['redis://:can@ary@cache/0', 'ary@'],
    ['amqp://me:can/ary@queue/0', 'ary'],
    ['Authorization: Bearer canary', 'canary'],
    ['"authorization": "Digest username=a, response=canary"', 'canary'],
    ['sent with bearer abcdefcanary0123', 'canary'],
    ['Basic dXNlcjpwYXNzd29yZA==', 'dXNl'],
    ['Set-Cookie: sid=canary; Path=/', 'canary'],
    ['https://x/?a=b&access_token=canary&c=d', 'canary'],
    ['host=db user=me password=canary dbname=x', 'canary'],
    ["password='can ary' x", 'ary'],
    ['{"a":{"apiKey":"can\\"ary"}}', 'ary'],
    ['{\\"client_secret\\":\\"canary\\"}', 'canary'],
    ["{ DB_PASSWORD: 'canary', n: 1 }", 'canary'],
    ['token: c4n4ry123', 'c4n4ry'],
    ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.Zm9vYmFy', 'Zm9v'],
    ['ghp_0123456789abcdefghijABCDEFGHIJ012345', '0123'],
    ['github_pat_11ABCDEFG0abcdefghijklmnop', 'abcd'],
    [`sk_${'live'}_abcdefghijklmnop`, 'abcd'],
    [`xoxb-${'1234567890'}-abcdefghij`, 'abcd'],
    ['AKIAABCDEFGHIJKLMNOP', 'ABCD'],
    ['npm_abcdefghijklmnopqrstuvwxyz0123456789', 'abcd'],
    ['https://hooks.slack.com/services/T000/B000/canary', 'canary'],
    [
      '-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES\n\ncanary\n-----END RSA PRIVATE KEY-----',
      'canary',
    ],
    ['-----BEGIN PRIVATE KEY-----\ncanary, cut off', 'canary'],
  ]
  for (const [text, canary] of shapes) {
    const left = masked(text)
    assert.not.match(left, canary, `${text} became ${left}`)
    assert.match(left, '[secret]')
    assert.is(masked(left), left, 'what is masked twice is masked once')
  }
})

test('remembers what is in a Secret: texts, numbers, what is deep within, line by line', () => {
  new Secret({ deep: [{ text: 'deep-canary-1' }, 48_151_623], map: new Map([['a', 'map-canary']]) })
  new Secret('first line of it\nsecond line of it\n')
  const text = 'a deep-canary-1, 48151623, map-canary; at second line of it'
  assert.is(masked(text), 'a [secret], [secret], [secret]; at [secret]')
})

test('takes neither plain words nor short ones for secrets', () => {
  for (const word of ['password', 'Secret', 'x', '12345', '']) new Secret(word)
  const text = 'The password is a Secret x 12345'
  assert.is(masked(text), text)
})

test('forgets the oldest, not the latest', () => {
  for (let nth = 0; nth < 12_000; nth++) remember(`many-secrets-${nth}`)
  assert.is(masked('many-secrets-11999 '), '[secret] ')
  assert.is(masked('many-secrets-7001 '), '[secret] ')
  assert.is(masked('many-secrets-0 '), 'many-secrets-0 ')
})

test('cuts a text without leaving half a secret at its end', () => {
  const hidden = `begin-${'x'.repeat(9_000)}-end`
  remember(hidden)
  const left = masked(`${'a '.repeat(500)}${hidden}${' b'.repeat(9_000)}`, 2_000)
  assert.not.match(left, 'begin')
  const late = masked(`${'a '.repeat(990)}short: ${hidden}`, 2_000)
  assert.not.match(late, 'begin')
  assert.is(late.length <= 2_000, true)
})

test('masks plain data in its texts, its names and under names of secrets', () => {
  remember('canary-in-data')
  const value = {
    message: 'it was canary-in-data',
    'canary-in-data': 1,
    list: ['ok', { password: 'short', token: 7, secret: null, hasSecret: true }],
    config: { headers: { Authorization: 'whatever', Accept: '*/*' } },
  }
  assert.equal(maskedJson(value), {
    message: 'it was [secret]',
    '[secret]': 1,
    list: ['ok', { password: '[secret]', token: '[secret]', secret: null, hasSecret: true }],
    config: { headers: { Authorization: '[secret]', Accept: '*/*' } },
  })
  const circle: { self?: unknown } = {}
  circle.self = circle
  assert.match(JSON.stringify(maskedJson(circle)), '[deeper]')
})

test('takes no text long', () => {
  const time = new SystemTime()
  const evil = [
    'password="',
    '://a:',
    '://',
    'authorization: bearer ',
    'eyJaaaaaaaa.',
    '\\',
    'pass',
  ]
  evil.push('password\\\\\\\\"', '-----BEGIN PRIVATE KEY-----', 'cookie: a=', 'bearer ', 'key: ')
  evil.push('%41', '\\u0041', 'QUFB', '4141', 'token:', 'token: "\\')
  for (const part of evil) {
    const text = part.repeat(Math.ceil(12_000 / part.length))
    const from = time.monotonic()
    masked(text)
    const tookMs = time.monotonic() - from
    assert.ok(tookMs < 1_000, `${part} takes ${Math.round(tookMs)} ms`)
  }
})

test.run()
