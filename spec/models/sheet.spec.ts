// The sheet: views that see the fields as they were opened on, and are told when they were overtaken.
import * as z from 'zod'
import { FieldSet, field } from '../../models/fields.ts'
import { Sheet } from '../../models/sheet.ts'
import { codeOf } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { sealer } from '../support/values.ts'

const test = suite('sheet')

const fields = new FieldSet('Thing', {
  a: field(z.number().optional()),
  b: field(z.number().default(0)),
})
const open = (stored: Record<string, unknown> = { a: 1, b: 2 }) =>
  new Sheet('id', fields, sealer, stored, 5)

test('shows a view its own changes, and nobody else', () => {
  const sheet = open()
  const [ours, theirs] = [sheet.view(), sheet.view()]
  ours.write('a', 10)
  assert.equal([ours.read('a'), theirs.read('a'), sheet.read('a')], [10, 1, 1])
})

test('makes of a view the change that is to be committed', () => {
  const sheet = open({ a: 1, b: 2, stray: 3 })
  const view = sheet.view()
  assert.is(view.change(), null)
  view.write('a', null)
  view.write('b', 7)
  assert.equal(view.change(), {
    ...{ resourceId: 'id', version: 5 },
    ...{ set: { b: 7 }, unset: ['a'], aside: { stray: 3 } },
  })
})

test('follows what was committed, with its version', () => {
  const sheet = open({ a: 1, stray: 3 })
  const view = sheet.view()
  view.write('b', 7)
  sheet.committed(view.change()!)
  assert.equal([sheet.read('b'), sheet.version], [7, 6])
  assert.equal(sheet.change({}, []).aside, {}, 'what was kept aside is kept aside once')
})

test('tells a view that another changed the same field, and only then', () => {
  const sheet = open()
  const views = [sheet.view(), sheet.view(), sheet.view()]
  const [first, same, other] = views
  first!.write('a', 10)
  same!.write('a', 20)
  other!.write('b', 30)
  sheet.committed(first!.change()!)
  assert.equal(
    [same, other].map((view) => view!.overtaken),
    [true, false],
  )
  const later = sheet.view()
  later.write('a', 40)
  assert.is(later.overtaken, false)
})

test('tells a view of a change that came from outside', () => {
  const sheet = open()
  const [changed, untouched] = [sheet.view(), sheet.view()]
  changed!.write('a', 10)
  untouched!.write('b', 10)
  sheet.replace({ a: 99, b: 2 }, 6)
  assert.equal([changed!.overtaken, untouched!.overtaken], [true, false])
})

test('refuses what the schema refuses, and fields there are not', async () => {
  const view = open().view()
  assert.is(await codeOf(() => view.write('a', 'x')), 'FIELDS_INVALID')
  assert.is(await codeOf(() => view.write('c', 1)), 'FIELD_UNKNOWN')
  assert.is(view.change(), null)
})

test.run()
