// The roster: who is at work, who fell silent, who went; and who may judge.
import { Resource, steps } from '../../bin/index.ts'
import type { Time } from '../../lib/time.ts'
import { Query } from '../../models/query.ts'
import { pulseMsOf, Roster } from '../../models/roster.ts'
import { openHouse } from '../support/house.ts'
import { settings } from '../support/services.ts'
import { stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

class Box extends Resource {
  static override tasks = { open: steps({ lid: async (t) => t.stop() }) }
}

/** A pulse a second, and silence after three. */
const PACE = { ESCAPEMENT_BEAT_MS: '1000', ESCAPEMENT_LOCK_TTL_MS: '5000' }

for (const setting of settings()) {
  const test = suite(`the roster, ${setting}`)
  const on = stage(test, { resources: [Box], setting, config: PACE })
  const query = () => {
    const { keyring, database } = on.app.rooms
    return new Query({ knex: database.knex, keyring, time: on.time, registry: on.app.registry })
  }
  const enter = async (role: 'clock' | 'worker' = 'worker') => {
    const { config, database } = on.app.rooms
    let sleeping = 0
    const time: Time = {
      now: () => on.time.now(),
      monotonic: () => on.time.monotonic(),
      after: (ms, call) => on.time.after(ms, call),
      async sleep(ms, signal) {
        sleeping += 1
        await on.time.sleep(ms, signal)
        sleeping -= 1
      },
    }
    const roster = new Roster({ database, config, time, events: on.app.events }, role)
    await roster.enter()
    isAtRest.set(roster, () => sleeping > 0)
    return roster
  }
  /** Does it wait for its next pulse? */
  const isAtRest = new Map<Roster, () => boolean>()
  const statusOf = async ({ id }: Roster) =>
    (await query().workers()).find((one) => one.id === id)?.status
  const seenAt = async (id: string) =>
    (await on.house.sql('SELECT seen_at FROM workers WHERE id = $1', [id]))[0].seen_at
  /** Time goes on by one pulse, and that has been heard. */
  const beat = async (roster: Roster) => {
    const { id } = roster
    // A row can be seen before whoever wrote it has its answer: time that moved then would move without it.
    await until(() => isAtRest.get(roster)?.(), { what: 'it waits for its next pulse' })
    const before = await seenAt(id)
    await on.time.advance(1_000)
    await until(async () => (await seenAt(id)) > before, { what: 'the pulse was heard' })
  }

  test('tells the living from the silent and the gone', async () => {
    const [alive, gone] = [await enter(), await enter('clock')]
    const mine = (await query().workers()).find(({ id }) => id === alive.id)
    assert.equal([mine?.role, mine?.pid, mine?.queue], ['worker', process.pid, 'ticks'])
    assert.match(alive.id, /^worker-[0-9a-f]{8}$/)
    for (let pulses = 0; pulses < 5; pulses++) await beat(alive)
    assert.is(await statusOf(alive), 'alive')
    await gone.leave()
    assert.is(await statusOf(gone), 'stopped')
    await alive.leave()
    await on.house.sql('UPDATE workers SET stopped_at = NULL WHERE id = $1', [alive.id])
    await on.time.advance(3_000)
    assert.is(await statusOf(alive), 'alive', 'three pulses are not yet too long')
    await on.time.advance(1)
    assert.is(await statusOf(alive), 'stale')
  })

  test('lets nobody judge who was silent, until the others could be heard', async () => {
    const judge = await enter()
    assert.ok(judge.isJudge)
    await on.house.sql('ALTER TABLE workers RENAME TO away')
    await on.time.advance(3_000)
    assert.not.ok(judge.isJudge, 'nobody hears it')
    await on.house.sql('ALTER TABLE away RENAME TO workers')
    await beat(judge)
    assert.not.ok(judge.isJudge, 'it is heard again, others may not be yet')
    for (let pulses = 0; pulses < 4; pulses++) await beat(judge)
    assert.ok(judge.isJudge)
    await judge.leave()
  })

  test('forgets the long gone when somebody enters', async () => {
    const old = await enter()
    await old.leave()
    await on.time.advance(86_400_001)
    const next = await enter()
    assert.is(await statusOf(old), undefined)
    await next.leave()
  })

  test.run()
}

const app = suite('the roster of an app')

app('has a row for its clock and its worker, which say goodbye', async () => {
  const house = await openHouse({ resources: [Box] })
  await house.app.start()
  const rows = () => house.sql('SELECT role, stopped_at FROM workers ORDER BY role')
  await until(async () => (await rows()).length === 2, { what: 'both are there' })
  assert.equal(await rows(), [
    { role: 'clock', stopped_at: null },
    { role: 'worker', stopped_at: null },
  ])
  await house.app.stopWorker()
  const [clock, worker] = await rows()
  assert.is(clock.stopped_at, null)
  assert.type(worker.stopped_at, 'number')
  await house.close()
})

app('beats often enough for a death to be seen before its lock runs out', () => {
  assert.is(pulseMsOf({ beatMs: 1_000, lockTtlMs: 15_000 }), 2_000)
  assert.is(pulseMsOf({ beatMs: 60_000, lockTtlMs: 15_000 }), 2_000)
  for (const lockTtlMs of [500, 1_500, 5_000]) {
    // Renewed after a third, a lock outlives its holder by two thirds at least.
    assert.ok(3 * pulseMsOf({ beatMs: 1_000, lockTtlMs }) < (lockTtlMs * 2) / 3, `${lockTtlMs}`)
  }
})

app.run()
