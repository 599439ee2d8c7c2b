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
  type EffectOptions,
  type EffectPolicy,
  effect,
  runnableOf,
} from '../../lib/effect.ts'
import { isFault } from '../../lib/errors.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('effect')
const UNBOUND = { heartbeatMs: null, withinMs: null }

test('is an actor that any XState runs', async () => {
  const double = effect<number, number>(async ({ input }) => input * 2)
  const actor = createActor(double, { input: 21 }).start()
  assert.is(await toPromise(actor), 42)
})

test('carries its policy, with defaults', () => {
  const { policy } = runnableOf(effect(async () => 1))!
  const backoff = { firstMs: 1_000, mostMs: 60_000 }
  assert.equal(policy, { attempts: 5, backoff, timeoutMs: 60_000, ...UNBOUND })
  const own = effect(async () => 1, {
    retry: { attempts: 1, backoff: '10ms..2s' },
    timeout: '3s',
  })
  const expected = { attempts: 1, backoff: { firstMs: 10, mostMs: 2_000 }, timeoutMs: 3_000 }
  assert.equal(runnableOf(own)!.policy, { ...expected, ...UNBOUND })
})

test('refuses a policy that is none', () => {
  const wrong = [
    { retry: { attempts: 0 } },
    { retry: { attempts: 1.5 } },
    { retry: { attempts: 1_001 } },
    { retry: { backoff: 'soon' } },
    { timeout: '-1s' },
    { timeout: false as const },
    { heartbeat: 0 },
    { heartbeat: 'often' },
    { within: '0s' },
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

test('takes a policy of time: a heartbeat, a bound of all attempts, one attempt only', () => {
  const policyOf = (options: EffectOptions) => runnableOf(effect(async () => 1, options))!.policy
  const times = ({ timeoutMs, heartbeatMs, withinMs }: EffectPolicy) => [
    ...[timeoutMs, heartbeatMs, withinMs],
  ]
  assert.equal(times(policyOf({ heartbeat: '30s' })), [null, 30_000, null])
  assert.equal(times(policyOf({ heartbeat: '30s', timeout: '2h' })), [7_200_000, 30_000, null])
  assert.equal(times(policyOf({ within: '1h' })), [60_000, null, 3_600_000])
  assert.equal(times(policyOf({ within: '1h', timeout: false })), [null, null, 3_600_000])
  assert.is(policyOf({ retry: false }).attempts, 1)
})

test('asks for another run after a while', () => {
  assert.is(new Again('5s').afterMs, 5_000)
})

test.run()
