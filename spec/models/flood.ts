// The flood itself: many events at once to one task, while another resource goes on.
// Promise: fails unless they cost few tickets, are taken in the order they were sent, and keep nobody waiting.
import { assign, setup } from 'xstate'
import { Resource } from '../../bin/index.ts'
import { SystemTime } from '../../lib/time.ts'
import { type House, openHouse } from '../support/house.ts'
import type { Setting } from '../support/services.ts'
import { assert } from '../support/suite.ts'

/** Sent side by side, so in no order among themselves; each lot after the one before was answered. */
const TOGETHER = 500
/** Far more than a turn of the busy one takes, far less than all of its turns. */
const PATIENCE_MS = 10_000

const tray = setup({
  types: {} as {
    context: { last: number; taken: number; swaps: number }
    events: { type: 'PUT'; n: number }
  },
  actions: {
    note: assign(({ context: { last, taken, swaps }, event: { n } }) => ({
      last: n,
      taken: taken + 1,
      swaps: swaps + (Math.floor(n / TOGETHER) < Math.floor(last / TOGETHER) ? 1 : 0),
    })),
  },
}).createMachine({ context: { last: -1, taken: 0, swaps: 0 }, on: { PUT: { actions: 'note' } } })

class Desk extends Resource {
  static override tasks = { tray }
}

const time = new SystemTime()

/** Counts the tickets this house pushes. */
function countTickets({ app }: House): () => number {
  const { queue } = app.rooms
  const push = queue.push.bind(queue)
  let tickets = 0
  queue.push = async (more) => {
    tickets += more.length
    return push(more)
  }
  return () => tickets
}

/** Sends them in order, many before the first is answered. */
async function flood(house: House, count: number) {
  const desk = await house.app.create(Desk, {})
  await desk.tray.start()
  for (let n = 0; n < count; n += TOGETHER) {
    const some = Array.from({ length: TOGETHER }, (_, index) => ({
      type: 'PUT' as const,
      n: n + index,
    }))
    await Promise.all(some.map((event) => desk.tray.send(event)))
  }
  return desk
}

/** How long somebody else's events take, one after the other. */
async function bystander(house: House): Promise<number[]> {
  const desk = await house.app.create(Desk, {})
  await desk.tray.start()
  const waits: number[] = []
  for (let n = 0; n < 20; n++) {
    const before = time.monotonic()
    await desk.tray.send({ type: 'PUT', n })
    await desk.tray.waitFor(({ context }) => context.last === n)
    waits.push(time.monotonic() - before)
  }
  return waits
}

/** Floods a house of the setting with so many events. */
export async function endure(setting: Setting, count: number): Promise<void> {
  const house = await openHouse({ resources: [Desk], setting })
  const tickets = countTickets(house)
  const busy = await flood(house, count)
  assert.ok(tickets() < count / 20, `${tickets()} tickets for ${count} events`)
  const worker = await house.neighbour()
  await worker.start()
  const waits = await bystander(house)
  assert.ok(Math.max(...waits) < PATIENCE_MS, `somebody waited ${Math.max(...waits)} ms`)
  const isTaken = ({ context }: { context: { taken: number } }) => context.taken === count
  const { context } = await busy.tray.waitFor(isTaken, { timeoutMs: 250_000 })
  assert.is(context.swaps, 0, 'they were taken in the order they were sent')
  await house.close()
}
