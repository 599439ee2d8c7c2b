// What our program is asked beyond working: herds, backlogs, fans and histories laid into a database, small ones.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { Contestant } from '../../bench/contestant.ts'
import type { Figures, Ground, Order } from '../../bench/protocol.ts'
import { SYSTEMS } from '../../bench/systems.ts'
import { databaseUrl } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'

const feats = suite('feats of our program in the bench')
const folder = mkdtempSync(join(tmpdir(), 'escapement-feats-'))
const system = SYSTEMS.find(({ name }) => name === 'escapement:postgres')!
const given = databaseUrl()
const contestants: Contestant[] = []
const made: string[] = []
const COUNT = 40

/** A session with the server of this spec, or with one database of it. */
async function session<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** An empty database, and our program in it, given one order after another, each in a process of its own. */
async function told(orders: readonly (readonly Order[])[]): Promise<[url: string, last: Figures]> {
  const name = `feats_${process.pid}_${made.length}`
  await session(given!, (client) => client.query(`CREATE DATABASE ${name}`))
  made.push(name)
  const url = new URL(given!)
  url.pathname = name
  const ground: Ground = {
    ...{ variant: 'postgres', databaseUrl: url.href, redisUrl: '', restate: null, folder },
    ...{ concurrency: 5, instances: COUNT, steps: 10 },
  }
  let last: Figures = {}
  for (const some of orders) {
    const one = new Contestant(system, ground, null)
    contestants.push(one)
    for (const order of some) last = await one.ask(order)
    await one.close()
  }
  return [url.href, last]
}

const stand: Order = { does: 'stand' }
const lay = (what: 'herd' | 'backlog' | 'history'): Order => ({ does: 'lay', what, count: COUNT })
const count = (url: string, sql: string) =>
  session(url, async (client) => Number((await client.query(sql)).rows[0].count))

feats.after(async () => {
  for (const one of contestants) await one.stop()
  if (given)
    await session(given, async (client) => {
      for (const name of made) await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    })
  rmSync(folder, { recursive: true, force: true })
})

/** These lay rows by SQL, so there is nothing to show where there is no server. */
if (given) {
  feats('lay a herd whose rows agree', { deadlineMs: 100_000 }, async () => {
    const [url] = await told([[lay('herd')]])
    const agreeing = `SELECT count(*) FROM escapement.tasks t JOIN escapement.resources r ON r.id = t.resource_id
      JOIN escapement.leases l ON l.resource_id = r.id JOIN escapement.dues d ON d.task_id = t.id AND d.resource_id = r.id
      JOIN escapement.transitions s ON s.task_id = t.id AND s.step = t.rest_step
      WHERE t.state = 'asleep' AND d.due_at > now() + interval '50 minutes' AND d.look_at = d.due_at
        AND abs(extract(epoch FROM d.due_at) * 1000 - (s.snapshot->'timers'->0->>'dueAt')::float8) < 2`
    assert.is(await count(url, agreeing), COUNT)
    assert.is(await count(url, 'SELECT count(*) FROM escapement.transitions'), 2 * COUNT)
    assert.is(await count(url, 'SELECT count(DISTINCT id) FROM escapement.tasks'), COUNT)
  })

  feats('drain a backlog, oldest first', { deadlineMs: 100_000 }, async () => {
    const drain: Order = { does: 'drain', perSecond: 20 }
    const [url, figures] = await told([[lay('backlog')], [stand, drain]])
    const ended = `SELECT count(*) FROM escapement.tasks WHERE name = 'chain' AND status = 'done' AND step = 11`
    assert.is(await count(url, ended), COUNT)
    assert.ok(figures.drainedMs! > 0 && figures.newcomers! > 0)
    assert.ok(figures.oldestFirst! > 0.5 && figures.oldestFirst! <= 1, `${figures.oldestFirst}`)
  })

  feats('step on after a long history', { deadlineMs: 100_000 }, async () => {
    const [url, figures] = await told([[lay('history')], [stand, { does: 'stride', count: 4 }]])
    assert.ok(figures.longMs! > 0 && figures.shortMs! > 0)
    const gaps = `SELECT count(*) FROM escapement.tasks t WHERE step <> (
      SELECT count(*) - 1 FROM escapement.transitions s WHERE s.task_id = t.id)`
    assert.is(await count(url, gaps), 0)
    assert.is(await count(url, `SELECT max(step) AS count FROM escapement.tasks`), COUNT + 11 + 14)
  })

  feats('make children, and watch until none is left', { deadlineMs: 100_000 }, async () => {
    const [url] = await told([[stand, { does: 'fan', count: COUNT }, { does: 'watch' }]])
    const sql = `SELECT count(*) FROM escapement.tasks WHERE name = 'once' AND status = 'done'`
    assert.is(await count(url, sql), COUNT)
  })
} else {
  feats('are shown where there is a PostgreSQL', () => {})
}

feats.run()
