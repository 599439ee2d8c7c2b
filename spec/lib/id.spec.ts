// runs alone
// Identities: their form, their order, and that no clock can spoil it.
import { newId, newToken } from '../../lib/id.ts'
import { SystemTime } from '../../lib/time.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const test = suite('id')

/** Far ahead of the other tests: the counter is one for the whole process. */
let eraMs = Date.UTC(2100, 0, 1)
function nextEra(): FakeTime {
  eraMs += 86_400_000
  return new FakeTime(eraMs)
}

const msOf = (id: string) => Number.parseInt(id.replace('-', '').slice(0, 12), 16)

test('it is a UUID of version 7 with the moment in front', () => {
  const time = nextEra()
  const id = newId(time)
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.is(msOf(id), time.now())
})

test('ids of one process sort in the order they were made', () => {
  const time = new SystemTime()
  const ids = Array.from({ length: 20_000 }, () => newId(time))
  assert.equal(ids, [...ids].sort())
  assert.is(new Set(ids).size, ids.length)
})

test('a clock that steps back does not take the order along', () => {
  const time = nextEra()
  const before = newId(time)
  time.jump(-3_600_000)
  const after = newId(time)
  assert.ok(after > before)
  assert.is(msOf(after), msOf(before))
})

test('a millisecond with more ids than fit borrows the next', () => {
  const time = nextEra()
  const ids = Array.from({ length: 5_000 }, () => newId(time))
  assert.equal(ids, [...ids].sort())
  assert.ok(msOf(ids.at(-1)!) > time.now())
  assert.ok(msOf(ids.at(-1)!) <= time.now() + 2)
})

test('the random part of an id serves once, however many are made', () => {
  const time = nextEra()
  const ends = Array.from({ length: 3_000 }, () => newId(time).slice(19))
  assert.is(new Set(ends).size, ends.length)
  const pieces = new Set(ends.map((end) => end.slice(5)))
  assert.ok(pieces.size > 2_990, `pieces come again: ${pieces.size}`)
})

test('a token is a UUID of version 4, and no two are alike', () => {
  const tokens = Array.from({ length: 1_000 }, newToken)
  for (const token of tokens) assert.match(token, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]/)
  assert.is(new Set(tokens).size, tokens.length)
})

test.run()
