// Backoff: between half and the whole of a step that doubles, up to a limit.
import fc from 'fast-check'
import { backoffMs } from '../../lib/backoff.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('backoff')
const policy = { firstMs: 1_000, mostMs: 60_000 }

test('doubles, and stops at the longest', () => {
  const waits = [1, 2, 3, 4, 5, 6, 7, 8].map((attempt) => backoffMs(policy, attempt, 1))
  assert.equal(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
})

test('is spread over the upper half', () => {
  assert.equal(
    [0, 0.5, 1].map((dice) => backoffMs(policy, 2, dice)),
    [1_000, 1_500, 2_000],
  )
  const thrown = new Set(Array.from({ length: 50 }, () => backoffMs(policy, 3)))
  assert.ok(thrown.size > 10, 'the dice are rolled')
})

test('keeps its bounds for any attempt, however many', () => {
  const dice = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e9 }), fc.nat(1e6), fc.nat(1e8), dice, (...drawn) => {
      const [attempt, firstMs, mostMs, die] = drawn
      const waitMs = backoffMs({ firstMs, mostMs }, attempt, die)
      assert.ok(Number.isInteger(waitMs) && waitMs >= 0 && waitMs <= mostMs)
      assert.ok(waitMs >= Math.floor(Math.min(firstMs, mostMs) / 2))
    }),
  )
})

test.run()
