// Who comes for a run while it is started claims behind its start, sees it, and is never left waiting; where it is not
// certain that the claim saw the run, the escort says so.
import type { NewRun } from '../../lib/unit.ts'
import { type Cellar, cellar } from '../exams/cellar.ts'
import { type Cut, expressOf, openCutter } from '../exams/cutter.ts'
import { Pen } from '../exams/pen.ts'
import { databaseUrl, settings } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { until } from '../support/wait.ts'

const WAITING =
  "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND $1 = ANY(pg_blocking_pids(pid))"

const time = new FakeTime()
const seen = (claim: { tasks: readonly { id: string }[] } | null) =>
  claim?.tasks.map(({ id }) => id) ?? null

/** A start, and a claim by whoever is called to it. */
function escorted(pen: Pen, run: NewRun) {
  let come: Promise<string[] | null> | null = null
  const escort = pen.store.escorts.add(run, () => {
    come ??= pen.store.claim(run.resourceId, 'us').then(seen)
    come.catch(() => {})
  })!
  const starting = () => pen.commit({ starts: [run] }).finally(() => escort.end())
  return { escort, starting, found: () => come }
}

// The full setting has the database of the Postgres one.
for (const setting of settings().filter((setting) => setting !== 'full')) {
  const test = suite(`escorts, ${setting}`)
  let home: Cellar
  let pen: Pen
  test.before(async () => {
    home = await cellar(setting)
    pen = new Pen(await home.open(), time)
  })
  test.after(() => home.close())

  const newStart = async () => pen.start(await pen.resource())

  test('whoever is called claims what is started', async () => {
    const run = await newStart()
    const { escort, starting, found } = escorted(pen, run)
    const [outcome] = await starting()
    assert.is(outcome?.kind, 'committed')
    assert.equal(await found(), [run.id])
    assert.ok(escort.hasSeen)
  })

  test('whoever came before it was sent waits, and so does a second one', async () => {
    const run = await newStart()
    const { escort, starting } = escorted(pen, run)
    const early = [1, 2].map((nth) => pen.store.claim(run.resourceId, `early ${nth}`))
    await starting()
    for (const claim of early) assert.equal(seen(await claim), [run.id])
    assert.ok(escort.hasSeen)
  })

  test('a start of a resource that is gone is seen by nobody, and holds up nobody', async () => {
    const run = pen.start(pen.id())
    const { starting, found } = escorted(pen, run)
    const [outcome] = await starting()
    assert.equal((outcome as { started?: readonly string[] }).started ?? [], [])
    assert.is(await found(), null)
  })

  test('nobody is called to starts that travel together; who waits goes on when they are over', async () => {
    const runs = [await newStart(), await newStart()]
    const [one, other] = runs.map((run) => escorted(pen, run))
    const waiting = pen.store.claim(runs[0]!.resourceId, 'us')
    await pen.commit(...runs.map((run) => ({ starts: [run] })))
    for (const { escort } of [one!, other!]) escort.end()
    assert.equal(seen(await waiting), [runs[0]!.id])
    assert.equal([one!.found(), other!.found()], [null, null])
    assert.not.ok(other!.escort.hasSeen)
  })

  test('nobody is called to another start of the same resource', async () => {
    const run = await newStart()
    const { escort, starting, found } = escorted(pen, run)
    const other = pen.start(run.resourceId, 'other')
    assert.is(
      pen.store.escorts.add(other, () => {}),
      null,
    )
    await pen.commit({ starts: [other] })
    assert.equal([found(), escort.hasSeen], [null, false])
    await starting()
    assert.equal([...(await found())!].sort(), [run.id, other.id].sort())
    assert.ok(
      pen.store.escorts.add(other, () => {}),
      'the first is over',
    )
  })

  test('a start nobody came for says so', async () => {
    const run = await newStart()
    const escort = pen.store.escorts.add(run, () => {})!
    await pen.commit({ starts: [run] })
    escort.end()
    assert.not.ok(escort.hasSeen)
    assert.equal(seen(await pen.store.claim(run.resourceId, 'late')), [run.id])
    assert.not.ok(escort.hasSeen)
  })

  test.run()
}

if (settings().includes('postgres')) {
  const test = suite('escorts whose start takes long, or is lost')
  let home: Cellar
  let cutter: Awaited<ReturnType<typeof openCutter>>
  let sight: Pen
  let behind: Pen
  test.before(async () => {
    home = await cellar('postgres')
    cutter = await openCutter(databaseUrl()!)
    behind = new Pen(home.behind(cutter.url), time)
    sight = new Pen(await home.open(), time)
  })
  test.after(async () => {
    await home.close()
    await cutter.close()
  })

  test('a claim behind a start that waits for a lock waits with it', async () => {
    const run = sight.start(await sight.resource())
    const { escort, starting, found } = escorted(behind, run)
    let started: Promise<unknown> | undefined
    await sight.database.transaction(async (runner) => {
      await runner.query('SELECT 1 FROM resources WHERE id = $1 FOR UPDATE', [run.resourceId])
      const { rows } = await runner.query('SELECT pg_backend_pid() AS pid')
      started = starting()
      const waits = async () => (await sight.rows(WAITING, [rows[0].pid])).length > 0
      await until(waits, { what: 'the start waited' })
      assert.ok(escort.hasSeen, 'somebody came')
    })
    await started
    assert.equal(await found(), [run.id])
  })

  for (const cut of ['asked', 'answered'] as const satisfies readonly Cut[]) {
    test(`of one that is cut off when it is ${cut} nobody is believed to have seen it`, async () => {
      const run = sight.start(await sight.resource())
      const { escort, starting } = escorted(behind, run)
      const before = cutter.cuts
      cutter.cutAt(cut, expressOf(run.id))
      const [outcome] = await starting()
      assert.equal([cutter.cuts, outcome?.kind], [before + 1, 'committed'])
      assert.not.ok(escort.hasSeen)
      assert.equal(seen(await behind.store.claim(run.resourceId, 'them')), [run.id])
    })
  }

  test.run()
}
