// History and its tasks: the trigger that stands for a reference, in every database.
import { cellar } from '../exams/cellar.ts'
import { Pen } from '../exams/pen.ts'
import { settings } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

// The full setting has the database of the Postgres one.
for (const setting of settings().filter((one) => one !== 'full')) {
  const test = suite(`history goes with its task: ${setting}`)
  let home: Awaited<ReturnType<typeof cellar>>
  let pen: Pen

  test.before(async () => {
    home = await cellar(setting)
    pen = new Pen(await home.open(), new FakeTime())
  })
  test.after(() => home.close())

  const linesOf = async (taskId: string) =>
    (await pen.rows('SELECT 1 FROM transitions WHERE task_id = $1', [taskId])).length

  test('when the task is deleted, and that of others stays', async () => {
    const [one, other] = [await pen.task(), await pen.task()]
    await pen.rows('DELETE FROM tasks WHERE id = $1', [one.taskId])
    assert.equal([await linesOf(one.taskId), await linesOf(other.taskId)], [0, 1])
  })

  test('when its resource is deleted', async () => {
    const { taskId, resourceId } = await pen.task()
    await pen.rows('DELETE FROM resources WHERE id = $1', [resourceId])
    assert.is(await linesOf(taskId), 0)
  })

  test('when somebody deletes it who does not look into our schema', async () => {
    const { taskId } = await pen.task()
    await pen.database.transaction(async (runner) => {
      await runner.query('SET LOCAL search_path TO pg_catalog')
      await runner.query(`DELETE FROM "${home.schema}".tasks WHERE id = $1`, [taskId])
    })
    assert.is(await linesOf(taskId), 0)
  })

  test('when all tasks are truncated', async () => {
    const { taskId } = await pen.task()
    await pen.rows('TRUNCATE tasks CASCADE')
    assert.is(await linesOf(taskId), 0)
  })

  test.run()
}
