// What a clock takes while more is due than one look may take: by share, by priority, oldest first.
import { Dealer } from '../../lib/dealer.ts'
import type { DueAnswer } from '../../lib/dues.ts'
import { AGE_MS } from '../../lib/share.ts'
import { settings } from '../support/services.ts'
import { HOUR_MS, LIMIT, NOW, shop } from '../support/shop.ts'
import { assert, suite } from '../support/suite.ts'

const countOf = ({ lateness }: DueAnswer, kind: string) =>
  lateness.find((one) => one.kind === kind)?.count ?? 0

for (const setting of settings().filter((one) => one !== 'full')) {
  const test = suite(`dealer, ${setting}`)
  let at: Awaited<ReturnType<typeof shop>>
  test.before(async () => {
    at = await shop(setting)
  })
  test.before.each(() => at.database.query('DELETE FROM dues') as never)
  test.after(() => at.close())

  test('a backlog of one kind delays no newcomer of another', async () => {
    await at.add({ share: 'Flood', count: 5_000 })
    await at.add({ share: 'Quiet', count: 20, lateMs: 50 })
    const taken = await at.look(new Dealer())
    assert.is(countOf(taken, 'Quiet'), 20)
    assert.is(taken.tickets.length, LIMIT)
    assert.is(taken.nextAt, NOW, 'there is more: the clock looks again at once')
  })

  test('places follow the weights while all have work, and nothing is left over when one has not', async () => {
    const weights: Record<string, number> = { A: 1, B: 2, C: 5 }
    const dealer = new Dealer((share) => weights[share] ?? 1)
    // The newest of all come from somewhere else, so that they tip no scale.
    await at.add({ share: 'Fresh', count: 2_000, lateMs: 2_000 })
    for (const share of ['A', 'B', 'C']) await at.add({ share, count: 2_000 })
    const counts: Record<string, number> = { A: 0, B: 0, C: 0 }
    for (let looks = 0; looks < 10; looks++) {
      const taken = await at.look(dealer)
      assert.is(taken.tickets.length, LIMIT)
      for (const share of ['A', 'B', 'C']) counts[share]! += countOf(taken, share)
    }
    const each = (10 * LIMIT * 3) / 4 / 9
    for (const share of ['A', 'B', 'C']) {
      const exact = each * weights[share]!
      assert.ok(
        Math.abs(counts[share]! - exact) <= 2,
        `${share} had ${counts[share]}, not ${exact}`,
      )
    }
    await at.database.query("DELETE FROM dues WHERE share IN ('A', 'Fresh')")
    await at.database.query("DELETE FROM dues WHERE share = 'B' AND look_at > to_timestamp(0)")
    const rest = await at.look(dealer)
    assert.is(countOf(rest, 'C'), Math.min(LIMIT, 2_000 - counts.C!))
  })

  test('oldest first, and all of it in the end', async () => {
    await at.add({ share: 'Flood', count: 2_000 })
    const dealer = new Dealer()
    let before = Number.NEGATIVE_INFINITY
    while ((await at.left('Flood')) > LIMIT) {
      const { rows } = await at.database.query(
        'SELECT task_id, due_at FROM dues WHERE look_at <= to_timestamp($1 / 1000.0) ORDER BY due_at LIMIT 300',
        [NOW],
      )
      assert.ok(rows[0].due_at >= before)
      before = rows[0].due_at
      await at.look(dealer)
      const told = await at.database.query(
        'SELECT count(*)::integer AS n FROM dues WHERE task_id = ANY($1) AND look_at > to_timestamp($2 / 1000.0)',
        [rows.map(({ task_id }) => task_id), NOW],
      )
      assert.is(told.rows[0].n, 300, 'three in four places are for the oldest')
    }
    await at.look(dealer)
    assert.is(await at.left('Flood'), 0)
  })

  test('the lower priority first, but what is late for minutes is not passed over', async () => {
    await at.add({ share: 'Work', count: 1_000, rank: 5, lateMs: 30_000 })
    await at.add({ share: 'Work', count: 100, rank: 0, lateMs: 20_000 })
    await at.add({ share: 'Work', count: 100, rank: 9, lateMs: 29_000 })
    const first = await at.look(new Dealer())
    assert.is(first.tickets.length, LIMIT)
    const told = async (rank: number) =>
      (
        await at.database.query(
          'SELECT count(*)::integer AS n FROM dues WHERE rank = $1 AND look_at > to_timestamp($2 / 1000.0)',
          [rank, NOW],
        )
      ).rows[0].n
    assert.is(await told(0), 100)
    assert.is(await told(9), 0)
    // Nine minutes later those are as good as any, and older than those that came since.
    await at.add({ share: 'Work', count: 2_000, rank: 0, lateMs: -9 * AGE_MS + 1_000 })
    const later = NOW + 9 * AGE_MS
    await at.database.query('DELETE FROM dues WHERE rank = 5')
    await at.look(new Dealer(), { nowMs: later })
    const { rows } = await at.database.query(
      'SELECT count(*)::integer AS n FROM dues WHERE rank = 9 AND look_at > to_timestamp($1 / 1000.0)',
      [later],
    )
    assert.is(rows[0].n, 100)
  })

  test('more shares than one look goes through are all found, look after look', async () => {
    await at.database.query(
      `INSERT INTO dues (task_id, resource_id, due_at, look_at, share, reason)
       SELECT gen_random_uuid(), gen_random_uuid(), t, t, 'Many/' || (i % 1500), 'timer'
       FROM (SELECT to_timestamp($1 / 1000.0) AS t, i FROM generate_series(1, 6000) i) x`,
      [NOW - HOUR_MS],
    )
    const dealer = new Dealer()
    const seen = new Set<string>()
    for (let looks = 0; looks < 8; looks++) await at.look(dealer, { limit: 1_000 })
    const { rows } = await at.database.query(
      'SELECT DISTINCT share FROM dues WHERE look_at > to_timestamp($1 / 1000.0)',
      [NOW],
    )
    for (const { share } of rows) seen.add(share)
    assert.is(seen.size, 1_500)
  })

  test('two clocks at once take different entries', async () => {
    await at.add({ share: 'Flood', count: 3_000 })
    const answers = await Promise.all([at.look(new Dealer()), at.look(new Dealer())])
    const ids = answers.flatMap(({ tickets }) => tickets.map(({ resourceId }) => resourceId))
    assert.is(new Set(ids).size, ids.length)
    assert.ok(ids.length > LIMIT, `${ids.length} were taken`)
  })

  test.run()
}
