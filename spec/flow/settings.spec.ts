// The workload of the flows on every setting, clock and worker in this very process.
import { Redis } from 'ioredis'
import { openHouse } from '../support/house.ts'
import { redisUrl, settings } from '../support/services.ts'
import { Sink } from '../support/sink.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'
import { breachesIn, type Reported, repeated } from './invariants.ts'
import { launch, vesselTelling } from './processes/workload.ts'

const test = suite('the workload')
const VESSELS = 10

for (const setting of settings()) {
  test(`comes to its end on ${setting}`, { deadlineMs: 60_000 }, async () => {
    const sink = new Sink()
    const Vessel = vesselTelling(sink.tell)
    const house = await openHouse({ resources: [Vessel], setting })
    const { app, sql, schema } = house
    const redis = setting === 'full' ? new Redis(redisUrl()!) : null
    const reported: Reported[] = []
    const printed: object[] = []
    app.events.on('task.stepped', (told) => reported.push(told))
    app.events.on('*', (payload) => printed.push(payload))
    try {
      for (let number = 1; number <= VESSELS; number++) await launch(app, Vessel, number)
      await app.start()
      const rest = 'SELECT 1 FROM tasks WHERE finished_at IS NULL'
      const what = 'all tasks had come to their end'
      await until(async () => (await sql(rest)).length === 0, { what, deadlineMs: 40_000 })
      await app.stopWorker()
      const output = JSON.stringify(printed)
      const { seen } = sink
      const evidence = { sql, schema, vessels: VESSELS, seen, reported, output, redis }
      assert.equal(await breachesIn(evidence), [])
      assert.is(repeated(seen), 0, 'no effect was run in vain')
    } finally {
      await redis?.quit()
      await house.close()
    }
  })
}

test.run()
