// Tickets from before the last look at their resource: dropped unread where that look was made, and nowhere else.
import { Resource, steps } from '../../bin/index.ts'
import { drive } from '../support/drive.ts'
import { stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

class Walker extends Resource {
  static override tasks = {
    walk: steps({ one: async () => 'two', two: async (t) => t.stop() }),
  }
}

const test = suite('stale tickets')
const on = stage(test, { resources: [Walker] })
const LATE_MS = 5_000

const started = async (): Promise<string> => {
  const walker = await on.app.create(Walker, {})
  await on.settle()
  await walker.walk.start()
  return walker.id
}

test('a ticket written before a look that left nothing due is dropped', async () => {
  const id = await started()
  const writtenAt = on.time.now()
  await on.time.advance(LATE_MS)
  assert.is(on.ticker.nudge(id, writtenAt), false, 'nobody has looked')
  await on.tick(id)
  assert.is(on.ticker.nudge(id, writtenAt), true)
})

test('one written since, one that never travelled, and one for another process are worked', async () => {
  const id = await started()
  const writtenAt = on.time.now()
  await on.time.advance(LATE_MS)
  const other = drive({ app: on.app, time: on.time })
  await on.tick(id)
  assert.is(on.ticker.nudge(id, on.time.now()), false)
  assert.is(on.ticker.nudge(id), false)
  assert.is(other.ticker.nudge(id, writtenAt), false)
})

test('a look that left something due drops nothing', async () => {
  const id = await started()
  const writtenAt = on.time.now()
  await on.time.advance(LATE_MS)
  const hurried = drive({ app: on.app, time: on.time, quota: { steps: 1, ms: 60_000 } })
  assert.is((await hurried.tick(id)).kind, 'again')
  assert.is(hurried.ticker.nudge(id, writtenAt), false)
})

test.run()
