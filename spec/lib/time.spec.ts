// Time: monotonic beneath, the database's above; what waits can be called off.
import { SystemTime, turn } from '../../lib/time.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

const test = suite('time')
const near = (actual: number, expected: number, byMs = 50) =>
  assert.ok(Math.abs(actual - expected) <= byMs, `${actual} is not near ${expected}`)

test('follows the clock it is told of, from the middle of the asking', () => {
  const time = new SystemTime()
  const at = time.monotonic()
  time.follow(1_000_000, at - 30, at + 10)
  near(time.now(), 1_000_010)
  assert.ok(Number.isInteger(time.now()))
})

test('is never behind what it has heard of, unless that is beyond belief', () => {
  const time = new SystemTime()
  const now = time.now()
  time.heard(now + 300)
  assert.ok(time.now() >= now + 300)
  near(time.now(), now + 300)
  time.heard(now - 60_000)
  time.heard(now + 60_000)
  near(time.now(), now + 300)
})

test('never goes back beneath, whatever it follows', () => {
  const time = new SystemTime()
  const before = time.monotonic()
  time.follow(0, before, before)
  assert.ok(time.monotonic() >= before)
})

test('wakes a sleeper after its time, and at once when it is called off', async () => {
  const time = new SystemTime()
  const from = time.monotonic()
  await time.sleep(20)
  assert.ok(time.monotonic() - from >= 19)
  const off = new AbortController()
  const long = time.sleep(60_000, off.signal)
  off.abort()
  await long
  await time.sleep(60_000, off.signal)
  assert.ok(time.monotonic() - from < 5_000)
})

test('leaves nothing on a signal it no longer needs', async () => {
  const time = new SystemTime()
  const { signal } = new AbortController()
  let listening = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listening += 1
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listening -= 1
    remove(...args)
  }
  await time.sleep(1, signal)
  assert.is(listening, 0)
})

test('does not wake at once for a wait longer than timers can hold, nor for one below nothing', async () => {
  const time = new SystemTime()
  let calls = 0
  const cancel = time.after(2 ** 40, () => void calls++)
  await turn()
  assert.is(calls, 0)
  cancel()
  time.after(-5, () => void calls++)
  await until(() => calls === 1, { what: 'it was called' })
})

test('calls nobody who called it off', async () => {
  const time = new SystemTime()
  let calls = 0
  time.after(1, () => void calls++)()
  let later = false
  time.after(5, () => {
    later = true
  })
  await until(() => later, { what: 'a later one was called' })
  assert.is(calls, 0)
})

test.run()
