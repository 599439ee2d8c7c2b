// The queue, carried by everything that can carry it; and what only one of them can do to it.
import type { Redis } from 'ioredis'
import { openEmbedded } from '../../lib/embedded.ts'
import { asError, isFault } from '../../lib/errors.ts'
import { migrateQueue, postgresBackend } from '../../lib/queue-backend.ts'
import { Bench, Collector } from '../exams/bench.ts'
import { bundleExam } from '../exams/bundles.ts'
import { fresh, postgresPlace, queuePool, redisPlace } from '../exams/places.ts'
import { queueExam } from '../exams/queue.ts'
import { blankDump } from '../support/blank.ts'
import {
  databaseUrl,
  hasRedis,
  redisUrl,
  settings,
  startPrivateRedis,
} from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { until, within } from '../support/wait.ts'

const embeddedPlace = async () => {
  const embedded = await openEmbedded({ folder: null, from: await blankDump() })
  const place = await postgresPlace({ wire: embedded })
  return {
    ...place,
    close: async () => {
      await place.close()
      await embedded.close()
    },
  }
}

queueExam('embedded', embeddedPlace)
bundleExam('embedded', embeddedPlace)

if (settings().includes('postgres')) {
  queueExam('Postgres', () => postgresPlace({ url: databaseUrl()! }))
  bundleExam('Postgres', () => postgresPlace({ url: databaseUrl()! }))

  const test = suite('queue on Postgres')
  let place: Awaited<ReturnType<typeof postgresPlace>>
  test.before(async () => {
    place = await postgresPlace({ url: databaseUrl()! })
  })
  test.after(() => place.close())

  test('a queue that was never migrated says so, and works once it is', async () => {
    const schema = fresh()
    const pool = queuePool(place.database, schema)
    const bench = new Bench({ ...place, backend: postgresBackend({ pool, schema }) }, 'late')
    const queue = bench.participant()
    const taker = new Collector()
    const refuses = async (asked: Promise<unknown>) => {
      const error = await asked.then(
        () => null,
        (thrown) => thrown,
      )
      assert.ok(isFault(error, 'MIGRATIONS_PENDING'), `${error}`)
      assert.match(error.message, schema)
    }
    await refuses(queue.push([{ resourceId: 'r' }]))
    await refuses(queue.take(taker.work, { concurrency: 1 }))
    await Promise.all([migrateQueue({ pool, schema }), migrateQueue({ pool, schema })])
    await queue.push([{ resourceId: 'r' }])
    await queue.take(taker.work, { concurrency: 1 })
    await taker.has(1)
    await bench.close()
    await place.database.query(`DROP SCHEMA "${schema}" CASCADE`)
  })

  test('a taker survives the loss of all its connections', async () => {
    const bench = new Bench(place, 'cut')
    const queue = bench.participant()
    const taker = new Collector()
    await queue.take(taker.work, { concurrency: 2 })
    await queue.push([{ resourceId: 'before' }])
    await taker.has(1)
    await place.database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE pid <> pg_backend_pid() AND application_name = $1`,
      [bench.name],
    )
    await until(() => bench.failed.length > 0, { what: 'the loss was told' })
    await until(() => queue.push([{ resourceId: 'after' }]).then(() => true), { what: 'pushed' })
    await taker.has(2)
    assert.equal(taker.got, ['before', 'after'])
    await bench.close()
  })

  test.run()
}

if (settings().includes('full')) {
  queueExam('Redis', () => redisPlace(redisUrl()!))
  bundleExam('Redis', () => redisPlace(redisUrl()!))

  const test = suite('queue on Redis')
  let place: Awaited<ReturnType<typeof redisPlace>>
  test.before(async () => {
    place = await redisPlace(redisUrl()!)
  })
  test.after(() => place.close())
  const keyOf = (bench: Bench, key: string) => `{${place.prefix}}:${bench.name}:${key}`

  test('an id without a message, and a message that is not JSON, are refused like the rest', async () => {
    const bench = new Bench(place, 'ghosts')
    const queue = bench.participant()
    const taker = new Collector()
    await place.spy.lpush(keyOf(bench, 'wait'), 'ghost', 'broken')
    await place.spy.hset(keyOf(bench, 'broken'), { name: 'tick', data: '{broken', opts: '{}' })
    await queue.push([{ resourceId: 'healthy' }])
    await queue.take(taker.work, { concurrency: 1 })
    await taker.has(1)
    await until(() => bench.refused.length === 2, { what: 'both were refused' })
    await until(async () => (await place.size(bench.name)) === 0, { what: 'nothing was left' })
    await bench.close()
  })

  test.run()
}

if (hasRedis()) {
  const test = suite('queue on a Redis of its own')
  const options = { deadlineMs: 60_000 }

  test('a taker that meets the same error again and again rests in between, and recovers', async () => {
    // A server of its own: all that is asked there is asked by this taker.
    const server = await startPrivateRedis()
    const place = await redisPlace(server.url)
    const bench = new Bench(place, 'wrong-type')
    const queue = bench.participant()
    const taker = new Collector()
    await place.spy.set(`{${place.prefix}}:${bench.name}:wait`, 'not a list')
    const before = await calls(place.spy)
    await queue.take(taker.work, { concurrency: 2 })
    await until(() => bench.failed.length > 1, { what: 'a second error was told' })
    const asked = (await calls(place.spy)) - before
    assert.ok(asked < 200, `${asked} commands in about a second`)
    await place.spy.del(`{${place.prefix}}:${bench.name}:wait`)
    await queue.push([{ resourceId: 'healthy' }])
    await taker.has(1)
    await bench.close()
    await place.close()
    await server.stop()
  })

  test('push fails in time, and taker and pusher recover by themselves', options, async () => {
    const server = await startPrivateRedis()
    const place = await redisPlace(server.url)
    const bench = new Bench(place, 'revived')
    const queue = bench.participant()
    const taker = new Collector()
    await queue.take(taker.work, { concurrency: 1 })
    await queue.push([{ resourceId: 'before' }])
    await taker.has(1)
    await server.kill()
    const error = await queue.push([{ resourceId: 'lost' }]).then(() => null, asError)
    assert.match(error?.message ?? 'nothing', /max retries per request|timed out|ECONNREFUSED/)
    await server.restart()
    await until(() => queue.push([{ resourceId: 'after' }]).then(() => true), { what: 'pushed' })
    await until(() => taker.got.includes('after'), { what: 'a ticket arrived again' })
    await bench.close()
    await place.close()
    await server.stop()
  })

  test('a taker can be stopped although its Redis is gone', options, async () => {
    const server = await startPrivateRedis()
    const place = await redisPlace(server.url)
    const bench = new Bench(place, 'gone')
    const queue = bench.participant()
    const taker = await queue.take(new Collector().work, { concurrency: 1 })
    await server.kill()
    await until(() => bench.failed.length > 0, { what: 'the loss was told' })
    await within(taker.stop(), 20_000, 'the taker had stopped')
    await within(bench.close(), 20_000, 'the queue had closed')
    await place.abandon()
    await server.stop()
  })

  test.run()
}

/** How many commands Redis has executed so far. */
async function calls(redis: Redis): Promise<number> {
  return Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1])
}
