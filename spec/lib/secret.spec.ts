import { format, inspect } from 'node:util'
import { Secret, sameSecret, secretOf } from '../../lib/secret.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('secret')
const VALUE = 'hunter2-canary'

test('shows itself in reveal() only', () => {
  const secret = new Secret(VALUE)
  const shown = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret, list: [secret] }),
    inspect(secret),
    inspect({ deep: { secret } }, { depth: 9, showHidden: true }),
    inspect(secret, { customInspect: false, showHidden: true }),
    format('%s %o %O %j', secret, secret, secret, secret),
    [secret].join(),
    Object.entries(secret).join(),
    JSON.stringify(structuredClone({ ...secret })),
  ]
  assert.not.match(shown.join('\n'), /canary/)
  assert.is(String(secret), '[secret]')
  assert.is(JSON.stringify({ secret }), '{"secret":"[secret]"}')
  assert.is(inspect(secret), '[secret]')
  assert.is(secret.reveal(), VALUE)
})

test('secretOf hides a value once', () => {
  const secret = secretOf(VALUE)
  assert.is(secret.reveal(), VALUE)
  assert.is(secretOf(secret), secret)
})

test('sameSecret compares what is inside', () => {
  assert.is(sameSecret(secretOf('a'), secretOf('a')), true)
  assert.is(sameSecret(secretOf('a'), secretOf('b')), false)
  assert.is(sameSecret(secretOf('a'), secretOf('longer')), false)
  assert.is(sameSecret(secretOf('\ud800'), secretOf('\ud801')), false, 'halves of characters')
  assert.is(sameSecret(secretOf({ a: [1] }), secretOf({ a: [1] })), true)
  assert.is(sameSecret(secretOf({ a: [1] }), secretOf({ a: [2] })), false)
  assert.is(sameSecret(secretOf<unknown>('1'), secretOf<unknown>(1)), false)
})

test.run()
