// Recent: which tickets have nothing to say any more, and which might.
import { Recent } from '../../lib/recent.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('recent')
const AT = 1_000_000

test('a ticket from before the last look is covered, one from about then or later is not', () => {
  const recent = new Recent()
  recent.settled('r', AT)
  assert.is(recent.covers('r', AT - 501), true)
  for (const issuedAt of [AT - 500, AT, AT + 1]) assert.is(recent.covers('r', issuedAt), false)
})

test('who was never settled here, and whose ticket never travelled, is worked', () => {
  const recent = new Recent()
  assert.is(recent.covers('r', 0), false)
  recent.settled('r', AT)
  assert.is(recent.covers('other', 0), false)
  assert.is(recent.covers('r', undefined), false)
})

test('the last settlement counts', () => {
  const recent = new Recent()
  recent.settled('r', AT)
  recent.settled('r', AT + 60_000)
  assert.is(recent.covers('r', AT + 10_000), true)
})

test('the latest ten thousand are kept in mind, and no more than twice as many', () => {
  const recent = new Recent()
  const settle = (from: number, to: number) => {
    for (let index = from; index < to; index++) recent.settled(`r${index}`, AT)
  }
  const areKept = (from: number, to: number) => {
    for (let index = from; index < to; index++) if (!recent.covers(`r${index}`, 0)) return false
    return true
  }
  settle(0, 10_000)
  assert.ok(areKept(0, 10_000))
  settle(10_000, 14_000)
  assert.ok(areKept(4_000, 14_000))
  recent.settled('r0', AT)
  settle(14_000, 23_000)
  assert.ok(areKept(13_000, 23_000))
  assert.is(recent.covers('r1', 0), false)
  assert.is(recent.covers('r0', 0), true, 'settled again, it was not the oldest')
})

test.run()
