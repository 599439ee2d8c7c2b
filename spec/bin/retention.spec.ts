// `escapement retention`: counted before anything goes, told as it goes; `history` says where first steps went.
// timeout: 240s
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createApp, readConfig } from '../../bin/index.ts'
import { asCompiled } from '../support/compiled.ts'
import { drive } from '../support/drive.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { inside, Place } from './shell.ts'

const LONG = { deadlineMs: 120_000 }
const test = suite('retention on the command line')
const place = await Place.quickest()
const attic = join(place.folder, 'attic')
const app = { env: { ESCAPEMENT_APP: await asCompiled('spec/bin/fixtures/keeper.ts') } }
process.env.ATTIC = attic // read where the app file is imported
const { default: keeper } = await import('./fixtures/keeper.ts')
let id = ''

test.before(async () => {
  // Long ago, as the command line has it.
  const time = new FakeTime(Date.UTC(2020, 0, 1))
  const house = await createApp({ ...keeper, config: readConfig(place.env), time, migrate: true })
  const { settle } = drive({ app: house, time })
  const [{ shape }] = house.registry.kinds as [any]
  const held: any = await house.create(shape, {})
  id = held.id
  await held.door.start()
  for (const _ of [1, 2, 3]) {
    await settle()
    await held.door.send('TURN')
  }
  await settle()
  await house.close()
})
test.after(() => place.remove())

test('counts, removes, and says where what was removed is', LONG, async () => {
  const { old, last } = await place.json(['retention', 'status'], app)
  assert.equal(last, [])
  const [{ before, tables, rows, ...line }] = old
  assert.equal(line, { rule: 'House', kind: 'House', folder: attic })
  assert.is(tables.transitions >= 4, true)
  assert.ok(before > '2020')
  const dry = await place.run(['retention', 'run', '--dry-run'], app)
  assert.is(dry.code, 0)
  assert.is(dry.out, `${rows} rows would be removed; nothing was changed\n`)
  assert.match(dry.err, /^RULE\s+KIND\s+ROWS/)
  assert.not.ok(existsSync(attic))
  const told = await place.json(['retention', 'run', '--reason', 'disk full'], app)
  assert.is(told.matched, rows)
  assert.is(told.removed, rows)
  assert.ok(told.files.length > 0 && told.files.every((file: string) => existsSync(file)))
  const after = await place.json(['retention', 'status'], app)
  assert.equal(after.old, [])
  assert.is(after.last[0].reason, 'disk full')
  assert.match(after.last[0].actor, /^cli:/)
  const history = await place.run(['history', `House/${id}`, 'door'], app)
  const said = new RegExp(
    `^The steps of door \\(run \\S+\\) before step 4 are archived in ${attic}/House, the last since `,
  )
  assert.match(history.out, said)
  const inJson = await place.run(['history', `House/${id}`, 'door', '-o', 'json'], app)
  assert.is(JSON.parse(inJson.out)[0].step, 4)
  assert.match(inJson.err, said)
})

test('says so where history is kept for ever', LONG, async () => {
  const other = await Place.blank(inside)
  try {
    await other.run(['setup'])
    const { code, err } = await other.run(['retention', 'status'])
    assert.is(code, 2)
    assert.match(err, 'This app keeps its history for ever')
  } finally {
    await other.remove()
  }
})

test.run()
