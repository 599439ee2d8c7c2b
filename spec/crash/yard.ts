// The yard: many runs of one scenario side by side, each with a process of its own that dies at a call of its own.
// Promise: time stands still until nothing is under way; whoever lost its process gets a fresh one at that very
// moment, with nothing of the old one's memory; what becomes of each run is told by judge.ts.
import type { App } from '../../models/app.ts'
import { taskOf } from '../../models/dress.ts'
import { type House, openHouse } from '../support/house.ts'
import type { Setting } from '../support/services.ts'
import { FakeTime } from '../support/time.ts'
import { PARTS } from './calls.ts'
import { type Peril, Process, type Traffic } from './process.ts'
import type { Happening, Scenario, World } from './scenario.ts'
import { scenarios } from './scenarios.ts'

/** One run of the scenario: a resource, and the processes that carried it, the last one first. */
export interface Vessel {
  readonly id: string
  /** What its processes die of, in turn; the one after the last dies of nothing. */
  readonly perils: Peril[]
  readonly hits: string[]
  /** Calls its processes made, all told. */
  calls: number
  process: Process
}

/** A deed as the world saw it. */
export interface Seen {
  readonly vessel: string
  readonly key: string
}

/** Rounds in which something may be due at one moment; looks that find no call: then it is quiet. */
const MOST_ROUNDS = 300
const QUIET = 2
/** Moments are rounded up to this, so that the dice of backoff do not tear the fleet apart. */
const GRAIN_MS = 100

export class Yard {
  readonly scenario: Scenario
  readonly seen: Seen[] = []
  readonly vessels: Vessel[] = []
  readonly house: House
  readonly #time: FakeTime
  readonly #traffic: Traffic = { underWay: 0 }
  #app: App

  private constructor(scenario: Scenario, house: House, time: FakeTime) {
    this.scenario = scenario
    this.house = house
    this.#app = house.app
    this.#time = time
  }

  /** Opens a yard for the scenario of this name. */
  static async open(name: string, setting: Setting): Promise<Yard> {
    let yard!: Yard
    const world: World = { deed: (work, answer) => yard.#deed(work, answer) }
    const scenario = scenarios(world).find((one) => one.name === name)!
    const time = new FakeTime()
    const house = await openHouse({ resources: [scenario.shape, ...PARTS], setting, time })
    yard = new Yard(scenario, house, time)
    return yard
  }

  async close(): Promise<void> {
    await this.house.close()
  }

  /** Runs the script with one vessel for each list of perils. */
  async sail(fleet: readonly (readonly Peril[])[]): Promise<readonly Vessel[]> {
    this.#app = this.house.app
    const launched = await Promise.all(fleet.map((perils) => this.#launch([...perils])))
    this.vessels.push(...launched)
    await this.#each(launched, (held) => taskOf(held, 'main').start())
    await this.#drain(launched)
    for (const happening of this.scenario.script) await this.#happen(launched, happening)
    for (const vessel of launched) this.#retire(vessel)
    await this.#quiet()
    return launched
  }

  async #launch(perils: Peril[]): Promise<Vessel> {
    const { id } = await this.#app.create(this.scenario.shape, {})
    const [first = null] = perils
    const process = new Process(this.#app, this.#time, this.#traffic, first)
    return { id, perils, hits: [], calls: 0, process }
  }

  async #happen(fleet: readonly Vessel[], happening: Happening): Promise<void> {
    if (typeof happening === 'number') return this.#advance(fleet, happening)
    if (happening === 'deploy!') await this.#deploy(fleet)
    else if (typeof happening === 'function') await this.#each(fleet, happening)
    else await this.#each(fleet, (held) => taskOf(held, 'main').send(happening as never))
    await this.#drain(fleet)
  }

  /** Something done from outside, to all: their processes are told, as the queue would tell them. */
  async #each(fleet: readonly Vessel[], act: (held: any) => Promise<unknown>): Promise<void> {
    const shape = this.#app === this.house.app ? this.scenario.shape : this.scenario.later!
    await Promise.all(
      fleet.map(async ({ id }) => {
        await act(await this.#app.get(shape, id))
      }),
    )
    for (const { id, process } of fleet) process.take(id)
  }

  async #deploy(fleet: readonly Vessel[]): Promise<void> {
    const { later } = this.scenario
    this.#app = await this.house.neighbour({ resources: [later!, ...PARTS], time: this.#time })
    for (const vessel of fleet) {
      const { calls } = vessel.process
      vessel.process.kill()
      const peril = vessel.perils[vessel.hits.length]
      this.#renew(vessel, peril ? { ...peril, at: peril.at - calls } : null)
    }
  }

  async #advance(fleet: readonly Vessel[], ms: number): Promise<void> {
    const time = this.#time
    const target = time.now() + ms
    await this.#drain(fleet)
    while (time.now() < target) {
      const due = await this.#nextDueAt()
      const slept = time.now() + (time.nextInMs ?? Number.POSITIVE_INFINITY)
      const next = Math.ceil(Math.min(due, slept) / GRAIN_MS) * GRAIN_MS
      await time.advance(Math.max(0, Math.min(next, target) - time.now()))
      await this.#drain(fleet)
    }
  }

  /** Works until nothing is due that nobody works on, and nobody is dead. */
  async #drain(fleet: readonly Vessel[]): Promise<void> {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      await this.#quiet()
      for (const vessel of fleet) if (vessel.process.isDead) this.#bury(vessel)
      const due = await this.#due()
      const idle = fleet.flatMap(({ id, process }) =>
        (due.get(id) ?? [])
          .filter((each) => !process.isAt(each))
          .map((each) => ({ each, process })),
      )
      if (idle.length === 0) return
      for (const { each, process } of idle) process.take(each)
    }
    throw new Error(`${this.scenario.name}: something was still due after ${MOST_ROUNDS} rounds`)
  }

  /** All that goes on without time is a call through a port, or follows one at once. */
  async #quiet(): Promise<void> {
    for (let calm = 0; calm < QUIET; ) {
      await this.#time.settle()
      calm = this.#traffic.underWay === 0 ? calm + 1 : 0
    }
  }

  #bury(vessel: Vessel): void {
    vessel.hits.push(vessel.process.hit!)
    this.#renew(vessel, vessel.perils[vessel.hits.length] ?? null)
  }

  #renew(vessel: Vessel, peril: Peril | null): void {
    vessel.calls += vessel.process.calls
    vessel.process = new Process(this.#app, this.#time, this.#traffic, peril)
  }

  #retire(vessel: Vessel): void {
    vessel.calls += vessel.process.calls
    vessel.process.kill()
  }

  /** Resources with something due, by the vessel they belong to. */
  async #due(): Promise<Map<string, string[]>> {
    const rows = await this.house.sql(
      `SELECT DISTINCT coalesce(r.parent_id, r.id) AS vessel, r.id FROM dues d JOIN resources r ON r.id = d.resource_id
       WHERE d.due_at <= to_timestamp($1 / 1000.0)`,
      [this.#time.now()],
    )
    const found = new Map<string, string[]>()
    for (const { vessel, id } of rows) found.set(vessel, [...(found.get(vessel) ?? []), id])
    return found
  }

  async #nextDueAt(): Promise<number> {
    const sql = 'SELECT min(due_at) AS at FROM dues WHERE due_at > to_timestamp($1 / 1000.0)'
    return (await this.house.sql(sql, [this.#time.now()]))[0].at ?? Number.POSITIVE_INFINITY
  }

  async #deed<T>({ resource, key }: { resource: any; key: string }, answer: () => T): Promise<T> {
    const vessel = this.vessels.find(({ id }) => id === resource.id || id === resource.parentId)!
    await vessel.process.call('effect', () => void this.seen.push({ vessel: vessel.id, key }))
    return answer()
  }
}
