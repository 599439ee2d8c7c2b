// The shares: places by weight, against a plain model, over many looks.
import fc from 'fast-check'
import { AGE_MS, Debts, standing, weighed } from '../../lib/share.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('share')

const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, one) => total + one, 0)

test('gives whoever waits its part, to a place, however many looks there are', () => {
  const weights = fc.array(fc.double({ min: 0.01, max: 50, noNaN: true }), {
    minLength: 1,
    maxLength: 12,
  })
  fc.assert(
    fc.property(
      weights,
      fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 60 }),
      (all, looks) => {
        const debts = new Debts()
        const sharers = all.map((weight, index) => ({ share: `Kind${index}`, weight }))
        const total = sum(all)
        const given = new Map<string, number>()
        let places = 0
        for (const look of looks) {
          places += look
          const some = debts.give(look, sharers)
          assert.is(sum(some.values()), look, 'no place is left over, and none is given twice')
          for (const [share, count] of some) given.set(share, (given.get(share) ?? 0) + count)
        }
        for (const { share, weight } of sharers) {
          const exact = (places * weight) / total
          const off = Math.abs((given.get(share) ?? 0) - exact)
          assert.ok(off < 1.000_001 + sharers.length * 1e-9, `${share} is ${off} places off`)
        }
      },
    ),
  )
})

test('many small shares have a place in turn, where there are fewer places than shares', () => {
  const debts = new Debts()
  const sharers = Array.from({ length: 30 }, (_, index) => ({ share: `Kind${index}`, weight: 1 }))
  const seen = new Set<string>()
  for (let look = 0; look < 3; look++)
    for (const share of debts.give(10, sharers).keys()) seen.add(share)
  assert.is(seen.size, 30)
})

test('tenants divide what their kind has', () => {
  const weightOf = (share: string) => ({ Big: 2, 'Big/gold': 3 })[share] ?? 1
  const shares = ['Big/gold', 'Big/tin', 'Small']
  const parts = weighed(shares, weightOf).map(({ weight }) => weight)
  assert.equal(parts, [1.5, 0.5, 1])
  const many = Array.from({ length: 99 }, (_, index) => `Big/${index}`)
  const all = weighed([...many, 'Small'], weightOf)
  assert.ok(
    Math.abs(sum(all.map(({ weight }) => weight)) - 3) < 1e-9,
    'a kind of many tenants is one kind',
  )
})

test('lateness counts as priority, a step for each minute, and never the other way', () => {
  assert.is(standing(9, 0), 9)
  assert.is(standing(9, AGE_MS - 1), 9)
  assert.is(standing(9, 4 * AGE_MS), 5)
  assert.is(standing(2, 100 * AGE_MS), 0)
  assert.is(standing(3, -AGE_MS), 3)
})

test.run()
