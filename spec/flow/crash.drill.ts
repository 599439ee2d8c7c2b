// timeout: 180s
// Crash everywhere: a process that dies at any call of any port, before or after the port did its work,
// leaves a house that a new process brings to the same end; one that sees an error there goes on itself.
import { type House, openHouse } from '../support/house.ts'
import { type Setting, settings } from '../support/services.ts'
import { Sink } from '../support/sink.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { breachesIn } from './invariants.ts'
import { type Peril, workUnder } from './perils.ts'
import { launch, type Vessel, vesselTelling } from './processes/workload.ts'

const test = suite('a crash')

/** More calls than one vessel takes to its end. */
const MOST_CALLS = 400

/** A house in which one vessel after another comes under one peril after another. */
class Yard {
  readonly sink = new Sink()
  readonly time = new FakeTime()
  readonly Vessel: Vessel = vesselTelling(this.sink.tell)
  readonly setting: Setting
  #house: House | null = null
  #vessels = 0

  constructor(setting: Setting) {
    this.setting = setting
  }

  async open(): Promise<this> {
    const { setting, time, Vessel } = this
    this.#house = await openHouse({ resources: [Vessel], setting, time })
    return this
  }

  get house(): House {
    return this.#house!
  }

  /** One vessel, one peril; answers the port that was hit. */
  async suffer(peril: Peril): Promise<string | null> {
    await launch(this.house.app, this.Vessel, ++this.#vessels)
    const victim = await this.house.neighbour()
    const { hit, isDead } = await workUnder(victim, this.time, peril)
    await victim.close()
    if (isDead) {
      const heir = await this.house.neighbour()
      // What the dead one held runs out; FakeTime cannot make the database wait for that.
      await this.house.sql('DELETE FROM locks')
      await workUnder(heir, this.time, null)
      await heir.close()
    }
    return hit
  }

  breaches(): Promise<string[]> {
    const { sql, schema } = this.house
    const { seen } = this.sink
    return breachesIn({
      sql,
      schema,
      vessels: this.#vessels,
      seen,
      reported: [],
      output: '',
      redis: null,
    })
  }
}

/** A death and a hiccup look alike to every database, so each is played on one: the lightest and the next. */
const [lightest, next = lightest] = settings()
const PLAYS = [
  { what: 'death', setting: lightest! },
  { what: 'hiccup', setting: next! },
] as const

for (const { what, setting } of PLAYS) {
  test(`${what} at every call on ${setting}`, { deadlineMs: 120_000 }, async () => {
    const yard = await new Yard(setting).open()
    const hits = new Set<string>()
    let at = 0
    try {
      for (let hit: string | null = 'none yet'; hit !== null && at < MOST_CALLS; ) {
        at += 1
        for (const when of ['before', 'after'] as const) {
          hit = await yard.suffer({ at, when, what })
          if (hit) hits.add(hit)
        }
      }
      assert.equal(await yard.breaches(), [])
      const all = ['acquire', 'claim', 'commit', 'due', 'dueNow', 'look', 'push', 'release']
      assert.equal([...hits].filter((port) => all.includes(port)).sort(), all)
      console.log(`note: ${what} on ${setting}: ${at - 1} calls, each before and after`)
    } finally {
      await yard.house.close()
    }
  })
}

test.run()
