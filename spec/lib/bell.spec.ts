// The bell: a ring is not lost when nobody waits, and wakes once.
import { Bell } from '../../lib/bell.ts'
import { turn } from '../../lib/time.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('bell')

test('wakes whoever waits', async () => {
  const bell = new Bell()
  let isAwake = false
  const waiting = bell.heard().then(() => {
    isAwake = true
  })
  await turn()
  assert.is(isAwake, false)
  bell.ring()
  await waiting
  assert.is(bell.rung, false)
})

test('is heard by one who comes later, once', async () => {
  const bell = new Bell()
  bell.ring()
  bell.ring()
  assert.is(bell.rung, true)
  await bell.heard()
  let isAwake = false
  const waiting = bell.heard().then(() => {
    isAwake = true
  })
  await turn()
  assert.is(isAwake, false)
  bell.ring()
  await waiting
})

test.run()
