// timeout: 240s
// Retention: history that grew old is archived or dropped, and what a run needs stays.

import { retention } from '../../plugins/retention.ts'
import { premisesOf } from '../support/premises.ts'
import { Attic, Box, CANARY, Server, Small, Tiny, upTo } from '../support/retention.ts'
import { settings } from '../support/services.ts'
import { codeOf } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

for (const setting of settings().filter((one) => one !== 'full')) {
  const test = suite(`retention in the setting ${setting}`)
  const attic = new Attic()
  const archive = attic.folder
  const all = (after: string, folder: string | null = archive) => ({
    rules: { '*': { after, archive: folder } },
  })

  const timesOf = async (held: Awaited<ReturnType<Attic['walked']>>['held']) =>
    (await held.walk.snapshot())?.context?.times

  test.before(() => attic.open(setting))
  test.before.each(() => attic.empty())
  test.after(() => attic.close())

  test('archives the old steps of a live run, each once, and the run goes on', async () => {
    // Steps 0 and 1 at once, then one a day until step 11.
    const { held, taskId } = await attic.walked(10)
    const before = await attic.house.sql(
      'SELECT to_json(x) AS row FROM transitions x WHERE task_id = $1 ORDER BY step',
      [taskId],
    )
    const { rows, files } = await attic.keeper({ ...all('60h'), chunk: 3 }).run()
    assert.equal([...files].sort(), attic.files())
    assert.ok(files.every((file) => /Server\/2026-\d\d-\d\d\/[\w.-]+\.ndjson\.gz$/.test(file)))
    const kept = await attic.steps(taskId)
    assert.equal(kept, [8, 9, 10, 11], 'three steps are young, and the first is based on one more')
    assert.equal(await attic.archivedSteps(taskId), upTo(7))
    const lines = (await attic.archived()).filter(({ row }) => row.task_id === taskId)
    const gone = lines.filter(({ table }) => table === 'transitions')
    const byStep = gone.sort((a, b) => a.row.step - b.row.step).map(({ row }) => row)
    assert.equal(
      byStep,
      before.slice(0, 8).map(({ row }) => row),
    )
    assert.ok(rows >= 8)
    await attic.stroll(held)
    const status = await held.walk.status()
    assert.is(status?.step, 12)
    assert.is(status?.state, 'right')
  })

  test('keeps what a run rests in, however old it is', async () => {
    const { held, taskId } = await attic.walked(3)
    await attic.driver.advance('200d')
    await attic.keeper(all('1h')).run()
    assert.equal(await attic.steps(taskId), [4])
    assert.equal(await attic.archivedSteps(taskId), upTo(3))
    await held.walk.send('GO')
    await attic.driver.settle()
    assert.is(await timesOf(held), 4)
    await attic.driver.advance('2h')
    await attic.keeper(all('1h')).run()
    assert.equal(await attic.steps(taskId), [5], 'what was left behind goes when it is not needed')
    assert.equal(await attic.archivedSteps(taskId), upTo(4))
  })

  test('rewinds to every step within its time, and says so of what is beyond', async () => {
    const { held } = await attic.walked(10)
    await attic.keeper(all('60h')).run()
    const error = await held.walk.rewind(4).catch((thrown) => thrown)
    assert.is(error.code, 'STEP_ARCHIVED')
    assert.match(error.message, /^Task walk of Server\/\S+ cannot go back 4 steps, only 3: step 7 /)
    const { state } = await held.walk.rewind(3)
    await attic.driver.settle()
    assert.is(state, 'right')
    assert.is(await timesOf(held), 7)
  })

  test('keeps what a rewind of late is based on', async () => {
    const { held, taskId } = await attic.walked(6)
    await attic.driver.advance('1d')
    // Step 8 holds what step 3 did, and can be taken back to what that was based on.
    await held.walk.rewind(4)
    await attic.driver.advance('1h')
    await attic.keeper(all('12h')).run()
    assert.equal(await attic.steps(taskId), upTo(8, 2))
    await held.walk.rewind(1)
    assert.is(await timesOf(held), 1)
    assert.is(await codeOf(held.walk.rewind(1)), 'STEP_ARCHIVED')
  })

  test('removes a run that ended with all that hangs on it', async () => {
    const { held, taskId } = await attic.walked(3)
    await held.walk.send('END', { dedupKey: 'once' })
    await attic.driver.settle()
    await attic.driver.advance('3d')
    const young = await attic.walked(1)
    await attic.keeper({ ...all('30h'), chunk: 2 }).run()
    assert.is(await held.walk.status(), null)
    assert.equal(await attic.steps(taskId), [])
    const lines = await attic.archived()
    const tables = lines.filter(({ row }) => (row.task_id ?? row.id) === taskId)
    assert.equal(tables.map(({ table }) => table).sort(), [
      ...['events', 'tasks'],
      ...Array.from({ length: 6 }, () => 'transitions'),
    ])
    assert.equal(await attic.archivedSteps(taskId), upTo(5))
    assert.is((await young.held.walk.status())?.step, 2)
    assert.is((await attic.house.sql(`SELECT FROM events WHERE dedup_key = 'once'`)).length, 0)
  })

  test('drops what is to be dropped, and remembers whose first steps are gone', async () => {
    const { held, taskId } = await attic.walked(5)
    await attic.keeper(all('36h', null)).run()
    assert.equal(attic.files(), [])
    assert.equal(await attic.steps(taskId), [4, 5, 6])
    const begun = await attic.house.app.history.beginnings(held.id)
    const own = begun.filter((one) => one.taskId === taskId)
    assert.equal(own, [{ task: 'walk', taskId, step: 4 }])
    const [noted] = await attic.house.sql('SELECT * FROM retired_steps WHERE task_id = $1', [
      taskId,
    ])
    assert.is(noted.first_step, 4)
    assert.is(noted.folder, null)
  })

  test('has a rule for each kind: the nearest class that has one, or the others’', async () => {
    const made = []
    for (const shape of [Server, Small, Tiny, Box]) made.push(await attic.walked(0, shape as never))
    for (let day = 0; day < 6; day++) for (const { held } of made) await held.walk.send('GO')
    for (let day = 0; day < 6; day++) await attic.driver.advance('1d')
    const [server, small, tiny, box] = made
    for (const { held } of made) await held.walk.send('GO')
    await attic.driver.settle()
    const rules = {
      Server: { after: '1d', archive },
      Small: 'keep',
      '*': { after: '1d', archive: null },
    }
    await attic.keeper({ rules: rules as never }).run()
    assert.equal(await attic.steps(server!.taskId), [7, 8])
    assert.equal(await attic.steps(small!.taskId), upTo(8))
    assert.equal(await attic.steps(tiny!.taskId), upTo(8), 'it extends Small')
    assert.equal(await attic.steps(box!.taskId), [7, 8])
    assert.equal([...new Set((await attic.archived()).map(({ kind }) => kind))], ['Server'])
    // Other kinds for a rule: it looks again from the beginning.
    await attic.keeper({ rules: { '*': { after: '1d', archive: null } } }).run()
    assert.equal(await attic.steps(tiny!.taskId), [7, 8])
  })

  test('counts what would go, and then that goes', async () => {
    await attic.walked(5)
    const { held } = await attic.walked(2, Box)
    await held.walk.send('END')
    await attic.driver.settle()
    await attic.driver.advance('4d')
    const keeper = attic.keeper({ ...all('2d'), chunk: 4 })
    const old = await keeper.count()
    assert.equal(await keeper.count(), old, 'a count changes nothing')
    const { rows } = await keeper.run()
    const sum = old.reduce((total, one) => total + one.rows, 0)
    assert.is(rows, sum)
    const byKind = (table: string, kind: string) =>
      old.find((one) => one.kind === kind)?.tables[table] ?? 0
    assert.is(byKind('tasks', 'Box'), 1)
    assert.is(byKind('transitions', 'Box') > 0 && byKind('transitions', 'Server') > 0, true)
    assert.equal(await keeper.count(), [])
    const archived = await attic.archived()
    assert.is(archived.length, sum)
  })

  test('keeps the failure that parked a run, and lets others and changes go', async () => {
    const parked = await attic.house.app.create(Server, {})
    await parked.fail.start()
    await attic.driver.settle()
    await attic.driver.advance('1h')
    await parked.fail.retry()
    await attic.driver.settle()
    await attic.driver.advance('3d')
    await attic.keeper(all('1d')).run()
    const failures = await attic.house.sql('SELECT at FROM failures')
    assert.is(failures.length, 1)
    assert.is((await parked.fail.status())?.status, 'panicked')
    assert.is((await attic.house.sql('SELECT FROM changes')).length, 0)
    const tables = (await attic.archived()).map(({ table }) => table)
    assert.is(tables.filter((table) => table === 'failures').length, 1)
    assert.ok(tables.includes('changes'))
    assert.is(await attic.house.app.panics.count({ kind: 'Server' }), 1)
  })

  test('lets alarms go that are closed, with their history', async () => {
    const held = await attic.house.app.create(Server, {})
    await held.raise('hot', { message: 'it is hot' })
    await held.clear('hot')
    await attic.driver.advance('3d')
    await held.raise('cold', { message: 'it is cold' })
    await attic.driver.advance('3d')
    await attic.keeper(all('1d')).run()
    const left = await attic.house.sql('SELECT name FROM alarms')
    assert.equal(left, [{ name: 'cold' }])
    const tables = (await attic.archived()).map(({ table }) => table)
    assert.is(tables.filter((table) => table === 'alarms').length, 1)
    assert.ok(tables.filter((table) => table === 'alarm_changes').length > 1)
  })

  test('two keepers at once archive every row once', async () => {
    const made = [await attic.walked(8), await attic.walked(8, Box)]
    const options = { ...all('1d'), chunk: 2 }
    const [one, other] = [attic.keeper(options), attic.keeper(options)]
    await Promise.all([one.run(), other.run()])
    await one.run()
    for (const { taskId } of made) {
      const kept = await attic.steps(taskId)
      const gone = await attic.archivedSteps(taskId)
      assert.equal([...gone, ...kept], upTo(gone.length + kept.length - 1))
      assert.ok(gone.length > 5)
    }
  })

  test('shows no secret in its files', async () => {
    const held = await attic.house.app.create(Server, { password: CANARY })
    await held.walk.start()
    await attic.driver.settle()
    await attic.driver.advance('2d')
    await held.walk.send('GO')
    await attic.driver.settle()
    await attic.keeper(all('1d')).run()
    const lines = await attic.archived()
    assert.ok(lines.length > 0)
    assert.not.match(JSON.stringify(lines), CANARY)
  })

  test('works beside a clock, round after round', async () => {
    const { taskId } = await attic.walked(4)
    const plugin = retention({ ...all('1d'), every: '1h' })
    const premises = premisesOf(attic.house.app, attic.time)
    assert.is(plugin.duty?.(premises, 'worker'), null)
    const duty = plugin.duty?.(premises, 'clock')
    const first = async () => (await attic.steps(taskId))[0]
    await until(async () => (await first()) === 3, { what: 'a round was made' })
    const next = async () => {
      await attic.time.advance(3_600_000)
      return (await first()) === 5
    }
    await until(next, { what: 'others were made, as time went by' })
    await duty?.stop()
  })

  test.run()
}
