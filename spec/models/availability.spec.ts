// Availability: what is said of a resource, what may follow what, and who hears of it.
import { Resource, steps } from '../../bin/index.ts'
import { AVAILABILITIES, type AvailabilityStatus } from '../../models/availability.ts'
import { codeOf, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

class Server extends Resource {
  static override tasks = {
    ping: steps({
      ping: async (t) => {
        await t.resource.report('offline', 'ping timed out')
        if (t.input?.fails) throw Object.assign(new Error('no'), { retryable: false })
        return t.stop()
      },
    }),
  }
}
class Bigger extends Server {}

const test = suite('availability')
const on = stage(test, { resources: [Server, Bigger] })

const made = () => on.app.create(Server, {})
const linesOf = async ({ id }: Resource) =>
  (await on.app.history.lines(id)).filter(({ event }) => event === '__availability__')

test('nobody has said anything of a new one', async () => {
  const server = await made()
  assert.equal(server.availability, { status: 'unknown', reason: null, since: null, by: null })
})

test('what is said is kept, with why, since when and by whom; and told', async () => {
  const server = await made()
  const heard: unknown[] = []
  const undo = on.app.events.on('resource.availability', (event) => heard.push(event))
  const since = on.time.now()
  assert.is(await server.report('online', { actor: 'me', reason: 'it answers' }), true)
  await on.time.advance(5_000)
  assert.is(await server.report('online', 'it still answers'), false)
  undo()
  await server.reload()
  assert.equal(server.availability, { status: 'online', reason: 'it answers', since, by: 'me' })
  const { id: resourceId } = server
  assert.equal(heard, [{ kind: 'Server', resourceId, from: 'unknown', to: 'online' }])
  const [line, ...more] = await linesOf(server)
  assert.equal([line?.to, line?.actor, line?.reason], ['unknown, online', 'me', 'it answers'])
  assert.equal(more, [])
})

test('a step says it in its commit, or not at all', async () => {
  const server = await made()
  await server.ping.start()
  await on.settle()
  await server.reload()
  assert.is(server.availability.status, 'offline')
  assert.is(server.availability.reason, 'ping timed out')
  const other = await made()
  await (other.ping as any).start({ fails: true })
  await on.settle()
  await other.reload()
  assert.is(other.availability.status, 'unknown')
})

/** What each may be followed by. */
const ALLOWED: Readonly<Record<AvailabilityStatus, string>> = {
  unknown: 'online uncertain offline known_offline restarting',
  online: 'unknown uncertain offline known_offline restarting',
  uncertain: 'unknown online offline known_offline restarting',
  offline: 'unknown online known_offline restarting',
  known_offline: 'unknown',
  restarting: 'unknown online known_offline',
}
for (const from of AVAILABILITIES) {
  test(`after ${from}, only what may follow it changes anything`, async () => {
    for (const to of AVAILABILITIES) {
      const server = await made()
      await server.report(from)
      const isChanged = await server.report(to)
      assert.is(isChanged, ALLOWED[from].split(' ').includes(to), `${from} to ${to}`)
      await server.reload()
      assert.is(server.availability.status, isChanged ? to : from)
    }
  })
}

test('two reports of one step are held one against the other', async () => {
  const server = await made()
  const store = on.app.store
  const report = (status: string, from: string[]) => ({
    ...{ resourceId: server.id, status, from, actor: 'x', reason: null },
  })
  const reports = [report('uncertain', ['unknown']), report('offline', ['uncertain'])]
  const { newId } = await import('../../lib/id.ts')
  await store.commit([{ id: newId(on.time), reports }])
  await server.reload()
  assert.is(server.availability.status, 'offline')
})

test('what is no status is refused', async () => {
  const server = await made()
  assert.is(await codeOf(server.report('asleep' as never)), 'ARGUMENT_INVALID')
})

test('a resource that restarts is restarting meanwhile, and misses do not count', async () => {
  const server = await made()
  await server.start()
  await on.settle()
  await server.report('online')
  await server.restart()
  await on.settle()
  await server.reload()
  assert.is(server.state, 'running')
  const lines = await on.house.sql(
    `SELECT fields FROM changes WHERE resource_id = $1 AND event = '__availability__' ORDER BY id`,
    [server.id],
  )
  assert.equal(
    lines.map(({ fields }) => fields.join(' ')),
    ['unknown online', 'online restarting', 'restarting unknown'],
  )
})

test('it can be asked for, subclasses too', async () => {
  const [one, two] = [await made(), await on.app.create(Bigger, {})]
  await made()
  for (const server of [one, two]) await server.report('known_offline', 'a new disk')
  const found = await on.app.find(Server).where({ availability: 'known_offline' }).toArray()
  const ids = found.map(({ id }) => id)
  assert.ok(ids.includes(one.id) && ids.includes(two.id))
  assert.ok(found.every(({ availability }) => availability.status === 'known_offline'))
  const unknown = await on.app.find(Server).where({ availability: 'unknown' }).count()
  const all = await on.app.find(Server).count()
  let others = 0
  for (const status of AVAILABILITIES)
    if (status !== 'unknown')
      others += await on.app.find(Server).where({ availability: status }).count()
  assert.is(unknown + others, all)
})

test.run()
