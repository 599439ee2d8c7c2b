// Text that is safe to show, and complaints made of it.
import { CommanderError } from 'commander'
import { complain } from '../../bin/complain.ts'
import { cell, json, plain, sentence, table } from '../../bin/print.ts'
import { Ref } from '../../lib/codec.ts'
import { fault } from '../../lib/errors.ts'
import { Secret } from '../../lib/secret.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('printing')
/** What a terminal might obey: escape sequences, bells, returns, C1 controls, turned text, other line ends. */
const EVIL = '\x1b]0;title\x07\r\n\b\x7f\x9b31m\u202e\u2066\u2028\u2029\u200f\0'

test('shows control characters as escapes', () => {
  assert.is(plain('a\x1b[31m\n\t'), 'a\\u001b[31m\\n\\t')
  for (const text of [plain(EVIL), sentence(EVIL), cell(EVIL), cell({ deep: EVIL })]) {
    assert.not.match(text, /[\p{Cc}\u2028\u2029\u202e\u2066\u200f]/u)
  }
  assert.is(plain('Zürich – 東京 🙂'), 'Zürich – 東京 🙂')
})

test('shows JSON that parses to the same, and holds nothing a terminal obeys', () => {
  const text = json({ evil: EVIL, at: new Date(0), big: 2n ** 70n, map: new Map([['a', 1]]) })
  assert.not.match(text.replaceAll('\n', ''), /[\p{Cc}\u2028\u2029\u202e\u2066\u200f]/u)
  assert.equal(JSON.parse(text), {
    evil: EVIL,
    at: '1970-01-01T00:00:00.000Z',
    big: String(2n ** 70n),
    map: [['a', 1]],
  })
  const ref = { ref: new Ref('resource', 'Server', '1'), secret: new Secret('hunter2') }
  assert.equal(JSON.parse(json(ref)), { ref: 'Server/1', secret: '[secret]' })
})

test('lines columns up, wide characters too', () => {
  const text = table(
    ['name', 'n'],
    [
      ['東京', 1],
      ['a', null],
    ],
  )
  assert.is(text, 'NAME  N\n東京  1\na     -\n')
  assert.is(table(['name'], []), '')
})

test('complains in one sentence, with what to do and a code', () => {
  const manner = { output: 'table', verbose: false, command: 'get' }
  const thrown = fault('RESOURCE_UNKNOWN', { kind: 'A\x1b', id: 'x\ny' })
  const { text, exit } = complain(thrown, manner)
  assert.is(exit, 3)
  assert.is(
    text,
    'error: There is no A\\u001b with id x y.\n  List them with `escapement get A\\u001b`. [RESOURCE_UNKNOWN]\n',
  )
  const said = JSON.parse(complain(thrown, { ...manner, output: 'json' }).text)
  assert.equal(Object.keys(said.error), ['code', 'message', 'todo'])
})

test('complains of strange things, and shows no login', () => {
  const manner = { output: 'table', verbose: true, command: '' }
  for (const thrown of [null, undefined, 'text', { a: 1n }, new Error('')]) {
    assert.match(complain(thrown, manner).text, /^error: .+\n {2}.+ \[UNEXPECTED\]\n/)
  }
  const cause = new Error('postgres://me:hunter2@db:5432/x refused')
  const { text } = complain(new Error('at redis://:hunter2@cache/0', { cause }), manner)
  assert.match(text, 'caused by')
  assert.not.match(text, 'hunter2')
})

test('complains of usage with what was meant', () => {
  const thrown = new CommanderError(
    1,
    'commander.unknownOption',
    "error: unknown option '--x'\n(Did you mean --y?)",
  )
  const { text, exit } = complain(thrown, { output: 'table', verbose: false, command: 'get' })
  assert.is(exit, 2)
  assert.match(text, "unknown option '--x' (did you mean --y?).\n  See `escapement get --help`")
})

test.run()
