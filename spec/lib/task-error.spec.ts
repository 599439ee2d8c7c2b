// Error classes: what a class says, what a throw says, and which of them counts.
import {
  CancelledError,
  CorruptError,
  ExternalCallError,
  HttpError,
  InitializationError,
  InternalError,
  isFault,
  NonRetryableError,
  PoisonError,
  StrandedError,
  TaskError,
  TimeoutError,
} from '../../bin/index.ts'
import { adviceOf } from '../../lib/advice.ts'
import { ERRORS, type ErrorCode, fault } from '../../lib/errors.ts'
import { isRetryable, retryAfterOf } from '../../lib/retry.ts'
import { traitsOf } from '../../lib/task-error.ts'
import { classOfFault } from '../../lib/task-errors.ts'
import { steps } from '../../models/steps.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('error classes')

class QuotaError extends TaskError {
  static override readonly retryable = false
  static override readonly severity = 'warning'
  static override readonly playbook = 'Buy more.'
  static override readonly code = 'QUOTA'
}
class MemberError extends TaskError {
  override readonly retryable = false
  override readonly severity = 'critical'
  override readonly playbook = 'Call somebody.'
}

test('speak for themselves: by their class, its members, and where they are thrown', () => {
  const plain = new TaskError('it broke')
  assert.equal(
    [plain.name, plain.retryable, plain.severity, plain.playbook, plain.code],
    ['TaskError', true, 'error', null, undefined],
  )
  const quota = new QuotaError('used up', { cause: plain, context: { used: 7 } })
  assert.equal(
    [quota.name, quota.retryable, quota.severity, quota.playbook, quota.code, quota.cause],
    ['QuotaError', false, 'warning', 'Buy more.', 'QUOTA', plain],
  )
  assert.equal(quota.context, { used: 7 })
  const member = new MemberError('it broke')
  assert.equal(isRetryable(member), false)
  assert.equal(traitsOf(member).said, { severity: 'critical', playbook: 'Call somebody.' })
})

test('are overruled where they are thrown', () => {
  const said = { retryable: true, severity: 'info', playbook: 'Wait.', code: 'LATER' } as const
  for (const Shape of [QuotaError, MemberError, PoisonError]) {
    const error = new Shape('it broke', said)
    const { retryable, severity, playbook } = traitsOf(error)
    assert.equal([retryable, severity, playbook], [true, 'info', 'Wait.'], Shape.name)
    assert.is(isRetryable(error), true)
    assert.is(error.code, 'LATER')
  }
})

test('have built-in ones with what is usual for them, which counts as nothing said', () => {
  const shapes: [typeof TaskError, boolean, string][] = [
    [InternalError, true, 'error'],
    [ExternalCallError, true, 'error'],
    [InitializationError, true, 'critical'],
    [TimeoutError, true, 'error'],
    [CancelledError, true, 'info'],
    [PoisonError, false, 'critical'],
    [StrandedError, false, 'error'],
    [CorruptError, false, 'critical'],
  ]
  for (const [Shape, retryable, severity] of shapes) {
    const error = new Shape('it broke')
    assert.equal(
      [isRetryable(error), error.severity, error.name],
      [retryable, severity, Shape.name],
    )
    assert.equal(traitsOf(error).said, { severity: null, playbook: null })
    assert.ok(error instanceof TaskError && error instanceof Error)
  }
  class OwnTimeout extends TimeoutError {
    static override readonly severity = 'critical'
  }
  assert.is(traitsOf(new OwnTimeout('late')).said.severity, 'critical')
  assert.is(new OwnTimeout('late').name, 'OwnTimeout')
})

test('read errors of others by the same names, and survive what they answer', () => {
  const other = Object.assign(new Error('x'), { severity: 'warning', playbook: 'Do.', context: 1 })
  const { severity, playbook, context } = traitsOf(other)
  assert.equal([severity, playbook, context], ['warning', 'Do.', 1])
  const strange = Object.assign(new Error('x'), { severity: 'worst', playbook: 7, retryable: 'no' })
  const traits = traitsOf(strange)
  assert.equal([traits.severity, traits.playbook, traits.retryable], ['error', null, true])
  const trap = new Proxy(new Error('x'), {
    get: () => {
      throw new Error('a trap')
    },
  })
  for (const thrown of [null, undefined, 'text', 7, trap]) {
    assert.is(traitsOf(thrown).severity, 'error')
  }
  assert.is(isRetryable(new NonRetryableError('no')), false)
})

test('of HTTP keep status, method and host, and nothing else of the call', () => {
  const url = 'https://me:canary@api.example.com:8443/v1/canary?token=canary#canary'
  const headers = { Authorization: 'canary', 'Retry-After': '7', 'x-canary': 'canary' }
  const error = new HttpError(503, { method: 'put', url, headers })
  assert.is(error.message, 'PUT api.example.com:8443 answered with status 503.')
  assert.equal(error.context, { status: 503, method: 'PUT', host: 'api.example.com:8443' })
  const all = JSON.stringify([error, error.message, error.stack, error.context])
  assert.not.match(all.replaceAll(import.meta.url, ''), 'canary')
  assert.is(error.retryAfterMs, 7_000)
  assert.is(retryAfterOf(error, 0), 7_000)
  for (const [given, said] of [
    [{}, 'A server answered with status 500.'],
    [{ method: 'GET /canary' }, 'A server answered with status 500.'],
    [{ method: 'GET', url: 'no address' }, 'GET a server answered with status 500.'],
    [{ url: new URL('http://x/') }, 'x answered with status 500.'],
    [{ message: 'No luck.' }, 'No luck.'],
  ] as const) {
    assert.is(new HttpError(500, given).message, said)
  }
  const response = new Response('canary', { status: 404, headers: { 'retry-after': '1' } })
  class CloudError extends HttpError {}
  const cloud = CloudError.of(response, { method: 'GET', url })
  assert.ok(cloud instanceof CloudError)
  assert.equal(cloud.context, { status: 404, method: 'GET', host: 'api.example.com:8443' })
  assert.is(response.bodyUsed, false)
})

test('of HTTP are tried again unless the request itself was wrong', () => {
  const again = [408, 425, 429, 500, 502, 503, 504]
  const never = [400, 401, 403, 404, 409, 410, 422]
  for (const status of again) assert.is(isRetryable(new HttpError(status)), true, `${status}`)
  for (const status of never) assert.is(isRetryable(new HttpError(status)), false, `${status}`)
  assert.is(isRetryable(new HttpError(404, { retryable: true })), true)
  class Stubborn extends HttpError {
    static override readonly retryable = true
  }
  assert.is(isRetryable(new Stubborn(400)), true)
})

test('of HTTP wait as long as the server asks', () => {
  const wait = (headers: any, now = 0) => retryAfterOf(new HttpError(429, { headers }), now)
  const at = 'Sun, 06 Nov 1994 08:49:37 GMT'
  assert.is(wait({ 'retry-after': '0' }), 0)
  assert.is(wait(new Headers({ 'Retry-After': '90' })), 90_000)
  assert.is(wait({ 'RETRY-AFTER': ['5', '6'] }), 5_000)
  assert.is(wait({ 'retry-after': at, date: 'Sun, 06 Nov 1994 08:49:07 GMT' }), 30_000)
  assert.is(wait({ 'retry-after': at, date: 'Sun, 06 Nov 1994 09:00:00 GMT' }), 0)
  assert.is(wait({ 'retry-after': at }, Date.parse(at) - 4_000), 4_000)
  for (const odd of ['soon', '-1', '', '1e9999']) assert.is(wait({ 'retry-after': odd }), null, odd)
  assert.is(wait(undefined), null)
})

test('know the class of every error of the house', () => {
  const named = (code: string) => classOfFault(fault(code as ErrorCode))?.name
  assert.is(named('EFFECT_TIMEOUT'), 'TimeoutError')
  assert.is(named('EFFECT_SILENT'), 'TimeoutError')
  assert.is(named('EFFECT_OVERDUE'), 'TimeoutError')
  assert.is(named('STATE_TIMEOUT'), 'TimeoutError')
  assert.is(named('STATE_STRANDED'), 'StrandedError')
  assert.is(named('STATE_CORRUPT'), 'CorruptError')
  assert.is(named('LEASE_LOST'), 'CancelledError')
  assert.is(named('KEYS_MISSING'), 'InitializationError')
  assert.is(named('STATE_UNKNOWN'), 'InternalError')
  for (const code of Object.keys(ERRORS)) {
    const error = fault(code as ErrorCode)
    assert.ok(isFault(error) && named(code)?.endsWith('Error'), code)
    assert.is(classOfFault(error)?.usual.playbook, error.todo)
  }
  assert.is(classOfFault(new Error('x')), null)
})

test('take advice from the innermost state that has some', () => {
  const meta = { playbook: 'outer', severity: 'warning' }
  const machine: any = {
    root: {
      meta: { playbook: 'root', severity: 'info' },
      states: {
        a: { meta, states: { b: { meta: { playbook: 'inner' }, states: {} } } },
        p: { meta: { severity: 'worst', playbook: 7 }, states: {} },
      },
    },
  }
  assert.equal(adviceOf(machine, { a: 'b' }), { playbook: 'inner', severity: 'warning' })
  assert.equal(adviceOf(machine, 'p'), { playbook: 'root', severity: 'info' })
  assert.equal(adviceOf(machine, 'gone'), { playbook: 'root', severity: 'info' })
  assert.equal(adviceOf(machine, null), { playbook: 'root', severity: 'info' })
  assert.equal(adviceOf(steps({ one: async ({ stop }) => stop() }), 'one'), {
    playbook: null,
    severity: null,
  })
})

test.run()
