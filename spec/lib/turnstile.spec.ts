// The turnstile: direct pushes are bounded, and the queue is seldom asked.
import type { Ticket } from '../../lib/contract.ts'
import { Turnstile } from '../../lib/turnstile.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const test = suite('turnstile')

function gate(most: number, guests = 0) {
  const time = new FakeTime()
  const world = { depth: 0, asked: 0, urgent: 0 }
  const queue = {
    push: async (tickets: readonly Ticket[]) => {
      world.depth += tickets.length
      world.urgent += tickets.filter(({ isUrgent }) => isUrgent).length
    },
    depth: async () => {
      world.asked += 1
      return world.depth
    },
  }
  const told: Ticket[] = []
  const leave = async (tickets: readonly Ticket[]) => void told.push(...tickets)
  const turnstile = new Turnstile({ queue, time, most, guests, leave })
  let pushed = 0
  /** How many were left. */
  const push = async (count: number) => {
    const tickets = Array.from({ length: count }, () => ({ resourceId: String(pushed++) }))
    const left = await turnstile.push(tickets)
    const last = tickets.slice(count - left)
    assert.equal(
      told.filter((one) => tickets.includes(one)),
      last,
      'the last ones, once',
    )
    told.splice(0, told.length, ...told.filter((one) => !tickets.includes(one)))
    return left
  }
  return { time, world, push }
}

test('what there is no room for is left to the clock, until there is room', async () => {
  const { time, world, push } = gate(100)
  assert.is(await push(70), 0)
  assert.is(await push(70), 40)
  assert.is(world.depth, 100)
  for (let n = 0; n < 1_000; n++) assert.is(await push(1), 1)
  assert.ok(world.asked < 5, `it was asked ${world.asked} times`)
  world.depth = 20
  await time.advance(1_000)
  assert.is(await push(60), 0)
  assert.is(world.depth, 80)
})

test('a few each second pass to the front while it is full', async () => {
  const { time, world, push } = gate(10, 3)
  assert.is(await push(10), 0)
  assert.is(world.urgent, 0)
  assert.is(await push(5), 2)
  assert.is(await push(5), 5)
  assert.is(world.urgent, 3)
  await time.advance(1_000)
  assert.is(await push(5), 2)
  assert.is(world.urgent, 6)
  world.depth = 40
  await time.advance(1_000)
  assert.is(await push(5), 5, 'nobody while it brims over')
  world.depth = 39
  await time.advance(1_000)
  assert.is(await push(5), 2)
})

test('a storm side by side fills the queue and no more, and asks seldom', async () => {
  const { world, push } = gate(5_000)
  const left = await Promise.all(Array.from({ length: 20_000 }, () => push(1)))
  assert.is(world.depth, 5_000)
  assert.is(
    left.reduce((sum, one) => sum + one, 0),
    15_000,
  )
  assert.ok(world.asked < 60, `it was asked ${world.asked} times`)
})

test('two processes overshoot by what each was granted at most', async () => {
  const one = gate(5_000)
  const time = new FakeTime()
  const queue = {
    push: async (tickets: readonly Ticket[]) => {
      one.world.depth += tickets.length
    },
    depth: async () => one.world.depth,
  }
  const other = new Turnstile({ queue, time, most: 5_000, guests: 0, leave: async () => {} })
  for (let n = 0; n < 10_000; n++) {
    await one.push(1)
    await other.push([{ resourceId: 'x' }])
  }
  assert.ok(one.world.depth <= 5_500, `${one.world.depth} wait`)
})

test.run()
