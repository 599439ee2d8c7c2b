// The worker: one ticket, one resource held, one tick, one settlement; and a drain that ends.
import type { Hold, Lease, Taker, Ticket, Verdict } from '../../lib/contract.ts'
import { Events } from '../../lib/events.ts'
import { Keeper } from '../../lib/lock.ts'
import { Worker } from '../../lib/worker.ts'
import { gate } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const test = suite('worker')
const TICKET = { resourceId: 'r' }
const GRACE_MS = 1_000

/** A worker among doors of paper. */
function working(tick: (id: string, lease: Lease) => Promise<Verdict>) {
  const time = new FakeTime()
  const events = new Events()
  const told: [string, any][] = []
  events.on('*', (payload, name) => told.push([name, payload]))
  const world = {
    pushed: [] as string[],
    held: new Set<string>(),
    due: false,
    running: false,
    wanted: false,
  }
  const inHand = new Set<Promise<void>>()
  let give: (ticket: Ticket) => Promise<void> = async () => {}
  const taker: Taker = { stop: async () => void (await Promise.all(inHand)) }
  const queue = {
    push: async (tickets: readonly Ticket[]) => {
      world.pushed.push(...tickets.map(({ resourceId }) => resourceId))
    },
    take: async (work: typeof give) => {
      give = work
      return taker
    },
    depth: async () => 0,
    close: async () => {},
  }
  const acquire = async (key: string): Promise<Hold | null> => {
    if (world.held.has(key)) return null
    world.held.add(key)
    return {
      extend: async () => true,
      release: async () => {
        world.held.delete(key)
        return world.wanted
      },
    }
  }
  const keeper = new Keeper({
    lock: { acquire, close: async () => {} },
    time,
    events,
    ttlMs: 5_000,
  })
  const ticker = { tick, dueNow: async () => world.due, nudge: () => world.running }
  const redirect = async ({ resourceId, queue: to }: Ticket) =>
    void world.pushed.push(`${resourceId} to ${to}`)
  const options = {
    ...{ queue, name: 'ticks', redirect, keeper, ticker, time, events },
    ...{ concurrency: 3, graceMs: GRACE_MS },
  }
  const worker = new Worker(options)
  const deliver = (ticket: Ticket = TICKET) => {
    const work = give(ticket)
    inHand.add(work)
    return work
  }
  return { worker, deliver, world, told, time, names: () => told.map(([name]) => name) }
}

test('settles every outcome of a tick in its own way', async () => {
  const outcomes: [verdict: Verdict, due: boolean, pushed: string[], failed: boolean][] = [
    [{ kind: 'done' }, false, [], false],
    [{ kind: 'done' }, true, ['r'], false],
    [{ kind: 'again' }, false, ['r'], false],
    [{ kind: 'elsewhere', queue: 'slow' }, true, ['r to slow'], false],
    [{ kind: 'failed', error: new Error('x') }, true, [], true],
  ]
  for (const [verdict, due, pushed, failed] of outcomes) {
    const { worker, world, names } = working(async () => verdict)
    world.due = due
    await worker.work(TICKET)
    assert.equal(world.pushed, pushed, verdict.kind)
    assert.is(names().includes('tick.failed'), failed)
    assert.is(world.held.size, 0, 'the resource is given back')
  }
})

test('asks what is still due only after the resource was given back', async () => {
  const { worker, world } = working(async () => ({ kind: 'done' }))
  let heldThen = -1
  Object.defineProperty(world, 'due', {
    get: () => {
      heldThen = world.held.size
      return false
    },
  })
  await worker.work(TICKET)
  assert.is(heldThen, 0)
})

test('asks nothing of a settled tick for whose resource nobody came', async () => {
  for (const [isSettled, wanted, pushed] of [
    [true, false, []],
    [true, true, ['r']],
    [false, false, ['r']],
  ] as const) {
    const { worker, world } = working(async () => ({ kind: 'done', isSettled }))
    Object.assign(world, { due: true, wanted })
    await worker.work(TICKET)
    assert.equal(world.pushed, pushed, `settled ${isSettled}, wanted ${wanted}`)
  }
})

test('survives whatever a tick or the lock throws', async () => {
  for (const thrown of [new Error('boom'), 'boom', null]) {
    const { worker, told } = working(() => Promise.reject(thrown))
    await worker.work(TICKET)
    const [, { error, resourceId }] = told.find(([name]) => name === 'tick.failed')!
    assert.ok(error instanceof Error)
    assert.is(resourceId, 'r')
  }
})

test('leaves a resource alone that is held elsewhere, and pushes no ticket back', async () => {
  let ticks = 0
  const { worker, world, names } = working(async () => {
    ticks += 1
    return { kind: 'done' }
  })
  world.held.add('r')
  world.due = true
  await worker.work(TICKET)
  assert.is(ticks, 0)
  assert.equal(world.pushed, [])
  assert.ok(names().includes('tick.busy'))
})

test('nudges a tick of the same resource in this process instead of waiting for it', async () => {
  const { worker, world, names } = working(() => Promise.reject(new Error('it was ticked')))
  world.running = true
  await worker.work(TICKET)
  assert.equal(names(), ['tick.busy'])
})

test('drains: takes no more, and waits for what is in hand', async () => {
  const ticking = gate<Verdict>()
  const { worker, deliver, told } = working(() => ticking.passed)
  await worker.start()
  const work = deliver()
  const stopping = worker.stop()
  ticking.open({ kind: 'done' })
  await Promise.all([work, stopping])
  assert.equal(
    told.filter(([name]) => name.startsWith('worker.')),
    [
      ['worker.started', { concurrency: 3, queue: 'ticks' }],
      ['worker.draining', { inHand: 1, queue: 'ticks' }],
      ['worker.stopped', { reason: 'drained', queue: 'ticks' }],
    ],
  )
  await worker.stop()
})

test('drains: aborts after its grace, and not before', async () => {
  let signal!: AbortSignal
  const { worker, deliver, told, time, world } = working(async (_, lease) => {
    signal = lease.signal
    await new Promise((end) => signal.addEventListener('abort', end))
    return { kind: 'done' }
  })
  await worker.start()
  const work = deliver()
  await time.settle()
  const stopping = worker.stop()
  await time.advance(GRACE_MS - 1)
  assert.is(signal.aborted, false)
  await time.advance(1)
  await Promise.all([work, stopping])
  assert.is(signal.reason.code, 'WORKER_DRAINING')
  assert.equal(told.at(-1), ['worker.stopped', { reason: 'grace ran out', queue: 'ticks' }])
  assert.is(world.held.size, 0)
  assert.is(time.sleeping, 0)
})

test('stopped before it was started is nothing', async () => {
  const { worker, names } = working(async () => ({ kind: 'done' }))
  await worker.stop()
  assert.equal(names(), [])
})

test.run()
