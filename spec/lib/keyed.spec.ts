// runs alone
// The statements looked at are those this process has prepared.
// Statements of the walk, as they are planned after their tables were counted while they were empty: a queue is empty
// when it is vacuumed, and PostgreSQL believes that until it counts again, however much has come in since.
import { readBack } from '../../lib/aftermath.ts'
import type { Database } from '../../lib/database.ts'
import { LeaseLock } from '../../lib/locks/lease.ts'
import { statements } from '../../lib/prepared.ts'
import { attend } from '../../lib/slots.ts'
import { strike } from '../../lib/strike.ts'
import { type Cellar, cellar } from '../exams/cellar.ts'
import { AUTHOR, Pen } from '../exams/pen.ts'
import { type Setting, settings } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const test = suite('rows by their keys')

/** What grows with what is in the house, or with what is due in it. */
const LARGE = ['resources', 'leases', 'tasks', 'transitions', 'dues', 'events', 'locks', 'alarms']
/**
 * Indexes that are read in their order, or whole, and by which statements: what is due, put off, or waits in line. What is
 * due may be looked for along `dues_by_share`, too, which counted empty is as good as the index on time: once a look.
 */
const MEANT: Readonly<Record<string, RegExp>> = {
  dues_to_look_at: /look_at/,
  dues_by_share: /RECURSIVE lanes/,
  dues_held: /put_off AS|DELETE FROM holds/,
  dues_in_line: /AS in_line|RECURSIVE lines|waiting AS/,
}
/** What comes and goes, and what retention and deletions may leave of the rest: the house itself stands. */
const COMING_AND_GOING = ['dues', 'events', 'locks']
const EMPTIED = LARGE.filter((table) => table !== 'resources')
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
  await time.advance(60_000)
  await store.due(COUNT / 10)
  const hold = { scope: `resource:${second.resourceId}` as const, by: 'pause' as const, ...AUTHOR }
  await pen.commit({ holds: [{ ...hold, event: 'shut', until: null }] })
  await time.advance(60_000)
  await store.due(COUNT / 10)
  await pen.commit({ holds: [{ ...hold, event: 'open', until: null }] })
  await store.porter.letGo()
  await store.porter.hasten([second.resourceId])
  const slot = { key: 'k', most: 1, perMs: null, ...second, owner: 'us', fence }
  await store.porter.enter(slot)
  await store.porter.leave(slot)
  const line = { ...slot, ...first }
  await store.porter.enter(slot)
  await store.porter.enter(line)
  await attend(database, time.now(), '')
  const about = {
    ...{ name: 'odd', kind: 'Thing', ...first, task: 'work', closes: 'moved' as const },
    ...{ severity: 'error' as const, message: '', playbook: null, labels: {}, detail: null },
    ...{ forMs: 0, clearForMs: 0, flap: null },
  }
  await pen.commit({ alarms: [{ key: 'odd', event: { type: 'RAISE', about }, ...AUTHOR }] })
  await pen.commit({ ends: [{ resourceId: second.resourceId, task: 'work', ...AUTHOR }] })
  const removal = { resourceId: third.resourceId, isForced: true, cascade: true, ...AUTHOR }
  await pen.commit({ removes: [removal] })
  const held = await new LeaseLock(database).acquire('key', 1_000)
  await held?.extend(1_000)
  await held?.release()
  return texts
}

/** All that came into these is gone, and its pages are left: each is taken for empty, whatever will follow. */
async function count(database: Database, empty: readonly string[]): Promise<void> {
  for (const table of [...empty].reverse()) await database.query(`DELETE FROM ${table}`)
  for (const table of empty) await database.query(`VACUUM (TRUNCATE false, ANALYZE) ${table}`)
}

/** The first column of each index. */
async function leadersOf(database: Database): Promise<ReadonlyMap<string, string>> {
  const { rows } = await database.query(
    `SELECT i.indexrelid::regclass::text AS name, a.attname AS leader FROM pg_index i
     JOIN pg_class c ON c.oid = i.indexrelid AND c.relnamespace = current_schema()::regnamespace
     JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum = 1`,
  )
  return new Map(rows.map(({ name, leader }) => [name, leader]))
}

/** Tables a statement reads without asking for a key. */
async function unkeyedIn(database: Database, text: string): Promise<string[]> {
  const leaders = await leadersOf(database)
  const count = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number)))
  const given = count > 0 ? `(${Array(count).fill('NULL').join(', ')})` : ''
  return database.transaction(async (runner) => {
    await runner.query(`PREPARE asked AS ${text}`)
    const { rows } = await runner.query(`EXPLAIN (FORMAT JSON) EXECUTE asked${given}`)
    await runner.query('DEALLOCATE asked')
    const scans = scansOf(rows[0]['QUERY PLAN'][0].Plan)
    return scans.flatMap(({ table, index = '', condition, isRepeated }) => {
      const isKeyed = condition.includes(`${leaders.get(index)} = `)
      const isTime = index === 'dues_by_share' && condition.startsWith('(look_at') && !isRepeated
      const isMeant = MEANT[index]?.test(text) || isTime
      return isKeyed || isMeant ? [] : [`${table} by ${index} where ${condition}`]
    })
  })
}

interface Scan {
  readonly table: string
  readonly index?: string
  readonly condition: string
  /** For each row of something else. */
  readonly isRepeated: boolean
}

/** Where a plan reads large tables; of a bitmap the index that fills it is what counts. */
function scansOf(plan: any, above = '', isRepeated = false): Scan[] {
  const { 'Node Type': type, 'Index Name': index } = plan
  const isBitmap = /^Bitmap/.test(type)
  const table = plan['Relation Name'] ?? (isBitmap ? above : '')
  const isScan = /Scan$/.test(type) && type !== 'Bitmap Heap Scan' && LARGE.includes(table)
  const condition = String(plan['Index Cond'] ?? '')
  const own = isScan ? [{ table, index, condition, isRepeated }] : []
  const beneath = (one: any): Scan[] => {
    const role = one['Parent Relationship']
    const isEach = role === 'SubPlan' || (role === 'Inner' && type === 'Nested Loop')
    return scansOf(one, isBitmap ? table : '', role !== 'InitPlan' && (isRepeated || isEach))
  }
  return [...own, ...(plan.Plans ?? []).flatMap(beneath)]
}

const exam = (setting: Setting) =>
  test(`no statement of the walk reads a large table whole, though it was empty when it was counted: ${setting}`, {
    deadlineMs: 60_000,
  }, async () => {
    const home = await cellar(setting)
    const database = await home.open()
    const texts = new Set([...(await walked(home)), ...statements()])
    const asked = [...texts].filter((text) => /^\s*(WITH|SELECT|INSERT|UPDATE|DELETE)/.test(text))
    for (const part of [
      'FOR UPDATE OF d SKIP LOCKED',
      'struck',
      'FROM gone',
      'is_alarmed = EXISTS',
      'tombstones',
    ])
      assert.ok(
        asked.some((text) => text.includes(part)),
        `nobody asked for ${part}`,
      )
    const found: string[] = []
    for (const empty of [[], COMING_AND_GOING, EMPTIED]) {
      await count(database, empty)
      for (const text of asked)
        for (const one of await unkeyedIn(database, text))
          found.push(`${one}: ${text.replace(/\s+/g, ' ').slice(0, 120)}`)
    }
    assert.equal([...new Set(found)], [])
    await home.close()
  })

// The full setting has the database of the Postgres one.
for (const setting of settings().filter((one) => one !== 'full')) exam(setting)

test.run()
