// timeout: 180s
// Alarms: opened in the commit that brings them about, told again until somebody sees to them, closed by themselves.

import { createMachine, setup } from 'xstate'
import * as z from 'zod'
import { alarm, effect, field, Resource, steps } from '../../bin/index.ts'
import { Patrol } from '../../models/patrol.ts'
import { codeOf, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

let broken = true
let throwing = false
const boot = effect(
  async () => {
    if (broken) throw new Error('the cloud is away')
  },
  { retry: false },
)

class Server extends Resource {
  static override fields = {
    load: field(z.number().default(0)),
    owner: field(z.string().default('x')),
  }
  static override labels = { team: 'db' }
  static override tasks = {
    provision: setup({ actors: { boot } }).createMachine({
      initial: 'booting',
      states: {
        booting: { invoke: { src: 'boot', onDone: 'settling' } },
        settling: {
          meta: { stuckAfter: '10m' },
          on: { NEXT: 'online', AGAIN: { actions: () => {} } },
        },
        online: { on: { LOSE: 'lost' } },
        lost: { on: { FIND: 'online' } },
      },
    }),
    slow: createMachine({
      initial: 'on',
      states: { on: { meta: { timeoutMs: 1_000 } } },
    }),
    assign: steps({
      go: async ({ resource, input, stop }) => {
        Object.assign(resource, input)
        return stop()
      },
    }),
  }
  static override alarms = {
    lost: alarm<any>({
      when: (s) => s.tasks.provision?.state === 'lost',
      for: '2m',
      severity: 'critical',
      message: (s) => `${s.resource.owner} has lost it`,
      playbook: 'Look for it.',
      labels: { page: 'yes' },
    }),
    loaded: alarm<any>({
      when: (s) => s.resource.load > 90,
      until: (s) => s.resource.load < 50,
      clearFor: '1m',
      severity: 'warning',
      flap: { times: 3, within: '10m' },
    }),
    odd: alarm<any>({
      when: (s) => {
        if (throwing) throw new Error('a rule that throws')
        return s.resource.load === 42
      },
    }),
  }
}

const test = suite('alarms')
const on = stage(test, { resources: [Server] })
test.before.each(() => {
  broken = true
  throwing = false
})

const patrol = () => {
  const { app, time } = on
  const { store, events, rooms } = app
  return new Patrol({
    ...{ store, time, events, knex: rooms.database.knex },
    ...{ overdueMs: 300_000, toldMs: rooms.config.toldMs },
  })
}
test.before(() => {
  on.app.events.on('steward.failed', ({ error }) => {
    throw error
  })
  on.app.events.on('listener.failed', ({ error }) => console.log(error))
})
const advance = async (ms: number) => {
  await on.time.advance(ms)
  await patrol().round()
}
const alarmsOf = async (id: string) => {
  const lines = await on.app.alarms.list({ resourceId: id, state: 'all' })
  return lines
    .map(({ name, state, count, episode }) => `${name} ${state} ${count} ${episode}`)
    .sort()
}
const noticesOf = async (id: string) =>
  (await on.house.sql('SELECT type FROM notices WHERE resource_id = $1 ORDER BY seq', [id])).map(
    ({ type }) => type.replace('alarm.', ''),
  )
async function parked() {
  const server = await on.app.create(Server, {})
  await server.provision.start()
  await on.settle()
  return server
}

test('a panic opens its alarm in the commit that parks the task, with its notice', async () => {
  const server = await parked()
  assert.equal(await alarmsOf(server.id), ['panic open 1 1'])
  const [line] = await on.app.alarms.list({ resourceId: server.id })
  assert.equal(
    [line!.severity, line!.message, line!.kind, line!.task, line!.labels, line!.key],
    [
      'error',
      'the cloud is away',
      'Server',
      'provision',
      { team: 'db' },
      `${server.id}/provision/panic`,
    ],
  )
  const [row] = await on.house.sql(
    `SELECT (SELECT unit_id FROM transitions x JOIN tasks t ON t.id = x.task_id WHERE t.resource_id = $1 AND event = 'xstate.error.actor.0.(machine).booting' LIMIT 1) AS parked,
       (SELECT unit_id FROM alarm_changes c WHERE c.alarm_id = a.id) AS raised, n.unit_id AS told, n.payload
     FROM alarms a JOIN notices n ON n.alarm_id = a.id WHERE a.resource_id = $1`,
    [server.id],
  )
  assert.is(row.raised, row.told)
  assert.is(row.parked, row.raised)
  assert.is(row.payload.alarm.message, 'the cloud is away')
})

test('an alarm of a panic closes when the task goes on, and opens again as the same', async () => {
  const server = await parked()
  await server.provision.retry({ actor: 'ada', reason: 'once more' })
  assert.equal(await alarmsOf(server.id), ['panic closed 1 1'])
  const [, closed] = await on.app.alarms.history(`${server.id}/provision/panic`)
  assert.equal([closed!.event, closed!.actor, closed!.reason], ['CLEAR', 'ada', 'once more'])
  await on.settle()
  assert.equal(await alarmsOf(server.id), ['panic reopened 2 2'])
  broken = false
  await server.provision.retry()
  await on.settle()
  assert.equal(await alarmsOf(server.id), ['panic closed 2 2', 'stuck pending 1 0'])
  assert.equal(await noticesOf(server.id), ['opened', 'closed', 'reopened', 'closed'])
})

test('a task that was stopped has no alarms any more', async () => {
  const server = await parked()
  await server.provision.stop({ actor: 'ada', reason: 'enough' })
  assert.equal(await alarmsOf(server.id), ['panic closed 1 1'])
  const [, closed] = await on.app.alarms.history(`${server.id}/provision/panic`)
  assert.equal([closed!.event, closed!.actor, closed!.reason], ['CLEAR', 'ada', 'enough'])
})

test('the alarms of a resource close when it is gone', async () => {
  const server = await parked()
  await server.raise('flooded', { severity: 'critical' })
  await server.delete({ force: true })
  assert.equal(await alarmsOf(server.id), ['flooded closed 1 1', 'panic closed 1 1'])
})

test('a task that panics for its time has an alarm of that name', async () => {
  const server = await on.app.create(Server, {})
  await server.slow.start()
  await on.settle()
  await on.time.advance(2_000)
  await on.settle()
  assert.equal(await alarmsOf(server.id), ['timeout open 1 1'])
})

test('a state that should not last is told of when it has, and not when it was left', async () => {
  broken = false
  const server = await parked()
  assert.equal(await alarmsOf(server.id), ['stuck pending 1 0'])
  await advance(9 * 60_000)
  // A step that stays where it is does not begin the wait anew.
  await server.provision.send('AGAIN')
  await on.settle()
  await advance(59_000)
  assert.equal(await alarmsOf(server.id), ['stuck pending 1 0'])
  await advance(2_000)
  assert.equal(await alarmsOf(server.id), ['stuck open 1 1'])
  await server.provision.send('NEXT')
  await on.settle()
  assert.equal(await alarmsOf(server.id), ['stuck closed 1 1'])
  assert.equal(await noticesOf(server.id), ['opened', 'closed'])
})

test('a rule opens its alarm when it has held for its time, whoever looks and when', async () => {
  broken = false
  const server = await parked()
  await server.provision.send('NEXT')
  await server.provision.send('LOSE')
  await on.settle()
  assert.equal(await alarmsOf(server.id), ['lost pending 1 0', 'stuck closed 1 0'])
  await advance(119_000)
  assert.equal(await noticesOf(server.id), [])
  await advance(2_000)
  const line = await on.app.alarms.get(`${server.id}/lost`)
  assert.equal(
    [line.state, line.severity, line.message, line.playbook, line.labels],
    ['open', 'critical', 'x has lost it', 'Look for it.', { page: 'yes', team: 'db' }],
  )
  await server.provision.send('FIND')
  await on.settle()
  assert.equal(await noticesOf(server.id), ['opened', 'closed'])
})

test('a condition that was over before its time never opens', async () => {
  broken = false
  const server = await parked()
  for (const event of ['NEXT', 'LOSE'] as const) await server.provision.send(event)
  await on.settle()
  await on.time.advance(119_000)
  await server.provision.send('FIND')
  await on.settle()
  await advance(600_000)
  assert.equal(await noticesOf(server.id), [])
})

test('a condition that held for its time while nobody looked was an alarm', async () => {
  broken = false
  const server = await parked()
  for (const event of ['NEXT', 'LOSE'] as const) await server.provision.send(event)
  await on.settle()
  await on.time.advance(600_000)
  await server.provision.send('FIND')
  await on.settle()
  assert.equal(await noticesOf(server.id), ['opened', 'closed'])
})

test('a rule about fields is asked when they are saved, and damped when they come and go', async () => {
  const server = await on.app.create(Server, { load: 95 })
  assert.equal(await alarmsOf(server.id), ['loaded open 1 1'])
  const load = async (value: number, afterMs = 0) => {
    server.load = value
    await server.save()
    await advance(afterMs)
  }
  await load(60, 300_000)
  assert.equal(await alarmsOf(server.id), ['loaded open 1 1'])
  await load(40, 59_000)
  assert.equal(await alarmsOf(server.id), ['loaded open 1 1'])
  await load(95)
  await load(40, 61_000)
  assert.equal(await alarmsOf(server.id), ['loaded closed 2 1'])
  for (const _ of [1, 2]) {
    await load(95)
    await load(40, 61_000)
  }
  // The third time within ten minutes: it stays open until it was quiet for as long.
  assert.equal(await alarmsOf(server.id), ['loaded reopened 4 3'])
  await advance(600_000)
  assert.equal(await alarmsOf(server.id), ['loaded closed 4 3'])
})

test('a rule is asked within a step too', async () => {
  const server = await on.app.create(Server, {})
  await server.assign.start({ load: 99 })
  await on.settle()
  assert.equal(await alarmsOf(server.id), ['loaded open 1 1'])
})

test('a rule that throws is told, keeps no commit from being made, and leaves its alarm as it was', async () => {
  const told: any[] = []
  const deafen = on.app.events.on('rule.failed', (one) => told.push(one))
  const server = await on.app.create(Server, { load: 42 })
  throwing = true
  server.load = 95
  await server.save()
  deafen()
  assert.equal(await alarmsOf(server.id), ['loaded open 1 1', 'odd open 1 1'])
  assert.equal([told.length, told[0].rule, told[0].error.message], [1, 'odd', 'a rule that throws'])
})

test('what is told again is told until somebody acknowledges it', async () => {
  const server = await on.app.create(Server, {})
  await server.raise('flooded', { severity: 'critical', message: 'Water in the cellar' })
  await advance(15 * 60_000)
  await advance(15 * 60_000)
  assert.equal(await noticesOf(server.id), ['opened', 'repeated', 'repeated'])
  const key = `${server.id}/flooded`
  await on.app.alarms.acknowledge(key, { actor: 'ada', reason: 'I am on it' })
  await advance(3_600_000)
  assert.is((await noticesOf(server.id)).length, 3)
  assert.equal([(await on.app.alarms.get(key)).owner], ['ada'])
  await server.clear('flooded', { reason: 'dry again' })
  assert.equal(await noticesOf(server.id), ['opened', 'repeated', 'repeated', 'closed'])
})

test('an alarm that turns out to be graver than what was acknowledged is told again', async () => {
  const server = await on.app.create(Server, {})
  const key = `${server.id}/flooded`
  await server.raise('flooded', { severity: 'warning' })
  await on.app.alarms.acknowledge(key)
  await server.raise('flooded', { severity: 'warning' })
  assert.is((await on.app.alarms.get(key)).state, 'acknowledged')
  await server.raise('flooded', { severity: 'critical' })
  assert.is((await on.app.alarms.get(key)).state, 'reopened')
  assert.equal(await noticesOf(server.id), ['opened', 'reopened'])
})

test('a silence ends by itself, and what is still wrong is told at once', async () => {
  const server = await on.app.create(Server, {})
  const key = `${server.id}/flooded`
  await server.raise('flooded', { severity: 'critical' })
  await on.app.alarms.silence(key, { for: '1h', reason: 'known' })
  await advance(59 * 60_000)
  assert.equal(await noticesOf(server.id), ['opened'])
  assert.is((await on.app.alarms.get(key)).state, 'silenced')
  await advance(60_000)
  assert.equal(await noticesOf(server.id), ['opened', 'repeated'])
  await on.app.alarms.silence(key, { until: 'closed' })
  await advance(29 * 24 * 3_600_000)
  assert.equal(await noticesOf(server.id), ['opened', 'repeated'])
  await server.clear('flooded')
  assert.equal(await noticesOf(server.id), ['opened', 'repeated', 'closed'])
})

test('a word that cannot be taken is refused with a sentence, and changes nothing', async () => {
  const { alarms } = on.app
  const server = await on.app.create(Server, {})
  const key = `${server.id}/flooded`
  assert.is(await codeOf(alarms.acknowledge(key)), 'ALARM_UNKNOWN')
  await server.raise('flooded')
  assert.is(await codeOf(alarms.reopen(key)), 'ALARM_ACTIVE')
  assert.is(await codeOf(alarms.silence(key, { until: on.time.now() - 1 })), 'ARGUMENT_INVALID')
  assert.is(await codeOf(alarms.silence(key, {})), 'ARGUMENT_INVALID')
  await alarms.close(key, { actor: 'ada', reason: 'enough' })
  for (const verb of ['acknowledge', 'close'] as const)
    assert.is(await codeOf(alarms[verb](key)), 'ALARM_CLOSED')
  assert.is(await codeOf(alarms.silence(key, { for: '1h' })), 'ALARM_CLOSED')
  await alarms.reopen(key, { actor: 'ada' })
  assert.is((await alarms.get(key)).state, 'reopened')
  assert.is(await codeOf(server.raise('not a name')), 'ARGUMENT_INVALID')
  assert.is(await codeOf(server.raise('x', { severity: 'loud' as never })), 'ARGUMENT_INVALID')
  assert.is(await codeOf(alarms.list({ severity: 'loud' })), 'ARGUMENT_INVALID')
  const events = (await alarms.history(key)).map(({ event }) => event)
  assert.equal(events, ['RAISE', 'CLOSE', 'REOPEN'])
})

test('one alarm for many signs of it, raised side by side', async () => {
  const server = await on.app.create(Server, {})
  await Promise.all(Array.from({ length: 50 }, () => server.raise('flooded')))
  assert.equal(await alarmsOf(server.id), ['flooded open 50 1'])
  assert.equal(await noticesOf(server.id), ['opened'])
})

test('an alarm above inhibits those beneath it, until it closes', async () => {
  const parent = await on.app.create(Server, {})
  const child = await parent.createChild(Server, {})
  await child.raise('wet')
  await parent.raise('flooded')
  const [line] = await on.app.alarms.list({ resourceId: child.id })
  assert.is(line!.isInhibited, true)
  await parent.clear('flooded')
  assert.is((await on.app.alarms.get(line!.id)).isInhibited, false)
})

test('what is overdue is one alarm for each task name, and closes when it is worked off', async () => {
  const server = await on.app.create(Server, {})
  await server.assign.start({ load: 1 })
  await advance(301_000)
  const [line] = await on.app.alarms.list({ name: 'overdue' })
  assert.equal([line!.key, line!.state], ['overdue/Server.assign', 'open'])
  assert.match(line!.message, /^Task assign of Server is late: 1 due, the oldest since \d{4}/)
  await on.settle()
  await advance(31_000)
  assert.equal(await on.app.alarms.list({ name: 'overdue' }), [])
})

test('a notice nobody takes is not kept for ever; one that was taken is left to whoever took it', async () => {
  const server = await on.app.create(Server, {})
  await server.notify('server.made', { message: 'taken' })
  await on.house.sql("UPDATE notices SET status = 'handed' WHERE resource_id = $1", [server.id])
  await server.notify('server.made', { message: 'waits' })
  await advance(31 * 24 * 3_600_000)
  const sql = 'SELECT message FROM notices WHERE resource_id = $1'
  assert.equal(await on.house.sql(sql, [server.id]), [{ message: 'taken' }])
})

test('a notice of a user goes with the commit of its step', async () => {
  const server = await on.app.create(Server, {})
  await server.notify('server.made', { message: 'There is one more', data: { n: 1 } })
  const [row] = await on.house.sql('SELECT * FROM notices WHERE resource_id = $1', [server.id])
  assert.equal(
    [row.type, row.severity, row.message, row.labels, row.payload.data],
    ['server.made', 'info', 'There is one more', { team: 'db' }, { n: 1 }],
  )
  assert.is(await codeOf(server.notify('alarm.opened', { message: 'no' })), 'ARGUMENT_INVALID')
})

test.run()
