// How much of a contest there is time for.
import { placesIn } from '../../bench/contest.ts'
import { assert, suite } from '../support/suite.ts'

const contest = suite('the contest')

contest('has as many as there is time for', () => {
  assert.is(placesIn(60_000, 20_000), 3)
  assert.is(placesIn(59_999, 20_000), 2)
  assert.is(placesIn(19_999, 20_000), 0)
  assert.is(placesIn(-5_000, 20_000), 0)
  assert.is(placesIn(Number.POSITIVE_INFINITY, 20_000), Number.POSITIVE_INFINITY)
})

contest.run()
