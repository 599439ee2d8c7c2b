// The clock: asks who is due, pushes tickets, sleeps until there is reason to look again.
import { Clock, type ClockOptions } from '../../lib/clock.ts'
import type { Queue, Ticket } from '../../lib/contract.ts'
import { Events } from '../../lib/events.ts'
import { Quay } from '../../lib/routes.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const test = suite('clock')
const quayOf = (queue: Pick<Queue, 'push' | 'depth'>) =>
  new Quay('ticks', new Map([['ticks', queue]]))
const BEAT_MS = 1_000

/** A clock with a queue that is a list, and dues that are what a test says. */
function ticking(more: Partial<ClockOptions> = {}) {
  const time = new FakeTime()
  const events = new Events()
  const pushed: string[][] = []
  const asked: number[] = []
  const told: string[] = []
  events.on('*', (_, name) => told.push(name))
  const world = { due: [] as string[], inMs: null as number | null, depth: 0 }
  const due = async (limit: number, isFull = false) => {
    // Neither would a database.
    if (limit < 0) throw new RangeError('LIMIT must not be negative')
    asked.push(isFull ? -1 : limit)
    const tickets: Ticket[] = world.due.splice(0, limit).map((resourceId) => ({ resourceId }))
    const nextAt = world.inMs === null ? null : time.now() + world.inMs
    return { tickets, nextAt, lateMs: 0 }
  }
  const push = async (tickets: readonly Ticket[]) => {
    pushed.push(tickets.map(({ resourceId }) => resourceId))
  }
  const options = {
    ...{ due: { due }, queue: quayOf({ push, depth: async () => world.depth }), time, events },
    ...{ beatMs: BEAT_MS, most: { tickets: 3, waiting: 10 } },
  }
  const clock = new Clock({ ...options, ...more })
  return { clock, time, events, world, pushed, asked, told }
}

test('pushes what is due, as much as there is room for', async () => {
  const { clock, world, pushed, asked } = ticking()
  world.due = ['a', 'b', 'c', 'd']
  await clock.beat()
  assert.equal(pushed, [['a', 'b', 'c']])
  world.depth = 9
  await clock.beat()
  assert.equal(asked, [3, 1])
  assert.equal(pushed.at(-1), ['d'])
  world.depth = 10
  world.inMs = 5
  assert.is(await clock.beat(), BEAT_MS)
  assert.equal(asked, [3, 1, -1], 'a full queue is given only what is on time, once a beat')
  world.depth = 39
  assert.is(await clock.beat(), BEAT_MS)
  assert.is(asked.length, 4)
  world.depth = 40
  assert.is(await clock.beat(), BEAT_MS)
  assert.is(asked.length, 4, 'a queue four times as full as it may be is given nothing')
})

test('looks again when the next is due, at the latest after a beat', async () => {
  const { clock, world } = ticking()
  const waits: number[] = []
  for (const inMs of [null, 300, 5_000, 0, -50]) {
    world.inMs = inMs
    waits.push(await clock.beat())
  }
  assert.equal(waits, [BEAT_MS, 300, BEAT_MS, 5, 5])
})

test('pushes nothing when nothing is due', async () => {
  const { clock, pushed, told } = ticking()
  await clock.beat()
  assert.equal(pushed, [])
  assert.equal(told, ['clock.beat'])
})

test('beats on after a beat that failed', async () => {
  let fails = 2
  const { clock, time, world, pushed, told } = ticking({
    onBeat: async () => {
      if (fails-- > 0) throw new Error('the database is away')
    },
  })
  world.due = ['a']
  clock.start()
  clock.start()
  await time.advance(BEAT_MS)
  assert.equal(pushed, [])
  await time.advance(BEAT_MS)
  assert.equal(pushed, [['a']])
  const failed = told.filter((name) => name === 'clock.failed')
  assert.is(failed.length, 2)
  await clock.stop()
})

test('ends after the beat in hand, and sleeps no more', async () => {
  const { clock, time, asked } = ticking()
  clock.start()
  await time.settle()
  assert.is(time.sleeping, 1)
  await clock.stop()
  assert.is(time.sleeping, 0)
  await time.advance(10 * BEAT_MS)
  assert.is(asked.length, 1)
  await clock.stop()
})

test.run()
