// What a clock takes where kinds travel on several queues, and not all of them have room.
import type { Berth } from '../../lib/contract.ts'
import { Dealer } from '../../lib/dealer.ts'
import type { DueAnswer } from '../../lib/dues.ts'
import type { Routing } from '../../lib/routes.ts'
import { settings } from '../support/services.ts'
import { LIMIT, NOW, shop } from '../support/shop.ts'
import { assert, suite } from '../support/suite.ts'

/** Slow, once Heavy, is on a queue of its own; what nobody knows is on the house's. */
const routing: Routing = {
  byDefault: 'ticks',
  names: ['ticks', 'slow'],
  queueOf: (kind) => (['Slow', 'Heavy'].includes(kind) ? 'slow' : 'ticks'),
  kindsOf: (queue) => (queue === 'slow' ? ['Slow', 'Heavy'] : ['Quick']),
}
const roomy = (queue: string): Berth => ({ queue, places: LIMIT, isFull: false })
const full = (queue: string): Berth => ({ queue, places: 0, isFull: true })

const on = ({ tickets }: DueAnswer, queue: string) =>
  tickets.filter((ticket) => ticket.queue === queue).length
const countOf = ({ lateness }: DueAnswer, kind: string) =>
  lateness.find((one) => one.kind === kind)?.count ?? 0

for (const setting of settings().filter((one) => one !== 'full')) {
  const test = suite(`boarding, ${setting}`)
  let at: Awaited<ReturnType<typeof shop>>
  test.before.each(async () => {
    at = await shop(setting)
  })
  test.after.each(() => at.close())
  const look = (berths: readonly Berth[], more = {}) => {
    const limit = Math.min(...berths.map(({ places }) => places))
    const isFull = berths.every((berth) => berth.isFull)
    return at.look(new Dealer(), { routing, berths, limit, isFull, ...more })
  }

  test('says of each ticket on which queue it travels, by any name of its kind', async () => {
    await at.add({ share: 'Quick', count: 3 })
    await at.add({ share: 'Slow/acme', count: 4 })
    await at.add({ share: 'Heavy', count: 5 })
    await at.add({ share: 'Stranger', count: 6 })
    const taken = await look([roomy('ticks'), roomy('slow')])
    assert.equal([on(taken, 'ticks'), on(taken, 'slow')], [9, 9])
  })

  test('a full queue keeps nobody of another from being told, and is told of nothing but what is on time', async () => {
    await at.add({ share: 'Slow', count: 20_000 })
    await at.add({ share: 'Heavy/acme', count: 1_000 })
    await at.add({ share: 'Slow', count: 7, lateMs: 100, stepMs: 0 })
    await at.add({ share: 'Quick', count: 30, lateMs: 200, stepMs: 0 })
    await at.add({ share: 'Stranger', count: 5 })
    const taken = await look([roomy('ticks'), full('slow')])
    assert.equal([countOf(taken, 'Quick'), countOf(taken, 'Stranger')], [30, 5])
    assert.equal([on(taken, 'ticks'), on(taken, 'slow')], [35, 7])
    assert.is(await at.left('Slow'), 20_000, 'its backlog was not told of')
    assert.ok(taken.nextAt! > NOW, 'nobody looks again at once for a queue that has no room')
  })

  test('so does one that brims over, or is held, and it is told of nothing at all', async () => {
    await at.add({ share: 'Slow', count: 2_000, lateMs: 100, stepMs: 0 })
    await at.add({ share: 'Quick', count: 30 })
    const brimming = await look([roomy('ticks')])
    assert.equal([on(brimming, 'ticks'), on(brimming, 'slow')], [30, 0])
    await at.add({ share: 'Quick', count: 20 })
    await at.database.query(
      `INSERT INTO holds (scope, by, state, actor, since, round) VALUES ('queue:slow', 'pause', 'shut', 'me', now(), 1)`,
    )
    const held = await look([roomy('ticks'), roomy('slow')])
    assert.equal([on(held, 'ticks'), on(held, 'slow')], [20, 0])
    await at.database.query(`UPDATE holds SET scope = 'queue:ticks'`)
    await at.add({ share: 'Quick', count: 10 })
    const other = await look([roomy('ticks'), { queue: 'slow', places: 50, isFull: false }])
    assert.equal([on(other, 'ticks'), on(other, 'slow')], [0, 50])
    assert.is(other.nextAt, NOW, 'more waits that finds room')
  })

  test('each has its own places, and one that is nearly full bounds no other', async () => {
    await at.add({ share: 'Slow', count: 1_000 })
    await at.add({ share: 'Quick', count: 300 })
    await at.add({ share: 'Stranger', count: 50 })
    const taken = await look([roomy('ticks'), { queue: 'slow', places: 4, isFull: false }])
    assert.equal([on(taken, 'ticks'), on(taken, 'slow')], [350, 4])
  })

  test('a backlog of one is divided among its shares as if it were alone', async () => {
    await at.add({ share: 'Slow', count: 5_000 })
    await at.add({ share: 'Quick', count: 5_000 })
    await at.add({ share: 'Other', count: 5_000 })
    const taken = await look([roomy('ticks'), roomy('slow')])
    assert.equal([on(taken, 'ticks'), on(taken, 'slow')], [LIMIT, LIMIT])
    assert.ok(countOf(taken, 'Quick') >= 150, `${countOf(taken, 'Quick')} of one share`)
    assert.ok(countOf(taken, 'Other') >= 150, `${countOf(taken, 'Other')} of the other`)
  })

  test('with room everywhere, and with one queue, it asks four short questions', async () => {
    await at.add({ share: 'Slow', count: 20 })
    await at.add({ share: 'Quick', count: 20 })
    const query = at.database.query.bind(at.database)
    for (const more of [{ routing, berths: [roomy('ticks'), roomy('slow')] }, {}]) {
      await query('UPDATE dues SET look_at = due_at')
      let asked = 0
      const counted: typeof query = (...question) => {
        asked += 1
        return query(...question)
      }
      Object.assign(at.database, { query: counted })
      const { tickets } = await at.look(new Dealer(), { limit: 200, ...more })
      assert.equal([tickets.length, asked], [40, 4])
    }
  })

  test.run()
}
