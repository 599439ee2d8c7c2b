// A storm of panics: everybody hears of it once, and whoever is well keeps the time.
// timeout: 180s
import { quickest } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { type Figures, MOST, storm } from './storm.ts'

const test = suite('a storm of panics')
/** The lightest setting with a server of its own; a storm within one process where there is none. */
const setting = quickest()
const panics = setting === 'embedded' ? 200 : 1_000
const HEALTHY = 20
/** Tickets that wait at most beside those of the starts: what a clock adds while the queue has room. */
const ROOM = 5_000
let figures: Figures

test(`of ${panics}`, { deadlineMs: 150_000 }, async () => {
  figures = await storm({ panics, setting, healthy: HEALTHY, everyMs: 300, deadlineMs: 140_000 })
  const { rows, deliveries, lateMs, panicsPerSecond, seconds, deepest } = figures
  const pace = `${panics} panics in ${seconds} s, ${panicsPerSecond}/s, in the setting ${setting}`
  console.log(`note: ${pace}; healthy steps late p50 ${lateMs.p50} ms, p99 ${lateMs.p99} ms`)
  assert.is(figures.odd, 0, 'each has one open alarm, one failure and one notice')
  assert.equal(rows, { alarms: panics, failures: panics, notices: panics })
  assert.is(figures.notices, panics, 'every notice was told')
  assert.is(figures.mostOften, 1, 'and no notice twice')
  assert.ok(deliveries.length <= panics / MOST + 5, `in ${deliveries.length} deliveries`)
  assert.ok(
    figures.leastSteps >= 2,
    `every healthy resource took a step on time before the storm was over: ${figures.leastSteps}`,
  )
  assert.is(figures.failedBeats, 0)
  assert.ok(deepest <= panics + HEALTHY + ROOM, `${deepest} tickets waited`)
})

test.run()
