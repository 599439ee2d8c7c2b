// Soon: tickets for what falls due before the next beat.
import { Soon } from '../../lib/soon.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const test = suite('soon')

function minding() {
  const time = new FakeTime()
  const pushed: string[] = []
  const push = (tickets: readonly { resourceId: string }[]) => {
    for (const { resourceId } of tickets) pushed.push(resourceId)
  }
  return { time, pushed, soon: new Soon({ time, withinMs: 1_000, push }) }
}

test('pushes a ticket at the moment something is due, once', async () => {
  const { time, pushed, soon } = minding()
  soon.note('a', time.now() + 300)
  await time.advance(299)
  assert.equal(pushed, [])
  await time.advance(1)
  assert.equal(pushed, ['a'])
  await time.advance(5_000)
  assert.equal(pushed, ['a'])
})

test('leaves to the clock what is due later than the next beat, or already', async () => {
  const { time, pushed, soon } = minding()
  soon.note('later', time.now() + 1_001)
  soon.note('already', time.now())
  await time.advance(2_000)
  assert.equal(pushed, [])
})

test('keeps the earliest moment of each resource', async () => {
  const { time, pushed, soon } = minding()
  soon.note('a', time.now() + 500)
  soon.note('a', time.now() + 200)
  soon.note('a', time.now() + 900)
  await time.advance(200)
  assert.equal(pushed, ['a'])
  await time.advance(800)
  assert.equal(pushed, ['a'])
})

test('forgets everything when told to', async () => {
  const { time, pushed, soon } = minding()
  soon.note('a', time.now() + 100)
  soon.clear()
  await time.advance(1_000)
  assert.equal(pushed, [])
})

test.run()
