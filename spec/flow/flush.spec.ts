// A Redis that forgets everything: all tickets and all locks are gone, and nothing is lost.

import { Redis } from 'ioredis'
import { hasRedis, type PrivateServer, startPrivateRedis } from '../support/services.ts'
import { assert } from '../support/suite.ts'
import { repeated } from './invariants.ts'
import { Scene } from './scene.ts'
import { scenes } from './scenes.ts'

const test = scenes('a Redis that forgets', hasRedis())
const VESSELS = 80
const FLUSHES = 4

let redis: PrivateServer
test.before(async () => {
  redis = await startPrivateRedis()
})
test.after(() => redis.stop())

test('is flushed several times during the run', { deadlineMs: 90_000 }, async () => {
  const scene = await Scene.open({ redisUrl: redis.url })
  const operator = new Redis(redis.url)
  try {
    await scene.launch(VESSELS)
    await scene.staff('clock', 'clock', 'worker', 'worker')
    for (let flush = 0; flush < FLUSHES; flush++) {
      await scene.stepsMore(VESSELS)
      await operator.flushall()
    }
    await scene.finished(60_000)
    assert.equal(await scene.breaches(), [])
    console.log(`note: ${FLUSHES} times FLUSHALL: ${told(scene)}`)
  } finally {
    await operator.quit()
    await scene.close()
  }
})

test('dies and comes back with nothing', { deadlineMs: 90_000 }, async () => {
  const scene = await Scene.open({ redisUrl: redis.url })
  try {
    await scene.launch(VESSELS)
    await scene.staff('clock', 'worker', 'worker')
    await scene.stepsMore(VESSELS)
    await redis.kill('SIGKILL')
    await redis.restart()
    await scene.finished(60_000)
    assert.equal(await scene.breaches(), [])
  } finally {
    await scene.close()
  }
})

/** What a lost lock came to: two holders at once, of whom the database let one through. */
const told = ({ processes, sink }: Scene) =>
  ['unit.fenced', 'unit.desynchronized', 'lease.lost']
    .map((event) => `${event} ${processes.count(event)}`)
    .concat(`effects seen again ${repeated(sink.seen)}`)
    .join(', ')

test.run()
