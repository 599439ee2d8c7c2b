// The exam of ends: what every database has to keep when runs and resources end, in every setting.
// Promise: each sentence of lib/undertaker.ts and lib/herald.ts is asked here.
import type { RunStop, Unit } from '../../lib/unit.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { AUTHOR, Pen } from './pen.ts'
import type { Place } from './store.ts'

const EXITS = [
  { task: 'work', src: null, version: '2' },
  { task: 'work', src: 'kid', version: '3' },
]

/**
 * Declares the exam as a suite of its own.
 * @param name what is examined
 * @param make makes the place where tables are kept; once
 */
export function endsExam(name: string, make: () => Promise<Place>): void {
  const test = suite(`ends exam: ${name}`)
  const time = new FakeTime()
  let place: Place
  let pen: Pen

  test.before(async () => {
    place = await make()
    pen = new Pen(await place.open(), time)
  })
  test.after(async () => {
    await place.close()
  })

  const stopOf = (resourceId: string, more: Partial<RunStop> = {}): Omit<Unit, 'id'> => ({
    stops: [{ resourceId, task: 'work', except: null, exits: EXITS, ...AUTHOR, ...more }],
  })
  const runsOf = async (resourceId: string) => {
    const sql = 'SELECT name, status FROM tasks WHERE resource_id = $1 ORDER BY name'
    return (await pen.rows(sql, [resourceId])).map(({ name, status }) => `${name} ${status}`)
  }

  test('a stopped run with an exit machine is stopping, and that is due', async () => {
    const { resourceId, taskId } = await pen.task()
    await pen.commit({ sends: [pen.send(resourceId)] })
    const [outcome] = await pen.commit(stopOf(resourceId, { reason: 'old' }))
    assert.equal(outcome, {
      ...{ kind: 'committed', started: [], begun: [], delivered: 0, stopped: 1, reported: 0 },
      ...{ isQuiet: false, isRung: false, alarmed: [], held: [] },
    })
    assert.equal(await runsOf(resourceId), ['work stopping', 'work/exit:1 running'])
    assert.is((await pen.dueOf(taskId)).due_at, null)
    assert.equal(await pen.rows('SELECT 1 FROM events WHERE task_id = $1', [taskId]), [])
    const exit = await pen.one(
      `SELECT t.*, x.payload, d.due_at FROM tasks t JOIN transitions x ON x.task_id = t.id AND x.step = 0
       JOIN dues d ON d.task_id = t.id WHERE t.resource_id = $1 AND name = 'work/exit:1'`,
      [resourceId],
    )
    assert.equal(exit.origin, { src: ['__exit__'], id: 'exit', sync: false })
    assert.equal(exit.payload, { state: '__new__', reason: 'old' })
    assert.equal([exit.machine_version, exit.due_at], ['2', time.now()])
    assert.equal(await pen.store.finished([taskId]), [taskId])
  })

  test('what stops once more changes nothing; by force all ends', async () => {
    const { resourceId } = await pen.task()
    await pen.commit(stopOf(resourceId))
    const [again, all] = [
      await pen.commit(stopOf(resourceId)),
      await pen.commit(stopOf(resourceId, { task: null, except: 'life' })),
    ]
    for (const [outcome] of [again, all]) assert.is((outcome as any).stopped, 0)
    const [forced] = await pen.commit(stopOf(resourceId, { force: true }))
    assert.is((forced as any).stopped, 2)
    assert.equal(await runsOf(resourceId), ['work stopped', 'work/exit:1 stopped'])
    const dues = await pen.rows('SELECT 1 FROM dues WHERE resource_id = $1', [resourceId])
    assert.equal(dues, [])
  })

  test('a run ends with its exit machine, and only one that is stopping', async () => {
    const { resourceId } = await pen.task()
    const ends = [{ resourceId, task: 'work', ...AUTHOR }]
    await pen.commit({ ends })
    assert.equal(await runsOf(resourceId), ['work running'])
    await pen.commit(stopOf(resourceId))
    await pen.commit({ ends })
    assert.equal(await runsOf(resourceId), ['work stopped', 'work/exit:1 running'])
  })

  test('what a run has spawned has an exit of its own, and keeps the root from starting', async () => {
    const { resourceId } = await pen.task('work')
    const origin = { src: ['kid'], id: 'kid', sync: false }
    await pen.commit({ starts: [pen.start(resourceId, 'work/kid:1', { origin })] })
    await pen.commit(stopOf(resourceId, { exits: EXITS.slice(1) }))
    const stopping = ['work stopped', 'work/kid:1 stopping', 'work/kid:1/exit:1 running']
    assert.equal(await runsOf(resourceId), stopping)
    const [outcome] = await pen.commit({ starts: [pen.start(resourceId)] })
    assert.equal((outcome as any).started, [])
    await pen.commit({ ends: [{ resourceId, task: 'work/kid:1', ...AUTHOR }] })
    const [later] = await pen.commit({ starts: [pen.start(resourceId)] })
    assert.is((later as any).started.length, 1)
  })

  test('nothing can be sent to a run that is stopping', async () => {
    const { resourceId } = await pen.task()
    await pen.commit(stopOf(resourceId))
    const [outcome] = await pen.commit({ sends: [pen.send(resourceId)] })
    assert.is((outcome as any).delivered, 0)
  })

  test('a resource that goes takes everything with it but its tombstone', async () => {
    const { resourceId } = await pen.task()
    const removes = [{ resourceId, isForced: true, cascade: false, actor: 'me', reason: 'dear' }]
    await pen.commit({ removes })
    for (const table of ['tasks', 'leases', 'dues', 'changes'])
      assert.equal(
        await pen.rows(`SELECT 1 FROM ${table} WHERE resource_id = $1`, [resourceId]),
        [],
      )
    const stone = await pen.one('SELECT * FROM tombstones WHERE resource_id = $1', [resourceId])
    assert.equal([stone.kind, stone.actor, stone.reason], ['Thing', 'me', 'dear'])
    const [outcome] = await pen.commit({ starts: [pen.start(resourceId)] })
    assert.equal((outcome as any).started, [])
  })

  test('children keep a resource from going, unless they go with it; nobody else is hurt', async () => {
    const parentId = await pen.resource()
    const child = { id: pen.id(), kind: 'Thing', parentId, fields: {}, ...AUTHOR }
    const bystander = await pen.task()
    await pen.commit({ creates: [child] })
    const remove = (cascade: boolean) => ({
      removes: [{ resourceId: parentId, isForced: true, cascade, ...AUTHOR }],
    })
    const [refused, other] = await Promise.all([
      pen.commit(remove(false)).catch((error) => error),
      pen.commit(pen.step({ ...bystander, expected: 0 })),
    ])
    assert.is(refused.code, '23503')
    assert.is(other[0]?.kind, 'committed')
    await pen.commit(remove(true))
    const left = await pen.rows('SELECT 1 FROM resources WHERE id = ANY($1)', [
      [parentId, child.id],
    ])
    assert.equal(left, [])
  })

  test('a report counts where it may follow, and is told of; a mark is in the history', async () => {
    const resourceId = await pen.resource()
    const report = (status: string, from: string[]) =>
      pen.commit({ reports: [{ resourceId, status, from, ...AUTHOR }] })
    const counts: number[] = []
    for (const from of [['online'], ['unknown'], ['unknown', 'offline']])
      counts.push(((await report('offline', from))[0] as any).reported)
    assert.equal(counts, [0, 1, 0])
    await pen.commit({ marks: [{ resourceId, state: 'deleting', event: '__delete__', ...AUTHOR }] })
    const row = await pen.one('SELECT * FROM resources WHERE id = $1', [resourceId])
    assert.equal([row.state, row.availability.status], ['deleting', 'offline'])
    const lines = await pen.rows('SELECT event FROM changes WHERE resource_id = $1 ORDER BY id', [
      resourceId,
    ])
    const events = lines.map(({ event }) => event)
    assert.equal(events, ['__create__', '__availability__', '__delete__'])
  })

  test.run()
}
