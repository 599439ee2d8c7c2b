// timeout: 240s
// The express: which units it may carry, and by its exam against the notary how it writes them.
import { express, isPlain } from '../../lib/express.ts'
import type { DueChange, FieldChange, StepChange, Unit } from '../../lib/unit.ts'
import { cellar } from '../exams/cellar.ts'
import { expressExam } from '../exams/express.ts'
import { AUTHOR, Pen, TOLD_MS } from '../exams/pen.ts'
import { settings } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const test = suite('what the express carries')
const time = new FakeTime()

const transition = {
  ...{ base: 0, from: 's0', to: 's1', event: 'GO', payload: null, snapshot: { value: 's1' } },
  ...AUTHOR,
}
const step: StepChange = {
  ...{ taskId: 't', task: 'work', resourceId: 'r', expected: 0, step: 1, restStep: 1 },
  ...{ status: 'running', state: 's1', tries: null, finished: false, system: null, transition },
}
const fields: FieldChange = { resourceId: 'r', set: { a: 1 }, unset: [], aside: {}, version: 0 }
const due: DueChange = { taskId: 't', at: null, reason: 'waiting', wakes: 0 }
const plain: Unit = { id: 'u', fence: { resourceId: 'r', fence: 1 }, step, fields, due }

test('a step, its fields and its due entry are plain, and so is a step alone', () => {
  const { fields: _f, due: _d, ...bare } = plain
  const done: Unit = { ...plain, step: { ...step, status: 'done', finished: true } }
  for (const unit of [plain, bare, { ...plain, sends: [], watches: [] }, done])
    assert.ok(isPlain(unit))
})

/** Every part a unit may have beside those of a plain one: a part that is new does not compile before it is here. */
const more: { [P in Exclude<keyof Unit, 'id' | 'fence' | 'step' | 'fields' | 'due'>]-?: true } = {
  ...{ consumes: true, creates: true, starts: true, stops: true, sends: true, failures: true },
  ...{ ignored: true, ends: true, marks: true, reports: true, removes: true, alarms: true },
  ...{ watches: true, notices: true, holds: true, counts: true },
}
for (const part of Object.keys(more))
  test(`a unit with ${part} is not plain`, () => {
    assert.not.ok(isPlain({ ...plain, [part]: [{}] }))
  })

/** What may be asked of a part; a question that is new does not compile before it is here. */
const carried: {
  step: { [P in keyof StepChange]-?: boolean }
  fields: { [P in keyof FieldChange]-?: boolean }
  due: { [P in keyof DueChange]-?: boolean }
} = {
  step: {
    ...{ taskId: true, task: true, resourceId: true, expected: true, step: true, restStep: true },
    ...{ status: true, state: true, tries: true, finished: true, system: true, transition: true },
    ...{ clears: false, name: false, version: false },
  },
  fields: {
    ...{ resourceId: true, set: true, unset: true, aside: true, version: true },
    ...{ state: false, kind: false, author: false },
  },
  due: { taskId: true, at: true, reason: true, wakes: true },
}
for (const [part, asked] of Object.entries(carried))
  for (const [what, isCarried] of Object.entries(asked).filter(([, isCarried]) => !isCarried))
    test(`a unit whose ${part} has a ${what} is not plain`, () => {
      const unit = { ...plain, [part]: { ...(plain[part as keyof Unit] as object), [what]: 'x' } }
      assert.is(isPlain(unit), isCarried)
    })

const others: Record<string, Partial<Unit>> = {
  'no fence': { fence: undefined as never },
  'the fence of another resource': { fence: { resourceId: 'x', fence: 1 } },
  'no step': { step: undefined as never },
  'a step of another resource': { step: { ...step, resourceId: 'x' }, fields: undefined as never },
  'no line of history': { step: { ...step, transition: null } },
  'fields of another resource': { fields: { ...fields, resourceId: 'x' } },
  'the due entry of another task': { due: { ...due, taskId: 'x' } },
  'a due entry put off by a hold': { due: { ...due, reason: 'held:queue:main' } },
}
for (const status of ['paused', 'panicked', 'stranded', 'stopping', 'stopped', 'failed'] as const)
  others[`a task that is ${status}`] = { step: { ...step, status } }
for (const [what, part] of Object.entries(others))
  test(`a unit with ${what} is not plain`, () => {
    assert.not.ok(isPlain({ ...plain, ...part }))
  })

test('mail that cannot be cleared away does not make a committed step unsaid', async () => {
  const home = await cellar(settings()[0]!)
  const pen = new Pen(await home.open(), time)
  const { resourceId, taskId } = await pen.task()
  const { fence } = (await pen.store.claim(resourceId, 'us'))!
  await pen.commit({ sends: [pen.send(resourceId)] })
  const { step } = pen.step({ taskId, resourceId, expected: 0, finished: true, status: 'done' })
  const unit = {
    ...plain,
    id: pen.id(),
    fence: { resourceId, fence },
    step,
    due: { ...due, taskId },
  }
  const { fields: _, ...ending } = unit
  const once = pen.database.once.bind(pen.database)
  const query = () => Promise.reject(Object.assign(new Error('deadlock'), { code: '40P01' }))
  const moment = { nowMs: time.now(), toldMs: TOLD_MS }
  const [outcome] = await express({ once, query }, [ending], moment)
  assert.is(outcome?.kind, 'committed')
  await home.close()
})

for (const setting of settings().filter((one) => one !== 'full'))
  test(`it finds its rows by their keys though nobody has counted them: ${setting}`, async () => {
    const home = await cellar(setting)
    const pen = new Pen(await home.open(), time)
    const ids = Array.from({ length: LIVE }, () => ({ resourceId: pen.id(), taskId: pen.id() }))
    const creates = ids.map(({ resourceId: id }) => {
      return { id, kind: 'Thing', parentId: null, fields: {}, ...AUTHOR }
    })
    await pen.commit({ creates })
    await pen.commit({
      starts: ids.map(({ resourceId, taskId: id }) => pen.start(resourceId, 'work', { id })),
    })
    const units = ids.slice(0, 25).map(({ taskId, resourceId }): Unit => {
      const fence = { resourceId, fence: 0 }
      return { id: pen.id(), ...pen.step({ taskId, resourceId, expected: 0 }), fence }
    })
    const changing = units.map((unit) => {
      const { resourceId } = unit.fence!
      return { ...unit, fields: { ...fields, resourceId } }
    })
    for (const batch of [units, changing])
      assert.equal(await waysTo('tasks', pen, batch), ['tasks_pkey'])
    await home.close()
  })

/** So many that reading all live runs is dearer than asking for some, though it may not look so. */
const LIVE = 300

/** The indexes by which the express reads a table. */
async function waysTo(table: string, { database }: Pen, units: readonly Unit[]): Promise<string[]> {
  let ways: string[] = []
  const once: typeof database.once = (text, params) =>
    database.transaction(async (runner) => {
      const { rows } = await runner.query(`EXPLAIN (FORMAT JSON) ${text}`, params)
      ways = scansOf(rows[0]['QUERY PLAN'][0].Plan, table)
      return { rows: [{ done: null, rung: null, late: null }] }
    })
  const query = database.query.bind(database)
  await express({ once, query }, units, { nowMs: time.now(), toldMs: TOLD_MS })
  return ways
}

function scansOf(plan: any, table: string): string[] {
  const own = plan['Relation Name'] === table && /Scan/.test(plan['Node Type'])
  const beneath = (plan.Plans ?? []).flatMap((one: any) => scansOf(one, table))
  return own ? [plan['Index Name'] ?? plan['Node Type'], ...beneath] : beneath
}

test.run()

// The full setting has the database of the Postgres one.
for (const setting of settings().filter((setting) => setting !== 'full'))
  expressExam(setting, () => cellar(setting))
