// Exit machines: what cleans up after a run that is stopped, before it is gone.
import { assign, setup } from 'xstate'
import { effect, Resource, steps, task } from '../../bin/index.ts'
import { codeOf, gate, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

const told: any[] = []
let clean: (work: any) => unknown = () => {}

/** Writes down what it was given, does what the test says, and ends. */
const sweep = setup({
  actors: {
    clean: effect(
      async (work: any) => {
        told.push(work.input)
        return clean(work)
      },
      { retry: { attempts: 2, backoff: '1s' } },
    ),
  },
}).createMachine({
  context: ({ input }: any) => ({ given: input }),
  initial: 'sweeping',
  states: {
    sweeping: {
      invoke: { src: 'clean', input: ({ context }: any) => context.given, onDone: 'swept' },
    },
    swept: { type: 'final' },
  },
})

const signals: AbortSignal[] = []
const server = setup({
  types: {} as {
    context: { ip: string | null; n: number }
    events: { type: 'UP' } | { type: 'SLOW' }
  },
  actors: {
    slow: effect(async ({ signal }) => {
      signals.push(signal)
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    }),
  },
}).createMachine({
  context: { ip: null, n: 0 },
  initial: 'down',
  states: {
    down: { on: { UP: { target: 'up', actions: assign({ ip: '10.0.0.1' }) }, SLOW: 'slow' } },
    up: { after: { 60000: 'down' }, entry: assign({ n: ({ context }) => context.n + 1 }) },
    slow: { invoke: { src: 'slow', onDone: 'down' } },
  },
})

const kid = setup({}).createMachine({ initial: 'playing', states: { playing: {} } })
const parent = setup({ actors: { kid } }).createMachine({
  initial: 'with',
  states: {
    with: { invoke: { id: 'kid', src: 'kid' }, on: { LEAVE: 'without', END: 'done' } },
    without: { on: { BACK: 'with' } },
    done: { type: 'final' },
  },
})

class Host extends Resource {
  static override tasks = {
    server: task(server, { exit: sweep }),
    plain: steps({ idle: async (t) => t.again('1h') }),
    boss: task(parent as any, { actors: { kid: { exit: sweep } } }),
    suicidal: task(
      steps({
        go: async (t) => {
          await t.resource.suicidal.stop({ reason: 'enough' })
          return t.again('1h')
        },
      }),
      { exit: sweep },
    ),
  }
}

const test = suite('exits')
const on = stage(test, { resources: [Host] })

test.before.each(() => {
  told.length = 0
  signals.length = 0
  clean = () => {}
})

const runsOf = async ({ id }: { id: string }) => {
  const sql = 'SELECT name, status FROM tasks WHERE resource_id = $1 ORDER BY started_at, name'
  return (await on.house.sql(sql, [id])).map(({ name, status }) => `${name} ${status}`)
}
const linesOf = async (host: Host, name: string) =>
  (await on.app.history.lines(host.id, { task: name })).map(
    ({ event, from, to, actor, reason }) => ({ event, from, to, actor, reason }),
  )
async function serving() {
  const host = await on.app.create(Host, {})
  await host.server.start()
  await host.server.send('UP')
  await on.settle()
  return host
}

test('a stopped run is stopping until its exit machine is done, and both end in one commit', async () => {
  const host = await serving()
  const because = { actor: 'me', reason: 'too old' }
  assert.is(await host.server.stop(because), true)
  assert.equal(await runsOf(host), ['server stopping', 'server/exit:3 running'])
  await on.settle()
  assert.equal(await runsOf(host), ['server stopped', 'server/exit:3 done'])
  assert.equal(told, [{ state: 'up', context: { ip: '10.0.0.1', n: 1 }, reason: 'too old' }])
  const lines = await linesOf(host, 'server')
  assert.equal(lines.at(-2), {
    ...{ event: '__stop__', from: 'up', to: '__stopping__' },
    ...because,
  })
  assert.is(lines.at(-1)?.to, '__stop__')
  const units = await on.house.sql(
    `SELECT x.unit_id FROM transitions x JOIN tasks t ON t.id = x.task_id AND x.step = t.step
     WHERE t.resource_id = $1`,
    [host.id],
  )
  assert.is(new Set(units.map(({ unit_id }) => unit_id)).size, 1)
})

test('while it is stopping it can neither be started nor written to, nor stopped once more', async () => {
  const host = await serving()
  await host.server.stop()
  assert.is(await codeOf(host.server.start()), 'TASK_STOPPING')
  assert.is(await codeOf(host.server.send('UP')), 'TASK_NOT_RUNNING')
  assert.is(await codeOf(host.server.rewind(1)), 'TASK_STOPPING')
  assert.is(await codeOf(host.server.pause()), 'TASK_STOPPING')
  assert.is(await host.server.stop(), false)
  assert.is((await host.server.status())?.status, 'stopping')
  await on.settle()
  const { isNew } = await host.server.start()
  assert.is(isNew, true)
  assert.is(told.length, 1)
})

test('timers of the old snapshot are dead', async () => {
  const host = await serving()
  const passed = gate()
  clean = () => passed.passed
  await host.server.stop()
  const ticking = on.tick(host.id)
  await on.time.advance(120_000)
  passed.open()
  await ticking
  await on.settle()
  assert.equal(
    (await linesOf(host, 'server')).map(({ to }) => to),
    ['__new__', 'down', 'up', '__stopping__', '__stop__'],
  )
})

test('effects of the old snapshot are told to stop, and their answers are not heard', async () => {
  const host = await on.app.create(Host, {})
  await host.server.start()
  await host.server.send('SLOW')
  const ticking = on.tick(host.id).catch(() => {})
  await until(() => signals.length > 0, { what: 'the effect runs' })
  await host.server.stop()
  on.ticker.nudge(host.id)
  await ticking
  assert.is(signals[0]?.aborted, true)
  await on.settle()
  assert.equal(await runsOf(host), ['server stopped', 'server/exit:3 done'])
})

test('a run that had not begun is cleaned up after too', async () => {
  const host = await on.app.create(Host, {})
  await on.app.pause({ resource: host })
  await host.server.start()
  await host.server.stop({ reason: 'never mind' })
  await on.settle()
  assert.equal(told, [{ state: '__new__', reason: 'never mind' }])
  assert.equal(await runsOf(host), ['server stopped', 'server/exit:1 done'])
})

test('one that has only just begun is cleaned up with what it knew by then', async () => {
  const host = await on.app.create(Host, {})
  await host.server.start()
  await host.server.stop({ reason: 'never mind' })
  await on.settle()
  assert.equal(told, [{ state: 'down', reason: 'never mind', context: { n: 0, ip: null } }])
  assert.equal(await runsOf(host), ['server stopped', 'server/exit:2 done'])
})

test('an exit machine that fails panics, and the run waits until it is let go on', async () => {
  clean = () => {
    throw new Error('the cloud is down')
  }
  const host = await serving()
  await host.server.stop()
  await on.advance('1m')
  assert.equal(await runsOf(host), ['server stopping', 'server/exit:3 panicked'])
  const failures = await on.app.history.failures(host.id)
  assert.match(failures.at(-1)!.message, 'the cloud is down')
  clean = () => {}
  await host.server.retry({ reason: 'it is back' })
  await on.settle()
  assert.equal(await runsOf(host), ['server stopped', 'server/exit:3 done'])
})

test('by force both end at once, with who and why', async () => {
  clean = () => {
    throw new Error('the cloud is down')
  }
  const host = await serving()
  await host.server.stop()
  await on.advance('1m')
  const because = { actor: 'boss', reason: 'I know' }
  assert.is(await host.server.stop({ force: true, ...because }), true)
  assert.equal(await runsOf(host), ['server stopped', 'server/exit:3 stopped'])
  for (const name of ['server', 'server/exit:3'])
    assert.equal((await linesOf(host, name)).at(-1)?.reason, 'I know')
  const outside = await on.app.history.lines(host.id)
  assert.ok(outside.some(({ to, actor }) => to === 'server, force' && actor === 'boss'))
})

test('by force a run is gone without its exit machine', async () => {
  const host = await serving()
  await host.server.stop({ force: true })
  await on.settle()
  assert.equal(told, [])
  assert.equal(await runsOf(host), ['server stopped'])
})

test('all tasks stopped together clean up each for itself; those without an exit are gone', async () => {
  const host = await serving()
  await host.plain.start()
  await on.settle()
  assert.is(await host.stopTasks(), 2)
  assert.equal((await runsOf(host)).sort(), [
    'plain stopped',
    'server stopping',
    'server/exit:3 running',
  ])
  await on.settle()
  assert.is(told.length, 1)
})

test('a task may stop itself in its step', async () => {
  const host = await on.app.create(Host, {})
  await host.suicidal.start()
  await on.settle()
  assert.match((await runsOf(host)).join(), /^suicidal stopped,suicidal\/exit:\d+ done$/)
  assert.is(told[0].reason, 'enough')
})

test('a resource that stops waits for the exit machines of its tasks', async () => {
  const host = await serving()
  await host.start()
  await on.settle()
  const passed = gate()
  clean = () => passed.passed
  await host.stop()
  const ticking = on.tick(host.id)
  await until(() => told.length > 0, { what: 'the exit machine runs' })
  await host.reload()
  assert.is(host.state, 'stopping')
  assert.is(await codeOf(host.plain.start()), 'RESOURCE_STOPPED')
  passed.open()
  await ticking
  await on.advance('3s')
  await host.reload()
  assert.is(host.state, '__stop__')
  assert.is((await host.server.status())?.status, 'stopped')
})

test('a resource that restarts begins anew when the old tasks have cleaned up', async () => {
  const host = await serving()
  await host.start()
  await on.settle()
  await host.restart()
  await on.advance('3s')
  await host.reload()
  assert.is(host.state, 'running')
  assert.is(told.length, 1)
})

test('a child that its parent leaves cleans up, while its parent goes on', async () => {
  const host = await on.app.create(Host, {})
  await host.boss.start()
  await on.settle()
  const passed = gate()
  clean = () => passed.passed
  await (host.boss as any).send('LEAVE')
  const ticking = on.tick(host.id)
  await until(() => told.length > 0, { what: 'the exit machine runs' })
  assert.equal(await runsOf(host), [
    'boss running',
    'boss/kid:1 stopping',
    'boss/kid:1/exit:2 running',
  ])
  await (host.boss as any).send('BACK')
  on.ticker.nudge(host.id)
  await until(async () => (await runsOf(host)).includes('boss/kid:3 running'), {
    what: 'another kid',
  })
  passed.open()
  await ticking
  await on.settle()
  assert.equal(await runsOf(host), [
    'boss running',
    'boss/kid:1 stopped',
    'boss/kid:1/exit:2 done',
    'boss/kid:3 running',
  ])
})

test('a task starts again only when what its last run spawned has cleaned up', async () => {
  const host = await on.app.create(Host, {})
  await host.boss.start()
  await on.settle()
  await host.boss.stop()
  assert.equal(await runsOf(host), [
    'boss stopped',
    'boss/kid:1 stopping',
    'boss/kid:1/exit:2 running',
  ])
  assert.is(await codeOf(host.boss.start()), 'TASK_STOPPING')
  await on.settle()
  assert.is((await host.boss.start()).isNew, true)
  await on.settle()
  assert.ok((await runsOf(host)).includes('boss/kid:1 running'))
})

test('an exit machine that can never be done is refused when the app loads', async () => {
  const endless = setup({}).createMachine({ initial: 'on', states: { on: {} } })
  class Bad extends Resource {
    static override tasks = { server: task(server, { exit: endless }) }
  }
  const { Registry } = await import('../../models/registry.ts')
  const code = await codeOf(() => new Registry([Bad]))
  assert.is(code, 'MACHINE_INVALID')
})

test.run()
