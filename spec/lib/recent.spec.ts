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

test('ten thousand are kept in mind, the latest', () => {
  const recent = new Recent()
  for (let index = 0; index <= 10_000; index++) {
    recent.settled(`r${index}`, AT)
    if (index === 9_999) recent.settled('r0', AT)
  }
  assert.is(recent.covers('r0', 0), true, 'settled again, it was not the oldest')
  assert.is(recent.covers('r1', 0), false)
  assert.is(recent.covers('r2', 0), true)
})

test.run()
