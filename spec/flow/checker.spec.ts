// The checker itself: it objects to every breach planted in a house that has none.
import type { Runner } from '../../lib/database.ts'
import { drive, type House, openHouse } from '../support/house.ts'
import type { StaffProcess } from '../support/processes.ts'
import { Sink } from '../support/sink.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { breachesIn, breachesMidway, type Evidence } from './invariants.ts'
import { CANARY, launch, vesselTelling } from './processes/workload.ts'
import { witness } from './witness.ts'

const test = suite('the checker')
const VESSELS = 3

const sink = new Sink()
let house: House
let evidence: Evidence

test.before(async () => {
  const time = new FakeTime()
  const Vessel = vesselTelling(sink.tell)
  house = await openHouse({ resources: [Vessel], time })
  for (let number = 1; number <= VESSELS; number++) await launch(house.app, Vessel, number)
  await drive({ app: house.app, time }).advance('5s')
  const { sql, schema } = house
  evidence = {
    sql,
    schema,
    vessels: VESSELS,
    seen: sink.seen,
    reported: [],
    output: '',
    redis: null,
  }
})
test.after(() => house.close())

test('has nothing to say about a house that is well', async () => {
  assert.equal(await breachesIn(evidence), [])
})

const ONE = '(SELECT id FROM tasks ORDER BY id LIMIT 1)'
const CLIMB = `(SELECT id FROM tasks WHERE name = 'climb' ORDER BY id LIMIT 1)`

/** What is done to the tables, and what the checker must say. */
const PLANTED: readonly [breach: string, sql: string, said: RegExp][] = [
  ['a step that is missing', `DELETE FROM transitions WHERE task_id = ${ONE} AND step = 3`, /hole/],
  [
    'the last step missing',
    `DELETE FROM transitions x WHERE task_id = ${ONE} AND step = (SELECT step FROM tasks WHERE id = ${ONE})`,
    /not where their history ends/,
  ],
  [
    'a step from nowhere',
    `UPDATE transitions SET from_state = 'nowhere' WHERE task_id = ${ONE} AND step = 3`,
    /do not begin where/,
  ],
  ['a lost update', `UPDATE resources SET fields = fields || '{"climbs": 4}'`, /count every step/],
  [
    'a step of a zombie',
    `UPDATE transitions SET fence = 0 WHERE task_id = ${ONE} AND step = 4`,
    /older fence/,
  ],
  [
    'a task that stands still',
    `UPDATE tasks SET status = 'running', finished_at = NULL WHERE id = ${ONE}`,
    /not done/,
  ],
  [
    'a task left due',
    `INSERT INTO dues (task_id, resource_id, due_at, share, reason) SELECT id, resource_id, now(), 'x', 'x' FROM tasks WHERE id = ${ONE}`,
    /due entries left/,
  ],
  [
    'an event nobody took',
    `INSERT INTO events (task_id, event_id, type, actor, unit_id, sent_at) SELECT id, id, 'GO', 'x', id, now() FROM tasks WHERE id = ${ONE}`,
    /events nobody took/,
  ],
  [
    'a lock that is held',
    `INSERT INTO locks VALUES ('x', gen_random_uuid(), now() + interval '1 hour')`,
    /locks left/,
  ],
  [
    'an effect that never was',
    `UPDATE transitions SET snapshot = jsonb_set(snapshot, '{actors,0,armedAt}', '9')
     WHERE task_id = ${CLIMB} AND step = 3`,
    /without their effect/,
  ],
  [
    'a secret in a column',
    `UPDATE transitions SET reason = 'see ${CANARY}' WHERE task_id = ${ONE} AND step = 2`,
    /show a secret/,
  ],
  ['a run too many', `DELETE FROM tasks WHERE id = ${ONE}`, /tasks of 3 vessels/],
]

for (const [breach, sql, said] of PLANTED) {
  test(`objects to ${breach}`, async () => {
    const breaches = await plantedWith(sql)
    assert.ok(
      breaches.some((one) => said.test(one)),
      `it said only: ${breaches.join('; ') || 'nothing'}`,
    )
  })
}

test('objects to an effect nobody saw, to one of nobody, and to a report of nothing', async () => {
  const { seen } = evidence
  const objects = async (part: Partial<Evidence>, said: RegExp) =>
    assert.match((await breachesIn({ ...evidence, ...part })).join('; '), said)
  await objects({ seen: seen.slice(1) }, /1 steps without their effect/)
  await objects({ seen: [...seen, { ...seen[0]!, key: 'nobody' }] }, /22 effects were seen, not 21/)
  const taskId = seen[0]!.key.split(':')[0]!
  const line = { from: '__new__', to: '__new__', event: '__start__' }
  await objects({ reported: [{ taskId, step: 99, ...line }] }, /1 steps were reported and are gone/)
  const other = { taskId, step: 0, ...line, to: 'one' }
  await objects({ reported: [other] }, /1 steps were reported otherwise than they are stored/)
  assert.equal(await breachesMidway({ ...evidence, reported: [{ taskId, step: 0, ...line }] }), [])
  const midway = await breachesMidway({ ...evidence, reported: [other] })
  assert.match(midway.join('; '), /reported otherwise/)
  await objects({ output: `so I said ${CANARY}` }, /printed/)
})

test('and the witness says what it was that did not move', async () => {
  const { sql, schema } = evidence
  const told = Array.from({ length: 20 }, (_, nth) => ({ msg: 'task.stepped', nth }))
  const idler = { name: 'worker 1', isRunning: true, told } as unknown as StaffProcess
  const lines = (await witness({ sql, schema, processes: [idler] })).split('\n')
  assert.ok(lines.includes(`  {"open":0,"all":${2 * VESSELS}}`), lines.join('\n'))
  assert.match(lines.at(-1)!, /"nth":19/)
  assert.is(lines.filter((line) => line.includes('task.stepped')).length, 8)
  const gone = () => Promise.reject(new Error('the server is gone'))
  assert.match(await witness({ sql: gone, schema, processes: [] }), /not told: the server is gone/)
})

/** What the checker says while the tables are like this; afterwards they are as before. */
async function plantedWith(deed: string): Promise<string[]> {
  const undone = new Error('undone')
  let breaches: string[] = []
  const plant = async (runner: Runner) => {
    await runner.query("SET LOCAL escapement.reencrypting = 'on'")
    const { rowCount } = await runner.query(deed)
    assert.ok(rowCount, 'something was planted')
    const sql: Evidence['sql'] = async (text, params) => (await runner.query(text, params)).rows
    breaches = await breachesIn({ ...evidence, sql })
    throw undone
  }
  await house.app.rooms.database.transaction(plant).catch((thrown) => {
    if (thrown !== undone) throw thrown
  })
  return breaches
}

test.run()
