// Failures: every failed attempt and every panic is a row that says what, where, how grave and what to do.
// timeout: 180s
import { setup } from 'xstate'
import * as z from 'zod'
import {
  effect,
  field,
  HttpError,
  NonRetryableError,
  Resource,
  RetryAfterError,
  secret,
  steps,
  TaskError,
  TimeoutError,
} from '../../bin/index.ts'
import { Query } from '../../models/query.ts'
import { drive } from '../support/drive.ts'
import { openHouse } from '../support/house.ts'
import { settings } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const test = suite('failures')
const LONG = { deadlineMs: 60_000 }

class QuotaError extends TaskError {
  static override readonly retryable = false
  static override readonly severity = 'warning'
  static override readonly playbook = 'Buy more.'
}

let clock: FakeTime

/** What the effect does, by the field of its resource. */
const DEEDS: Readonly<Record<string, (resource: any) => unknown>> = {
  text: () => Promise.reject('a text'),
  nothing: () => Promise.reject(undefined),
  range: () => Promise.reject(new RangeError('out of it')),
  own: () => Promise.reject(new (class LocalError extends Error {})('local')),
  never: () => Promise.reject(new NonRetryableError('no')),
  later: () => Promise.reject(new RetryAfterError('1s')),
  quota: () =>
    Promise.reject(new QuotaError('used up', { code: 'QUOTA', context: { used: 7, of: 7n } })),
  thrown: () => Promise.reject(new QuotaError('used up', { severity: 'info', retryable: true })),
  http: () =>
    Promise.reject(new HttpError(404, { method: 'get', url: 'https://x.example/a?b=canary' })),
  late: () => Promise.reject(new TimeoutError('too late')),
  slow: async () => {
    await clock.advance(6_000)
    return new Promise(() => {})
  },
  causes: () => {
    const deepest = Object.assign(new Error('deepest'), { code: 'DEEP' })
    const several = new AggregateError([new TypeError('one'), 'two', deepest], 'several')
    Object.assign(deepest, { cause: several })
    throw new Error('outermost', { cause: several })
  },
  many: () => {
    let error = new Error('cause 0')
    for (let nth = 1; nth < 40; nth++) error = new Error(`cause ${nth}`, { cause: error })
    throw error
  },
  huge: () => {
    const context = { list: Array.from({ length: 9_999 }, (_, nth) => `${nth}`.repeat(99)) }
    throw Object.assign(new Error('x'.repeat(99_999)), { context, code: 'c'.repeat(999) })
  },
  strange: () => {
    const context: Record<string, unknown> = {
      text: 'NUL \0 and half \ud800',
      trap: { toJSON: trap },
      when: new Date(0),
      none: undefined,
      fn: () => {},
      map: new Map([['a', 1]]),
      set: new Set([1, 2]),
      bytes: Buffer.from('abc'),
      deep: { a: { b: { c: { d: { e: { f: 1 } } } } } },
    }
    context.self = context
    throw Object.assign(new Error('strange \0'), { context })
  },
  secret: ({ token }: any) => {
    const cause = new Error(`header ${Buffer.from(`me:${token}`).toString('base64')}`)
    const context = { [token]: 1, sent: { url: encodeURIComponent(token), password: 'x' } }
    const error = new TaskError(`refused ${token}`, { cause, context, playbook: `Use ${token}` })
    error.stack = `Error at ${JSON.stringify(token)}`
    throw error
  },
}
const trap = (): never => {
  throw new Error('a trap')
}

const doing = effect(
  async ({ resource }: any) => {
    return DEEDS[resource.deed]!(resource)
  },
  { retry: { attempts: 2, backoff: '1s..1s' }, timeout: '5s' },
)

class Job extends Resource {
  static override fields = { deed: field(z.string()), token: secret(z.string().optional()) }
  static override tasks = {
    work: setup({ actors: { doing } }).createMachine({
      initial: 'plain',
      states: { plain: { invoke: { id: 'doing', src: 'doing' } } },
    }),
    advised: setup({ actors: { doing } }).createMachine({
      initial: 'outer',
      meta: { playbook: 'Look around.' },
      states: {
        outer: {
          meta: { severity: 'critical', playbook: 'Look outside.' },
          initial: 'inner',
          states: {
            inner: { invoke: { id: 'doing', src: 'doing' }, meta: { playbook: 'Look in.' } },
          },
        },
      },
    }),
    stuck: setup({}).createMachine({
      initial: 'waiting',
      states: { waiting: { meta: { timeoutMs: 1_000, severity: 'warning' } } },
    }),
    first: setup({}).createMachine({ context: () => trap() }),
    after: setup({ actors: { doing } }).createMachine({
      initial: 'trying',
      states: {
        trying: { invoke: { id: 'doing', src: 'doing', onError: { actions: () => trap() } } },
      },
    }),
    lost: steps({ one: async () => 'nowhere' as never }),
  }
}
type Name = keyof typeof Job.tasks

for (const setting of settings()) {
  const time = new FakeTime()
  const open = async () => {
    clock = time
    const house = await openHouse({ resources: [Job], setting, time })
    const { app } = house
    const { advance } = drive({ app, time })
    const failed = async (deed: string, name: Name = 'work', token?: string) => {
      const job = await app.create(Job, { deed, ...(token !== undefined && { token }) })
      await job[name].start()
      await advance('30s')
      return { job, failures: await app.failures({ resourceId: job.id }) }
    }
    return { house, app, failed }
  }

  test(
    `have a row for each attempt, and a panic has the step of its line (${setting})`,
    LONG,
    async () => {
      const { house, app, failed } = await open()
      const { job, failures } = await failed('range')
      const [first, last] = failures
      assert.is(failures.length, 2)
      const { id, at, stack, taskId, ...row } = first!
      assert.equal(row, {
        kind: 'Job',
        resourceId: job.id,
        task: 'work',
        step: 1,
        effect: 'doing',
        attempt: 1,
        class: 'RangeError',
        code: null,
        message: 'out of it',
        severity: 'error',
        isRetryable: true,
        playbook: null,
        dependency: null,
        causes: [],
        context: null,
      })
      assert.match(stack!, /^RangeError: out of it\n {4}at /)
      assert.ok(at > 0 && id !== taskId)
      const panic = (await app.history.lines(job.id)).find(({ to }) => to === '__panic__')
      assert.equal([last!.step, last!.attempt, last!.effect], [panic?.step, 2, 'doing'])
      const before = await failed('range', 'first')
      assert.equal(
        before.failures.map(({ step, effect, attempt, message }) => [
          step,
          effect,
          attempt,
          message,
        ]),
        [[1, null, 1, 'a trap']],
      )
      const after = await failed('range', 'after')
      assert.equal(
        after.failures.map(({ step, effect, attempt, message }) => [
          step,
          effect,
          attempt,
          message,
        ]),
        [
          [1, 'doing', 1, 'out of it'],
          [1, 'doing', 2, 'out of it'],
          [2, null, 1, 'a trap'],
        ],
      )
      await house.close()
    },
  )

  test(`know the class of whatever was thrown (${setting})`, LONG, async () => {
    const { house, failed } = await open()
    const shapes: [
      deed: string,
      rows: number,
      name: string,
      retryable: boolean,
      severity: string,
    ][] = [
      ['text', 2, 'Error', true, 'error'],
      ['nothing', 2, 'Error', true, 'error'],
      ['own', 2, 'LocalError', true, 'error'],
      ['never', 1, 'NonRetryableError', false, 'error'],
      ['later', 2, 'RetryAfterError', true, 'error'],
      ['quota', 1, 'QuotaError', false, 'warning'],
      ['thrown', 2, 'QuotaError', true, 'info'],
      ['http', 1, 'HttpError', false, 'error'],
      ['late', 2, 'TimeoutError', true, 'error'],
      ['slow', 2, 'TimeoutError', true, 'error'],
    ]
    for (const [deed, rows, name, isRetryable, severity] of shapes) {
      const { failures } = await failed(deed)
      const last = failures.at(-1)!
      assert.is(failures.length, rows, deed)
      assert.equal(
        [last.class, last.isRetryable, last.severity],
        [name, isRetryable, severity],
        deed,
      )
    }
    const [quota] = (await failed('quota')).failures
    assert.equal([quota?.code, quota?.playbook], ['QUOTA', 'Buy more.'])
    assert.equal(quota?.context, { used: 7, of: '7' })
    const [http] = (await failed('http')).failures
    assert.equal(http?.context, { status: 404, method: 'GET', host: 'x.example' })
    assert.not.match(JSON.stringify(http), 'canary')
    const slow = (await failed('slow')).failures.at(-1)!
    assert.is(slow.code, 'EFFECT_TIMEOUT')
    assert.match(slow.playbook!, 'Give it a longer `timeout`')
    const [lost] = (await failed('x', 'lost')).failures
    assert.equal([lost?.class, lost?.code], ['InternalError', 'STATE_UNKNOWN'])
    await house.close()
  })

  test(`of stored tasks nobody can read are stranded or corrupt (${setting})`, LONG, async () => {
    const { house, app, failed } = await open()
    const { job } = await failed('x', 'stuck')
    const { taskId } = (await job.stuck.status())!
    const spoil = async (snapshot: string) => {
      await house.sql('ALTER TABLE transitions DISABLE TRIGGER transitions_append_only')
      await house.sql(
        `UPDATE transitions SET snapshot = $2 WHERE task_id = $1 AND snapshot IS NOT NULL`,
        [taskId, snapshot],
      )
      await house.sql('ALTER TABLE transitions ENABLE TRIGGER transitions_append_only')
      await job.stuck.retry()
      await drive({ app, time }).advance('5s')
      return (await app.failures({ resourceId: job.id })).at(-1)!
    }
    const stranded = await spoil('{"value":"gone","context":{},"status":"active"}')
    assert.equal(
      [stranded.class, stranded.code, stranded.isRetryable],
      ['StrandedError', 'STATE_STRANDED', false],
    )
    const corrupt = await spoil('{"value":"waiting","context":{},"status":"done"}')
    assert.equal(
      [corrupt.class, corrupt.code, corrupt.severity],
      ['CorruptError', 'STATE_CORRUPT', 'critical'],
    )
    await house.close()
  })

  test(`take what the state says where the error says nothing (${setting})`, LONG, async () => {
    const { house, failed } = await open()
    const said = async (deed: string, name: Name) =>
      (await failed(deed, name)).failures.map(({ severity, playbook }) => [severity, playbook])
    assert.equal(await said('range', 'advised'), [
      ['error', null],
      ['critical', 'Look in.'],
    ])
    assert.equal(await said('quota', 'advised'), [['warning', 'Buy more.']])
    assert.equal(await said('late', 'advised'), [
      ['error', null],
      ['critical', 'Look in.'],
    ])
    const { failures } = await failed('x', 'stuck')
    const [stuck] = failures
    assert.equal(
      [stuck?.class, stuck?.code, stuck?.severity],
      ['TimeoutError', 'STATE_TIMEOUT', 'warning'],
    )
    assert.match(stuck!.playbook!, 'Look at what it waits for')
    await house.close()
  })

  test(
    `keep the chain of causes, cycles and all, and bound everything (${setting})`,
    LONG,
    async () => {
      const { house, failed } = await open()
      const [causes] = (await failed('causes')).failures
      assert.equal(causes?.causes, [
        { name: 'AggregateError', message: 'several' },
        { name: 'TypeError', message: 'one' },
        { name: 'Error', message: 'two' },
        { name: 'Error', message: 'deepest', code: 'DEEP' },
      ])
      const [many] = (await failed('many')).failures
      assert.equal(
        many?.causes.map(({ message }) => message),
        [38, 37, 36, 35, 34, 33, 32, 31].map((nth) => `cause ${nth}`),
      )
      const { job } = await failed('huge')
      const [{ size }] = await house.sql(
        'SELECT max(octet_length(f::text)) AS size FROM failures f WHERE resource_id = $1',
        [job.id],
      )
      assert.ok(size < 40_000, `${size} bytes`)
      const [strange] = (await failed('strange')).failures
      assert.is(strange?.message, 'strange \ufffd')
      assert.equal(strange?.context, {
        text: 'NUL \ufffd and half \ufffd',
        trap: '[unreadable]',
        when: '1970-01-01T00:00:00.000Z',
        fn: '[function]',
        map: [['a', 1]],
        set: [1, 2],
        bytes: '[3 bytes]',
        deep: { a: { b: { c: { d: { e: '[deeper]' } } } } },
        self: '[circular]',
      })
      await house.close()
    },
  )

  test(
    `show no secret in message, stack, causes, context or playbook (${setting})`,
    LONG,
    async () => {
      const { house, app, failed } = await open()
      const token = 's3cr"et/of+mine é'
      const { job, failures } = await failed('secret', 'work', token)
      const { message, stack, causes, context, playbook } = failures.at(-1)!
      assert.equal(
        [message, playbook, stack],
        ['refused [secret]', 'Use [secret]', 'Error at "[secret]"'],
      )
      assert.match(causes[0]!.message, /^header .*\[secret\]/)
      assert.equal(context, { '[secret]': 1, sent: { url: '[secret]', password: '[secret]' } })
      const panic = (await app.history.lines(job.id)).find(({ to }) => to === '__panic__')
      assert.is(panic?.reason, 'refused [secret]')
      await house.close()
    },
  )

  test(`are found by kind, task, class, code and time (${setting})`, LONG, async () => {
    const { house, app, failed } = await open()
    const from = time.now()
    const { job } = await failed('range')
    const middle = time.now()
    await failed('quota', 'advised')
    const { knex } = app.rooms.database
    const { keyring } = app.rooms
    const query = new Query({ knex, keyring, time, registry: app.registry })
    const count = async (wanted: Parameters<typeof app.failures>[0]) => {
      const found = await app.failures(wanted)
      assert.equal(found, await query.failures(wanted))
      return found.length
    }
    assert.is(await count({}), 3)
    assert.is(await count({ kind: 'Job' }), 3)
    assert.is(await count({ resourceId: job.id }), 2)
    assert.is(await count({ resourceId: 'no id' }), 0)
    assert.is(await count({ task: 'advised' }), 1)
    assert.is(await count({ class: 'RangeError' }), 2)
    assert.is(await count({ code: 'QUOTA', class: 'QuotaError' }), 1)
    assert.is(await count({ sinceAt: from }), 3)
    assert.is(await count({ sinceAt: middle }), 1)
    assert.is(await count({ sinceAt: time.now() + 60_000 }), 0)
    const [latest] = await app.failures({ limit: 1 })
    assert.is(latest?.class, 'QuotaError')
    assert.is(await count({ kind: 'Nobody' }), 0)
    await house.close()
  })
}

test.run()
