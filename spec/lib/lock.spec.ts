// The keeper, by a clock that stands still and a lock that says what it is told to.
import type { Hold, Lease, Lock } from '../../lib/contract.ts'
import { Events } from '../../lib/events.ts'
import { Keeper } from '../../lib/lock.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const TTL_MS = 30_000

/** A lock whose answers are told beforehand; without one it says yes. */
class Script implements Lock {
  readonly asked: string[] = []
  readonly answers: Record<'acquire' | 'extend' | 'release', Array<() => unknown>> = {
    acquire: [],
    extend: [],
    release: [],
  }

  async acquire(key: string): Promise<Hold | null> {
    const free = await this.#answer('acquire', key)
    if (!free) return null
    return {
      extend: () => this.#answer('extend', key),
      release: () => this.#answer('release', key),
    }
  }

  async close(): Promise<void> {}

  async #answer(what: 'acquire' | 'extend' | 'release', key: string): Promise<boolean> {
    this.asked.push(`${what} ${key}`)
    const answer = this.answers[what].shift()
    return answer ? ((await answer()) as boolean) : true
  }
}

const never = () => new Promise<never>(() => {})
const fails = () => {
  throw new Error('Redis is gone')
}

const test = suite('keeper')
let time: FakeTime
let script: Script
let keeper: Keeper
let told: string[]

test.before.each(() => {
  time = new FakeTime()
  script = new Script()
  const events = new Events()
  told = []
  events.on('lease.lost', ({ resourceId }) => told.push(`lost ${resourceId}`))
  events.on('lease.failed', ({ resourceId, error }) => told.push(`${resourceId}: ${error.message}`))
  keeper = new Keeper({ lock: script, time, events, ttlMs: TTL_MS })
})
test.after.each(() => assert.is(time.sleeping, 0, 'a timer was left behind'))

/** Begins work that goes on until it is told to end. */
async function begin() {
  let lease: Lease | undefined
  let end: (value: string) => void = () => {}
  const done = keeper.hold('r', (given) => {
    lease = given
    return new Promise<string>((resolve) => {
      end = resolve
    })
  })
  await time.settle()
  return {
    done,
    get lease() {
      assert.ok(lease, 'the work was not begun')
      return lease!
    },
    end: (value: string) => end(value),
  }
}

test('work is done under the key, and its value comes back', async () => {
  const answer = await keeper.hold('r', async () => 42)
  assert.equal(answer, { held: true, value: 42, isWanted: true })
  assert.equal(script.asked, ['acquire r', 'release r'])
})

test('what somebody else holds is not worked on, and not asked for twice', async () => {
  script.answers.acquire.push(() => false)
  const answer = await keeper.hold('r', async () => assert.unreachable('worked without the key'))
  assert.equal(answer, { held: false })
  assert.equal(script.asked, ['acquire r'])
  assert.equal(told, [])
})

test('work that throws gives the key back and throws on', async () => {
  const boom = new Error('boom')
  const thrown = await keeper.hold('r', () => Promise.reject(boom)).catch((error) => error)
  assert.is(thrown, boom)
  assert.equal(script.asked, ['acquire r', 'release r'])
})

test('work that throws before its first await is no different', async () => {
  const thrown = await keeper.hold('r', fails).catch((error) => error)
  assert.is(thrown.message, 'Redis is gone')
  assert.equal(script.asked, ['acquire r', 'release r'])
})

test('a lock that cannot be asked throws, and says so', async () => {
  script.answers.acquire.push(fails)
  const thrown = await keeper.hold('r', async () => 1).catch((error) => error)
  assert.is(thrown.message, 'Redis is gone')
  assert.equal(told, ['r: Redis is gone'])
})

test('it is renewed at each third of its time, for as long as the work takes', async () => {
  const { done, lease, end } = await begin()
  await time.advance(9_999)
  assert.equal(script.asked, ['acquire r'])
  await time.advance(5 * TTL_MS)
  assert.is(script.asked.filter((asked) => asked === 'extend r').length, 15)
  assert.is(lease.signal.aborted, false)
  end('late')
  assert.equal(await done, { held: true, value: 'late', isWanted: true })
  assert.equal(told, [])
})

test('the time left counts from before the lock was asked', async () => {
  script.answers.acquire.push(() => time.sleep(4_000).then(() => true))
  script.answers.extend.push(() => time.sleep(6_000).then(() => true))
  const work = await begin()
  await time.advance(4_000)
  assert.is(work.lease.remainingMs(), 23_000)
  await time.advance(10_000)
  assert.is(work.lease.remainingMs(), 13_000)
  await time.advance(6_000)
  assert.is(work.lease.remainingMs(), 21_000, 'extended, from when that was asked')
  work.end('')
  await work.done
  assert.ok(work.lease.remainingMs() <= 0, 'nothing is left once the work is over')
})

test('a wall clock that jumps changes nothing', async () => {
  const { done, lease, end } = await begin()
  time.jump(-3_600_000)
  await time.advance(TTL_MS)
  time.jump(7_200_000)
  await time.advance(TTL_MS)
  assert.is(lease.signal.aborted, false)
  assert.is(script.asked.filter((asked) => asked === 'extend r').length, 6)
  end('')
  await done
})

test('a "no" to renewing is a loss: the work is told, and nothing more is asked', async () => {
  script.answers.extend.push(
    () => true,
    () => false,
  )
  const { done, lease, end } = await begin()
  await time.advance(20_000)
  assert.is(lease.signal.aborted, true)
  assert.is(lease.signal.reason.code, 'LEASE_LOST')
  assert.ok(lease.remainingMs() <= 0)
  assert.equal(told, ['lost r'])
  await time.advance(TTL_MS)
  assert.equal(script.asked, ['acquire r', 'extend r', 'extend r'])
  end('too late')
  await done
  assert.equal(script.asked.at(-1), 'release r')
})

test('no answer is asked again, and one in time is enough', async () => {
  script.answers.extend.push(fails, fails, fails)
  const { done, lease, end } = await begin()
  await time.advance(19_000)
  assert.equal(told, ['r: Redis is gone', 'r: Redis is gone', 'r: Redis is gone'])
  assert.is(lease.remainingMs(), 27_000, 'the fourth was answered')
  assert.is(lease.signal.aborted, false)
  end('')
  await done
})

test('without an answer it is lost before the key can be anybody else’s', async () => {
  script.answers.extend.push(...Array.from({ length: 20 }, () => fails))
  const { done, lease, end } = await begin()
  await time.advance(26_999)
  assert.is(lease.signal.aborted, false)
  await time.advance(1)
  assert.is(lease.signal.aborted, true)
  assert.is(told.at(-1), 'lost r')
  end('')
  await done
})

test('an answer that never comes does not hide the loss, and one that comes too late does not undo it', async () => {
  let answer: (yes: boolean) => void = () => {}
  script.answers.extend.push(() => new Promise<boolean>((resolve) => (answer = resolve)))
  const { done, lease, end } = await begin()
  await time.advance(27_000)
  assert.equal(told, ['lost r'])
  answer(true)
  await time.settle()
  assert.is(time.sleeping, 0, 'the late answer set a timer')
  assert.is(lease.signal.aborted, true)
  assert.ok(lease.remainingMs() <= 0)
  assert.equal(told, ['lost r'])
  end('')
  await done
})

test('a lock that answers only when the time is over is not worked under', async () => {
  script.answers.acquire.push(() => time.sleep(28_000).then(() => true))
  const done = keeper.hold('r', async () => assert.unreachable('worked without time'))
  await time.advance(28_000)
  assert.equal(await done, { held: false })
  assert.equal(script.asked, ['acquire r', 'release r'])
})

test('a key that cannot be given back is left to expire, and never stands in the way', async () => {
  script.answers.release.push(fails, never)
  assert.equal(await keeper.hold('r', async () => 1), { held: true, value: 1, isWanted: true })
  assert.equal(told, ['r: Redis is gone'])
  const second = keeper.hold('r', async () => 2)
  await time.advance(2_000)
  assert.equal(await second, { held: true, value: 2, isWanted: true })
  assert.match(told.at(-1)!, 'not given back within 2000 ms')
})

test('an extension under way when the work ends is nobody’s loss', async () => {
  script.answers.extend.push(() => time.sleep(1_000).then(fails))
  const { done, end } = await begin()
  await time.advance(10_500)
  end('done')
  assert.equal(await done, { held: true, value: 'done', isWanted: true })
  await time.advance(1_000)
  assert.equal(told, [])
})

test('a keeper holds many keys, each for itself', async () => {
  const answers = await Promise.all(['a', 'b', 'c'].map((key) => keeper.hold(key, async () => key)))
  assert.equal(
    answers.map((answer) => answer.held && answer.value),
    ['a', 'b', 'c'],
  )
})

test('many leases share one timer, and are prolonged in one go', async () => {
  const ends: (() => void)[] = []
  const works = Array.from({ length: 30 }, (_, index) =>
    keeper.hold(`r${index}`, () => new Promise<void>((resolve) => ends.push(resolve))),
  )
  await time.settle()
  assert.is(time.sleeping, 1)
  await time.advance(9_999)
  assert.is(script.asked.length, 30)
  assert.is(time.nextInMs, 1)
  await time.advance(1)
  assert.is(script.asked.filter((asked) => asked.startsWith('extend')).length, 30)
  assert.is(time.sleeping, 1)
  for (const end of ends) end()
  await Promise.all(works)
})

test('a lease that is younger is prolonged in its own time, and lost in its own', async () => {
  const first = await begin()
  await time.advance(5_000)
  const leases: Lease[] = []
  const second = keeper.hold('s', async (lease) => {
    leases.push(lease)
    await new Promise((end) => lease.signal.addEventListener('abort', end))
  })
  await time.settle()
  script.answers.extend.push(() => true, never)
  await time.advance(5_000)
  assert.equal(script.asked.slice(2), ['extend r'])
  await time.advance(21_999)
  assert.is(leases[0]!.remainingMs(), 1)
  assert.is(leases[0]!.signal.aborted, false)
  await time.advance(1)
  assert.equal(told, ['lost s'])
  await second
  assert.is(first.lease.signal.aborted, false)
  first.end('')
  await first.done
})

test('who asks for the signal only afterwards finds it aborted, with its reason', async () => {
  script.answers.extend.push(() => false)
  const { done, lease, end } = await begin()
  await time.advance(10_000)
  assert.is(lease.signal.aborted, true)
  assert.is(lease.signal.reason.code, 'LEASE_LOST')
  assert.is(lease.signal, lease.signal)
  end('')
  await done
})

test('a lease that is recalled aborts, and is still ours', async () => {
  const why = new Error('enough')
  await keeper.hold('r', async (lease) => {
    lease.recall(why)
    lease.recall(new Error('again'))
    assert.is(lease.signal.reason, why)
    assert.ok(lease.remainingMs() > 0)
  })
  assert.equal(told, [])
})

test.run()
