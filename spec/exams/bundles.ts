// The second part of the queue exam: tickets that travel together.
// Promise: a bundle spares trips and nothing else; each ticket in it has the life of one that came alone.
import { isFault } from '../../lib/errors.ts'
import { gate } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { until } from '../support/wait.ts'
import { Bench, Collector, type Place } from './bench.ts'

const tickets = (count: number, name = 'r', more = {}) =>
  Array.from({ length: count }, (_, index) => ({ resourceId: `${name}-${index}`, ...more }))

/**
 * Declares the exam as a suite of its own.
 * @param name what is examined
 * @param make makes the place; once
 */
export function bundleExam(name: string, make: () => Promise<Place>): void {
  const test = suite(`bundle exam: ${name}`)
  let place: Place
  let bench: Bench
  let benches = 0

  test.before(async () => {
    place = await make()
  })
  test.before.each(() => {
    bench = new Bench(place, `bundles-${++benches}`)
  })
  test.after.each(() => bench.close())
  test.after(() => place.close())

  test('what is pushed together lies in few messages, and counts as what it is', async () => {
    const queue = bench.participant()
    await queue.push(tickets(40))
    assert.ok((await place.size(bench.name)) <= 4, 'sixteen a message')
    assert.is(await queue.depth(), 40)
    await Promise.all(tickets(40, 's').map((ticket) => queue.push([ticket])))
    assert.ok((await place.size(bench.name)) <= 8, 'many pushes at once are one')
    assert.is(await bench.participant().depth(), 80)
  })

  test('of many messages depth is an estimate by those at both ends', async () => {
    const queue = bench.participant()
    await queue.push(tickets(160))
    const depth = await queue.depth()
    assert.is(depth, 160)
    await bench.plant(['garbage'])
    const rough = await queue.depth()
    assert.ok(Math.abs(rough - 161) <= 20, `${rough}`)
  })

  test('a ticket on which work fails harms none of its bundle', async () => {
    const queue = bench.participant()
    const got: string[] = []
    await queue.push(tickets(5))
    await queue.take(
      async ({ resourceId }) => {
        got.push(resourceId)
        if (resourceId === 'r-1') throw new Error('boom')
      },
      { concurrency: 2 },
    )
    await until(async () => (await place.size(bench.name)) === 0, { what: 'it was settled' })
    assert.equal(got, ['r-0', 'r-1', 'r-2', 'r-3', 'r-4'])
    assert.equal(
      bench.failed.map(({ message }) => message),
      ['boom'],
    )
  })

  test('a ticket that cannot be sealed is refused to whom it belongs, and to nobody else', async () => {
    const queue = bench.participant()
    const taker = new Collector()
    const pushes = [tickets(2, 'a'), [{ resourceId: '' }], tickets(2, 'b')]
    const answers = await Promise.allSettled(pushes.map((some) => queue.push(some)))
    assert.equal(
      answers.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    assert.ok(isFault((answers[1] as PromiseRejectedResult).reason, 'ARGUMENT_INVALID'))
    await queue.take(taker.work, { concurrency: 1 })
    await taker.has(4)
    assert.equal(taker.got, ['a-0', 'a-1', 'b-0', 'b-1'])
  })

  test('a bundle is in the queue until its last ticket is settled', async () => {
    const queue = bench.participant()
    const last = gate<void>()
    const got: string[] = []
    await queue.push(tickets(3))
    await queue.take(
      async ({ resourceId }) => {
        if (resourceId === 'r-1') await last.passed
        got.push(resourceId)
      },
      { concurrency: 1 },
    )
    await until(() => got.length === 1, { what: 'the first was done' })
    assert.is((await place.size(bench.name)) > 0, true)
    last.open()
    await until(async () => (await place.size(bench.name)) === 0, { what: 'it was settled' })
    assert.is(got.length, 3)
  })

  test('urgent tickets go first, in bundles of their own', async () => {
    const queue = bench.participant()
    const taker = new Collector()
    await queue.push([...tickets(20), ...tickets(20, 'u', { isUrgent: true })])
    assert.ok((await place.size(bench.name)) <= 5)
    await queue.take(taker.work, { concurrency: 1 })
    await taker.has(40)
    assert.ok(
      taker.got.slice(0, 20).every((id) => id.startsWith('u-')),
      `${taker.got}`,
    )
  })

  test('two takers share a backlog: nobody holds a bundle that another could work on', async () => {
    const held = { a: 0, b: 0 }
    const end = gate<void>()
    await bench.participant().push(tickets(48))
    for (const who of ['a', 'b'] as const) {
      await bench.participant().take(
        async () => {
          held[who] += 1
          await end.passed
        },
        { concurrency: 3 },
      )
    }
    await until(() => held.a === 3 && held.b === 3, { what: 'both had their hands full' })
    assert.ok((await bench.participant().depth()) >= 16, 'a bundle more than their hands hold')
    end.open()
  })

  test('what waits behind long work is given back for others', async () => {
    const end = gate<void>()
    const slow = bench.participant()
    const quick = new Collector()
    let inHand = 0
    await slow.push(tickets(10))
    const work = async () => {
      inHand += 1
      await end.passed
    }
    await slow.take(work, { concurrency: 1 })
    await until(() => inHand === 1, { what: 'one was in hand' })
    await bench.participant().take(quick.work, { concurrency: 1 })
    await quick.has(9)
    assert.is(inHand, 1)
    end.open()
  })

  test('a lone ticket leaves and arrives while time stands still', async () => {
    const queueTime = new FakeTime()
    const queue = bench.participant({ queueTime })
    const taker = new Collector()
    await queue.take(taker.work, { concurrency: 2 })
    await queue.push(tickets(1))
    await taker.has(1)
    assert.is(queueTime.sleeping, 0)
    assert.is(queueTime.monotonic(), 0)
  })

  test.run()
}
