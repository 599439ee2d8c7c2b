// The store, by its exam; and what it makes of a COMMIT whose answer never came.
import { Database } from '../../lib/database.ts'
import type { Outcome } from '../../lib/unit.ts'
import { migrations } from '../../models/migrations/0001_house.ts'
import { openCutter } from '../exams/cutter.ts'
import { endsExam } from '../exams/ends.ts'
import { mailExam } from '../exams/mail.ts'
import { Pen } from '../exams/pen.ts'
import { type Place, storeExam } from '../exams/store.ts'
import { bareDatabase, freshSchema } from '../support/house.ts'
import { databaseUrl, type Setting, settings } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

async function place(setting: Setting): Promise<Place & { schema: string }> {
  const schema = freshSchema()
  const opened: Awaited<ReturnType<typeof bareDatabase>>[] = []
  const open = async () => {
    opened.push(await bareDatabase(setting, schema, { migrations, poolSize: 6 }))
    return opened.at(-1)!.database
  }
  const home = await open()
  await home.migrate()
  return {
    schema,
    open,
    close: async () => {
      await home.query(`DROP SCHEMA "${schema}" CASCADE`)
      for (const { dismiss } of opened.reverse()) await dismiss()
    },
  }
}

// The full setting has the database of the Postgres one.
for (const setting of settings().filter((setting) => setting !== 'full')) {
  storeExam(setting, () => place(setting))
  mailExam(setting, () => place(setting))
  endsExam(setting, () => place(setting))
}

if (settings().includes('postgres')) {
  const test = suite('store whose COMMIT is cut off')
  const time = new FakeTime()
  let home: Awaited<ReturnType<typeof place>>
  let cutter: Awaited<ReturnType<typeof openCutter>>
  let behind: Database
  let pen: Pen
  let sight: Pen

  test.before(async () => {
    home = await place('postgres')
    cutter = await openCutter(databaseUrl()!)
    const { schema } = home
    behind = new Database({ at: { url: cutter.url }, schema, poolSize: 2, migrations })
    pen = new Pen(behind, time)
    sight = new Pen(await home.open(), time)
  })
  test.after(async () => {
    await behind.close()
    await cutter.close()
    await home.close()
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
