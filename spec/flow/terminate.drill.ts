// Processes asked to leave, and a database that goes away in the middle: nothing is lost, nothing waits in vain.
// timeout: 240s
import { hasPostgres, type PrivateServer, startPrivatePostgres } from '../support/services.ts'
import { assert } from '../support/suite.ts'
import { until, within } from '../support/wait.ts'
import { repeated } from './invariants.ts'
import { Scene, type SceneOptions } from './scene.ts'
import { scenes } from './scenes.ts'

const VESSELS = 60
/** What has to last until the last outage: a worker alone steps a thousand times a second. */
const MANY_VESSELS = 2 * VESSELS
const LONG = { deadlineMs: 90_000 }

/** Plays a scene with vessels under way, and looks at what is left when all came to their end. */
async function play(
  options: SceneOptions,
  act: (scene: Scene) => Promise<void>,
  vessels = VESSELS,
): Promise<void> {
  const scene = await Scene.open(options)
  try {
    await scene.launch(vessels)
    scene.app.startClock()
    await scene.staff('worker', 'worker')
    await scene.stepsMore(VESSELS)
    await act(scene)
    await scene.finished(60_000)
    assert.equal(await scene.breaches(), [])
  } finally {
    await scene.close()
  }
}

/** The worker that is told to leave, in the middle of an effect that does not end. */
async function hung(scene: Scene) {
  const leaver = scene.processes.all.at(-1)!
  const held = scene.sink.hold(({ pid }) => pid === leaver.pid)
  await until(() => held.seen.length > 0, { what: 'an effect hung' })
  leaver.signal('SIGTERM')
  return { leaver, held }
}

const leaving = scenes('a worker asked to leave')

leaving('finishes what it has in hand', LONG, () =>
  play({}, async (scene) => {
    const leaver = scene.processes.all.at(-1)!
    leaver.signal('SIGTERM')
    const ending = await within(leaver.ended, 15_000, 'it had drained')
    assert.equal(ending, { code: 0, signal: null })
    assert.is(leaver.told.find(({ msg }) => msg === 'worker.stopped')?.reason, 'drained')
    await scene.finished(60_000)
    assert.is(repeated(scene.sink.seen), 0, 'nothing had to be done twice')
    assert.is(scene.processes.count('unit.fenced'), 0)
  }),
)

leaving('gives up an effect that hangs when its grace is over', LONG, () =>
  play({ config: { ESCAPEMENT_GRACE_MS: '300' } }, async (scene) => {
    const { leaver, held } = await hung(scene)
    const ending = await within(leaver.ended, 15_000, 'the grace was over')
    held.release()
    assert.equal(ending, { code: 0, signal: null })
    assert.is(leaver.told.find(({ msg }) => msg === 'worker.stopped')?.reason, 'grace ran out')
    const keys = held.seen.map(({ key }) => key)
    console.log(`note: after an aborted drain: ${await scene.recovered(keys)} ms`)
  }),
)

leaving('goes at once when it is asked again', LONG, () =>
  play({ config: { ESCAPEMENT_GRACE_MS: '600000' } }, async (scene) => {
    const { leaver, held } = await hung(scene)
    await until(() => leaver.count('worker.draining') > 0, { what: 'it was draining' })
    leaver.signal('SIGTERM')
    const { code } = await within(leaver.ended, 5_000, 'it was gone')
    held.release()
    assert.is.not(code, 0)
  }),
)

leaving.run()

const database = scenes('a database that goes away', hasPostgres())
const OUTAGES = 3

let postgres: PrivateServer
database.before(async () => {
  postgres = await startPrivatePostgres()
})
database.after(() => postgres.stop())

database('is shut down at once and started again, several times', LONG, () =>
  play(
    { databaseUrl: postgres.url },
    async (scene) => {
      for (let outage = 0; outage < OUTAGES; outage++) {
        // What `pg_ctl stop -m immediate` sends: no goodbye, crash recovery at the next start.
        await postgres.kill('SIGQUIT')
        await postgres.restart()
        await scene.stepsMore(VESSELS)
      }
    },
    MANY_VESSELS,
  ),
)

database('dismisses every session, again and again', LONG, () =>
  play(
    {},
    async (scene) => {
      for (let dismissal = 0; dismissal < 2 * OUTAGES; dismissal++) {
        await scene.dismissSessions()
        await scene.stepsMore(VESSELS / 2)
      }
    },
    MANY_VESSELS,
  ),
)

database.run()
