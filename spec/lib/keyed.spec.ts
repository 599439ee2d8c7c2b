// timeout: 120s
// Statements of the walk, as they are planned after their tables were counted while they were empty: a queue is empty
// when it is vacuumed, and PostgreSQL believes that until it counts again, however much has come in since.
import { readBack } from '../../lib/aftermath.ts'
import type { Database } from '../../lib/database.ts'
import { LeaseLock } from '../../lib/locks/lease.ts'
import { statements } from '../../lib/prepared.ts'
import { strike } from '../../lib/strike.ts'
import { type Cellar, cellar } from '../exams/cellar.ts'
import { AUTHOR, Pen } from '../exams/pen.ts'
import { type Setting, settings } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const test = suite('rows by their keys')

/** What grows with what is in the house, or with what is due in it. */
const LARGE = ['resources', 'leases', 'tasks', 'transitions', 'dues', 'events', 'locks', 'alarms']
/** Indexes that are read whole on purpose, for they hold nothing else: what is put off, and who waits in line. */
const WHOLE = ['dues_held', 'dues_in_line']
const COUNT = 300

/** The same database, and every text that it is asked. */
function heard(database: Database, texts: Set<string>): Database {
  const note = (text: string) => texts.add(text)
  return new Proxy(database, {
    get(target, name) {
      const own = Reflect.get(target, name, target)
      if (name === 'transaction')
        return (work: Parameters<Database['transaction']>[0]) =>
          target.transaction((runner) =>
            work({
              query: (text, params) => {
                note(text)
                return runner.query(text, params)
              },
            }),
          )
      if (typeof own !== 'function') return own
      return (first: unknown, ...more: unknown[]) => {
        if (typeof first === 'string') note(first)
        if (name === 'inTurn') for (const [text] of first as [string][]) note(text)
        return own.call(target, first, ...more)
      }
    },
  })
}

/** Does what workers, clocks and users do, once. @returns all that was asked for it */
async function walked(home: Cellar): Promise<Set<string>> {
  const texts = new Set<string>()
  const time = new FakeTime()
  const database = heard(await home.open(), texts)
  const pen = new Pen(database, time)
  const { store } = pen
  const ids = Array.from({ length: COUNT }, () => ({ resourceId: pen.id(), taskId: pen.id() }))
  const creates = ids.map(({ resourceId: id }) => {
    return { id, kind: 'Thing', parentId: null, fields: {}, ...AUTHOR }
  })
  await pen.commit({ creates })
  await pen.commit({
    starts: ids.map((one) => pen.start(one.resourceId, 'work', { id: one.taskId })),
  })
  const [first, second, third] = ids as [(typeof ids)[0], (typeof ids)[0], (typeof ids)[0]]
  const { fence, claimedAt } = (await store.claim(first.resourceId, 'us'))!
  const unit = { ...pen.step({ ...first, expected: 0 }), id: pen.id() }
  const due = { taskId: first.taskId, at: null, reason: 'waiting', wakes: 0 }
  await store.commit([{ ...unit, fence: { resourceId: first.resourceId, fence }, due }])
  const sends = [pen.send(second.resourceId)]
  const next = pen.step({ ...first, expected: 1 })
  await pen.commit({ ...next, fence: { resourceId: first.resourceId, fence }, due, sends })
  await readBack(database, [unit])
  await strike(database, [{ resourceId: first.resourceId, fence, since: claimedAt, who: 'us' }], 0)
  await store.finished([first.taskId])
  await store.dueNow(first.resourceId)
  const usage = { periodAt: time.now(), steps: 1, ms: 1, fence }
  await store.porter.charge(first.resourceId, usage)
  await store.porter.untold({ resourceId: first.resourceId, after: 0, before: fence, sinceAt: 0 })
  const stop = { resourceId: third.resourceId, task: 'work', except: null, ...AUTHOR }
  await pen.commit({
    stops: [
      { ...stop, exits: [] },
      { ...stop, exits: [{ task: 'other', src: null, version: '1' }] },
    ],
  })
  time.advance(60_000)
  await store.due(COUNT / 10)
  const hold = { scope: `resource:${second.resourceId}` as const, by: 'pause' as const, ...AUTHOR }
  await pen.commit({ holds: [{ ...hold, event: 'shut', until: null }] })
  time.advance(60_000)
  await store.due(COUNT / 10)
  await pen.commit({ holds: [{ ...hold, event: 'open', until: null }] })
  await store.porter.letGo()
  await store.porter.hasten([second.resourceId])
  const slot = { key: 'k', most: 1, perMs: null, ...second, owner: 'us', fence }
  await store.porter.enter(slot)
  await store.porter.leave(slot)
  const held = await new LeaseLock(database).acquire('key', 1_000)
  await held?.extend(1_000)
  await held?.release()
  return texts
}

/** All that came is gone, and its pages are left: each is taken for empty from now on, and so are those that follow. */
async function emptied(database: Database): Promise<void> {
  for (const table of [...LARGE].reverse()) await database.query(`DELETE FROM ${table}`)
  for (const table of LARGE) await database.query(`VACUUM (TRUNCATE false, ANALYZE) ${table}`)
}

/** Tables a statement reads from end to end. */
async function readWhole(database: Database, text: string): Promise<string[]> {
  const count = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number)))
  const given = count > 0 ? `(${Array(count).fill('NULL').join(', ')})` : ''
  return database.transaction(async (runner) => {
    await runner.query(`PREPARE asked AS ${text}`)
    const { rows } = await runner.query(`EXPLAIN (FORMAT JSON) EXECUTE asked${given}`)
    await runner.query('DEALLOCATE asked')
    return wholeIn(rows[0]['QUERY PLAN'][0].Plan)
  })
}

function wholeIn(plan: any): string[] {
  const { 'Node Type': type, 'Relation Name': table, 'Index Name': index } = plan
  const isScan = /Scan$/.test(type) && type !== 'Bitmap Heap Scan' && (table ?? index)
  const isMeant = plan['Index Cond'] || WHOLE.includes(index)
  const isLarge = LARGE.includes(table ?? String(index).split('_')[0])
  const own = isScan && isLarge && !isMeant ? [`${type} on ${table ?? index}`] : []
  return [...own, ...(plan.Plans ?? []).flatMap(wholeIn)]
}

const exam = (setting: Setting) =>
  test(`no statement of the walk reads a large table whole, though it was empty when it was counted: ${setting}`, {
    deadlineMs: 60_000,
  }, async () => {
    const home = await cellar(setting)
    const database = await home.open()
    const texts = new Set([...(await walked(home)), ...statements()])
    await emptied(database)
    const asked = [...texts].filter((text) => /^\s*(WITH|SELECT|INSERT|UPDATE|DELETE)/.test(text))
    assert.ok(asked.length > 40, `only ${asked.length} statements were heard`)
    const found: string[] = []
    for (const text of asked)
      for (const one of await readWhole(database, text))
        found.push(`${one} in ${text.replace(/\s+/g, ' ').slice(0, 120)}`)
    assert.equal(found, [])
    await home.close()
  })

// The full setting has the database of the Postgres one.
for (const setting of settings().filter((one) => one !== 'full')) exam(setting)

test.run()
