// A ticket of a process with a hand free is worked there at once; all others go by the queue, and nobody is lost.
import { Resource, steps } from '../../bin/index.ts'
import type { Ticket } from '../../lib/contract.ts'
import { bareDatabase, type House, openHouse } from '../support/house.ts'
import { settings } from '../support/services.ts'
import { gate } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

const PLACES = 2

/** How often was a lock asked for since? */
function locksAsked(house: House): () => number {
  const { lock } = house.app.rooms
  const acquire = lock.acquire.bind(lock)
  let count = 0
  Object.assign(lock, {
    acquire: async (...asked: Parameters<typeof acquire>) => {
      const token = await acquire(...asked)
      count += 1
      return token
    },
  })
  return () => count
}

for (const setting of settings()) {
  const test = suite(`tickets offered to the own process, ${setting}`)
  let house: House
  let pushed: string[]
  let open = gate<void>()
  let begun = 0

  class Errand extends Resource {
    static override kind = 'Errand'
    static override tasks = {
      quick: steps({ a: async (work) => work.stop() }),
      slow: steps({
        a: async (work) => {
          begun += 1
          await open.passed
          return work.stop()
        },
      }),
    }
  }

  const made = async (count: number): Promise<any[]> =>
    Promise.all(Array.from({ length: count }, () => house.app.create(Errand, {})))
  const isDone = async (one: any, task: string) => (await one[task].status())?.status === 'done'
  const ended = (all: readonly any[], task: string) =>
    until(async () => (await Promise.all(all.map((one) => isDone(one, task)))).every(Boolean), {
      what: `all were done with ${task}`,
      deadlineMs: 20_000,
    })

  test.before.each(async () => {
    open = gate<void>()
    begun = 0
    pushed = []
    house = await openHouse({
      ...{ setting, resources: [Errand] },
      config: { ESCAPEMENT_CONCURRENCY: String(PLACES) },
    })
    const { queue } = house.app.rooms
    const push = queue.push.bind(queue)
    Object.assign(queue, {
      push: async (tickets: readonly Ticket[]) => {
        pushed.push(...tickets.map(({ resourceId }) => resourceId))
        await push(tickets)
      },
    })
  })
  test.after.each(() => house.close())

  test('nobody goes by the queue while a hand is free', async () => {
    await house.app.startWorker()
    const [one] = await made(1)
    await one.quick.start()
    await ended([one], 'quick')
    assert.equal(pushed, [])
  })

  // The embedded database has one connection: nobody could hold up a start there.
  if (setting !== 'embedded')
    test('a free hand comes while the start is under way, and claims once that is there', async () => {
      await house.app.startWorker()
      const [one] = await made(1)
      const ticks: number[] = []
      house.app.events.on('tick.done', ({ steps }) => ticks.push(steps))
      const { database, dismiss } = await bareDatabase(setting, house.schema)
      const locked = locksAsked(house)
      let started: Promise<unknown> | undefined
      await database.transaction(async (runner) => {
        await runner.query('SELECT 1 FROM resources WHERE id = $1 FOR UPDATE', [one.id])
        started = one.quick.start()
        await until(locked, { what: 'somebody came' })
        assert.equal(ticks, [])
      })
      await started
      await dismiss()
      await ended([one], 'quick')
      await house.app.stopWorker()
      assert.equal([ticks.length, locked(), pushed], [1, 1, []], 'and nobody was told again')
    })

  test('whoever finds no hand free goes by the queue, and is worked in turn', async () => {
    await house.app.startWorker()
    const held = await made(PLACES)
    await Promise.all(held.map((one) => one.slow.start()))
    await until(() => begun === PLACES, { what: 'all hands were full' })
    assert.equal(pushed, [])
    const others = await made(3)
    for (const one of others) await one.slow.start()
    assert.equal(pushed.sort(), others.map(({ id }) => id).sort())
    assert.is(begun, PLACES, 'no more in hand than there are hands')
    open.open()
    await ended([...held, ...others], 'slow')
  })

  test('without a worker all goes by the queue, and so it does after it was stopped', async () => {
    const [before, after] = await made(2)
    await before.quick.start()
    assert.equal(pushed, [before.id])
    await house.app.startWorker()
    await ended([before], 'quick')
    await house.app.stopWorker()
    await after.quick.start()
    assert.equal(pushed, [before.id, after.id])
    await house.app.startWorker()
    await ended([after], 'quick')
  })

  test.run()
}
