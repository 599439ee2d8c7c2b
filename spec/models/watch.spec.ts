// The watch over one attempt: each of its limits, alone and together.
import type { EffectPolicy } from '../../lib/effect.ts'
import { Watch } from '../../models/watch.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const test = suite('watch')
const NONE = { attempts: 1, backoff: { firstMs: 0, mostMs: 0 } }

function watching(policy: Partial<EffectPolicy>, ageMs = 0) {
  const time = new FakeTime()
  const late: string[] = []
  const bounds = { timeoutMs: null, heartbeatMs: null, withinMs: null }
  const watch = new Watch({
    time,
    policy: { ...NONE, ...bounds, ...policy },
    effect: 'call',
    since: time.now() - ageMs,
    startedAt: time.monotonic(),
    onLate: ({ code, message }) => {
      assert.match(message, 'call')
      late.push(code)
    },
  })
  return { time, watch, late }
}

test('rings once, when the first limit is passed', async () => {
  const cases: [Partial<EffectPolicy>, number, string][] = [
    [{ timeoutMs: 100 }, 100, 'EFFECT_TIMEOUT'],
    [{ heartbeatMs: 100 }, 100, 'EFFECT_SILENT'],
    [{ withinMs: 100 }, 60, 'EFFECT_OVERDUE'],
    [{ timeoutMs: 50, heartbeatMs: 40, withinMs: 1_000 }, 40, 'EFFECT_SILENT'],
    [{ timeoutMs: 60, heartbeatMs: 60, withinMs: 100 }, 60, 'EFFECT_OVERDUE'],
  ]
  for (const [policy, afterMs, code] of cases) {
    const { time, watch, late } = watching(policy, 40)
    assert.is(watch.look(), true)
    await time.advance(afterMs - 1)
    assert.equal(late, [])
    await time.advance(1_000)
    assert.equal(late, [code])
    assert.equal([watch.look(), time.sleeping], [false, 0])
  }
})

test('waits from the last sign of life', async () => {
  const { time, watch, late } = watching({ heartbeatMs: 100 })
  watch.look()
  for (let n = 0; n < 10; n++) {
    await time.advance(99)
    watch.heard()
  }
  await time.advance(99)
  assert.equal(late, [])
  await time.advance(1)
  assert.equal(late, ['EFFECT_SILENT'])
})

test('tells before it begins that it is too late', () => {
  const { watch, late } = watching({ timeoutMs: 100, withinMs: 100 }, 100)
  assert.is(watch.look(), false)
  assert.equal(late, ['EFFECT_OVERDUE'])
})

test('leaves nothing when stopped, and asks for nothing without limits', async () => {
  const { time, watch, late } = watching({ timeoutMs: 100 })
  watch.look()
  watch.stop()
  assert.is(time.sleeping, 0)
  await time.advance(200)
  assert.equal(late, [])
  const free = watching({})
  assert.equal([free.watch.look(), free.time.sleeping], [true, 0])
})

test.run()
