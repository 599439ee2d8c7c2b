// Errors: a code, a whole sentence, and what to do; and anything thrown made into one.
import { asError, ERRORS, EscapementError, EXIT, fault, isFault } from '../../lib/errors.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('errors')

test('fill in what is known, in the sentence and in the advice', () => {
  const cause = new Error('beneath')
  const error = fault('RESOURCE_UNKNOWN', { kind: 'Server', id: 7 }, cause)
  assert.is(error.message, 'There is no Server with id 7.')
  assert.match(error.todo, 'escapement get Server')
  assert.is(error.exit, EXIT.notFound)
  assert.is(error.cause, cause)
  assert.is(String(error), 'EscapementError: There is no Server with id 7.')
  assert.ok(error instanceof Error && error instanceof EscapementError)
})

test('leave a gap that was not filled where it is, and take no word of an object for one', () => {
  assert.is(fault('RESOURCE_UNKNOWN').message, 'There is no {kind} with id {id}.')
  const odd = fault('RESOURCE_UNKNOWN', { kind: '{id}', id: '$&' })
  assert.is(odd.message, 'There is no {id} with id $&.')
  assert.not.ok('cause' in fault('KEYS_MISSING'))
})

test('are told apart by their code', () => {
  const error = fault('KEYS_MISSING')
  assert.equal(
    [isFault(error), isFault(error, 'KEYS_MISSING'), isFault(error, 'KEY_INVALID')],
    [true, true, false],
  )
  for (const other of [new Error('x'), { code: 'KEYS_MISSING' }, null]) {
    assert.is(isFault(other), false)
  }
})

test('each say what is wrong in a sentence, and what to do in another', () => {
  for (const [code, { sentence, todo, exit }] of Object.entries(ERRORS)) {
    assert.match(code, /^[A-Z]+(_[A-Z]+)*$/)
    for (const text of [sentence, todo]) assert.match(text, /^["{\p{Lu}].*\.$/su, code)
    assert.ok(Object.values(EXIT).includes(exit))
  }
})

test('can be made of whatever was thrown', () => {
  const circle: Record<string, unknown> = {}
  circle.self = circle
  const error = new RangeError('mine')
  assert.is(asError(error), error)
  const texts = ['text', undefined, null, 7, { a: 1 }, 7n, Symbol('s'), circle, () => {}]
  for (const thrown of texts) {
    assert.ok(asError(thrown) instanceof Error)
    assert.type(asError(thrown).message, 'string')
  }
  assert.equal(
    ['text', null, { a: 1 }].map((thrown) => asError(thrown).message),
    ['text', 'null', '{"a":1}'],
  )
})

test.run()
