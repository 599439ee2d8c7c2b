// The life of a resource: new, running, stopped; and what its tasks may do meanwhile.
import { setup } from 'xstate'
import { effect, Resource, steps } from '../../bin/index.ts'
import { codeOf, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

const told: string[] = []
let rises = () => {}

class Server extends Resource {
  static override tasks = {
    serve: setup({ types: {} as { events: { type: 'PING' } } }).createMachine({
      initial: 'serving',
      states: { serving: { on: { PING: { target: 'serving', reenter: true } } } },
    }),
    beat: steps({ beat: async (t) => t.again('1h') }),
    leave: steps({
      leave: async (t) => {
        await t.resource.stop({ reason: 'I leave' })
        return t.again('1h')
      },
    }),
  }
  override async onStart() {
    told.push('start')
    rises()
    await (this as any).serve.start()
  }
  override async onStop() {
    told.push('stop')
  }
}

class Odd extends Resource {
  static override life = setup({
    actors: { boot: effect(async () => 'booted') },
    types: {} as { events: { type: 'STOP' } },
  }).createMachine({
    id: 'odd',
    initial: 'hatching',
    states: {
      hatching: { invoke: { src: 'boot', onDone: 'flying' } },
      flying: { on: { STOP: '__stop__' } },
      __stop__: { type: 'final' },
    },
  }) as any
}

const test = suite('life')
const on = stage(test, { resources: [Server, Odd] })

test.before.each(() => {
  told.length = 0
  rises = () => {}
})

async function running() {
  const server = await on.app.create(Server, {})
  await server.start()
  await on.settle()
  await server.reload()
  return server
}
const statesOf = async (id: string) => {
  const rows = await on.house.sql('SELECT name, status FROM tasks WHERE resource_id = $1', [id])
  return Object.fromEntries(rows.map(({ name, status }) => [name, status]))
}

test('begins as new, and runs once it was started', async () => {
  const server = await on.app.create(Server, {})
  assert.is(server.state, '__new__')
  await Promise.all([server.start(), server.start()])
  await on.settle()
  await server.reload()
  assert.is(server.state, 'running')
  assert.equal(told, ['start'])
  assert.is(await server.serve.running(), true)
})

test('ends with its tasks stopped, which cannot start then', async () => {
  const server = await running()
  await server.beat.start()
  await on.settle()
  await server.serve.send('PING')
  await server.stop({ actor: 'me', reason: 'enough' })
  await on.settle()
  await server.reload()
  assert.is(server.state, '__stop__')
  assert.equal(told, ['start', 'stop'])
  assert.equal(await statesOf(server.id), { life: 'done', serve: 'stopped', beat: 'stopped' })
  assert.is(await codeOf(server.beat.start()), 'RESOURCE_STOPPED')
  assert.is(await codeOf(server.serve.send('PING')), 'TASK_FINISHED')
  await on.advance('2h')
  assert.equal(await statesOf(server.id), { life: 'done', serve: 'stopped', beat: 'stopped' })
})

test('stops its tasks in the commit in which it stops', async () => {
  const server = await running()
  await server.stop()
  await on.settle()
  const rows = await on.house.sql(
    `SELECT DISTINCT x.unit_id FROM transitions x JOIN tasks t ON t.id = x.task_id
     WHERE t.resource_id = $1 AND x.to_state = '__stop__'`,
    [server.id],
  )
  assert.is(rows.length, 1)
})

test('begins anew after it ended', async () => {
  const server = await running()
  await server.stop()
  await on.settle()
  await server.start()
  await on.settle()
  await server.reload()
  assert.is(server.state, 'running')
  assert.is(await server.serve.running(), true)
  await on.advance(1)
})

test('begins anew without having ended, its tasks too', async () => {
  const server = await running()
  const { taskId } = (await server.serve.status())!
  await server.restart()
  await on.settle()
  await server.reload()
  assert.is(server.state, 'running')
  assert.equal(told, ['start', 'stop', 'start'])
  assert.is.not((await server.serve.status())!.taskId, taskId)
})

test('can end without ever having begun', async () => {
  const server = await on.app.create(Server, {})
  await server.stop()
  await on.settle()
  await server.reload()
  assert.is(server.state, '__stop__')
  assert.equal(told, ['stop'])
})

test('can be ended from within', async () => {
  const server = await running()
  await server.leave.start()
  await on.settle()
  await server.reload()
  assert.is(server.state, '__stop__')
  assert.is((await statesOf(server.id)).leave, 'stopped')
})

test('that fails to begin is tried again, and then waits for help', async () => {
  rises = () => {
    throw new Error('no power')
  }
  const server = await on.app.create(Server, {})
  await server.start()
  await on.advance('10m')
  assert.is(told.length, 5)
  await server.reload()
  assert.is(server.state, 'starting')
  const [life] = await on.house.sql('SELECT status FROM tasks WHERE resource_id = $1', [server.id])
  assert.is(life.status, 'panicked')
})

test('can be another machine', async () => {
  const odd = await on.app.create(Odd, {})
  await odd.start()
  await on.settle()
  await odd.reload()
  assert.is(odd.state, 'flying')
  await odd.stop()
  await on.settle()
  await odd.reload()
  assert.is(odd.state, '__stop__')
})

test.run()
