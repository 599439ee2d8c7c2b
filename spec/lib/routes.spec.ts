// Several queues behind one door, and tickets that came to the wrong one.
import type { Ticket } from '../../lib/contract.ts'
import { Detour } from '../../lib/detour.ts'
import { Quay, Routes, rungBy } from '../../lib/routes.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const test = suite('routes')

/** Doors that keep what they are given; those named fail. */
function doors(names: readonly string[], failing: readonly string[] = []) {
  const pushed: Record<string, string[]> = {}
  const depths: Record<string, number> = {}
  const doorOf = (name: string) => ({
    depth: async () => depths[name] ?? 0,
    push: async (tickets: readonly Ticket[]) => {
      pushed[name] = [...(pushed[name] ?? []), ...tickets.map(({ resourceId }) => resourceId)]
      if (failing.includes(name)) throw new Error(`${name} is away`)
    },
  })
  return { pushed, depths, doors: new Map(names.map((name) => [name, doorOf(name)])) }
}

const TICKETS: Ticket[] = [
  { resourceId: 'a' },
  { resourceId: 'b', queue: 'slow' },
  { resourceId: 'c', queue: 'ticks' },
  { resourceId: 'd', queue: 'nowhere' },
  { resourceId: 'e', queue: 'slow' },
]

test('a ticket goes to its queue; what names none, or one nobody knows, to the house’s', async () => {
  const two = doors(['ticks', 'slow'])
  await new Routes('ticks', two.doors).push(TICKETS)
  assert.equal(two.pushed, { ticks: ['a', 'c', 'd'], slow: ['b', 'e'] })
  const one = doors(['ticks'])
  await new Routes('ticks', one.doors).push(TICKETS)
  assert.equal(one.pushed, { ticks: ['a', 'b', 'c', 'd', 'e'] })
})

test('a queue that fails holds up no other', async () => {
  const { pushed, doors: two } = doors(['ticks', 'slow'], ['ticks'])
  let said = ''
  await new Routes('ticks', two).push(TICKETS).catch(({ message }) => {
    said = message
  })
  assert.is(said, 'ticks is away')
  assert.equal(pushed.slow, ['b', 'e'])
})

test('a quay says what each has room for', async () => {
  const { depths, doors: three } = doors(['ticks', 'slow', 'heavy'])
  const quay = new Quay('ticks', three)
  Object.assign(depths, { ticks: 3, slow: 10, heavy: 40 })
  assert.equal(await quay.berths({ tickets: 5, waiting: 10 }), [
    { queue: 'ticks', places: 5, isFull: false },
    { queue: 'slow', places: 0, isFull: true },
  ])
})

test('whom a unit makes due is told with the queue of its kind', () => {
  const of = (resourceId: string, queue?: string) =>
    ({ resourceId, ...(queue && { queue }) }) as never
  const rung = rungBy({
    starts: [of('a'), of('b', 'slow')],
    sends: [of('a')],
    stops: [of('c', 'slow')],
  })
  assert.equal(
    [...rung.values()],
    [{ resourceId: 'a' }, { resourceId: 'b', queue: 'slow' }, { resourceId: 'c', queue: 'slow' }],
  )
})

test('what came to the wrong queue is sent on once in a while, and never goes in circles', async () => {
  const time = new FakeTime()
  const sent: string[] = []
  const push = async (tickets: readonly Ticket[]) =>
    void sent.push(...tickets.map(({ resourceId }) => resourceId))
  const detour = new Detour({ time, lapseMs: 1_000, push })
  for (const resourceId of ['a', 'b', 'a', 'a']) await detour.send({ resourceId, queue: 'slow' })
  assert.equal(sent, ['a', 'b'])
  await time.advance(999)
  await detour.send({ resourceId: 'a' })
  assert.equal(sent, ['a', 'b'])
  await time.advance(1)
  await detour.send({ resourceId: 'a' })
  assert.equal(sent, ['a', 'b', 'a'])
})

test.run()
