// Spans and moments in words.
import { span, when } from '../../lib/span.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('span')

test('tells two units at most, and nothing after a gap', () => {
  const words: readonly [number, string][] = [
    [0, 'less than a second'],
    [-5, 'less than a second'],
    [999, 'less than a second'],
    [61_000, '1 min 1 s'],
    [7_500_000, '2 h 5 min'],
    [86_580_000, '1 d'],
    [90_061_000, '1 d 1 h'],
  ]
  for (const [ms, text] of words) assert.is(span(ms), text)
})

test('tells a moment, and how far it is', () => {
  const now = Date.UTC(2026, 0, 1)
  assert.is(when(now + 60_000, now), '2026-01-01T00:01:00Z (in 1 min)')
  assert.is(when(now - 3_600_000, now), '2025-12-31T23:00:00Z (1 h ago)')
})

test.run()
