// The mail exam: what every database has to keep for the postman, in every setting.
// Promise: each sentence of lib/postman.ts is asked here; the store exam asks the rest.
import { MOST_WAITING } from '../../lib/postman.ts'
import type { Unit } from '../../lib/unit.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { Pen, TOLD_MS } from './pen.ts'
import type { Place } from './store.ts'

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))

/**
 * Declares the exam as a suite of its own.
 * @param name what is examined
 * @param make makes the place where tables are kept; once
 */
export function mailExam(name: string, make: () => Promise<Place>): void {
  const test = suite(`mail exam: ${name}`)
  const time = new FakeTime()
  let place: Place
  let ours: Pen

  test.before(async () => {
    place = await make()
    ours = new Pen(await place.open(), time)
  })
  test.after(() => place.close())

  test('of more mail than one look reads, the rest is announced', async () => {
    const { resourceId } = await ours.task()
    const sends = times(101, () => ours.send(resourceId))
    await ours.commit({ sends })
    const first = (await ours.store.claim(resourceId, 'x'))!.tasks[0]!
    assert.equal([first.mail.length, first.hasMore], [100, true])
    await ours.commit({ consumes: first.mail.slice(0, 1).map(({ id }) => id) })
    const second = (await ours.store.claim(resourceId, 'x'))!.tasks[0]!
    assert.equal([second.mail.length, second.hasMore], [100, false])
  })

  test('a full mailbox refuses what comes from outside, to the event, and takes what a step sends', async () => {
    const { resourceId, taskId } = await ours.task()
    const room = 3
    const fill = times(MOST_WAITING - room, () => ours.send(resourceId))
    await ours.commit({ sends: fill })
    const units = times(room + 2, () => ({ id: ours.id(), sends: [ours.send(resourceId)] }))
    const outcomes = await ours.store.commit(units)
    const delivered = outcomes.map((one) => one.kind === 'committed' && one.delivered)
    assert.equal(delivered, [1, 1, 1, 0, 0])
    const { fence } = (await ours.store.claim(resourceId, 'x'))!
    const inside = await ours.commit({
      fence: { resourceId, fence },
      sends: [ours.send(resourceId)],
    })
    assert.is(inside[0]!.kind === 'committed' && inside[0]!.delivered, 1)
    const sql = 'SELECT event_id FROM events WHERE task_id = $1 ORDER BY id'
    const kept = (await ours.rows(sql, [taskId])).map(({ event_id }) => event_id)
    const sent = [...fill, ...units.slice(0, room).flatMap((unit) => unit.sends)]
    assert.equal(
      kept.slice(0, MOST_WAITING),
      sent.map(({ id }) => id),
    )
  })

  test('who rings where mail waits already is told that somebody knows; who missed a ring is told too', async () => {
    const { resourceId, taskId } = await ours.task()
    const [task] = (await ours.store.claim(resourceId, 'x'))!.tasks
    const said = async (unit: Omit<Unit, 'id'>) => {
      const [outcome] = await ours.commit(unit)
      return outcome?.kind === 'committed' && { quiet: outcome.isQuiet, rung: outcome.isRung }
    }
    assert.equal(await said({ sends: [ours.send(resourceId)] }), { quiet: false, rung: false })
    assert.equal(await said({ sends: [ours.send(resourceId)] }), { quiet: true, rung: false })
    // A ticket may be lost: after a while nobody relies on it.
    await time.advance(TOLD_MS)
    assert.equal(await said({ sends: [ours.send(resourceId)] }), { quiet: false, rung: false })
    const due = { taskId, at: null, reason: 'waiting', wakes: task!.wakes }
    assert.equal(await said({ due }), { quiet: false, rung: true })
  })

  test('a key is kept while its run lives, taken or not, and is free for the next run', async () => {
    const { resourceId, taskId } = await ours.task()
    const send = () => ours.commit({ sends: [ours.send(resourceId, 'work', { dedupKey: 'k' })] })
    const delivered = async () => {
      const [outcome] = await send()
      return outcome?.kind === 'committed' && outcome.delivered
    }
    assert.is(await delivered(), 1)
    const { mail } = (await ours.store.claim(resourceId, 'x'))!.tasks[0]!
    assert.is(await delivered(), 0, 'it waits')
    await ours.commit({ consumes: mail.map(({ id }) => id) })
    assert.is(await delivered(), 0, 'it was taken')
    await ours.commit(
      ours.step({ resourceId, taskId, expected: 0, status: 'done', finished: true }),
    )
    assert.is(await delivered(), 0, 'nobody lives')
    await ours.commit({ starts: [ours.start(resourceId)] })
    assert.is(await delivered(), 1, 'another run')
  })

  test.run()
}
