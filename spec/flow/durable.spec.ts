// timeout: 240s
// What is reported is stored: a worker, and PostgreSQL with all its processes, killed in the middle of commits.
// A step is reported once its commit was answered; each time, before anybody goes on, every report is compared with
// the history: a step that was lost would be taken again under the same number, and nobody would see it later.

import type { StaffProcess } from '../support/processes.ts'
import { hasPostgres, type PrivateServer, startPrivatePostgres } from '../support/services.ts'
import { assert } from '../support/suite.ts'
import { until } from '../support/wait.ts'
import { Scene, type SceneOptions } from './scene.ts'
import { scenes } from './scenes.ts'

const test = scenes('a report', hasPostgres())
const VESSELS = 120
const KILLS = 3
const LONG = { deadlineMs: 100_000 }

let postgres: PrivateServer
test.before(async () => {
  postgres = await startPrivatePostgres()
})
test.after(() => postgres.stop())

/** Vessels under way; killed and looked at again and again; then all come to their end. */
async function play(options: SceneOptions, kill: (scene: Scene) => Promise<void>): Promise<void> {
  const scene = await Scene.open(options)
  try {
    const [server] = await scene.sql(`SELECT current_setting('fsync') AS fsync`)
    assert.is(server.fsync, 'on')
    await scene.launch(VESSELS)
    scene.app.startClock()
    for (let nth = 0; nth < KILLS; nth++) await kill(scene)
    await scene.finished(60_000)
    assert.equal(await scene.breaches(), [])
  } finally {
    await scene.close()
  }
}

/** Nothing is reported that is not stored; and not much is stored that was not reported. */
async function compare(scene: Scene, what: string): Promise<void> {
  assert.ok((await scene.underWay()) > 0, 'in the middle')
  assert.equal(await scene.breachesMidway(), [])
  const { length } = scene.reported
  assert.ok(length > 0, 'something was reported')
  // The first step of each task is its start, of which the starter tells.
  const stored = (await scene.steps()) - 2 * VESSELS
  console.log(
    `note: after kill -9 of ${what}: ${length} steps reported, all stored; ${stored} stored`,
  )
}

test('outlives the worker that made it', LONG, async () => {
  let worker: StaffProcess
  await play({ databaseUrl: postgres.url }, async (scene) => {
    worker = (await scene.staff('worker'))[0]!
    await scene.stepsMore(VESSELS)
    await worker.kill()
    await compare(scene, 'a worker')
    if (scene.processes.all.length === KILLS) await scene.staff('worker')
  })
})

test('outlives the PostgreSQL it was stored in', LONG, async () => {
  let worker: StaffProcess | undefined
  await play({ databaseUrl: postgres.url }, async (scene) => {
    worker ??= (await scene.staff('worker'))[0]!
    await scene.stepsMore(VESSELS)
    const failed = worker.count('tick.failed')
    await postgres.crash()
    // What was answered is reported; whatever was not fails.
    await until(() => worker!.count('tick.failed') > failed, { what: 'the worker had noticed' })
    worker.signal('SIGSTOP')
    await postgres.restart()
    await until(() => scene.underWay(), { what: 'PostgreSQL was back', deadlineMs: 30_000 })
    await compare(scene, 'PostgreSQL')
    worker.signal('SIGCONT')
  })
})

test.run()
