// Collections: questions about many resources, and verbs over the answer.
import { setup } from 'xstate'
import * as z from 'zod'
import { field, Resource, steps } from '../../bin/index.ts'
import { codeOf, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

class Box extends Resource {
  static override fields = {
    size: field(z.number().default(1)),
    label: field(z.string().optional()),
    batch: field(z.string()),
  }
  static override tasks = {
    lid: setup({ types: {} as { events: { type: 'FLIP' } } }).createMachine({
      initial: 'shut',
      states: { shut: { on: { FLIP: 'open' } }, open: { on: { FLIP: 'shut' } } },
    }),
    pack: steps({ pack: async (t) => t.stop() }),
  }
}
class Crate extends Box {
  static override fields = { ...Box.fields, wood: field(z.string().default('oak')) }
}

const test = suite('collection')
const on = stage(test, { resources: [Box, Crate] })

let batch = ''
let made = 0
test.before.each(() => {
  batch = `b${++made}`
})

const boxes = (...sizes: number[]) =>
  Promise.all(sizes.map((size) => on.app.create(Box, { size, batch })))
const all = () => on.app.find(Box).where({ batch })

test('finds what is equal in all that was asked', async () => {
  await boxes(1, 2, 2, 3)
  assert.is(await all().count(), 4)
  assert.is(await all().where({ size: 2 }).count(), 2)
  assert.is(await all().where({ size: 2, state: '__new__' }).count(), 2)
  assert.is(await all().where({ size: 9 }).count(), 0)
  assert.is(await all().where({ size: 9 }).first(), undefined)
  const odd = `'; DROP TABLE resources; --`
  assert.is(await all().where({ label: odd }).count(), 0)
})

test('gives them oldest first, however many', async () => {
  const many = await on.app.rooms.database.transaction(async (runner) => {
    const sql = `
      WITH made AS (
        INSERT INTO resources (id, kind, fields, created_at, updated_at)
        SELECT gen_random_uuid(), 'Box', jsonb_build_object('batch', $1::text, 'size', n), now(), now()
        FROM generate_series(1, 450) AS n RETURNING id)
      INSERT INTO leases (resource_id) SELECT id FROM made RETURNING resource_id`
    return (await runner.query(sql, [batch])).rows.length
  })
  const found = await all().toArray()
  assert.is(found.length, many)
  const ids = found.map(({ id }) => id)
  assert.equal(ids, [...new Set(ids)].sort())
  assert.is((await all().first())!.id, ids[0])
})

test('counts subclasses in, and gives them as what they are', async () => {
  await boxes(1)
  await on.app.create(Crate, { batch, size: 5 })
  const found = await all().toArray()
  assert.equal(
    found.map((box) => box.constructor.name),
    ['Box', 'Crate'],
  )
  assert.is((found[1] as unknown as { wood: string }).wood, 'oak')
  assert.is(await on.app.find(Crate).where({ batch }).count(), 1)
  assert.is(await codeOf(on.app.get(Crate, found[0]!.id)), 'RESOURCE_UNKNOWN')
  assert.is((await on.app.get(Box, found[1]!.id)).size, 5)
})

test('starts, tells and stops all of them, and counts those it changed', async () => {
  await boxes(1, 2, 2, 3)
  const twos = all().where({ size: 2 })
  assert.is(await twos.lid.start(), 2)
  assert.is(await all().lid.start(), 2, 'two ran already')
  await on.settle()
  assert.is(await twos.lid.send('FLIP'), 2)
  await on.settle()
  const states = async () => {
    const found = await all().toArray()
    return Promise.all(found.map(async (box) => [box.size, (await box.lid.status())!.state]))
  }
  assert.equal((await states()).sort(), [
    [1, 'shut'],
    [2, 'open'],
    [2, 'open'],
    [3, 'shut'],
  ])
  assert.is(await twos.task('lid').stop({ reason: 'done' }), 2)
  assert.is(await all().lid.stop(), 2)
  assert.is(await all().lid.stop(), 0)
})

test('knows its fields and tasks', async () => {
  await boxes(1)
  assert.is(await codeOf(() => on.app.find(Box).where({ sise: 1 } as never)), 'FIELD_UNKNOWN')
  assert.is(await codeOf(() => on.app.find(Box).task('lit')), 'TASK_UNKNOWN')
  assert.is(await codeOf(on.app.find(Box).lid.send('FLOP')), 'EVENT_UNKNOWN')
})

test('of children are those of their parent', async () => {
  const [ours, theirs] = await boxes(1, 2)
  const child = await ours!.createChild(Crate, { batch, size: 7 })
  assert.is(child.parentId, ours!.id)
  assert.is((await on.app.create(Box, { batch }, { parent: theirs! })).parentId, theirs!.id)
  const found = await ours!.children(Box).toArray()
  assert.equal(
    found.map(({ id }) => id),
    [child.id],
  )
  assert.is(await on.app.find(Box).where({ parentId: theirs!.id }).count(), 1)
  const nobody = { parent: '00000000-0000-7000-8000-000000000000' }
  assert.is(await codeOf(on.app.create(Box, { batch }, nobody)), 'RESOURCE_UNKNOWN')
})

test.run()
