// The queue exam: what every queue has to do, whatever carries it.
// Promise: lib/contract.ts says what a queue owes; each sentence of it is asked here.
import type { Queue, Ticket } from '../../lib/contract.ts'
import { Keyring } from '../../lib/keyring.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { until } from '../support/wait.ts'
import { Bench, Collector, type Place, ring, time, WEEK_MS } from './bench.ts'

const tickets = (count: number, name = 'r') =>
  Array.from({ length: count }, (_, index) => ({ resourceId: `${name}-${index}` }))

/** Each in a message of its own. */
async function pushAlone(queue: Queue, some: readonly Ticket[]): Promise<void> {
  for (const ticket of some) await queue.push([ticket])
}

/**
 * Declares the exam as a suite of its own.
 * @param name what is examined
 * @param make makes the place; once
 */
export function queueExam(name: string, make: () => Promise<Place>): void {
  const test = suite(`queue exam: ${name}`)
  let place: Place
  let bench: Bench
  let benches = 0

  test.before(async () => {
    place = await make()
  })
  test.before.each(() => {
    bench = new Bench(place, `exam-${++benches}`)
  })
  test.after.each(() => bench.close())
  test.after(() => place.close())

  test('every ticket pushed arrives, whoever takes it', async () => {
    const queue = bench.participant()
    const takers = new Collector()
    await queue.push(tickets(100))
    await queue.take(takers.work, { concurrency: 4 })
    await bench.participant().take(takers.work, { concurrency: 4 })
    await queue.push(tickets(100, 's'))
    await bench.participant().push(tickets(1, 't'))
    await takers.has(201)
    const expected = [...tickets(100), ...tickets(100, 's'), ...tickets(1, 't')]
    assert.equal(takers.got.sort(), expected.map(({ resourceId }) => resourceId).sort())
  })

  test('pushing nothing is nothing', async () => {
    const queue = bench.participant()
    await queue.push([])
    assert.is(await queue.depth(), 0)
  })

  test('a ticket that is pushed again arrives again, even while the first is in hand', async () => {
    const queue = bench.participant()
    const got: string[] = []
    let again = false
    const twin = { resourceId: 'twin' }
    await queue.push([twin, twin, twin])
    await queue.take(
      async ({ resourceId }) => {
        if (!again) {
          again = true
          await queue.push([twin])
        }
        got.push(resourceId)
      },
      { concurrency: 1 },
    )
    await until(() => got.length >= 4, { what: 'the fourth twin had arrived' })
    assert.equal(got, ['twin', 'twin', 'twin', 'twin'])
  })

  test('depth counts what waits', async () => {
    const queue = bench.participant()
    await queue.push(tickets(3))
    assert.is(await queue.depth(), 3)
    const taker = new Collector()
    await queue.take(taker.work, { concurrency: 1 })
    await until(async () => (await queue.depth()) === 0, { what: 'nothing waited any more' })
  })

  test('what does not open is told, dropped, and harms nobody else', async () => {
    const stranger = Keyring.parse(Keyring.generate(7))
    const other = Keyring.parse(Keyring.generate(9))
    const healthy = bench.envelope()
    const sealed = healthy.seal({ resourceId: 'healthy' })
    const bad = [
      bench.envelope(stranger).seal({ resourceId: 'same number, other key' }),
      bench.envelope(other).seal({ resourceId: 'unknown key' }),
      bench.envelope(ring, 'elsewhere').seal({ resourceId: 'for another queue' }),
      `${sealed.slice(0, -6)}AAAA==`,
      sealed.slice(0, 40),
      'plain text',
      '',
      42,
      null,
      {},
      { resourceId: 'not sealed at all' },
      ['e1.f.7.'],
      'x'.repeat(100_000),
    ]
    const queue = bench.participant()
    await bench.plant(bad)
    await queue.push([{ resourceId: 'healthy' }])
    const taker = new Collector()
    await queue.take(taker.work, { concurrency: 1 })
    await taker.has(1)
    assert.equal(taker.got, ['healthy'])
    assert.is(bench.refused.length, bad.length)
    assert.equal(
      bench.refused.slice(0, 3).map(({ keyId }) => keyId),
      ['7', '9', '7'],
    )
    for (const { reason } of bench.refused) assert.match(reason, /^A queue message was refused: /)
    assert.equal(bench.failed, [])
    assert.is(await queue.depth(), 0)
  })

  test('a taker that can open nothing says so once, after twenty', async () => {
    let told = 0
    const stranger = Keyring.parse(Keyring.generate(7))
    const queue = bench.participant({ keyring: stranger, onBlind: () => told++ })
    await pushAlone(bench.participant(), tickets(19))
    await queue.take(new Collector().work, { concurrency: 3 })
    await until(() => bench.refused.length === 19, { what: '19 were refused' })
    assert.is(told, 0)
    await pushAlone(bench.participant(), tickets(10))
    await until(() => bench.refused.length === 29, { what: '29 were refused' })
    assert.is(told, 1)
  })

  test('one good ticket among bad ones means that the eyes are good', async () => {
    let told = 0
    const queue = bench.participant({ onBlind: () => told++ })
    const taker = new Collector()
    for (const round of [1, 2]) {
      await bench.plant(Array.from({ length: 15 }, () => 'garbage'))
      await queue.push([{ resourceId: `good-${round}` }])
    }
    await queue.take(taker.work, { concurrency: 1 })
    await taker.has(2)
    assert.is(bench.refused.length, 30)
    assert.is(told, 0)
  })

  test('a backlog that expired is refused, and makes nobody blind', async () => {
    let told = 0
    const past = new FakeTime(time.now() - 2 * WEEK_MS)
    await pushAlone(bench.participant({ envelopeTime: past }), tickets(25))
    const queue = bench.participant({ onBlind: () => told++ })
    const taker = new Collector()
    await queue.push([{ resourceId: 'fresh' }])
    await queue.take(taker.work, { concurrency: 1 })
    await taker.has(1)
    assert.is(bench.refused.length, 25)
    assert.match(bench.refused[0]!.reason, /expired/)
    assert.is(told, 0)
  })

  test('work that throws is told, acknowledged, and followed by the next', async () => {
    const queue = bench.participant()
    const got: string[] = []
    await queue.push(tickets(2))
    await queue.take(
      async ({ resourceId }) => {
        got.push(resourceId)
        if (resourceId === 'r-0') throw new Error('boom')
      },
      { concurrency: 1 },
    )
    await until(() => got.length === 2, { what: 'both had arrived' })
    assert.equal(
      bench.failed.map(({ message }) => message),
      ['boom'],
    )
    await until(async () => (await place.size(bench.name)) === 0, { what: 'both were gone' })
    assert.equal(got, ['r-0', 'r-1'])
  })

  test('never more are in hand than asked for, and never less while more wait', async () => {
    const queue = bench.participant()
    const inHand = new Set<() => void>()
    let most = 0
    await queue.push(tickets(60))
    await queue.take(
      () =>
        new Promise<void>((resolve) => {
          inHand.add(resolve)
          most = Math.max(most, inHand.size)
        }),
      { concurrency: 3 },
    )
    for (let round = 0; round < 20; round++) {
      await until(() => inHand.size === 3, { what: 'three were in hand' })
      for (const done of inHand) done()
      inHand.clear()
    }
    assert.is(most, 3)
  })

  test('stop waits for the work in hand and takes no more', async () => {
    const queue = bench.participant()
    let finish = () => {}
    let stopped = false
    const got: string[] = []
    await queue.push(tickets(3))
    const taker = await queue.take(
      async ({ resourceId }) => {
        got.push(resourceId)
        await new Promise<void>((resolve) => {
          finish = resolve
        })
      },
      { concurrency: 1 },
    )
    await until(() => got.length === 1, { what: 'one was in hand' })
    const stopping = taker.stop().then(() => {
      stopped = true
    })
    await until(async () => (await queue.depth()) === 2, { what: 'what was not begun was back' })
    assert.is(stopped, false)
    finish()
    await stopping
    assert.is(got.length, 1)
    assert.is(await queue.depth(), 2)
    const next = new Collector()
    await bench.participant().take(next.work, { concurrency: 1 })
    await next.has(2)
  })

  test('close stops the takers too, and twice is once', async () => {
    const queue = bench.participant()
    const taker = new Collector()
    await queue.take(taker.work, { concurrency: 1 })
    await queue.close()
    await queue.close()
    await bench.participant().push(tickets(1))
    assert.is(await bench.participant().depth(), 1)
    assert.equal(taker.got, [])
  })

  test('nothing of a ticket can be read while it waits, in hand, or afterwards', async () => {
    const canary = 'CANARY-018f3c1e'
    const queue = bench.participant()
    const seen: string[] = []
    await queue.push([{ resourceId: canary }, { resourceId: canary }])
    seen.push(await place.readable())
    assert.match(seen[0]!, bench.name)
    assert.match(seen[0]!, /e[12]\.f\.(2\.)?7\./)
    await queue.take(async () => void seen.push(await place.readable()), { concurrency: 1 })
    await until(() => seen.length === 3, { what: 'both had been in hand' })
    seen.push(await place.readable())
    for (const text of seen) {
      assert.not.match(text, canary)
      assert.not.match(text, Buffer.from(canary).toString('base64').slice(2, -4))
    }
  })

  test('what is done leaves nothing behind', async () => {
    const queue = bench.participant()
    const taker = new Collector()
    await queue.take(taker.work, { concurrency: 4 })
    await bench.plant(['garbage'])
    await queue.push(tickets(300))
    await taker.has(300)
    await until(async () => (await place.size(bench.name)) === 0, { what: 'nothing was left' })
    const told = await place.told(bench.name)
    assert.ok(told < 500, `${told} events of 1200 were kept`)
  })

  test.run()
}
