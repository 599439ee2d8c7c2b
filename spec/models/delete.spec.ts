// Deletion: children, tasks, the exit machine of the class, and then the row.
import { setup } from 'xstate'
import * as z from 'zod'
import { effect, field, Resource, steps, task } from '../../bin/index.ts'
import { codeOf, gate, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

const told: string[] = []
let release: (work: any) => unknown = () => {}

const exitOf = (what: string) =>
  setup({
    actors: {
      release: effect(
        async (work: any) => {
          told.push(`${what} ${work.resource.name ?? ''} because ${work.input.reason}`)
          return release(work)
        },
        { retry: { attempts: 1 } },
      ),
    },
  }).createMachine({
    context: ({ input }: any) => input,
    initial: 'releasing',
    states: {
      releasing: {
        invoke: { src: 'release', input: ({ context }: any) => context, onDone: 'released' },
      },
      released: { type: 'final' },
    },
  })

const serve = steps({ serve: async (t) => t.again('1h') })

class Server extends Resource {
  static override fields = { name: field(z.string().optional()) }
  static override tasks = { serve: task(serve, { exit: exitOf('task of') }), beat: serve }
  static override exit = exitOf('server')
  override onStop() {
    told.push('stop')
  }
}
class Plain extends Resource {
  static override tasks = { serve }
}
class Odd extends Resource {
  static override life = setup({}).createMachine({ initial: 'on', states: { on: {} } })
}

const test = suite('delete')
const on = stage(test, { resources: [Server, Plain, Odd] })

test.before.each(() => {
  told.length = 0
  release = () => {}
})

const because = { actor: 'me', reason: 'too dear' }
const exists = async (id: string) =>
  (await on.house.sql('SELECT id FROM resources WHERE id = $1', [id])).length === 1
const stonesOf = (id: string) =>
  on.house.sql('SELECT * FROM tombstones WHERE resource_id = $1 ORDER BY id', [id])

async function running(name: string, parent?: Resource) {
  const server = await on.app.create(Server, { name }, parent ? { parent } : {})
  await server.start()
  await server.serve.start()
  await server.beat.start()
  await on.settle()
  await server.reload()
  return server
}

test('a resource is deleting while its tasks and its class clean up, and then it is gone', async () => {
  const server = await running('a')
  const heard: any[] = []
  const undo = on.app.events.on('resource.deleted', (event) => heard.push(event))
  await server.delete(because)
  await server.reload()
  assert.is(server.state, 'deleting')
  await server.beat.stop()
  assert.is(await codeOf(server.beat.start()), 'RESOURCE_DELETING')
  await on.advance('5s')
  undo()
  assert.equal(told, ['stop', 'task of a because too dear', 'server a because too dear'])
  assert.is(await codeOf(on.app.get(Server, server.id)), 'RESOURCE_UNKNOWN')
  assert.is(await codeOf(server.reload()), 'RESOURCE_UNKNOWN')
  assert.is(await codeOf(server.beat.start()), 'RESOURCE_UNKNOWN')
  const [stone, ...more] = await stonesOf(server.id)
  assert.equal(more, [])
  assert.equal(
    [stone.kind, stone.actor, stone.reason, stone.is_forced, stone.state],
    ['Server', 'me', 'too dear', false, '__gone__'],
  )
  const { id: resourceId } = server
  assert.equal(heard, [{ kind: 'Server', resourceId, isForced: false, ...because }])
  for (const table of ['tasks', 'leases', 'dues', 'changes', 'failures']) {
    const left = await on.house.sql(`SELECT 1 FROM ${table} WHERE resource_id = $1`, [server.id])
    assert.is(left.length, 0, table)
  }
})

test('one that never began can be deleted, and one that has ended', async () => {
  const fresh = await on.app.create(Plain, {})
  await fresh.delete()
  const ended = await on.app.create(Plain, {})
  await ended.stop()
  await on.settle()
  await ended.delete()
  await on.settle()
  assert.is(await exists(fresh.id), false)
  assert.is(await exists(ended.id), false)
})

test('one whose life has panicked can be deleted', async () => {
  const server = await running('p')
  await on.house.sql(
    `UPDATE tasks SET status = 'panicked' WHERE resource_id = $1 AND name = 'life'`,
    [server.id],
  )
  await server.delete()
  await on.advance('5s')
  assert.is(await exists(server.id), false)
})

test('an exit machine that fails blocks the deletion, visibly, until it is let go on', async () => {
  release = () => {
    throw new Error('the cloud is down')
  }
  const server = await running('b')
  await server.serve.stop({ force: true })
  await server.delete()
  await on.advance('1h')
  await server.reload()
  assert.is(server.state, 'deleting')
  const [exit] = await on.house.sql(
    `SELECT name, status FROM tasks WHERE resource_id = $1 AND status = 'panicked'`,
    [server.id],
  )
  assert.match(exit.name, /^life\/exit:/)
  release = () => {}
  const { taskOf } = await import('../../models/dress.ts')
  await taskOf(server, exit.name).retry()
  await on.settle()
  assert.is(await exists(server.id), false)
})

test('asked twice is asked once', async () => {
  const server = await running('c')
  const passed = gate()
  release = () => passed.passed
  await server.delete(because)
  const ticking = on.tick(server.id)
  await until(() => told.length >= 2, { what: 'the exit machine runs' })
  await server.delete({ reason: 'again' })
  passed.open()
  await ticking
  await on.advance('5s')
  const [stone] = await stonesOf(server.id)
  assert.is(stone.reason, 'too dear')
  assert.is(told.length, 3)
})

test('by force it is gone at once', async () => {
  const server = await running('d')
  await server.delete({ force: true, ...because })
  assert.is(await exists(server.id), false)
  const [stone] = await stonesOf(server.id)
  assert.equal([stone.is_forced, stone.reason], [true, 'too dear'])
  assert.equal(told, [])
  assert.is(await codeOf(server.delete({ force: true })), 'RESOURCE_UNKNOWN')
})

test('a worker in the middle of one that was taken away by force writes nothing', async () => {
  const passed = gate()
  release = () => passed.passed
  const server = await running('e')
  await server.serve.stop()
  const ticking = on.tick(server.id).catch((thrown) => thrown)
  await until(() => told.length >= 1, { what: 'the exit machine runs' })
  await server.delete({ force: true })
  passed.open()
  await ticking
  assert.is(await exists(server.id), false)
  assert.is(
    (await on.house.sql('SELECT 1 FROM tasks WHERE resource_id = $1', [server.id])).length,
    0,
  )
})

test('children are a reason to refuse', async () => {
  const parent = await running('f')
  await running('g', parent)
  for (const force of [false, true])
    assert.is(await codeOf(parent.delete({ force })), 'RESOURCE_HAS_CHILDREN')
  await parent.reload()
  assert.is(parent.state, 'running')
})

test('children are deleted first, each with its exit, and waited for', async () => {
  const parent = await running('h')
  const child = await running('i', parent)
  const grandchild = await running('j', child)
  const passed = gate()
  release = (work) => (work.resource.name === 'j' ? passed.passed : undefined)
  await parent.delete({ cascade: true, ...because })
  // Not settle: the grandchild's exit waits for us.
  for (let round = 0; round < 6; round++) {
    const due = await on.house.sql(
      'SELECT DISTINCT resource_id AS id FROM dues WHERE due_at <= to_timestamp($1 / 1000.0)',
      [on.time.now()],
    )
    for (const { id } of due) if (id !== grandchild.id) await on.tick(id)
    await on.time.advance(1_000)
  }
  await child.reload()
  await parent.reload()
  assert.equal([parent.state, child.state], ['deleting', 'deleting'])
  passed.open()
  await on.advance('10s')
  for (const { id } of [parent, child, grandchild]) assert.is(await exists(id), false)
  const exits = told.filter((line) => line.startsWith('server'))
  assert.equal(
    exits,
    ['j', 'i', 'h'].map((name) => `server ${name} because too dear`),
  )
})

test('by force children go with it', async () => {
  const parent = await running('k')
  const child = await running('l', parent)
  await parent.delete({ force: true, cascade: true })
  assert.is(await exists(parent.id), false)
  assert.is(await exists(child.id), false)
  assert.is((await stonesOf(child.id)).length, 1)
})

test('a step may delete its own resource', async () => {
  class Mayfly extends Resource {
    static override tasks = {
      fly: steps({
        fly: async (t) => {
          await t.resource.delete({ reason: 'it is evening' })
          return t.stop()
        },
      }),
    }
  }
  const { drive } = await import('../support/drive.ts')
  const { openHouse } = await import('../support/house.ts')
  const house = await openHouse({ resources: [Mayfly], time: on.time })
  const { settle } = drive({ app: house.app, time: on.time })
  const fly = await house.app.create(Mayfly, {})
  await fly.fly.start()
  await settle()
  assert.is(await codeOf(house.app.get(Mayfly, fly.id)), 'RESOURCE_UNKNOWN')
  const [stone] = await house.sql('SELECT reason FROM tombstones')
  assert.is(stone.reason, 'it is evening')
  await house.close()
})

test('a life of another kind without such an end is refused, but for force', async () => {
  const odd = await on.app.create(Odd, {})
  assert.is(await codeOf(odd.delete()), 'RESOURCE_UNDELETABLE')
  await odd.delete({ force: true })
  assert.is(await exists(odd.id), false)
})

test('a class whose life would never run its exit machine is refused when the app loads', async () => {
  class Bad extends Resource {
    static override life = Odd.life
    static override exit = exitOf('never')
  }
  const { Registry } = await import('../../models/registry.ts')
  assert.is(await codeOf(() => new Registry([Bad])), 'MACHINE_INVALID')
})

test.run()
