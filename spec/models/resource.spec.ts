// A resource's turn, with real clocks and workers, in every setting; and how it shares them.
import { setup } from 'xstate'
import * as z from 'zod'
import { type App, effect, field, Resource, steps } from '../../bin/index.ts'
import { type House, openHouse } from '../support/house.ts'
import { settings } from '../support/services.ts'
import { type Gate, gate } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { signalOf, until } from '../support/wait.ts'

const WALKERS = 12
const TIMER_MS = 300

interface Call {
  readonly key: string
  readonly attempt: number
  readonly signal: AbortSignal
}
let calls: Call[] = []
let held: Gate<void> = gate()

class Walker extends Resource {
  static override fields = { n: field(z.number().default(0)) }
  static override tasks = {
    walk: steps({
      one: async (t) => count(t, 'two'),
      two: async (t) => count(t, 'three'),
      three: async (t) => {
        count(t, 'three')
        return t.stop(t.resource.n)
      },
    }),
    endless: steps({
      left: async () => 'right',
      right: async () => 'left',
    }),
    wait: setup({}).createMachine({
      initial: 'waiting',
      states: { waiting: { after: { [TIMER_MS]: 'over' } }, over: {} },
    }),
    hang: setup({
      actors: {
        hang: effect(async ({ key, attempt, signal }) => {
          calls.push({ key, attempt, signal })
          await held.passed
        }),
      },
    }).createMachine({
      initial: 'hanging',
      states: { hanging: { invoke: { id: 'hang', src: 'hang', onDone: 'free' } }, free: {} },
    }),
  }
}

function count<N>(t: { resource: { n: number } }, next: N): N {
  t.resource.n += 1
  return next
}

for (const setting of settings()) {
  const test = suite(`resource in the ${setting} setting`)
  let house: House
  let other: App
  let app: App
  const config = {
    ESCAPEMENT_GRACE_MS: '100',
    ESCAPEMENT_QUOTA_STEPS: '10',
    ESCAPEMENT_CONCURRENCY: '2',
  }

  test.before(async () => {
    house = await openHouse({ setting, resources: [Walker], config })
    app = house.app
    other = await house.neighbour()
    await Promise.all([app.start(), other.start()])
  })
  test.before.each(() => {
    calls = []
    held = gate()
  })
  test.after(() => house.close())

  const make = () => app.create(Walker, {})
  const isDone = async (walker: { walk: { status(): Promise<any> } }) =>
    (await walker.walk.status())?.status === 'done'

  test('is walked by two workers to its end, each step once', async () => {
    const walkers = await Promise.all(Array.from({ length: WALKERS }, make))
    await Promise.all(walkers.map((walker) => walker.walk.start()))
    for (const walker of walkers) {
      await until(() => isDone(walker), { what: 'it had walked', deadlineMs: 20_000 })
      await walker.reload()
      assert.is(walker.n, 3)
      const lines = await app.history.lines(walker.id, { task: 'walk' })
      assert.equal(
        lines.map(({ step }) => step),
        [0, 1, 2, 3, 4],
      )
    }
  })

  test('has its timer fired once, not before its time, though two clocks look', async () => {
    const walker = await make()
    await walker.wait.start()
    const state = async () => (await walker.wait.status())!.state
    await until(async () => (await state()) === 'over', { what: 'the timer fired' })
    const lines = await app.history.lines(walker.id, { task: 'wait' })
    assert.equal(
      lines.map(({ to }) => to),
      ['__new__', 'waiting', 'over'],
    )
    const waited = lines[2]!.at - lines[1]!.at
    assert.ok(waited >= TIMER_MS, `after ${waited} ms`)
    assert.ok(waited < TIMER_MS + 3_000, `only after ${waited} ms`)
  })

  test('that never ends lets the others have their turn', async () => {
    const endless = await Promise.all([make(), make(), make(), make(), make()])
    await Promise.all(endless.map((walker) => walker.endless.start()))
    const walker = await make()
    await walker.walk.start()
    await until(() => isDone(walker), { what: 'the other was walked', deadlineMs: 20_000 })
    for (const one of endless) {
      assert.is(await one.endless.running(), true)
      await one.endless.stop()
    }
  })

  test('is given back by a worker that drains, and taken up where it was by the next', async () => {
    const lonely = await openHouse({ setting, resources: [Walker], config })
    await lonely.app.start()
    const walker = await lonely.app.create(Walker, {})
    const { taskId } = await walker.hang.start()
    await until(() => calls.length === 1, { what: 'the effect was called' })
    const stopped = signalOf(lonely.app.events, 'worker.stopped')
    await lonely.app.stopWorker()
    assert.is((await stopped).reason, 'grace ran out')
    assert.is(calls[0]!.signal.reason.code, 'WORKER_DRAINING')
    const { state, status, dueAt } = (await walker.hang.status())!
    assert.equal([state, status], ['hanging', 'running'])
    assert.is.not(dueAt, null, 'somebody will look at it')

    await (await lonely.neighbour()).start()
    await until(() => calls.length === 2, { what: 'it was called by the next' })
    held.open()
    const isFree = async () => (await walker.hang.status())!.state === 'free'
    await until(isFree, { what: 'the effect was heard' })
    assert.equal(
      calls.map(({ key, attempt }) => [key, attempt]),
      [
        [`${taskId}:1:hang`, 1],
        [`${taskId}:1:hang`, 1],
      ],
    )
    assert.equal(await lonely.app.history.failures(walker.id), [])
    await lonely.close()
  })

  test.run()
}
