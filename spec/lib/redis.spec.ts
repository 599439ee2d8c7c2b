// The door to Redis: who is let in, what it says when it cannot, and that it never waits for ever.
import { createServer, type Server, type Socket } from 'node:net'
import { Redis } from 'ioredis'
import { isFault } from '../../lib/errors.ts'
import { connectRedis, type RedisDoor } from '../../lib/redis.ts'
import { SystemTime } from '../../lib/time.ts'
import { freePort, hasRedis, type PrivateServer, startPrivateRedis } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { until, within } from '../support/wait.ts'

const time = new SystemTime()
const open = (url: string) => connectRedis(url, { time, name: 'redis-spec' })

/** What is thrown instead of a door. */
async function refusal(door: Promise<RedisDoor>) {
  const error = await door.then(
    async (opened) => {
      await opened.close()
      return null
    },
    (thrown) => thrown,
  )
  assert.ok(isFault(error), `${error}`)
  return error
}

const doors = suite('redis: at the door')

doors('nobody there: the sentence says where and why, and no password', async () => {
  const port = await freePort()
  const error = await refusal(open(`redis://me:pssst@127.0.0.1:${port}/3`))
  assert.is(error.code, 'REDIS_UNREACHABLE')
  const why = `connect ECONNREFUSED 127.0.0.1:${port}`
  assert.is(error.message, `Redis at 127.0.0.1:${port}/3 cannot be reached: ${why}.`)
  assert.ok(error.cause instanceof Error)
})

doors('what is not an address is not shown', async () => {
  const error = await refusal(open('pssst:not an address'))
  assert.is(error.code, 'REDIS_UNREACHABLE')
  assert.not.match(error.message, 'pssst')
})

doors('somebody who never answers is given up on', async () => {
  const sockets: Socket[] = []
  const hole: Server = createServer((socket) => void sockets.push(socket))
  await new Promise<void>((resolve) => hole.listen(0, '127.0.0.1', resolve))
  const { port } = hole.address() as { port: number }
  const still = new FakeTime()
  const error = refusal(connectRedis(`redis://127.0.0.1:${port}`, { time: still, name: 'hole' }))
  await until(() => sockets.length > 0, { what: 'the hole was looked into' })
  await still.advance(10_000)
  assert.match((await error).message, 'no answer within 10000 ms')
  assert.is(still.sleeping, 0)
  for (const socket of sockets) socket.destroy()
  hole.close()
})

doors.run()

if (hasRedis()) {
  const test = suite('redis: inside')
  let server: PrivateServer
  let spy: Redis

  test.before(async () => {
    server = await startPrivateRedis()
    spy = new Redis(server.url)
    spy.on('error', () => {})
  })
  test.before.each(() => spy.config('SET', 'maxmemory-policy', 'noeviction'))
  test.after(async () => {
    spy.disconnect()
    await server.stop()
  })

  test('a door opens, says its name and policy, and closes twice', async () => {
    const door = await open(server.url)
    assert.is(door.policy(), 'noeviction')
    assert.is(await door.commands.client('GETNAME'), 'redis-spec')
    await door.close()
    await door.close()
    assert.is(door.commands.status, 'end')
  })

  test('a Redis that evicts is refused', async () => {
    await spy.config('SET', 'maxmemory-policy', 'volatile-lru')
    const error = await refusal(open(server.url))
    assert.is(error.code, 'REDIS_EVICTS')
    assert.match(error.message, 'maxmemory-policy is "volatile-lru"')
    assert.is(error.exit, 2)
  })

  test('a wrong password is named as such, and not shown', async () => {
    await spy.acl('SETUSER', 'guarded', 'on', '>right', '~*', '&*', '+@all')
    const url = server.url.replace('//', '//guarded:wrong@')
    const error = await refusal(open(url))
    assert.match(error.message, /WRONGPASS/)
    assert.not.match(`${error.message} ${error.todo}`, /guarded:|:wrong/)
  })

  test('a Redis that hides its configuration is trusted', async () => {
    await spy.acl('SETUSER', 'hidden', 'on', '>pw', '~*', '&*', '+@all', '-config', '-info')
    const door = await open(server.url.replace('//', '//hidden:pw@'))
    assert.is(door.policy(), null)
    assert.is(await door.commands.ping(), 'PONG')
    await door.close()
  })

  test('what BullMQ makes connections from never gives up, and notices silence', async () => {
    const door = await open(server.url)
    const { url, maxRetriesPerRequest, socketTimeout, commandTimeout } = door.forQueue()
    assert.equal([url, maxRetriesPerRequest, commandTimeout], [server.url, null, undefined])
    assert.ok(socketTimeout! > 5_000, 'longer than a taker blocks')
    await door.close()
  })

  test('a Redis that goes and comes back is found again; meanwhile commands fail', async () => {
    const mortal = await startPrivateRedis()
    const door = await open(mortal.url)
    await mortal.kill()
    const asked = time.monotonic()
    const error = await door.commands.ping().then(
      () => null,
      (thrown) => thrown,
    )
    assert.ok(error instanceof Error)
    assert.ok(time.monotonic() - asked < 10_000)
    await mortal.restart()
    await until(() => door.commands.ping(), { what: 'Redis was found again' })
    await door.close()
    await mortal.stop()
  })

  test('closing does not wait for a Redis that is gone', async () => {
    const mortal = await startPrivateRedis()
    const door = await open(mortal.url)
    await mortal.kill()
    await until(() => door.commands.status !== 'ready', { what: 'the loss was noticed' })
    await within(door.close(), 1_000, 'the door had closed')
    await mortal.stop()
  })

  test.run()
}
