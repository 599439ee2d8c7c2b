// timeout: 120s
// The fleet: two clocks and two workers, four processes, on PostgreSQL and Redis.
import { SystemTime } from '../../lib/time.ts'
import { assert, suite } from '../support/suite.ts'
import { repeated } from './invariants.ts'
import { Scene } from './scene.ts'

const test = suite('a fleet')
const VESSELS = Number(process.env.FLOW_VESSELS ?? 150)
const time = new SystemTime()

test('carries 1,000 vessels to their end', { deadlineMs: 100_000 }, async () => {
  const scene = await Scene.open()
  try {
    const t0 = time.monotonic()
    await scene.launch(VESSELS)
    const before = await scene.steps()
    const t1 = time.monotonic()
    const roles = ['clock', 'clock', 'worker', 'worker']
    await Promise.all(roles.map((role) => scene.processes.start(role)))
    const t2 = time.monotonic()
    await scene.finished(80_000)
    const t3 = time.monotonic()
    const after = await scene.steps()
    assert.equal(await scene.breaches(), [])
    const t4 = time.monotonic()
    console.log(
      'note: launch',
      t1 - t0,
      'start',
      t2 - t1,
      'run',
      t3 - t2,
      'check',
      t4 - t3,
      'steps/s',
      ((after - before) / (t3 - t2)) * 1000,
      JSON.stringify(scene.processes.counts()),
      repeated(scene.sink.seen),
    )
  } finally {
    await scene.close()
  }
})

test.run()
