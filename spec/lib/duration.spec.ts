// Durations: what people write, in milliseconds; what is none is refused.
import { toMs, toRangeMs } from '../../lib/duration.ts'
import { isFault } from '../../lib/errors.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('duration')

test('reads numbers and what people write', () => {
  const read = [0, 1_500, '250ms', '5s', '2m', '1h', '7d', '1.5s'].map((one) => toMs(one, 'x'))
  assert.equal(read, [0, 1_500, 250, 5_000, 120_000, 3_600_000, 604_800_000, 1_500])
})

test('reads ranges', () => {
  assert.equal(toRangeMs('1s..1m', 'x'), [1_000, 60_000])
  assert.equal(toRangeMs('1s', 'x'), [1_000, 1_000])
  assert.equal(toRangeMs(5, 'x'), [5, 5])
})

const wrong = [
  -1,
  '-5s',
  '',
  'soon',
  '5 parsecs',
  Number.NaN,
  Infinity,
  '2y',
  '1s..',
  '..1s',
  null,
  {},
  ' '.repeat(200),
]
for (const one of wrong) {
  test(`refuses ${typeof one === 'string' ? `"${one.trim() || one.length}"` : String(one)}`, () => {
    const isRefused = (error: unknown) =>
      isFault(error, 'ARGUMENT_INVALID') && /^the nap is not valid/.test(error.message)
    const isRange = typeof one === 'string' && one.includes('..')
    const read = () => (isRange ? toRangeMs(one, 'the nap') : toMs(one as never, 'the nap'))
    assert.throws(read, isRefused)
  })
}

test.run()
