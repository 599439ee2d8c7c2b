// The store exam: what every database has to keep for the store, in every setting.
// Promise: each sentence of lib/store.ts is asked here, alone and with many asking at once.
import type { Database } from '../../lib/database.ts'
import type { Outcome, Unit } from '../../lib/unit.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { AUTHOR, FAILURE, Pen, TOLD_MS } from './pen.ts'

/** Where the store keeps its tables. */
export interface Place {
  /** A database as another process would have it; closed with the place. */
  open(): Promise<Database>
  /** Removes the tables and closes every database. */
  close(): Promise<void>
}

const nothing = null as never
const kinds = (outcomes: readonly Outcome[]) => outcomes.map(({ kind }) => kind)
const committed = (outcomes: readonly Outcome[]) =>
  kinds(outcomes).filter((kind) => kind === 'committed').length
const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))

/**
 * Declares the exam as a suite of its own.
 * @param name what is examined
 * @param make makes the place where tables are kept; once
 */
export function storeExam(name: string, make: () => Promise<Place>): void {
  const test = suite(`store exam: ${name}`)
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
    // What earlier tests left due must not fall due in the next.
    await ours.database.query('UPDATE dues SET due_at = NULL, look_at = NULL')
    await time.advance(1_000)
  })
  test.after(async () => {
    await place.close()
  })

  /** A unit that has everything a unit can have, on a task that waits at step 0. */
  async function whole(): Promise<{ unit: Unit; taskId: string; resourceId: string }> {
    const { resourceId, taskId } = await ours.task()
    const other = await ours.task('other')
    const bystander = await ours.task('bystander')
    await ours.commit({ sends: [ours.send(resourceId)] })
    const claim = await ours.store.claim(resourceId, 'exam')
    const { fence, tasks } = claim!
    const [task] = tasks
    const born = ours.id()
    const failure = { id: ours.id(), resourceId, taskId, step: 0, effect: 'boot', attempt: 1 }
    const unit: Unit = {
      id: ours.id(),
      fence: { resourceId, fence },
      ...ours.step({ taskId, resourceId, expected: 0 }),
      fields: { resourceId, set: { ip: '::1' }, unset: [], aside: {}, version: 0, state: 'up' },
      due: { taskId, at: time.now() + 60_000, reason: 'timer', wakes: task!.wakes },
      consumes: [task!.mail[0]!.id],
      creates: [{ id: born, kind: 'Thing', parentId: resourceId, fields: { n: 1 }, ...AUTHOR }],
      starts: [ours.start(born, 'grow')],
      stops: [
        { resourceId: other.resourceId, task: 'other', except: null, actor: 'x', reason: 'y' },
      ],
      sends: [ours.send(bystander.resourceId, 'bystander')],
      failures: [{ ...FAILURE, ...failure }],
    }
    return { unit, taskId, resourceId }
  }

  // ---- a unit is whole ---------------------------------------------------------------------------

  test('a unit writes all its parts', async () => {
    const { unit, taskId, resourceId } = await whole()
    const [outcome] = await ours.store.commit([unit])
    const { id: grown } = unit.starts![0]!
    const did = {
      kind: 'committed',
      started: [grown],
      begun: [],
      delivered: 1,
      stopped: 1,
      reported: 0,
    }
    assert.equal(outcome, { ...did, isQuiet: false, isRung: false, alarmed: [], held: [] })
    const task = await ours.one('SELECT * FROM tasks WHERE id = $1', [taskId])
    assert.equal([task.step, task.rest_step, task.state], [1, 1, 's1'])
    const resource = await ours.one('SELECT * FROM resources WHERE id = $1', [resourceId])
    assert.equal([resource.fields, resource.version, resource.state], [{ ip: '::1' }, 1, 'up'])
    const moved = await ours.rows('SELECT * FROM transitions WHERE unit_id = $1', [unit.id])
    const names = moved.map(({ to_state }) => to_state).sort()
    assert.equal(names, ['__new__', '__stop__', 's1'])
    assert.is((await ours.dueOf(taskId)).due_at, time.now() + 60_000)
    assert.is((await ours.dueOf(grown)).due_at, time.now())
    const mail = await ours.rows('SELECT * FROM events WHERE task_id = $1', [taskId])
    assert.equal(mail, [])
    const failures = await ours.rows('SELECT * FROM failures WHERE task_id = $1', [taskId])
    assert.is(failures.length, 1)
  })

  const breakages: Record<string, (unit: Unit) => Partial<Unit>> = {
    'a resource': ({ creates = [] }) => ({
      creates: creates.map((one) => ({ ...one, kind: nothing })),
    }),
    'a field': ({ fields }) => ({ fields: { ...fields!, set: { ip: '\0' } } }),
    'a task': ({ step }) => ({ step: { ...step!, state: nothing } }),
    'a status': ({ step }) => ({ step: { ...step!, status: 'asleep' as never } }),
    'a transition': ({ step }) => ({
      step: { ...step!, transition: { ...step!.transition!, to: nothing } },
    }),
    'a step twice': ({ step }) => ({ step: { ...step!, step: 0 } }),
    'a start': ({ starts = [] }) => ({
      starts: starts.map((one) => ({ ...one, version: nothing })),
    }),
    'a stop': ({ stops = [] }) => ({ stops: stops.map((one) => ({ ...one, actor: nothing })) }),
    'a due entry': ({ due }) => ({ due: { ...due!, reason: nothing } }),
    'an event': ({ sends = [] }) => ({ sends: sends.map((one) => ({ ...one, type: nothing })) }),
    'a failure': ({ failures = [] }) => ({
      failures: failures.map((one) => ({ ...one, message: nothing })),
    }),
  }
  for (const [what, breaking] of Object.entries(breakages)) {
    test(`a unit in which ${what} cannot be written writes nothing`, async () => {
      const { unit } = await whole()
      const before = await ours.everything()
      const failed = await ours.store.commit([{ ...unit, ...breaking(unit) }]).then(
        () => null,
        (error) => error,
      )
      assert.match(String(failed?.code), /^2[23]/, 'the database refused it')
      assert.equal(await ours.everything(), before)
      assert.equal(kinds(await ours.store.commit([unit])), ['committed'])
    })
  }

  // ---- conflicts ---------------------------------------------------------------------------------

  test('in a batch, a conflict costs only the unit that has it', async () => {
    const all = await Promise.all(times(5, () => ours.task()))
    const [, , stale, fenced] = all
    await theirs.commit(ours.step({ ...stale!, expected: 0 }))
    const { fence } = (await ours.store.claim(fenced!.resourceId, 'ours'))!
    await theirs.store.claim(fenced!.resourceId, 'theirs')
    const units = all.map(({ taskId, resourceId }) => ({
      id: ours.id(),
      ...ours.step({ taskId, resourceId, expected: 0 }),
      fields: { resourceId, set: { n: 1 }, unset: [], aside: {}, version: 0 },
      ...(resourceId === fenced!.resourceId && { fence: { resourceId, fence } }),
    }))
    const outcomes = await ours.store.commit(units)
    const expected = ['committed', 'committed', 'desynchronized', 'fenced', 'committed']
    assert.equal(kinds(outcomes), expected)
    for (const [index, { resourceId }] of all.entries()) {
      const { fields } = await ours.one('SELECT fields FROM resources WHERE id = $1', [resourceId])
      assert.equal(fields, expected[index] === 'committed' ? { n: 1 } : {})
      const wrote = await ours.rows('SELECT 1 FROM transitions WHERE unit_id = $1', [
        units[index]!.id,
      ])
      assert.is(wrote.length, expected[index] === 'committed' ? 1 : 0)
    }
  })

  test('in a batch, later units of a task build on earlier ones', async () => {
    const { taskId, resourceId } = await ours.task()
    const at = time.now() + 500
    const outcomes = await ours.commit(
      ours.step({ taskId, resourceId, expected: 0 }),
      ours.step({ taskId, resourceId, expected: 0 }),
      {
        ...ours.step({ taskId, resourceId, expected: 1 }),
        due: { taskId, at, reason: 'timer', wakes: 0 },
      },
    )
    assert.equal(kinds(outcomes), ['committed', 'desynchronized', 'committed'])
    const task = await ours.one('SELECT step, state FROM tasks WHERE id = $1', [taskId])
    assert.equal(task, { step: 2, state: 's2' })
  })

  test('in a batch, the last of several units of a task is where the task is left', async () => {
    const all = await Promise.all(times(25, () => ours.task()))
    const due = (taskId: string, ms: number) => {
      return { due: { taskId, at: time.now() + ms, reason: `${ms}`, wakes: 0 } }
    }
    const units = all.flatMap(({ taskId, resourceId }) => {
      const first = ours.step({ taskId, resourceId, expected: 0 })
      // An attempt counted: a change that is no step.
      const stayed = { ...first.step, expected: 1, transition: null, tries: { boot: 2 } }
      const second = ours.step({ taskId, resourceId, expected: 1 })
      return [
        { ...first, ...due(taskId, 100) },
        { step: stayed, ...due(taskId, 200) },
        { ...second, ...due(taskId, 300) },
      ]
    })
    assert.is(committed(await ours.commit(...units)), units.length)
    for (const { taskId } of all) {
      const sql = 'SELECT step, rest_step, state, tries FROM tasks WHERE id = $1'
      const task = await ours.one(sql, [taskId])
      assert.equal(task, { step: 2, rest_step: 2, state: 's2', tries: null })
      assert.is((await ours.dueOf(taskId)).due_at, time.now() + 300)
    }
  })

  test('in a batch, bad data costs only the unit that has it', async () => {
    const all = await Promise.all(times(4, () => ours.task()))
    const bad = 2
    const units = all.map(({ taskId, resourceId }, index) => {
      const { step } = ours.step({ taskId, resourceId, expected: 0 })
      return { step: index === bad ? { ...step, state: nothing } : step }
    })
    const outcomes = await Promise.allSettled(units.map((unit) => ours.commit(unit)))
    assert.equal(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
    )
    const rows = await ours.rows('SELECT step FROM tasks WHERE id = ANY($1) ORDER BY id', [
      all.map(({ taskId }) => taskId),
    ])
    assert.is(rows.filter(({ step }) => step === 1).length, 3)
  })

  test('a claim makes every earlier fence worthless', async () => {
    const { taskId, resourceId } = await ours.task()
    const early = (await ours.store.claim(resourceId, 'early'))!
    const late = (await theirs.store.claim(resourceId, 'late'))!
    assert.ok(late.fence > early.fence)
    const unit = ours.step({ taskId, resourceId, expected: 0 })
    const told: unknown[] = []
    ours.events.on('unit.fenced', (payload) => told.push(payload))
    const lost = await ours.commit({ ...unit, fence: { resourceId, fence: early.fence } })
    assert.equal(kinds(lost), ['fenced'])
    assert.equal(told, [{ resourceId, taskId, fence: early.fence }])
    const won = await theirs.commit({ ...unit, fence: { resourceId, fence: late.fence } })
    assert.equal(kinds(won), ['committed'])
  })

  test('a claim waits for the commits under the fence before it, or fences them', async () => {
    for (let round = 0; round < 10; round++) {
      const { taskId, resourceId } = await ours.task()
      const { fence } = (await ours.store.claim(resourceId, 'ours'))!
      const step = ours.step({ taskId, resourceId, expected: 0 })
      const [outcomes, claim] = await Promise.all([
        ours.commit({ ...step, fence: { resourceId, fence } }),
        theirs.store.claim(resourceId, 'theirs'),
      ])
      const seen = claim!.tasks[0]!.step
      assert.is(seen, outcomes[0]!.kind === 'committed' ? 1 : 0, `round ${round}`)
    }
  })

  test('of twenty who take the same step one does', async () => {
    for (let round = 0; round < 10; round++) {
      const { taskId, resourceId } = await ours.task()
      const racing = times(20, (index) =>
        (index % 2 ? ours : theirs).commit(ours.step({ taskId, resourceId, expected: 0 })),
      )
      const outcomes = (await Promise.all(racing)).flat()
      assert.is(committed(outcomes), 1)
      assert.is(kinds(outcomes).filter((kind) => kind === 'desynchronized').length, 19)
      const rows = await ours.rows('SELECT step FROM transitions WHERE task_id = $1', [taskId])
      assert.equal(rows.map(({ step }) => step).sort(), [0, 1])
    }
  })

  test('a change that is no step never takes a task back', async () => {
    for (let round = 0; round < 20; round++) {
      const { taskId, resourceId } = await ours.task()
      const { step } = ours.step({ taskId, resourceId, expected: 0 })
      const stayed = { ...step, step: 0, restStep: 0, transition: null }
      const [moved] = await Promise.all([ours.commit({ step }), theirs.commit({ step: stayed })])
      assert.equal(kinds(moved), ['committed'])
      const task = await ours.one('SELECT step FROM tasks WHERE id = $1', [taskId])
      assert.is(task.step, 1, `round ${round}`)
    }
  })

  test('of twenty who save the same version of the fields one does', async () => {
    const resourceId = await ours.resource()
    const racing = times(20, (index) =>
      (index % 2 ? ours : theirs).commit({
        fields: { resourceId, set: { by: index }, unset: [], aside: {}, version: 0 },
      }),
    )
    assert.is(committed((await Promise.all(racing)).flat()), 1)
  })

  test('writers of different fields that ask for no version undo nothing', async () => {
    const resourceId = await ours.resource({ gone: 1 })
    const racing = times(20, (index) =>
      (index % 2 ? ours : theirs).commit({
        fields: {
          resourceId,
          set: { [`f${index}`]: index },
          unset: ['gone'],
          aside: {},
          version: null,
        },
      }),
    )
    assert.is(committed((await Promise.all(racing)).flat()), 20)
    const { fields, version } = await ours.one('SELECT * FROM resources WHERE id = $1', [
      resourceId,
    ])
    assert.equal(fields, Object.fromEntries(times(20, (index) => [`f${index}`, index])))
    assert.is(version, 20)
  })

  test('a field no code knows is set aside, and comes back when it is written', async () => {
    const resourceId = await ours.resource({ known: 1, stray: 2 })
    const change = { resourceId, unset: [], version: null }
    await ours.commit({ fields: { ...change, set: { known: 3 }, aside: { stray: 2 } } })
    const sql = 'SELECT fields, lost_and_found FROM resources WHERE id = $1'
    const lost = await ours.one(sql, [resourceId])
    assert.equal(lost, { fields: { known: 3 }, lost_and_found: { stray: 2 } })
    assert.equal((await ours.store.claim(resourceId, 'x'))!.fields, { known: 3, stray: 2 })
    await ours.commit({ fields: { ...change, set: { stray: 4 }, aside: {} } })
    const found = await ours.one(sql, [resourceId])
    assert.equal(found, { fields: { known: 3, stray: 4 }, lost_and_found: null })
  })

  test('of twenty who start a task one does, whoever they are', async () => {
    const resourceId = await ours.resource()
    const racing = times(20, (index) =>
      (index % 2 ? ours : theirs).commit({ starts: [ours.start(resourceId)] }),
    )
    const outcomes = (await Promise.all(racing)).flat() as Extract<Outcome, { started: unknown }>[]
    assert.is(committed(outcomes), 20)
    assert.is(outcomes.flatMap(({ started }) => started).length, 1)
    const live = await ours.rows('SELECT id FROM tasks WHERE resource_id = $1', [resourceId])
    assert.equal(
      live.map(({ id }) => id),
      outcomes.flatMap(({ started }) => started),
    )
  })

  test('batches that cross in opposite orders all end', async () => {
    const all = await Promise.all(times(8, () => ours.task()))
    for (let expected = 0; expected < 5; expected++) {
      const units = all.map((one) => ours.step({ ...one, expected }))
      const [forth, back] = await Promise.all([
        ours.commit(...units),
        theirs.commit(...[...units].reverse()),
      ])
      assert.is(committed(forth) + committed(back), 8)
    }
  })

  test('history cannot be rewritten', async () => {
    const { taskId } = await ours.task()
    const rewriting = ours.rows('UPDATE transitions SET actor = $2 WHERE task_id = $1', [
      taskId,
      'me',
    ])
    const error = await rewriting.then(
      () => null,
      (thrown) => thrown,
    )
    assert.match(error?.message ?? '', 'append only')
  })

  // ---- mail and rings ----------------------------------------------------------------------------

  test('mail that comes between reading and settling keeps its task due', async () => {
    const { taskId, resourceId } = await ours.task()
    const { tasks } = (await ours.store.claim(resourceId, 'x'))!
    await theirs.commit({ sends: [ours.send(resourceId)] })
    const { wakes } = tasks[0]!
    await ours.commit({ due: { taskId, at: null, reason: 'waiting', wakes } })
    assert.is((await ours.dueOf(taskId)).due_at, time.now())
    const again = (await ours.store.claim(resourceId, 'x'))!.tasks[0]!
    assert.is(again.mail.length, 1)
    await ours.commit({
      consumes: again.mail.map(({ id }) => id),
      due: { taskId, at: null, reason: 'waiting', wakes: again.wakes },
    })
    assert.is((await ours.dueOf(taskId)).due_at, null)
  })

  test('mail sent while a task is ticked is never left lying', async () => {
    const { taskId, resourceId } = await ours.task()
    let sending = 4
    let taken = 0
    const sender = async (pen: Pen) => {
      for (let count = 0; count < 15; count++) await pen.commit({ sends: [pen.send(resourceId)] })
      sending -= 1
    }
    const ticker = async () => {
      const { fence } = (await theirs.store.claim(resourceId, 'ticker'))!
      while (sending > 0) {
        const [task] = (await theirs.store.look(resourceId, fence))!.tasks
        if (!task) continue
        const consumes = task.mail.map(({ id }) => id)
        taken += consumes.length
        const due = { taskId, at: null, reason: 'waiting', wakes: task.wakes }
        await theirs.commit({ consumes, due, fence: { resourceId, fence } })
      }
    }
    await Promise.all([sender(ours), sender(ours), sender(theirs), sender(theirs), ticker()])
    const { waiting } = await ours.one(
      'SELECT count(*) AS waiting FROM events WHERE task_id = $1',
      [taskId],
    )
    assert.is(taken + waiting, 60)
    assert.ok(waiting === 0 || (await ours.dueOf(taskId)).due_at !== null, `${waiting} lie there`)
  })

  test('an event that was sent twice with one key is kept once', async () => {
    const { resourceId, taskId } = await ours.task()
    const racing = times(10, (index) =>
      (index % 2 ? ours : theirs).commit({
        sends: [ours.send(resourceId, 'work', { dedupKey: 'k' })],
      }),
    )
    const outcomes = (await Promise.all(racing)).flat() as Extract<
      Outcome,
      { delivered: unknown }
    >[]
    assert.is(
      outcomes.reduce((sum, { delivered }) => sum + delivered, 0),
      1,
    )
    const [mail] = (await ours.store.claim(resourceId, 'x'))!.tasks[0]!.mail
    await ours.commit({ consumes: [mail!.id] })
    const [late] = await ours.commit({ sends: [ours.send(resourceId, 'work', { dedupKey: 'k' })] })
    assert.is((late as any).delivered, 0)
    assert.equal((await ours.store.claim(resourceId, 'x'))!.tasks[0]!.mail, [])
    assert.ok(taskId)
  })

  // ---- dues --------------------------------------------------------------------------------------

  test('nothing is due before its time, and everything at it', async () => {
    const { taskId, resourceId } = await ours.task()
    await ours.commit({ due: { taskId, at: time.now() + 10_000, reason: 'timer', wakes: 0 } })
    const seen = async () => (await ours.store.due(100)).tickets.map((ticket) => ticket.resourceId)
    await time.advance(9_999)
    assert.not.ok((await seen()).includes(resourceId))
    assert.is(await ours.store.dueNow(resourceId), false)
    assert.is((await ours.store.due(100)).nextAt, time.now() + 1)
    await time.advance(1)
    assert.is(await ours.store.dueNow(resourceId), true)
    assert.equal(await seen(), [resourceId])
  })

  test('what was told is told again only when its ticket is overdue', async () => {
    const { taskId, resourceId } = await ours.task()
    await ours.commit({ due: { taskId, at: time.now() + 1_000, reason: 'timer', wakes: 0 } })
    await time.advance(1_000)
    const seen = async () => (await theirs.store.due(100)).tickets.length
    assert.is(await seen(), 1)
    await time.advance(TOLD_MS - 1)
    assert.is(await seen(), 0)
    await time.advance(1)
    assert.is(await seen(), 1)
    await ours.commit({ due: { taskId, at: null, reason: 'waiting', wakes: 0 } })
    await time.advance(10 * TOLD_MS)
    assert.is(await seen(), 0)
    assert.is(await ours.store.dueNow(resourceId), false)
  })

  test('who is rung is told of by a clock, should the ticket be lost', async () => {
    const { taskId, resourceId } = await ours.task()
    await ours.commit({ due: { taskId, at: null, reason: 'waiting', wakes: 0 } })
    await ours.commit({ sends: [ours.send(resourceId)] })
    assert.equal((await ours.store.due(10)).tickets, [])
    await time.advance(TOLD_MS)
    assert.equal((await ours.store.due(10)).tickets, [{ resourceId, isUrgent: true }])
  })

  test('two clocks together tell of all, and of none twice', async () => {
    const all = await ours.store.commit(
      await Promise.all(
        times(60, async () => ({ id: ours.id(), starts: [ours.start(await ours.resource())] })),
      ),
    )
    assert.is(committed(all), 60)
    await time.advance(TOLD_MS)
    const told: string[] = []
    const clock = async (pen: Pen) => {
      for (let empty = 0; empty < 2; ) {
        const { tickets } = await pen.store.due(7)
        told.push(...tickets.map(({ resourceId }) => resourceId))
        empty = tickets.length === 0 ? empty + 1 : 0
      }
    }
    await Promise.all([clock(ours), clock(theirs), clock(ours), clock(theirs)])
    assert.is(told.length, 60)
    assert.is(new Set(told).size, 60)
  })

  test.run()
}
