// The lock exam: what every lock has to do, wherever it keeps its keys.
// Promise: lib/contract.ts says what a lock owes; each sentence of it is asked here.
import type { Hold, Lock } from '../../lib/contract.ts'
import { newToken } from '../../lib/id.ts'
import { SystemTime } from '../../lib/time.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

/** Where locks keep their keys. */
export interface Keys {
  /** A lock as another process would have it. */
  lock(): Lock
  /** How many keys are kept, expired or not. */
  count(): Promise<number>
  close(): Promise<void>
}

const LONG_MS = 60_000
const SHORT_MS = 120

/**
 * Declares the exam as a suite of its own.
 * @param name what is examined
 * @param make makes the place where keys are kept; once
 */
export function lockExam(name: string, make: () => Promise<Keys>): void {
  const test = suite(`lock exam: ${name}`)
  const time = new SystemTime()
  let keys: Keys
  let ours: Lock
  let theirs: Lock
  let key: string

  test.before(async () => {
    keys = await make()
    ours = keys.lock()
    theirs = keys.lock()
  })
  test.before.each(() => {
    key = newToken()
  })
  test.after(async () => {
    await Promise.all([ours.close(), theirs.close()])
    await keys.close()
  })

  /** Waits until the key is free, and takes it. */
  const taken = (lock: Lock, ttlMs: number): Promise<Hold> =>
    until(() => lock.acquire(key, ttlMs), { what: 'the key was free' })

  test('of fifty who try at once one wins', async () => {
    const locks = Array.from({ length: 50 }, (_, index) => (index % 2 ? ours : theirs))
    const answers = await Promise.all(locks.map((lock) => lock.acquire(key, LONG_MS)))
    assert.is(answers.filter((hold) => hold !== null).length, 1)
  })

  test('a key that is given back is free at once, and leaves nothing', async () => {
    const before = await keys.count()
    const hold = await taken(ours, LONG_MS)
    assert.is(await keys.count(), before + 1)
    assert.is(await theirs.acquire(key, LONG_MS), null)
    await hold.release()
    assert.is(await keys.count(), before)
    assert.ok(await theirs.acquire(key, LONG_MS))
  })

  test('whoever gives a key back hears whether somebody asked for it meanwhile', async () => {
    const alone = await taken(ours, LONG_MS)
    assert.is(await alone.release(), false)
    const wanted = await taken(ours, LONG_MS)
    assert.is(await theirs.acquire(key, LONG_MS), null)
    assert.is(await wanted.extend(LONG_MS), true)
    assert.is(await wanted.release(), true)
    const again = await taken(theirs, LONG_MS)
    assert.is(await again.release(), false, 'of whoever asked before nothing is left')
    const lost = await taken(ours, SHORT_MS)
    const heir = await taken(theirs, LONG_MS)
    assert.is(await lost.release(), true, 'what was lost cannot tell')
    await heir.release()
  })

  test('a key is free when its time is over, and not before', async () => {
    const asked = time.monotonic()
    await taken(ours, SHORT_MS)
    const got = time.monotonic()
    assert.is(await theirs.acquire(key, LONG_MS), null, 'asked once, not until it is free')
    await taken(theirs, SHORT_MS)
    const free = time.monotonic()
    assert.ok(free - asked >= SHORT_MS - 2, `free after ${free - asked} ms`)
    assert.ok(free - got < SHORT_MS + 2_000, `free only after ${free - got} ms`)
  })

  test('extending keeps it beyond its first time', async () => {
    const hold = await taken(ours, SHORT_MS)
    // Taken after ours and for as long: when it is free again, our first time is over.
    const witness = newToken()
    await ours.acquire(witness, SHORT_MS)
    assert.is(await hold.extend(LONG_MS), true)
    await until(() => theirs.acquire(witness, SHORT_MS), { what: 'the first time was over' })
    assert.is(await theirs.acquire(key, LONG_MS), null)
    assert.is(await hold.extend(LONG_MS), true)
    await hold.release()
    assert.ok(await theirs.acquire(key, LONG_MS))
  })

  test('extending counts from now, even when that is shorter', async () => {
    const hold = await taken(ours, LONG_MS)
    assert.is(await hold.extend(SHORT_MS), true)
    await taken(theirs, SHORT_MS)
  })

  test('what was lost to somebody else cannot be extended, nor given back for them', async () => {
    const stale = await taken(ours, SHORT_MS)
    const current = await taken(theirs, LONG_MS)
    assert.is(await stale.extend(LONG_MS), false)
    await stale.release()
    assert.is(await ours.acquire(key, LONG_MS), null)
    assert.is(await current.extend(LONG_MS), true)
  })

  test('a stale hold and the current one that ask at the same time each get their own answer', async () => {
    const stale = await taken(ours, SHORT_MS)
    const current = await taken(ours, LONG_MS)
    const answers = [stale.extend(LONG_MS), current.extend(LONG_MS), stale.extend(LONG_MS)]
    assert.equal(await Promise.all(answers), [false, true, false])
    await Promise.all([stale.release(), stale.release()])
    assert.is(await theirs.acquire(key, LONG_MS), null)
    await Promise.all([stale.release(), current.release()])
    assert.ok(await theirs.acquire(key, LONG_MS))
  })

  test('many keys asked for from both sides in opposite orders all find an owner', async () => {
    const all = Array.from({ length: 40 }, () => newToken())
    for (let round = 0; round < 3; round++) {
      const mine = await Promise.all(all.map((one) => ours.acquire(one, LONG_MS)))
      const others = [...all].reverse().map((one) => theirs.acquire(one, LONG_MS))
      const extended = mine.map((hold) => hold?.extend(LONG_MS))
      assert.ok((await Promise.all(others)).every((hold) => hold === null))
      assert.ok((await Promise.all(extended)).every((yes) => yes === true))
      await Promise.all(mine.map((hold) => hold?.release()))
    }
    assert.is(
      (await Promise.all(all.map((one) => theirs.acquire(one, SHORT_MS)))).includes(null),
      false,
    )
  })

  test('what expired cannot be extended, though nobody took it', async () => {
    const hold = await taken(ours, SHORT_MS)
    const witness = newToken()
    await ours.acquire(witness, SHORT_MS)
    await until(() => theirs.acquire(witness, SHORT_MS), { what: 'the time was over' })
    assert.is(await hold.extend(LONG_MS), false)
    assert.ok(await theirs.acquire(key, LONG_MS))
  })

  test('giving back twice, or after extending in vain, is harmless', async () => {
    const hold = await taken(ours, LONG_MS)
    await hold.release()
    await hold.release()
    assert.is(await hold.extend(LONG_MS), false)
    await hold.release()
    assert.ok(await theirs.acquire(key, LONG_MS))
    await hold.release()
    assert.is(await ours.acquire(key, LONG_MS), null)
  })

  test('two keys do not touch, however odd they are', async () => {
    const odd = [
      key,
      `${key}:lock`,
      `${key}'; --`,
      `${key}"{}`,
      `${key}\n`,
      `${key}é`,
      `${key}${'x'.repeat(200)}`,
    ]
    for (const one of odd) assert.ok(await ours.acquire(one, LONG_MS), one)
    for (const one of odd) assert.is(await theirs.acquire(one, LONG_MS), null, one)
  })

  test.run()
}
