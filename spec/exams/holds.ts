// The exam of holds: what every database has to keep for pauses and breakers, in every setting.
// Promise: each sentence of lib/fuse.ts, lib/latch.ts, lib/porter.ts and lib/bolts.ts is asked here, with many at once.
import type { Count, HoldSignal, Scope } from '../../lib/hold.ts'
import type { Outcome } from '../../lib/unit.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { Pen } from './pen.ts'
import type { Place } from './store.ts'

const POLICY = { rate: 0.5, least: 4, withinMs: 60_000, shutMs: 30_000, mostMs: 120_000 }
const BY = { actor: 'exam', reason: 'so' }

/**
 * Declares the exam as a suite of its own.
 * @param name what is examined
 * @param make makes the place where tables are kept; once
 */
export function holdsExam(name: string, make: () => Promise<Place>): void {
  const test = suite(`holds exam: ${name}`)
  const time = new FakeTime()
  let place: Place
  let ours: Pen
  let theirs: Pen

  test.before(async () => {
    place = await make()
    ours = new Pen(await place.open(), time)
    theirs = new Pen(await place.open(), time)
  })
  test.before.each(async () => {
    await ours.database.query('DELETE FROM holds')
    await ours.database.query('DELETE FROM hold_changes')
    await ours.database.query('DELETE FROM breaker_counts')
    await ours.database.query("UPDATE dues SET due_at = NULL, look_at = NULL, reason = 'x'")
    await time.advance(1_000)
  })
  test.after(async () => {
    await place.close()
  })

  const shut = (scope: Scope, more: Partial<HoldSignal> = {}): HoldSignal => ({
    ...{ scope, by: 'pause', event: 'shut', until: null, ...BY, ...more },
  })
  const failing = (scope: Scope, more: Partial<Count> = {}): Count => ({
    ...{ scope, oks: [], failed: 1, policy: POLICY, actor: 'worker', ...more },
  })
  const heldBy = (outcomes: readonly Outcome[]) =>
    outcomes.map((one) => (one.kind === 'committed' ? one.held : one.kind))
  const lines = () =>
    ours.rows('SELECT scope, by, event, actor, reason FROM hold_changes ORDER BY id')
  const holdOf = (scope: string) => ours.one('SELECT * FROM holds WHERE scope = $1', [scope])
  /** A task put off by this. */
  const putOff = async (scope: Scope, pen = ours) => {
    const { taskId, resourceId } = await pen.task()
    const { wakes } = await pen.dueOf(taskId)
    const due = { taskId, at: null, reason: `held:${scope}`, wakes }
    await pen.commit({ due })
    return { taskId, resourceId }
  }

  test('shutting, renewing and opening each leave a line, and say what changed', async () => {
    const scope = 'task:Thing.work'
    const unit = (signal: HoldSignal) => ours.commit({ holds: [signal] })
    assert.equal(heldBy(await unit(shut(scope))), [[scope]])
    assert.equal(heldBy(await unit(shut(scope, { until: time.now() + 5_000 }))), [[scope]])
    assert.equal(heldBy(await unit(shut(scope, { event: 'open' }))), [[scope]])
    assert.equal(heldBy(await unit(shut(scope, { event: 'open' }))), [[]])
    assert.equal(
      (await lines()).map(({ event }) => event),
      ['shut', 'renewed', 'open'],
    )
  })

  test('a limit only grows', async () => {
    const scope = 'dependency:cloud'
    const limit = (ms: number) => shut(scope, { by: 'limit', until: time.now() + ms })
    const all = [limit(20_000), limit(10_000), limit(30_000)]
    const held = []
    for (const signal of all) held.push(...heldBy(await ours.commit({ holds: [signal] })))
    assert.equal(held, [[scope], [], [scope]])
    assert.is((await holdOf(scope)).until, time.now() + 30_000)
  })

  test('failures counted at once, by many, shut it once', async () => {
    const scope = 'dependency:cloud'
    const units = Array.from({ length: 20 }, () => ({ counts: [failing(scope)] }))
    const outcomes = await Promise.all(
      units.flatMap((unit, index) => (index % 2 ? ours : theirs).commit(unit)),
    )
    assert.is(outcomes.flatMap(heldBy).flat().length, 1)
    assert.equal(
      (await lines()).map(({ event, actor }) => `${event} ${actor}`),
      ['shut worker'],
    )
    assert.is((await ours.one('SELECT sum(failed)::int AS n FROM breaker_counts')).n, 20)
    assert.equal(
      [(await holdOf(scope)).round, (await holdOf(scope)).until],
      [1, time.now() + 30_000],
    )
  })

  test('a backlog stands before nobody who is on time, nor does a full queue', async () => {
    const dueIn = async (ms: number) => {
      const { taskId, resourceId } = await ours.task()
      await ours.commit({ due: { taskId, at: time.now() + ms, reason: 'timer', wakes: 0 } })
      return resourceId
    }
    const backlog = await Promise.all(Array.from({ length: 40 }, () => dueIn(1_000)))
    const onTime = [await dueIn(60_000), await dueIn(60_001)]
    await time.advance(60_001)
    const { tickets } = await ours.store.due(8)
    const ids = (isUrgent: boolean) =>
      tickets.filter((one) => one.isUrgent === isUrgent).map(({ resourceId }) => resourceId)
    assert.equal(ids(true), onTime)
    assert.is(ids(false).filter((id) => backlog.includes(id)).length, 6)
    const late = await dueIn(1_000)
    await time.advance(1_000)
    const full = await theirs.store.due(0, true)
    assert.is(full.tickets.at(-1)!.resourceId, late)
  })

  test('what is not committed is not counted', async () => {
    const { resourceId } = await ours.task()
    const counts = [failing('dependency:cloud')]
    const [outcome] = await ours.commit({ fence: { resourceId, fence: 99 }, counts })
    assert.is(outcome!.kind, 'fenced')
    assert.equal(await ours.rows('SELECT * FROM breaker_counts'), [])
  })

  test('a trial is one, whoever comes; a failure shuts it for twice as long; a success only opens a trial', async () => {
    const scope = 'dependency:cloud'
    await ours.commit({ counts: [failing(scope, { failed: 4 })] })
    const passed = shut(scope, { by: 'breaker', event: 'passed' })
    assert.equal(heldBy(await ours.commit({ holds: [passed] })), [[]], 'it is shut')
    assert.equal(await ours.store.porter.probe(scope, 5_000), { until: time.now() + 30_000 })
    await time.advance(30_000)
    const pens = Array.from({ length: 10 }, (_, index) => (index % 2 ? ours : theirs))
    const answers = await Promise.all(pens.map((pen) => pen.store.porter.probe(scope, 5_000)))
    assert.is(answers.filter((answer) => answer === 'ours').length, 1)
    await ours.commit({ counts: [failing(scope)] })
    assert.equal(
      [(await holdOf(scope)).round, (await holdOf(scope)).until],
      [2, time.now() + 60_000],
    )
    await time.advance(60_000)
    assert.is(await ours.store.porter.probe(scope, 5_000), 'ours')
    await time.advance(5_001)
    assert.is(await theirs.store.porter.probe(scope, 5_000), 'ours', 'the first one was lost')
    assert.equal(heldBy(await ours.commit({ holds: [passed] })), [[scope]])
    assert.is(await ours.store.porter.probe(scope, 5_000), 'open')
    assert.equal(await ours.rows('SELECT * FROM breaker_counts'), [])
  })

  test('what opens by a crash in between lets go all the same, in its bounds', async () => {
    const scope = 'task:Thing.work'
    await ours.commit({ holds: [shut(scope)] })
    const tasks = await Promise.all(Array.from({ length: 5 }, () => putOff(scope)))
    // Whoever opened it died before it let anybody go.
    await ours.commit({ holds: [shut(scope, { event: 'open' })] })
    const { tickets } = await theirs.store.due(100)
    assert.equal(
      tickets.map(({ resourceId }) => resourceId).sort(),
      tasks.map(({ resourceId }) => resourceId).sort(),
    )
    assert.equal(await ours.rows('SELECT * FROM holds'), [])
  })

  test('one of two holds of the same that opens lets nobody go', async () => {
    const scope = 'dependency:cloud'
    await ours.commit({ holds: [shut(scope), shut(scope, { by: 'breaker' })] })
    const { taskId } = await putOff(scope)
    await ours.commit({ holds: [shut(scope, { event: 'open' })] })
    assert.is(await ours.store.porter.letGo(), 0)
    assert.is((await ours.dueOf(taskId)).due_at, null)
    await ours.commit({ holds: [shut(scope, { by: 'breaker', event: 'open' })] })
    assert.is(await ours.store.porter.letGo(), 1)
    assert.is((await ours.dueOf(taskId)).due_at, time.now())
  })

  test('who is put off by what was opened meanwhile is due at once', async () => {
    const { taskId } = await putOff('dependency:cloud')
    const { due_at: dueAt, reason } = await ours.dueOf(taskId)
    assert.equal([dueAt, reason], [time.now(), 'let go'])
  })

  test('putting off and opening at the same time loses nobody', async () => {
    for (let round = 0; round < 10; round++) {
      const scope: Scope = `dependency:race${round}`
      await ours.commit({ holds: [shut(scope)] })
      const pens = Array.from({ length: 6 }, (_, index) => (index % 2 ? ours : theirs))
      const open = async () => {
        await theirs.commit({ holds: [shut(scope, { event: 'open' })] })
        await theirs.store.porter.letGo()
      }
      const [tasks] = await Promise.all([
        Promise.all(pens.map((pen) => putOff(scope, pen))),
        open(),
      ])
      await ours.store.porter.letGo()
      for (const { taskId } of tasks) assert.is((await ours.dueOf(taskId)).due_at, time.now())
    }
  })

  test('two clocks end a hold once', async () => {
    await ours.commit({ holds: [shut('queue:other', { until: time.now() + 1_000 })] })
    await time.advance(1_000)
    const told: string[] = []
    const undos = [ours, theirs].map(({ events }) =>
      events.on('hold.changed', ({ event }) => told.push(event)),
    )
    await Promise.all([ours.store.due(1), theirs.store.due(1)])
    for (const undo of undos) undo()
    assert.equal(told, ['expired'])
  })

  test('raises the alarm of a breaker in the commit that shuts it, and clears it where it opens', async () => {
    const scope = 'task:Thing.work'
    const alarm = () => ours.one('SELECT * FROM alarms WHERE key = $1', [`breaker/${scope}`])
    await ours.commit({ counts: [failing(scope, { failed: 4 })] })
    const { state, kind, task, message, closes } = await alarm()
    assert.equal([state, kind, task, closes], ['open', 'Thing', 'work', 'told'])
    assert.is(message, 'The breaker of task Thing.work is shut: 4 of 4 failed within 60 s.')
    await ours.commit({ holds: [shut(scope, { by: 'breaker', event: 'open' })] })
    assert.is((await alarm()).state, 'closed')
  })

  test.run()
}
