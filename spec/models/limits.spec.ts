// Limits by key: never exceeded, in every setting; whoever waits is called in, in line, and nobody is asked meanwhile.
import { setup } from 'xstate'
import * as z from 'zod'
import { effect, field, Resource, task } from '../../bin/index.ts'
import type { Entrant } from '../../lib/slots.ts'
import { openHouse } from '../support/house.ts'
import { settings } from '../support/services.ts'
import { type Gate, gate, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

const running = new Map<string, number>()
const most = new Map<string, number>()
const begun: string[] = []
let gates: Gate<void>[] | null = null

const call = effect(async ({ resource }: any) => {
  const { owner } = resource
  running.set(owner, (running.get(owner) ?? 0) + 1)
  most.set(owner, Math.max(most.get(owner) ?? 0, running.get(owner) ?? 0))
  begun.push(resource.id)
  const one = gate()
  if (gates) {
    gates.push(one)
    await one.passed
  } else await Promise.resolve()
  running.set(owner, (running.get(owner) ?? 0) - 1)
})
const machine = setup({ actors: { call } }).createMachine({
  initial: 'calling',
  states: { calling: { invoke: { src: 'call', onDone: 'done' } }, done: { type: 'final' } },
})
const quick = setup({}).createMachine({
  initial: 'one',
  states: { one: { always: 'done' }, done: { type: 'final' } },
})

class Server extends Resource {
  static override fields = { owner: field(z.string()) }
  static override tasks = {
    boot: task(machine, { limit: { key: ({ owner }) => owner, concurrency: 2 } }),
    mail: task(quick, { limit: { rate: { count: 3, per: '1m' } } }),
    free: task(quick),
  }
}

const test = suite('limits')
const on = stage(test, { resources: [Server] })
const beat = () => on.app.store.due(1_000)
const inLine = async () =>
  (await on.house.sql("SELECT task_id FROM dues WHERE reason LIKE 'slot:%' ORDER BY task_id"))
    .length
const make = async (name: 'boot' | 'mail' | 'free', count: number, owner = 'acme') => {
  const made = []
  for (let index = 0; index < count; index++) {
    const server = await on.app.create(Server, { owner })
    await server[name].start()
    made.push(server)
  }
  return made
}
const ended = async (name: string) =>
  (await on.house.sql("SELECT id FROM tasks WHERE name = $1 AND status = 'done'", [name])).length

test.before.each(async () => {
  for (const known of [running, most]) known.clear()
  begun.length = 0
  gates = null
  await on.time.advance(600_000)
  await on.house.sql('DELETE FROM slots')
  await on.house.sql('DELETE FROM tasks')
})

test('so many runs of a key are in hand, the others wait in line and are called in one by one', async () => {
  gates = []
  const servers = await make('boot', 5)
  const others = await make('boot', 1, 'other')
  const ticks = [...servers, ...others].map(({ id }) => on.tick(id))
  await until(() => gates?.length === 3, { what: 'three effects run', deadlineMs: 10_000 })
  await until(async () => (await inLine()) === 3, { what: 'three wait', deadlineMs: 10_000 })
  assert.equal([most.get('acme'), most.get('other')], [2, 1])
  assert.equal((await beat()).tickets, [], 'nobody is asked about them')
  const why = await on.app.explain(Server, servers[4]!.id, 'boot')
  assert.is(why.code, 'in_line')
  for (const one of gates.splice(0)) one.open()
  await Promise.all(ticks)
  assert.is(await inLine(), 1, 'two slots were free, and two were called in')
  gates = null
  await on.settle()
  assert.is(await ended('boot'), 6)
  assert.is(most.get('acme'), 2)
  assert.equal(begun.slice(-1), [servers[4]!.id], 'the one that came last is the last')
  assert.is((await on.house.sql('SELECT 1 FROM slots WHERE task_id IS NOT NULL')).length, 0)
})

test('so many begin in any period, those in line as slots free', async () => {
  await make('mail', 8)
  await on.settle()
  assert.is(await ended('mail'), 3)
  assert.is(await inLine(), 5)
  await on.time.advance(59_999)
  assert.is((await beat()).nextAt, on.time.now() + 1)
  await on.settle()
  assert.is(await ended('mail'), 3)
  await on.time.advance(1)
  await beat()
  await on.settle()
  assert.is(await ended('mail'), 6)
  await on.time.advance(30_000)
  await make('mail', 1)
  await on.settle()
  assert.is(await ended('mail'), 6, 'whoever comes later waits behind the others')
  await on.time.advance(30_000)
  await beat()
  await on.settle()
  assert.is(await ended('mail'), 9)
})

test('a task without a limit asks for nothing', async () => {
  const before = on.app.store.porter.enter
  let asked = 0
  on.app.store.porter.enter = (one: Entrant) => {
    asked += 1
    return before.call(on.app.store.porter, one)
  }
  await make('free', 3)
  await on.settle()
  on.app.store.porter.enter = before
  assert.equal([asked, await ended('free')], [0, 3])
})

test('what the dead held is free at the next look, and they can commit nothing under their fence', async () => {
  const server = (await make('boot', 1))[0]!
  const { app, time } = on
  const claim = (await app.store.claim(server.id, 'worker-dead'))!
  await on.house.sql(
    `INSERT INTO workers (id, role, host, pid, queue, pulse_ms, started_at, seen_at)
     VALUES ('worker-dead', 'worker', 'far', 1, 'ticks', 1000, to_timestamp($1 / 1000.0), to_timestamp($1 / 1000.0))`,
    [time.now()],
  )
  const who = { resourceId: server.id, fence: claim.fence, owner: 'worker-dead' }
  const slot = { ...who, key: 'run:Server.boot:acme', most: 1, perMs: null }
  const taskId = claim.tasks[0]!.id
  assert.is(await app.store.porter.enter({ ...slot, taskId }), true)
  const next = (await make('boot', 1))[0]!
  const [row] = await on.house.sql('SELECT id FROM tasks WHERE resource_id = $1', [next.id])
  assert.is(await app.store.porter.enter({ ...slot, taskId: row.id }), false)
  await on.house.sql(
    "UPDATE dues SET due_at = NULL, look_at = NULL, reason = 'slot:run:Server.boot:acme' WHERE task_id = $1",
    [row.id],
  )
  await beat()
  assert.is(await inLine(), 1, 'it lives')
  await time.advance(60_000)
  await beat()
  assert.is(await inLine(), 0)
  const [lease] = await on.house.sql('SELECT fence FROM leases WHERE resource_id = $1', [server.id])
  assert.ok(lease.fence > claim.fence)
})

test('a free slot is not for newcomers while somebody stands in line', async () => {
  const [first, last] = await make('boot', 2)
  const { porter } = on.app.store
  const runs = await on.house.sql('SELECT id, resource_id FROM tasks ORDER BY id')
  const who = { key: 'run:y', most: 1, perMs: null, owner: 'driver', fence: 1 }
  const one = (n: number) => ({ ...who, taskId: runs[n].id, resourceId: runs[n].resource_id })
  await on.house.sql(
    "UPDATE dues SET due_at = NULL, look_at = NULL, reason = 'slot:run:y' WHERE task_id = $1",
    [runs[0].id],
  )
  assert.is(await porter.enter(one(1)), false)
  assert.equal(await porter.callIn('run:y'), [first!.id])
  assert.is(await porter.enter(one(1)), false, 'it is kept for who was called')
  assert.is(await porter.enter(one(0)), true)
  assert.equal(await porter.leave(one(0)), [])
  assert.is(await porter.enter(one(1)), true, last!.id)
})

test('a limit that is lowered holds for whoever comes next', async () => {
  const { porter } = on.app.store
  const [server] = await make('boot', 1)
  const ids = Array.from({ length: 5 }, (_, n) => `00000000-0000-4000-8000-00000000000${n}`)
  const one = (taskId: string, most: number) =>
    porter.enter({
      ...{ key: 'run:x', most, perMs: null, taskId },
      ...{ resourceId: server!.id, owner: 'driver', fence: 1 },
    })
  assert.equal([await one(ids[0]!, 3), await one(ids[1]!, 3)], [true, true])
  assert.is(await one(ids[2]!, 2), false)
  assert.is(await one(ids[2]!, 3), true)
  assert.is(await one(ids[0]!, 1), true, 'who is in stays in')
})

test.run()

const crowd = suite('limits of a crowd')
for (const setting of settings()) {
  crowd(`never exceeded by two workers, ${setting}`, { deadlineMs: 120_000 }, async () => {
    for (const known of [running, most]) known.clear()
    gates = null
    const house = await openHouse({ resources: [Server], setting })
    const made = await Promise.all(
      Array.from({ length: 60 }, (_, n) => house.app.create(Server, { owner: `o${n % 3}` })),
    )
    await house.app.start()
    const other = await house.neighbour()
    await other.startWorker()
    await Promise.all(made.map((server) => server.boot.start()))
    const done = async () =>
      (await house.sql("SELECT 1 FROM tasks WHERE name = 'boot' AND status = 'done'")).length === 60
    await until(done, { what: 'all of them are done', deadlineMs: 60_000 })
    for (const [owner, count] of most) assert.ok(count <= 2, `${owner}: ${count} at once`)
    await house.close()
  })
}
crowd.run()
