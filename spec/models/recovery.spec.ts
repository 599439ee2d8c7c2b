// timeout: 120s
// The time published in docs/guarantees.md: how long until others go on with what a dead worker held.
import { SystemTime } from '../../lib/time.ts'
import { Resource } from '../../models/handle.ts'
import { steps } from '../../models/steps.ts'
import { openHouse } from '../support/house.ts'
import { settings } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

const recovery = suite('what a dead worker held')
const time = new SystemTime()

const TTL_MS = 1_500
const TOLD_MS = 1_000
const BEAT_MS = 200
const BOUND_MS = TTL_MS + TOLD_MS + BEAT_MS
/** A machine that does other things at the same time. */
const SLACK_MS = 2_500
const ORPHANS = 12

class Orphan extends Resource {
  static override tasks = { grow: steps({ up: async ({ stop }) => stop() }) }
}

// The lock in a row, and the lock in Redis.
for (const setting of settings().filter((setting) => setting !== 'postgres')) {
  recovery(`is gone on with in time (${setting})`, async () => {
    const { app, close } = await openHouse({
      resources: [Orphan],
      setting,
      config: {
        ESCAPEMENT_LOCK_TTL_MS: `${TTL_MS}`,
        ESCAPEMENT_TOLD_MS: `${TOLD_MS}`,
        ESCAPEMENT_BEAT_MS: `${BEAT_MS}`,
      },
    })
    const heldAt = new Map<string, number>()
    const waits: number[] = []
    app.events.on('effect.started', ({ resourceId }) => {
      waits.push(Math.round(time.monotonic() - (heldAt.get(resourceId) ?? 0)))
    })
    await app.start()
    for (let n = 0; n < ORPHANS; n++) {
      const orphan = await app.create(Orphan, {})
      heldAt.set(orphan.id, time.monotonic())
      // Held by nobody who will ever renew it or give it back.
      await app.rooms.lock.acquire(orphan.id, TTL_MS)
      await orphan.grow.start()
    }
    await until(() => waits.length === ORPHANS, { what: 'all were gone on with' })
    waits.sort((a, b) => a - b)
    const [least = 0, most = 0] = [waits[0], waits.at(-1)]
    console.log(`note: ${setting}: ${least} to ${most} ms, at most ${BOUND_MS} are published`)
    assert.ok(least >= TTL_MS - 50, `${least} ms: the lock of the dead was not respected`)
    assert.ok(most <= BOUND_MS + SLACK_MS, `${most} ms`)
    await until(() => app.isIdle(), { what: 'all were done' })
    await close()
  })
}

recovery.run()
