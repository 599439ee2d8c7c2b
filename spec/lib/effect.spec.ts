// Effects: ordinary promise actors for XState, with a policy for the worker.
import {
  createActor,
  createMachine,
  fromCallback,
  fromPromise,
  fromTransition,
  toPromise,
} from 'xstate'
import {
  Again,
  effect,
  isRetryable,
  NonRetryableError,
  retryAfterOf,
  runnableOf,
} from '../../lib/effect.ts'
import { isFault } from '../../lib/errors.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('effect')

test('is an actor that any XState runs', async () => {
  const double = effect<number, number>(async ({ input }) => input * 2)
  const actor = createActor(double, { input: 21 }).start()
  assert.is(await toPromise(actor), 42)
})

test('carries its policy, with defaults', () => {
  const { policy } = runnableOf(effect(async () => 1))!
  const backoff = { firstMs: 1_000, mostMs: 60_000 }
  assert.equal(policy, { attempts: 5, backoff, timeoutMs: 60_000 })
  const own = effect(async () => 1, {
    retry: { attempts: 1, backoff: '10ms..2s' },
    timeout: '3s',
  })
  const expected = { attempts: 1, backoff: { firstMs: 10, mostMs: 2_000 }, timeoutMs: 3_000 }
  assert.equal(runnableOf(own)!.policy, expected)
})

test('refuses a policy that is none', () => {
  const wrong = [
    { retry: { attempts: 0 } },
    { retry: { attempts: 1.5 } },
    { retry: { attempts: 1_001 } },
    { retry: { backoff: 'soon' } },
    { timeout: '-1s' },
  ]
  for (const options of wrong) {
    assert.throws(
      () => effect(async () => 1, options),
      (error: unknown) => isFault(error, 'ARGUMENT_INVALID'),
    )
  }
})

test('can be told from every other actor, and a bare promise is tried once', async () => {
  const bare = runnableOf(fromPromise(async ({ input }) => input))!
  assert.is(bare.policy.attempts, 1)
  assert.is(await bare.run({ input: 7 } as never), 7)
  const others = [
    createMachine({}),
    fromCallback(() => {}),
    fromTransition((state) => state, 0),
    undefined,
    null,
    'name',
    () => {},
    { config: () => {}, start: () => {}, transition: () => ({ status: 'active' }) },
  ]
  for (const other of others) assert.is(runnableOf(other), null)
})

test('knows what may be tried again, and when', () => {
  class Refused extends NonRetryableError {}
  assert.equal(
    [new Error(), 'text', null, { retryable: true }, new Refused(), new NonRetryableError()].map(
      isRetryable,
    ),
    [true, true, true, true, false, false],
  )
  const waits = [0, 45_000, -1, Number.NaN, '5s', undefined].map((retryAfterMs) =>
    retryAfterOf(Object.assign(new Error(), { retryAfterMs })),
  )
  assert.equal(waits, [0, 45_000, null, null, null, null])
  assert.is(new Again('5s').afterMs, 5_000)
})

test.run()
