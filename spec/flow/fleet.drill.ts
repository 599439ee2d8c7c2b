// timeout: 240s
// The fleet: two clocks and two workers, four processes, on PostgreSQL and Redis.
// All 1,000 vessels, here and not only in chaos: half a minute on two cores.
import { assert } from '../support/suite.ts'
import { repeated } from './invariants.ts'
import { Scene } from './scene.ts'
import { scenes } from './scenes.ts'

const test = scenes('a fleet')
const VESSELS = 1_000

test('carries 1,000 vessels, two tasks of five steps each, to their end', {
  deadlineMs: 220_000,
}, async () => {
  // A ticket is trusted as long as in production: else the clocks repeat themselves while a backlog waits.
  const scene = await Scene.open({ config: { ESCAPEMENT_TOLD_MS: '5000' } })
  try {
    await scene.launch(VESSELS)
    await scene.staff('clock', 'clock', 'worker', 'worker')
    await scene.finished(150_000)
    assert.equal(await scene.breaches(), [])
    assert.is(repeated(scene.sink.seen), 0, 'no effect was run in vain')
    assert.is(scene.processes.count('unit.fenced'), 0, 'nobody came too late')
    assert.is(scene.processes.count('unit.desynchronized'), 0, 'nobody was in the way')
  } finally {
    await scene.close()
  }
})

test.run()
