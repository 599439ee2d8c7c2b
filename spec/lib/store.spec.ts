// The store, by its exam; and what it makes of a COMMIT whose answer never came.
import type { Outcome } from '../../lib/unit.ts'
import { type Cellar, cellar } from '../exams/cellar.ts'
import { expressOf, openCutter } from '../exams/cutter.ts'
import { endsExam } from '../exams/ends.ts'
import { holdsExam } from '../exams/holds.ts'
import { mailExam } from '../exams/mail.ts'
import { Pen } from '../exams/pen.ts'
import { storeExam } from '../exams/store.ts'
import { databaseUrl, type Setting, settings } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

// The full setting has the database of the Postgres one.
for (const setting of settings().filter((setting) => setting !== 'full')) {
  storeExam(setting, () => cellar(setting))
  mailExam(setting, () => cellar(setting))
  endsExam(setting, () => cellar(setting))
  holdsExam(setting, () => cellar(setting))
  claimed(setting)
}

/** The number of a claim is never given twice, whatever became of the row that said so. */
function claimed(setting: Setting): void {
  const test = suite(`claims, ${setting}`)
  let home: Cellar
  let pen: Pen
  test.before(async () => {
    home = await cellar(setting)
    pen = new Pen(await home.open(), new FakeTime())
  })
  test.after(() => home.close())

  test('each raises the fence, within what a number can hold', async () => {
    const { resourceId } = await pen.task()
    let last = 0
    for (let nth = 0; nth < 20; nth++) {
      const { fence } = (await pen.store.claim(resourceId, 'us'))!
      assert.ok(fence > last && Number.isSafeInteger(fence), `${fence} after ${last}`)
      last = fence
    }
    // Whatever the clock of the server says.
    const ahead = last + 1e12
    await pen.rows('UPDATE leases SET fence = $2 WHERE resource_id = $1', [resourceId, ahead])
    assert.is((await pen.store.claim(resourceId, 'us'))!.fence, ahead + 1)
  })

  test('one that a crash took away has a number of its own', async () => {
    const { resourceId, taskId } = await pen.task()
    const before = await pen.one('SELECT fence FROM leases WHERE resource_id = $1', [resourceId])
    const { fence } = (await pen.store.claim(resourceId, 'holder'))!
    const undone = [resourceId, before.fence]
    await pen.rows('UPDATE leases SET fence = $2 WHERE resource_id = $1', undone)
    const unit = pen.step({ resourceId, taskId, expected: 0 })
    const late = { ...unit, fence: { resourceId, fence } }
    assert.is((await pen.commit(late))[0]?.kind, 'fenced')
    await pen.store.claim(resourceId, 'heir')
    assert.is((await pen.commit(late))[0]?.kind, 'fenced')
  })

  test.run()
}

if (settings().includes('postgres')) {
  const test = suite('store whose COMMIT is cut off')
  const time = new FakeTime()
  let home: Cellar
  let cutter: Awaited<ReturnType<typeof openCutter>>
  let pen: Pen
  let sight: Pen

  test.before(async () => {
    home = await cellar('postgres')
    cutter = await openCutter(databaseUrl()!)
    pen = new Pen(home.behind(cutter.url), time)
    sight = new Pen(await home.open(), time)
  })
  test.after(async () => {
    await home.close()
    await cutter.close()
  })

  for (const cut of ['asked', 'answered'] as const) {
    test(`when it is ${cut}, the unit is committed exactly once, and reported so`, async () => {
      for (let round = 0; round < 5; round++) {
        const { taskId, resourceId } = await sight.task()
        const other = await sight.task('other')
        const before = cutter.cuts
        cutter.cutAt(cut)
        const outcomes = await pen.commit(
          {
            ...pen.step({ taskId, resourceId, expected: 0 }),
            sends: [pen.send(other.resourceId, 'other')],
          },
          pen.step({ ...other, expected: 7 }),
        )
        const kinds = outcomes.map(({ kind }: Outcome) => kind)
        assert.equal(kinds, ['committed', 'desynchronized'])
        assert.is(cutter.cuts, before + 1)
        const steps = await sight.rows('SELECT step FROM transitions WHERE task_id = $1', [taskId])
        assert.equal(steps.map(({ step }) => step).sort(), [0, 1])
        const mail = await sight.rows('SELECT id FROM events WHERE task_id = $1', [other.taskId])
        assert.is(mail.length, 1)
      }
    })
  }

  for (const cut of ['asked', 'answered'] as const) {
    test(`when it is ${cut}, a start with its first step is there once, and both are told of`, async () => {
      const first = {
        ...{ state: 's1', event: '__start__', snapshot: { value: 's1' } },
        ...{ at: null, why: 'waiting' },
      }
      const resourceId = await sight.resource()
      const [run, bare] = [sight.start(resourceId, 'work', { first }), sight.start(resourceId, 'b')]
      const before = cutter.cuts
      cutter.cutAt(cut, expressOf(run.id))
      const [outcome] = await pen.commit({ starts: [run, bare] })
      assert.is(cutter.cuts, before + 1)
      const { started, begun } = outcome as Extract<Outcome, { started: unknown }>
      assert.equal([[...started].sort(), begun], [[run.id, bare.id].sort(), [run.id]])
      const lines = await sight.rows(
        'SELECT task_id = $1 AS is_first, step, unit_id FROM transitions WHERE task_id = ANY($2) ORDER BY 1, 2',
        [run.id, [run.id, bare.id]],
      )
      assert.equal(
        lines.map(({ is_first, step }) => [is_first, step]),
        [
          [false, 0],
          [true, 0],
          [true, 1],
        ],
      )
      assert.is(new Set(lines.map(({ unit_id }) => unit_id)).size, 1)
    })
  }

  test('a change that cannot be looked up is said to be unknown', async () => {
    const resourceId = await sight.resource()
    cutter.cutAt('answered')
    const change = { resourceId, set: { n: 1 }, unset: [], aside: {}, version: 0 }
    const error = await pen.commit({ fields: change }).then(
      () => null,
      (thrown) => thrown,
    )
    assert.is(error?.code, 'COMMIT_UNKNOWN')
  })

  test.run()
}
