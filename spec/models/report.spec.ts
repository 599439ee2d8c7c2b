// The report of one attempt: when it is to be written, and what it refuses.
import { Secret } from '../../lib/secret.ts'
import { Report } from '../../models/report.ts'
import { codeOf } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const test = suite('report')

function reporting() {
  const time = new FakeTime()
  const due: number[] = []
  const report = new Report(time, () => due.push(time.monotonic()))
  return { time, due, report }
}

test('is due at once, then after a pause, with the latest', async () => {
  const { time, due, report } = reporting()
  report.say(1)
  report.say(2)
  assert.equal([due, report.isDue, report.latest], [[0], true, 2])
  report.writing()
  // Said while that is being written: it waits, and rings once.
  report.say(3)
  report.say(4)
  assert.is(report.isDue, false)
  await time.advance(1_999)
  assert.equal(due, [0])
  await time.advance(1)
  assert.equal([due, report.isDue, report.latest], [[0, 2_000], true, 4])
  report.writing()
  await time.advance(60_000)
  assert.equal(due, [0, 2_000], 'nothing new is nothing to write')
})

test('is over with its attempt', async () => {
  const { time, due, report } = reporting()
  report.say(1)
  report.writing()
  report.say(2)
  report.end()
  report.say(3)
  await time.advance(60_000)
  assert.equal([due, report.latest, report.isDue, time.sleeping], [[0], 2, false, 0])
})

test('keeps what was said, not what became of it', () => {
  const { report } = reporting()
  const value = { list: [1], at: new Date(5) }
  report.say(value)
  value.list.push(2)
  assert.equal(report.latest, { list: [1], at: { $date: '1970-01-01T00:00:00.005Z' } })
})

test('takes 8 KiB of plain data and no secret, and what it refuses does not count', async () => {
  const { report } = reporting()
  report.say('x'.repeat(8_190))
  const wrong = ['x'.repeat(8_191), 'ä'.repeat(4_096), new Secret('s'), () => {}, Number.NaN, '\0']
  for (const value of wrong) {
    assert.is(await codeOf(() => report.say(value)), 'VALUE_NOT_STORABLE')
  }
  assert.is((report.latest as string).length, 8_190)
})

test.run()
