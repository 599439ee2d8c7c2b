// Locks asked for together: one trip, many keys, each key for itself; and redlock, which agrees in every case.
import { Redis } from 'ioredis'
import Redlock from 'redlock'
import { RedisLock } from '../../lib/locks/redis.ts'
import { connectRedis } from '../../lib/redis.ts'
import { SystemTime } from '../../lib/time.ts'
import { hasRedis, startPrivateRedis } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'

const LONG_MS = 60_000

if (hasRedis()) {
  const test = suite('locks in batches')
  const time = new SystemTime()
  let server: Awaited<ReturnType<typeof startPrivateRedis>>
  let door: Awaited<ReturnType<typeof connectRedis>>
  let spy: Redis
  let lock: RedisLock
  let redlock: Redlock

  test.before(async () => {
    server = await startPrivateRedis()
    door = await connectRedis(server.url, { time, name: 'batches' })
    spy = new Redis(server.url)
    redlock = new Redlock([spy as unknown as Redlock.CompatibleRedisClient], { retryCount: 0 })
  })
  test.before.each(async () => {
    await spy.flushall()
    lock = new RedisLock({ redis: door, prefix: 'p', time })
  })
  test.after(async () => {
    await spy.quit()
    await door.close()
    await server.stop()
  })

  const keys = (count: number) => Array.from({ length: count }, (_, index) => `k${index}`)
  const refused = (asked: PromiseLike<unknown>) =>
    Promise.resolve(asked).then(
      () => assert.unreachable('redlock had its way'),
      (error) => assert.is(error.name, 'LockError'),
    )

  /** How many scripts Redis ran meanwhile. */
  async function scripts(work: () => Promise<unknown>): Promise<number> {
    await spy.config('RESETSTAT')
    await work()
    const told = await spy.info('commandstats')
    const calls = [...told.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)]
    return calls.reduce((sum, [, count]) => sum + Number(count), 0)
  }

  test('what is asked at once goes in one trip, whatever is asked', async () => {
    const asked = () => Promise.all(keys(100).map((key) => lock.acquire(key, LONG_MS)))
    let holds: Awaited<ReturnType<typeof asked>> = []
    // The first time Redis does not know the script, and is told the text.
    assert.ok((await scripts(async () => (holds = await asked()))) <= 2)
    assert.ok(holds.every((hold) => hold !== null))
    const all = (verb: 'extend' | 'release') => () =>
      Promise.all(holds.map((hold) => hold![verb](LONG_MS)))
    assert.ok((await scripts(all('extend'))) <= 2)
    assert.ok((await scripts(all('release'))) <= 2)
    assert.equal(await spy.keys('*'), [])
  })

  test('in one trip each key has its own answer', async () => {
    const theirs = new RedisLock({ redis: door, prefix: 'p', time })
    await theirs.acquire('k1', LONG_MS)
    const holds = await Promise.all(keys(4).map((key) => lock.acquire(key, LONG_MS)))
    assert.equal(
      holds.map((hold) => hold !== null),
      [true, false, true, true],
    )
    await spy.set('p:lock:k2', 'somebody else')
    await spy.del('p:lock:k3')
    await spy.lpush('p:lock:k3', 'not even a text')
    const [a, , c, d] = holds
    const extended = await Promise.all([a, c, d].map((hold) => hold!.extend(LONG_MS)))
    assert.equal(extended, [true, false, false])
    await Promise.all([a, c, d].map((hold) => hold!.release()))
    const left = ['p:lock:k1', 'p:lock:k1:asked', 'p:lock:k2', 'p:lock:k3']
    assert.equal((await spy.keys('*')).sort(), left)
  })

  test('a time to live that is none is the trouble of one', async () => {
    const answers = await Promise.allSettled(
      [LONG_MS, -1, LONG_MS].map((ttlMs, index) => lock.acquire(`k${index}`, ttlMs)),
    )
    assert.equal(
      answers.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    const got = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    assert.ok(got.every((hold) => hold !== null))
  })

  test('redlock keeps us out, and cannot be robbed', async () => {
    const held = await redlock.lock('p:lock:r', LONG_MS)
    assert.is(await lock.acquire('r', LONG_MS), null)
    await redlock.extend(held, LONG_MS)
    await redlock.unlock(held)
    assert.ok(await lock.acquire('r', LONG_MS))
  })

  test('we keep redlock out, with a value of its own kind', async () => {
    const hold = (await lock.acquire('r', LONG_MS))!
    const value = (await spy.get('p:lock:r'))!
    assert.match(value, /^[0-9a-f]{32}$/)
    await refused(redlock.lock('p:lock:r', LONG_MS))
    const stranger = new Redlock.Lock(redlock, 'p:lock:r', 'f'.repeat(32), Date.UTC(2100, 0), 1)
    await refused(redlock.extend(stranger, LONG_MS))
    await refused(redlock.unlock(stranger))
    assert.is(await hold.extend(LONG_MS / 2), true)
    const leftMs = await spy.pttl('p:lock:r')
    assert.ok(leftMs > 0 && leftMs <= LONG_MS / 2, `${leftMs} ms`)
    const same = new Redlock.Lock(redlock, 'p:lock:r', value, Date.UTC(2100, 0), 1)
    await redlock.extend(same, LONG_MS)
    assert.is(await hold.extend(LONG_MS), true)
    await redlock.unlock(same)
    assert.is(await hold.extend(LONG_MS), false)
    await redlock.unlock(await redlock.lock('p:lock:r', LONG_MS))
  })

  test.run()
}
