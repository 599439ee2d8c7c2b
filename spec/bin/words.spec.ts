// Words of the command line, turned into values or refused.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'
import type { Street } from '../../bin/street.ts'
import { data, dataObject, fieldValue, pairs, resourceWord, whole } from '../../bin/words.ts'
import { isFault } from '../../lib/errors.ts'
import { FieldSet, field } from '../../models/fields.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('words')
const folder = mkdtempSync(join(process.env.SPEC_TEMP ?? tmpdir(), 'escapement-words-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))

const street = (typed: Buffer | null = null): Street =>
  ({ folder, read: async () => typed }) as unknown as Street

/** The message of the refusal. */
async function refusal(work: () => unknown): Promise<string> {
  try {
    await work()
  } catch (thrown) {
    assert.ok(isFault(thrown, 'ARGUMENT_INVALID'), String(thrown))
    return (thrown as Error).message
  }
  throw new Error('nothing was refused')
}

test('name a resource as KIND/ID', async () => {
  assert.equal(resourceWord('Server/1'), { kind: 'Server', id: '1' })
  for (const word of ['Server', 'Server/', '/1', '/', '', 'Server/1/2']) {
    assert.match(await refusal(() => resourceWord(word)), 'KIND/ID')
  }
})

test('count in whole numbers within bounds', async () => {
  const steps = whole('--steps', 1, 100)
  assert.is(steps('1'), 1)
  assert.is(steps('100'), 100)
  for (const word of [
    '0',
    '101',
    '-1',
    '1e1',
    '0x10',
    '1_0',
    '1.0',
    ' 1',
    '',
    'foo',
    '9'.repeat(30),
  ]) {
    assert.match(await refusal(() => steps(word)), '--steps is not valid')
  }
})

test('pair names with values, once each', async () => {
  assert.equal({ ...pairs('set', ['a=1', 'b=x=y', 'c=']) }, { a: '1', b: 'x=y', c: '' })
  for (const word of ['a', '=1', '']) {
    assert.match(await refusal(() => pairs('set', [word])), 'name=value')
  }
  assert.match(await refusal(() => pairs('set', ['a=1', 'a=2'])), 'twice')
  for (const name of ['__proto__', 'constructor', 'prototype']) {
    assert.match(await refusal(() => pairs('set', [`${name}=1`])), 'forbidden')
  }
})

test('are text where the field takes text, else the JSON they spell', () => {
  const fields = new FieldSet('Thing', {
    text: field(z.string()),
    size: field(z.number()),
    tags: field(z.array(z.string())),
  })
  assert.is(fieldValue(fields, 'text', '12'), '12')
  assert.is(fieldValue(fields, 'text', 'null'), 'null')
  assert.is(fieldValue(fields, 'size', '12'), 12)
  assert.equal(fieldValue(fields, 'tags', '["a"]'), ['a'])
  const code = (name: string, word: string) => {
    try {
      return fieldValue(fields, name, word)
    } catch (thrown) {
      return (thrown as { code: string }).code
    }
  }
  assert.is(code('size', 'x'), 'FIELDS_INVALID')
  assert.is(code('size', '"12"'), 'FIELDS_INVALID')
  assert.is(code('tags', '[{"__proto__":1}]'), 'ARGUMENT_INVALID')
  assert.is(code('none', '1'), 'FIELD_UNKNOWN')
})

test('bring data from the line, a file or standard input', async () => {
  writeFileSync(join(folder, 'data.json'), '\ufeff{"a":\r\n[1]}')
  assert.equal(await data(street(), '{"a":1}'), { a: 1 })
  assert.equal(await data(street(), '@data.json'), { a: [1] })
  assert.equal(await data(street(Buffer.from('null')), '-'), null)
  assert.is(await data(street(), undefined), undefined)
  assert.equal(await dataObject(street(), undefined), {})
})

test('bring no data that is none, and never quote it', async () => {
  mkdirSync(join(folder, 'inner'), { recursive: true })
  writeFileSync(join(folder, 'empty'), '')
  writeFileSync(join(folder, 'binary'), Buffer.from([0xff, 0xfe, 0]))
  writeFileSync(join(folder, 'huge'), ' '.repeat(1_048_577))
  const bad = ['{', '', '{"password":"hunter2",}', '@empty', '@binary', '@huge', '@inner', '@none']
  for (const word of bad) {
    const said = await refusal(() => data(street(), word))
    assert.match(said, '--data is not valid')
    assert.not.match(said, 'hunter2')
  }
  assert.match(await refusal(() => data(street(null), '-')), 'longer')
  for (const word of ['[]', '1', '"x"']) {
    assert.match(await refusal(() => dataObject(street(), word)), 'not a JSON object')
  }
})

test('bring no key that reaches the prototype, however deep', async () => {
  assert.match(await refusal(() => data(street(), '{"a":[{"__proto__":{"x":1}}]}')), '"__proto__"')
  assert.match(await refusal(() => data(street(), '{"constructor":1}')), '"constructor"')
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  assert.ok(Array.isArray(await data(street(), deep)))
})

test.run()
