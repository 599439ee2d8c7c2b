// The locks, by their exam; and what only Redis can do to one.
import { Redis } from 'ioredis'
import { Database } from '../../lib/database.ts'
import { openEmbedded } from '../../lib/embedded.ts'
import { LeaseLock } from '../../lib/locks/lease.ts'
import { RedisLock } from '../../lib/locks/redis.ts'
import { connectRedis } from '../../lib/redis.ts'
import { SystemTime } from '../../lib/time.ts'
import { type Keys, lockExam } from '../exams/lock.ts'
import { fresh } from '../exams/places.ts'
import { blankDump } from '../support/blank.ts'
import {
  databaseUrl,
  hasRedis,
  redisUrl,
  settings,
  startPrivateRedis,
} from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

async function redisKeys(url: string): Promise<Keys> {
  const prefix = fresh()
  const time = new SystemTime()
  const door = await connectRedis(url, { time, name: 'lock-spec' })
  const spy = new Redis(url)
  spy.on('error', () => {})
  const all = () => spy.keys(`${prefix}:*`)
  return {
    lock: () => new RedisLock({ redis: door, prefix, time }),
    count: async () => (await all()).length,
    close: async () => {
      await spy.del('none', ...(await all()))
      await spy.quit()
      await door.close()
    },
  }
}

async function leaseKeys(at: ConstructorParameters<typeof Database>[0]['at']): Promise<Keys> {
  const schema = fresh()
  const database = new Database({ at, schema, poolSize: 4, migrations: [] })
  await database.query(`CREATE SCHEMA "${schema}"`)
  await database.query(
    `CREATE TABLE locks (key text PRIMARY KEY, token uuid NOT NULL, expires_at timestamptz NOT NULL,
      is_wanted boolean NOT NULL DEFAULT false)`,
  )
  return {
    lock: () => new LeaseLock(database),
    count: async () => (await database.query('SELECT count(*) FROM locks')).rows[0].count,
    close: async () => {
      await database.query(`DROP SCHEMA "${schema}" CASCADE`)
      await database.close()
    },
  }
}

lockExam('embedded', async () => {
  const embedded = await openEmbedded({ folder: null, from: await blankDump() })
  const keys = await leaseKeys({ wire: embedded })
  return { ...keys, close: () => keys.close().then(() => embedded.close()) }
})
if (settings().includes('postgres')) lockExam('Postgres', () => leaseKeys({ url: databaseUrl()! }))
if (settings().includes('full')) lockExam('Redis', () => redisKeys(redisUrl()!))

if (hasRedis()) {
  const test = suite('lock in a Redis that dies')

  test('no answer is an error, never "taken", and never a hold', async () => {
    const server = await startPrivateRedis()
    const keys = await redisKeys(server.url)
    const lock = keys.lock()
    const hold = await lock.acquire('k', 60_000)
    assert.ok(hold)
    await server.kill()
    const asked = [lock.acquire('k', 60_000), hold.extend(60_000)]
    for (const answer of await Promise.allSettled(asked)) {
      assert.is(answer.status, 'rejected')
      const { reason } = answer as PromiseRejectedResult
      assert.match(reason.message, reason.cause.message)
    }
    await server.restart()
    await keys.close()
    await server.stop()
  })

  test('a hold that took most of its own time to get is given back', async () => {
    const server = await startPrivateRedis()
    const keys = await redisKeys(server.url)
    const door = await connectRedis(server.url, { time: new SystemTime(), name: 'slow' })
    // Each look at the clock moves it by 600 ms: more than half of the second that was asked for.
    let now = 0
    const time = Object.assign(new FakeTime(), { monotonic: () => (now += 600) })
    const lock = new RedisLock({ redis: door, prefix: 'slow', time })
    assert.is(await lock.acquire('k', 1_000), null)
    assert.ok(await lock.acquire('k', 2_000))
    await door.close()
    await keys.close()
    await server.stop()
  })

  test.run()
}
