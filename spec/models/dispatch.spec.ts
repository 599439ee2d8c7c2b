// What finds no room in its queue: brought by the clock with its next beat, in its turn.
import { setup } from 'xstate'
import { Resource, steps } from '../../bin/index.ts'
import type { Ticket } from '../../lib/contract.ts'
import { Events } from '../../lib/events.ts'
import { Dispatch } from '../../models/dispatch.ts'
import { drive, openHouse } from '../support/house.ts'
import { settings } from '../support/services.ts'
import { stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

/** Nothing passes where so many wait, and anything where nobody does. */
const BRIMMING = 20_000

class Worked extends Resource {
  static override tasks = {
    work: steps({ go: async (work) => work.stop() }),
    nap: setup({}).createMachine({
      initial: 'asleep',
      states: { asleep: { after: { 3600000: 'awake' } }, awake: {} },
    }),
  }
}

const test = suite('the dispatch')

/** With two queues; how full each is may be set. */
function dispatch(hasten: (ids: readonly string[]) => Promise<void>) {
  const depths: Record<string, number> = { ticks: 0, slow: 0 }
  const pushed: string[] = []
  const told: string[] = []
  const queueOf = (name: string) => ({
    depth: async () => depths[name]!,
    push: async (tickets: readonly Ticket[]) => {
      if (name === 'slow' && depths.slow! < 0) throw new Error('slow is away')
      pushed.push(...tickets.map(({ resourceId }) => resourceId))
    },
  })
  const events = new Events()
  events.on('queue.failed', ({ error }) => told.push(error.message))
  const queues = new Map(Object.keys(depths).map((name) => [name, queueOf(name)]))
  const parts = { queues, byDefault: 'ticks', time: new FakeTime(), events, hasten }
  return { depths, pushed, told, one: new Dispatch(parts) }
}

const TICKETS: Ticket[] = [{ resourceId: 'a' }, { resourceId: 'b', queue: 'slow' }]

test('asks for those that found no room, and for no others', async () => {
  const hastened: (readonly string[])[] = []
  const { depths, pushed, one, told } = dispatch(async (ids) => void hastened.push(ids))
  await one.push(TICKETS)
  assert.equal(hastened, [])
  depths.slow = BRIMMING
  const more = ['c', 'd'].map((resourceId) => ({ resourceId, queue: 'slow' }))
  // What it was told of the queue is good for so many.
  await one.push(Array.from({ length: 500 }, () => ({ resourceId: 'x', queue: 'slow' })))
  hastened.length = 0
  await one.push([...TICKETS, ...more])
  assert.equal(hastened, [['b', 'c', 'd']])
  assert.is(pushed.filter((id) => id === 'a').length, 2)
  assert.equal(told, [])
})

test('tells what fails, and goes on', async () => {
  const { depths, one, told } = dispatch(async () => {
    throw new Error('nobody heard of them')
  })
  depths.slow = BRIMMING
  await one.push(TICKETS)
  assert.equal(told, ['nobody heard of them'])
  depths.slow = -1
  const other = dispatch(async () => {})
  other.depths.slow = -1
  await other.one.push(TICKETS)
  assert.equal(other.told, ['slow is away'])
})

test.run()

for (const setting of settings()) {
  const found = suite(`what finds no room, ${setting}`)
  const on = stage(found, { setting, resources: [Worked] })

  const lookAt = async (id: string, name: string): Promise<number> => {
    const [row] = await on.house.sql(
      `SELECT d.look_at FROM dues d JOIN tasks t ON t.id = d.task_id WHERE t.resource_id = $1 AND t.name = $2`,
      [id, name],
    )
    return row.look_at
  }

  found('is looked at with the next beat; what has its ticket is not', async () => {
    const time = new FakeTime()
    const house = await openHouse({ resources: [Worked], setting, time })
    let depth = BRIMMING
    Object.assign(house.app.rooms.queue, { depth: async () => depth })
    const started = async () => {
      const { id, work } = await house.app.create(Worked, {})
      await work.start()
      return id
    }
    /** What a clock would push now. */
    const looked = async () =>
      (await house.app.store.due(100, false)).tickets.map(({ resourceId }) => resourceId)
    const ids = [await started(), await started(), await started()]
    assert.equal((await looked()).sort(), ids.sort())
    assert.equal(await looked(), [], 'once')
    depth = 0
    await time.advance(300) // the queue is asked again, and nobody is overdue
    await started()
    assert.equal(await looked(), [], 'it has a ticket')
    await drive({ app: house.app, time }).settle()
    await house.close()
  })

  found('what is not due is left alone', async () => {
    const one = await on.app.create(Worked, {})
    await one.nap.start()
    await one.work.start()
    const before = await lookAt(one.id, 'nap')
    await on.app.store.porter.hasten([one.id])
    assert.is(await lookAt(one.id, 'work'), on.time.now())
    assert.is(await lookAt(one.id, 'nap'), before)
    await on.settle()
    await one.nap.stop()
    await on.settle()
  })

  if (setting !== 'embedded')
    found('what somebody has under his hands is passed by, and keeps nobody waiting', async () => {
      const one = await on.app.create(Worked, {})
      await one.work.start()
      const before = await lookAt(one.id, 'work')
      await on.app.rooms.database.transaction(async (runner) => {
        await runner.query('SELECT 1 FROM dues WHERE resource_id = $1 FOR UPDATE', [one.id])
        await on.app.store.porter.hasten([one.id])
      })
      assert.is(await lookAt(one.id, 'work'), before)
      await on.settle()
    })

  found.run()
}
