// Breakers: shut by failures in the commit of the failure, tried by one, opened by its success.
import { setup } from 'xstate'
import * as z from 'zod'
import {
  effect,
  field,
  NonRetryableError,
  Resource,
  RetryAfterError,
  steps,
  task,
  type Work,
} from '../../bin/index.ts'
import { drive } from '../support/drive.ts'
import { codeOf, type Gate, gate, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

let calls = 0
let does: (work: Work<any, any>) => unknown = () => 'fine'
const call = effect(
  async (work: Work<any, any>) => {
    calls += 1
    return does(work)
  },
  { breaker: 'cloud', retry: { attempts: 100, backoff: '1s' } },
)
const broken = setup({
  guards: {
    never: () => {
      throw new Error('broken')
    },
  },
}).createMachine({
  initial: 'a',
  states: { a: { after: { 1: [{ guard: 'never', target: 'b' }] } }, b: {} },
})

class Server extends Resource {
  static override fields = { n: field(z.number().default(0)) }
  static override tasks = {
    boot: setup({ actors: { call }, types: {} as { events: { type: 'PING' } } }).createMachine({
      initial: 'booting',
      states: {
        booting: { invoke: { src: 'call', onDone: 'up' }, after: { 3600000: 'late' } },
        up: { type: 'final' },
        late: {},
      },
      on: { PING: { actions: () => {} } },
    }),
    local: steps({
      go: async ({ resource, stop }) => {
        resource.n += 1
        return stop()
      },
    }),
    fragile: task(broken, { breaker: { least: 3, rate: 0.5, shut: '1m' } }),
  }
}

const test = suite('breakers')
const CLOUD = { rate: 0.5, least: 4, within: '1m', shut: '30s', most: '2m' }
const on = stage(test, { resources: [Server], breakers: { cloud: CLOUD } })
const beat = () => on.app.store.due(1_000)
const cloud = async () =>
  (await on.app.holds.breakers()).find(({ scope }) => scope === 'dependency:cloud')!
const boot = async (count: number) => {
  const made = []
  for (let index = 0; index < count; index++) {
    const server = await on.app.create(Server, {})
    await server.boot.start()
    made.push(server)
  }
  return made
}
const fails = () => {
  throw new Error('the cloud is down')
}

test.before.each(async () => {
  // Successes of earlier tests are not to be drawn, nor what they left due.
  await on.time.advance(600_000)
  await on.house.sql('DELETE FROM holds')
  await on.house.sql('DELETE FROM hold_changes')
  await on.house.sql('DELETE FROM breaker_counts')
  await on.house.sql("UPDATE dues SET due_at = NULL, look_at = NULL, reason = 'spec'")
  calls = 0
  does = () => 'fine'
})

// ---- shutting ------------------------------------------------------------------------------------

test('shuts at its rate, not below its least, in the commit of the failure', async () => {
  does = fails
  await boot(3)
  await on.settle()
  assert.is((await cloud()).state, 'open', 'three say nothing')
  await boot(1)
  const at = on.time.now()
  await on.settle()
  const { state, until: end, reason, ok, failed } = await cloud()
  assert.equal([state, end, ok, failed], ['shut', at + 30_000, 0, 4])
  assert.is(reason, '4 of 4 failed within 60 s')
  const [line] = await on.app.holds.history({ dependency: 'cloud' })
  assert.equal([line!.event, line!.actor], ['shut', 'driver'])
  const [failure] = await on.house.sql(
    "SELECT * FROM failures WHERE dependency = 'cloud' ORDER BY at DESC LIMIT 1",
  )
  assert.ok(failure, 'the failure names what it needed')
})

test('successes are no writes, and count once something fails', async () => {
  await boot(5)
  await on.settle()
  assert.equal(await on.house.sql('SELECT * FROM breaker_counts'), [])
  does = fails
  await boot(4)
  await on.settle()
  const { state, ok, failed } = await cloud()
  assert.equal([state, ok, failed], ['open', 5, 4])
  await boot(1)
  await on.settle()
  assert.is((await cloud()).state, 'shut', 'five of ten are half')
})

test('what is older than it looks back does not count, and is removed', async () => {
  does = fails
  await boot(3)
  await on.settle()
  await on.house.sql('UPDATE dues SET due_at = NULL, look_at = NULL')
  await on.time.advance(61_000)
  await boot(3)
  await on.settle()
  const { state, failed } = await cloud()
  assert.equal([state, failed], ['open', 3])
  assert.is((await on.house.sql('SELECT * FROM breaker_counts')).length, 1)
})

test("the caller's own mistakes do not count", async () => {
  const mistakes = [
    () => new NonRetryableError('no'),
    () => Object.assign(new Error('bad request'), { status: 400, retryable: false }),
    () => Object.assign(new Error('not found'), { statusCode: 404 }),
  ]
  let at = 0
  does = () => {
    throw mistakes[at++ % 3]!()
  }
  await boot(9)
  await on.settle()
  const { state, failed } = await cloud()
  assert.equal([state, failed], ['open', 0])
})

// ---- while it is shut ----------------------------------------------------------------------------

test('what needs it waits, uncounted; mail of the same task, and what does not need it, go on', async () => {
  does = fails
  await boot(4)
  await on.settle()
  does = () => 'fine'
  calls = 0
  const [server] = await boot(1)
  await on.settle()
  assert.is(calls, 0)
  const [due] = await on.house.sql('SELECT * FROM dues WHERE resource_id = $1', [server!.id])
  assert.is(due.reason, 'held:dependency:cloud')
  const { until: end } = await cloud()
  assert.ok(due.due_at > end! && due.due_at <= end! + 3_000, 'a little after its end')
  await server!.boot.send('PING')
  await server!.local.start()
  await on.settle()
  await server!.reload()
  assert.is(server!.n, 1)
  assert.is((await server!.boot.status())!.step, 2, 'it took its mail')
  assert.is(calls, 0)
  const [{ tries }] = await on.house.sql(
    "SELECT tries FROM tasks WHERE resource_id = $1 AND name = 'boot'",
    [server!.id],
  )
  assert.is(tries, null, 'no attempt was counted')
})

test('healthy tasks are on time while many wait behind it, and all go on when it opens', async () => {
  await on.app.holds.shut({ dependency: 'cloud' }, { for: '1h', reason: 'by hand' })
  const servers = await boot(50)
  await on.settle()
  assert.is(calls, 0)
  const healthy = await on.app.create(Server, {})
  await healthy.local.start()
  await on.time.advance(5_000)
  const { tickets, lateMs } = await beat()
  assert.equal(
    tickets.map((one) => one.resourceId),
    [healthy.id],
    `not the ${servers.length} that wait`,
  )
  assert.ok(lateMs <= 5_000)
  await on.settle()
  assert.is(await on.app.holds.open({ dependency: 'cloud' }), true)
  await on.settle()
  assert.is(calls, 50)
})

// ---- the trial -----------------------------------------------------------------------------------

test('after its time one passes; its success lets all the others go', async () => {
  does = fails
  await boot(4)
  await on.settle()
  does = () => 'fine'
  calls = 0
  const door: Gate<void> = gate()
  does = () => door.passed
  await boot(3)
  await on.advance('3s')
  assert.is(calls, 0, 'what was to be tried again waits with the others')
  await on.time.advance(27_000)
  const { tickets } = await beat()
  assert.is((await cloud()).state, 'trial')
  assert.is(tickets.length, 1, 'one is sent for')
  const ticking = on.tick(tickets[0]!.resourceId)
  await until(() => calls === 1, { what: 'the trial began' })
  await on.time.advance(5_000)
  const others = (await beat()).tickets.filter(
    ({ resourceId }) => resourceId !== tickets[0]!.resourceId,
  )
  for (const { resourceId } of others) await on.tick(resourceId)
  assert.is(calls, 1, `one at a time, not the ${others.length} others`)
  door.open()
  await ticking
  assert.is((await cloud()).state, 'open')
  await beat()
  await on.settle()
  assert.is(calls, 7)
  assert.equal(
    (await on.app.holds.history({ dependency: 'cloud' })).map(({ event, reason }) => [
      event,
      reason,
    ]),
    [
      ['open', 'the trial succeeded'],
      ['trial', 'its time is over'],
      ['shut', '4 of 4 failed within 60 s'],
    ],
  )
  assert.equal(await on.house.sql('SELECT * FROM holds'), [])
})

test('a trial that fails shuts it for twice as long, up to its most', async () => {
  does = fails
  await boot(4)
  await on.settle()
  const waits: number[] = []
  for (let trial = 0; trial < 4; trial++) {
    const before = await cloud()
    calls = 0
    await on.time.advance(before.until! - on.time.now())
    await beat()
    await on.settle()
    assert.is(calls, 1, 'one trial')
    waits.push((await cloud()).until! - on.time.now())
  }
  assert.equal(waits, [60_000, 120_000, 120_000, 120_000])
})

test('of two workers that come to a trial one passes', async () => {
  does = fails
  await boot(4)
  await on.settle()
  calls = 0
  const door: Gate<void> = gate()
  does = () => door.passed
  const other = await on.house.neighbour({ time: on.time })
  const theirs = drive({ app: other, time: on.time, owner: 'other' })
  const [one, two] = await boot(2)
  await on.time.advance(31_000)
  const ticks = [on.tick(one!.id), theirs.tick(two!.id)]
  await Promise.race(ticks)
  assert.is(calls, 1)
  door.open()
  await Promise.all(ticks)
  await on.app.store.due(1_000)
  await on.settle()
  assert.is((await cloud()).state, 'open')
})

test('a breaker whose time ran out while nobody was there lets everything go on', async () => {
  does = fails
  await boot(4)
  await on.settle()
  does = () => 'fine'
  await on.time.advance(1_800_000)
  calls = 0
  await on.settle()
  for (let look = 0; look < 3; look++) {
    await beat()
    await on.settle()
  }
  assert.is((await cloud()).state, 'open')
  const [{ count }] = await on.house.sql(
    "SELECT count(*)::int FROM dues WHERE reason LIKE 'held:%'",
  )
  assert.is(count, 0)
})

test('a breaker shut by hand is not opened by a trial that was under way', async () => {
  does = fails
  await boot(4)
  await on.settle()
  const door: Gate<void> = gate()
  does = () => door.passed
  calls = 0
  const [server] = await boot(1)
  await on.time.advance(31_000)
  const ticking = on.tick(server!.id)
  await until(() => calls === 1, { what: 'the trial began' })
  await on.app.holds.shut({ dependency: 'cloud' }, { actor: 'ada', reason: 'I know better' })
  door.open()
  await ticking
  const { state, reason, until: end } = await cloud()
  assert.equal([state, reason, end], ['shut', 'I know better', null])
})

// ---- limits --------------------------------------------------------------------------------------

test('who asks to be left alone is, until then, and that is no failure', async () => {
  let asked = false
  does = () => {
    if (asked) return 'fine'
    asked = true
    throw new RetryAfterError('20s', 'too many requests')
  }
  const at = on.time.now()
  await boot(1)
  await on.settle()
  await boot(2)
  await on.settle()
  assert.is(calls, 1)
  const { state, until: end, failed } = await cloud()
  assert.equal([state, end, failed], ['limited', at + 20_000, 0])
  await on.advance('25s')
  assert.is(calls, 4)
  await beat()
  assert.is((await cloud()).state, 'open')
  const events = (await on.app.holds.history({ dependency: 'cloud' })).map(
    ({ by, event }) => `${by} ${event}`,
  )
  assert.equal(events, ['limit expired', 'limit shut'])
})

// ---- tasks ---------------------------------------------------------------------------------------

test('panics of a task shut its breaker: no other resource takes a step of it', async () => {
  const make = async () => {
    const server = await on.app.create(Server, {})
    await server.fragile.start()
    return server
  }
  for (let count = 0; count < 2; count++) await make()
  await on.settle()
  const third = await make()
  await on.settle()
  await on.advance('1s')
  const scope = 'task:Server.fragile'
  const found = (await on.app.holds.breakers()).find((one) => one.scope === scope)!
  assert.is(found.state, 'shut', `${found.ok} ok, ${found.failed} failed`)
  const fourth = await make()
  await on.settle()
  assert.is((await fourth.fragile.status())!.state, '__new__')
  assert.is((await third.fragile.status())!.status, 'panicked')
  await on.advance('3m')
  assert.is((await fourth.fragile.status())!.status, 'panicked', 'it was the trial')
  const [hold] = (await on.app.holds.list()).filter((one) => one.scope === scope)
  assert.equal([hold!.state, hold!.round], ['shut', 2])
})

// ---- words ---------------------------------------------------------------------------------------

test('a policy that means nothing is refused when the app loads', async () => {
  const bad = [
    { rate: 0 },
    { rate: 2 },
    { least: 0 },
    { least: 1.5 },
    { within: '1ms' },
    { within: '2h' },
    { shut: 0 },
    { shut: '1h', most: '1m' },
    { within: 'soon' },
    { rates: 1 },
  ]
  for (const cloud of bad) {
    const code = await codeOf(on.house.neighbour({ breakers: { cloud: cloud as any } }))
    assert.is(code, 'BREAKER_INVALID', JSON.stringify(cloud))
  }
  assert.is(await codeOf(() => effect(async () => {}, { breaker: 'a b' })), 'ARGUMENT_INVALID')
  class Bad extends Resource {
    static override tasks = { t: task(broken, { breaker: { rate: 3 } }) }
  }
  assert.is(await codeOf(on.house.neighbour({ resources: [Bad] })), 'MACHINE_INVALID')
})

test.run()
