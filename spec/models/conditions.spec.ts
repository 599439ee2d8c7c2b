// Conditions: tasks that run while something holds, decided in the commit that makes it hold.
import * as z from 'zod'
import { field, Resource, steps, task } from '../../bin/index.ts'
import { stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

let broken: unknown = null
const looks: string[] = []

class Room extends Resource {
  static override fields = {
    heat: field(z.number().default(20)),
    wished: field(z.number().default(20)),
  }
  static override tasks = {
    warm: task(steps({ warm: async ({ again }) => again('1d') }), {
      shouldStart: (room) => room.heat < room.wished,
      shouldStop: (room) => (room.heat > 30 ? `${room.heat} degrees` : room.heat > room.wished),
    }),
    burst: task(
      steps({
        up: async ({ resource, stop }) => {
          resource.heat += 1
          return stop()
        },
      }),
      { shouldStart: (room) => room.heat >= 100 && room.heat < 103 },
    ),
    odd: task(steps({ odd: async ({ stop }) => stop() }), {
      shouldStart: (room) => {
        looks.push(room.state)
        if (broken instanceof Error) throw broken
        return (typeof broken === 'function' ? broken(room) : broken) ?? false
      },
    }),
    assign: steps({
      go: async ({ resource, input, stop }) => {
        Object.assign(resource, input)
        return stop()
      },
    }),
  }
}

class Plain extends Resource {
  static override fields = { heat: field(z.number().default(20)) }
}

const test = suite('conditions')
const on = stage(test, { resources: [Room, Plain] })
test.before.each(() => {
  broken = null
  looks.length = 0
})

async function running(fields: object = {}) {
  const room = await on.app.create(Room, fields)
  await room.start()
  await on.settle()
  await room.reload()
  return room
}
const runsOf = async (id: string, name: string) =>
  on.house.sql(
    `SELECT status, (SELECT reason FROM transitions x WHERE x.task_id = t.id ORDER BY step DESC LIMIT 1) AS reason
     FROM tasks t WHERE resource_id = $1 AND name = $2 ORDER BY id`,
    [id, name],
  )
/** The units in which a field, a start and a stop of a resource were committed. */
const unitsOf = async (id: string, event: string) =>
  (
    await on.house.sql(
      'SELECT x.unit_id FROM transitions x JOIN tasks t ON t.id = x.task_id WHERE t.resource_id = $1 AND event = $2 ORDER BY x.at, t.id',
      [id, event],
    )
  ).map(({ unit_id }) => unit_id)

test('a run begins in the commit that lets the life run, if it should', async () => {
  const room = await running({ heat: 10 })
  assert.is(await room.warm.running(), true)
  const [life] = await on.house.sql(
    `SELECT x.unit_id FROM transitions x JOIN tasks t ON t.id = x.task_id WHERE t.resource_id = $1 AND t.name = 'life' AND to_state = 'running'`,
    [room.id],
  )
  assert.ok((await unitsOf(room.id, '__start__')).includes(life.unit_id))
  await room.stop()
  await on.settle()
})

test('nothing is asked of a resource that does not run', async () => {
  const room = await on.app.create(Room, { heat: 10 })
  room.heat = 5
  await room.save()
  await on.settle()
  assert.equal(looks, [])
  assert.is(await room.warm.status(), null)
})

test('fields saved from outside start it and stop it, with the reason', async () => {
  const room = await running()
  assert.is(await room.warm.status(), null)
  room.heat = 10
  await room.save()
  assert.is(await room.warm.running(), true)
  room.heat = 11
  await room.save()
  assert.is((await runsOf(room.id, 'warm')).length, 1, 'it lives already')
  room.heat = 31
  await room.save()
  assert.equal(await runsOf(room.id, 'warm'), [{ status: 'stopped', reason: '31 degrees' }])
  const [stopped] = await unitsOf(room.id, '__stop__')
  const [saved] = await on.house.sql(
    `SELECT unit_id FROM changes WHERE resource_id = $1 AND event = '__set__' ORDER BY id DESC LIMIT 1`,
    [room.id],
  )
  assert.is(stopped, saved.unit_id)
  await on.settle()
})

test('fields set by a step do so in its commit', async () => {
  const room = await running()
  await room.assign.start({ heat: 1 })
  await on.settle()
  assert.is(await room.warm.running(), true)
  await room.assign.start({ wished: 0 })
  await on.settle()
  assert.equal(await runsOf(room.id, 'warm'), [{ status: 'stopped', reason: 'shouldStop holds' }])
  const [stop] = await unitsOf(room.id, '__stop__')
  const [set] = await on.house.sql(
    `SELECT x.unit_id FROM transitions x JOIN tasks t ON t.id = x.task_id
     WHERE t.resource_id = $1 AND t.name = 'assign' AND x.to_state = '__stop__' ORDER BY x.at DESC, t.id DESC LIMIT 1`,
    [room.id],
  )
  assert.is(stop, set.unit_id)
})

test('what should run still when a run has finished is run again', async () => {
  const room = await running()
  room.heat = 100
  await room.save()
  await on.settle()
  assert.is((await runsOf(room.id, 'burst')).length, 3)
  await room.reload()
  assert.is(room.heat, 103)
})

test('a condition that throws, waits or meddles is told, and costs nothing else', async () => {
  const room = await running()
  const told: string[] = []
  const off = on.app.events.on('condition.failed', ({ task: name, condition, error }) => {
    told.push(`${name} ${condition} ${error.message}`)
  })
  const perils = [
    new Error('no idea'),
    async () => true,
    (seen: any) => seen.save(),
    (seen: any) => {
      seen.heat = 1
      return true
    },
    (seen: any) => seen.assign.start(),
    () => 'yes',
  ]
  for (const [index, peril] of perils.entries()) {
    broken = peril
    room.heat = 10 - index
    await room.save()
  }
  off()
  assert.is(told.length, perils.length)
  assert.is(told[0], 'odd shouldStart no idea')
  assert.is(await room.odd.status(), null)
  assert.is(await room.warm.running(), true)
  const fresh = await on.app.get(Room, room.id)
  assert.is(fresh.heat, 5)
  await on.settle()
})

test('a kind without conditions is asked nothing and pays nothing', async () => {
  const plain = await on.app.create(Plain, {})
  await plain.start()
  await on.settle()
  await plain.reload()
  const units: any[] = []
  const { store } = on.app
  const commit = store.commit.bind(store)
  Object.assign(store, {
    commit: (all: any[]) => {
      units.push(...all)
      return commit(all)
    },
  })
  plain.heat = 1
  await plain.save()
  Object.assign(store, { commit })
  assert.equal(Object.keys(units[0]).sort(), ['fields', 'id'])
})

test.run()
