// A worker that was stopped in the middle of effects and comes back when others have done its work.
import { Redis } from 'ioredis'
import type { StaffProcess } from '../support/processes.ts'
import { hasRedis, type PrivateServer, startPrivateRedis } from '../support/services.ts'
import type { Held } from '../support/sink.ts'
import { assert } from '../support/suite.ts'
import { until } from '../support/wait.ts'
import { CONCURRENCY, Scene } from './scene.ts'
import { scenes } from './scenes.ts'

const test = scenes('a zombie', hasRedis())
const VESSELS = 12

let redis: PrivateServer
test.before(async () => {
  redis = await startPrivateRedis()
})
test.after(() => redis.stop())

test('outlived by its locks writes nothing, and is of use again', {
  deadlineMs: 90_000,
}, async () => {
  const scene = await Scene.open({ redisUrl: redis.url })
  try {
    const { zombie, held } = await stopped(scene)
    const [heir] = await scene.staff('worker')
    // Longer than the locks live: the heir cannot have their resources before.
    await scene.finished(60_000)
    awaken(zombie, held)
    const late = () => zombie.count('lease.lost') + rejected(zombie)
    await until(() => late() >= CONCURRENCY, { what: 'each of its late writers was turned away' })
    assert.equal(await scene.breaches(), [])
    assert.is(rejected(heir!), 0)

    heir!.signal('SIGTERM')
    await heir!.ended
    await scene.launch(VESSELS)
    await scene.finished(30_000)
    assert.equal(await scene.breaches(), [])
  } finally {
    await scene.close()
  }
})

test('that still trusts its lost locks is turned away by the fence', {
  deadlineMs: 90_000,
}, async () => {
  // Renewed every 100 s: for so long nobody tells the zombie that Redis has forgotten its locks.
  const config = { ESCAPEMENT_LOCK_TTL_MS: '300000' }
  const scene = await Scene.open({ redisUrl: redis.url, config })
  const operator = new Redis(redis.url)
  try {
    const { zombie, held } = await stopped(scene)
    await operator.flushall()
    await scene.staff('worker')
    await scene.finished(60_000)
    const before = await scene.steps()
    awaken(zombie, held)
    // Whichever comes first when it wakes: the answer of an effect, which is fenced, or a look at what became of its task.
    // A worker that drains sees both to their end.
    zombie.signal('SIGTERM')
    await zombie.ended
    console.log(`note: ${zombie.count('unit.fenced')} late units were fenced`)
    assert.is(zombie.count('lease.lost'), 0, 'it believed in its locks to the end')
    assert.is(zombie.count('unit.desynchronized'), 0, 'the fence comes before the step')
    assert.is(await scene.steps(), before)
    assert.equal(await scene.breaches(), [])
  } finally {
    await operator.quit()
    await scene.close()
  }
})

/**
 * A worker stopped with all hands full, both tasks of each vessel in the middle of an effect: nothing of it
 * is on its way to the database.
 */
async function stopped(scene: Scene) {
  let zombie: StaffProcess | undefined
  const held = scene.sink.hold(({ pid }) => pid === (zombie?.pid ?? pid))
  await scene.launch(VESSELS)
  scene.app.startClock()
  ;[zombie] = await scene.staff('worker')
  const isFull = () => held.seen.length === 2 * CONCURRENCY
  await until(isFull, { what: 'all hands were full', deadlineMs: 20_000 })
  zombie!.signal('SIGSTOP')
  return { zombie: zombie!, held }
}

/** The world answers, and the process wakes up to hear it. */
function awaken(zombie: StaffProcess, held: Held): void {
  held.release()
  zombie.signal('SIGCONT')
}

const rejected = (one: StaffProcess) => one.count('unit.fenced') + one.count('unit.desynchronized')

test.run()
