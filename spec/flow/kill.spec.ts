// Processes killed without a word, in the middle of effects: somebody else does what they had in hand.
import type { StaffProcess } from '../support/processes.ts'
import { assert } from '../support/suite.ts'
import { until } from '../support/wait.ts'
import { Scene } from './scene.ts'
import { scenes } from './scenes.ts'

const test = scenes('a kill')
const VESSELS = 60

test('of a worker in the middle of effects loses nothing', { deadlineMs: 90_000 }, async () => {
  const scene = await Scene.open()
  try {
    await scene.launch(VESSELS)
    scene.app.startClock()
    const [victim] = await scene.staff('worker')
    const keys = await cutDown(scene, victim!)
    const [heir] = await scene.staff('worker')
    console.log(`note: after kill -9 of a worker: ${await scene.recovered(keys)} ms`)
    await scene.finished(60_000)
    assert.equal(await scene.breaches(), [])
    const again = scene.sink.seen.filter(({ pid }) => pid === heir!.pid).map(({ key }) => key)
    assert.ok(
      keys.every((key) => again.includes(key)),
      'with the same keys',
    )
  } finally {
    await scene.close()
  }
})

test('of everybody leaves a house others can go on with', { deadlineMs: 90_000 }, async () => {
  const scene = await Scene.open()
  try {
    await scene.launch(VESSELS)
    const first = await scene.staff('clock', 'clock', 'worker', 'worker')
    await scene.stepsMore(VESSELS)
    await Promise.all(first.map((one) => one.kill()))
    assert.ok((await scene.underWay()) > 0, 'in the middle')
    await scene.staff('clock', 'worker')
    await scene.finished(60_000)
    assert.equal(await scene.breaches(), [])
  } finally {
    await scene.close()
  }
})

/** Kills a worker while several of its effects are running; answers their keys. */
async function cutDown(scene: Scene, victim: StaffProcess): Promise<string[]> {
  await scene.stepsMore(VESSELS)
  const held = scene.sink.hold(({ pid }) => pid === victim.pid)
  await until(() => held.seen.length >= 3, { what: 'three effects were running' })
  await victim.kill()
  held.release()
  const keys = await scene.inHandOf(victim)
  assert.ok(keys.length >= 3, 'it had them in hand')
  return keys
}

test.run()
