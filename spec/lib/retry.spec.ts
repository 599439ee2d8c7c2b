// What errors say of trying again, whoever made them.
import { isFault } from '../../lib/errors.ts'
import { isRetryable, NonRetryableError, RetryAfterError, retryAfterOf } from '../../lib/retry.ts'
import { assert, suite } from '../support/suite.ts'

const NOW = Date.UTC(2026, 0, 1, 12)
const DAY_MS = 86_400_000

const test = suite('retry')
const asked = (more: object) => retryAfterOf(Object.assign(new Error('later'), more), NOW)

test('is meant by every error that does not say otherwise', () => {
  class Refused extends NonRetryableError {}
  assert.equal(
    [new Error(), 'text', null, { retryable: true }, new Refused(), new NonRetryableError()].map(
      isRetryable,
    ),
    [true, true, true, true, false, false],
  )
})

test('waits as many milliseconds as retryAfterMs says', () => {
  const waits = [0, 45_000, -1, Number.NaN, Number.POSITIVE_INFINITY, '5s', null].map(
    (retryAfterMs) => asked({ retryAfterMs }),
  )
  assert.equal(waits, [0, 45_000, null, null, null, null, null])
})

test('reads retryAfter as the header has it, or as a duration', () => {
  const at = (inMs: number) => new Date(NOW + inMs)
  const cases: [unknown, number | null][] = [
    [120, 120_000],
    [1.5, 1_500],
    ['120', 120_000],
    [' 7 ', 7_000],
    ['30s', 30_000],
    ['2m', 120_000],
    [at(90_000).toUTCString(), 90_000],
    [at(90_000).toISOString(), 90_000],
    [at(90_000), 90_000],
    [at(-90_000).toUTCString(), 0],
    ...['', '-5', 'soon', 'Monday', 'x'.repeat(200), true, {}, [], -1, Number.NaN].map(
      (nothing): [unknown, null] => [nothing, null],
    ),
  ]
  for (const [retryAfter, expected] of cases) {
    assert.is(asked({ retryAfter }), expected, String(retryAfter))
  }
})

test('waits a day at most', () => {
  assert.is(asked({ retryAfterMs: 10 * DAY_MS }), DAY_MS)
  assert.is(asked({ retryAfter: 1e300 }), DAY_MS)
  assert.is(asked({ retryAfter: new Date(NOW + 9 * DAY_MS).toUTCString() }), DAY_MS)
})

test('hears what a cause says, but for one without end', () => {
  const deep = new Error('a', { cause: new Error('b', { cause: { retryAfter: '3' } }) })
  assert.is(retryAfterOf(deep, NOW), 3_000)
  assert.is(asked({ retryAfterMs: 1, cause: { retryAfterMs: 2 } }), 1)
  const ring = new Error('round and round')
  ring.cause = ring
  assert.is(retryAfterOf(ring, NOW), null)
  for (const thrown of [null, undefined, 'text', 5]) assert.is(retryAfterOf(thrown, NOW), null)
})

test('is put off by an error made for it', () => {
  class Busy extends RetryAfterError {}
  const busy = new Busy('30s', 'the registry is busy', { cause: 'x' })
  assert.equal(
    [busy.message, busy.cause, retryAfterOf(busy, NOW)],
    ['the registry is busy', 'x', 30_000],
  )
  assert.is(isRetryable(busy), true)
  assert.throws(
    () => new RetryAfterError('soon'),
    (error: unknown) => isFault(error, 'ARGUMENT_INVALID'),
  )
})

test.run()
