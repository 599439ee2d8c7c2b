// The quarantine: one suspect at a time, and not before those that came along with it are known to have gone.
import { turn } from '../../lib/time.ts'
import { Quarantine } from '../../models/poison.ts'
import { gate } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { until } from '../support/wait.ts'

const test = suite('quarantine')
const DONE = Promise.resolve()

function alone(quarantine: Quarantine, claimed: Promise<unknown> = DONE) {
  const state = { isAlone: false }
  quarantine.alone(claimed).then(() => {
    state.isAlone = true
  })
  const became = () => until(() => state.isAlone, { what: 'it was alone' })
  return { state, became }
}

test('lets one suspect in at a time, and the next when that one has left', () => {
  const quarantine = new Quarantine(new FakeTime())
  assert.is(quarantine.admits({ id: 'a', strikes: 1 }), true)
  assert.is(quarantine.admits({ id: 'b', strikes: 1 }), false)
  assert.is(quarantine.admits({ id: 'c', strikes: 0 }), true)
  quarantine.leave('a')
  assert.is(quarantine.admits({ id: 'b', strikes: 1 }), true)
})

test('whoever was let in waits until the others are stored as gone', async () => {
  const quarantine = new Quarantine(new FakeTime())
  const stored = gate<void>()
  quarantine.goes(stored.passed)
  const { state, became } = alone(quarantine)
  for (let turns = 0; turns < 5; turns++) await turn()
  assert.is(state.isAlone, false)
  stored.open()
  await became()
})

test('others that were claimed at the same time are waited for, before anybody can say that they go', async () => {
  const quarantine = new Quarantine(new FakeTime())
  const [claimed, stored] = [gate<void>(), gate<void>()]
  const { state, became } = alone(quarantine, claimed.passed)
  await turn()
  claimed.open()
  await DONE
  // What the same answer has brought is judged in the same turn.
  quarantine.goes(stored.passed)
  for (let turns = 0; turns < 5; turns++) await turn()
  assert.is(state.isAlone, false)
  stored.open()
  await became()
})

test('what could not be stored keeps nobody waiting, and is told to whoever wanted it', async () => {
  const quarantine = new Quarantine(new FakeTime())
  const failed = quarantine.goes(Promise.reject(new Error('lost')))
  await alone(quarantine).became()
  await failed.then(
    () => assert.unreachable(),
    (error) => assert.is(error.message, 'lost'),
  )
})

test.run()
