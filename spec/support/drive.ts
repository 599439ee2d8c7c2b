// Driving a house by hand: no queue, no clock, no worker; only the resource's room and a time that moves when told.
// Promise: everything due is ticked until nothing is; time stops at every moment something falls due.
import type { Lease, Verdict } from '../../lib/contract.ts'
import { type Duration, toMs } from '../../lib/duration.ts'
import type { App } from '../../models/app.ts'
import { Desk } from '../../models/desk.ts'
import { Joiner } from '../../models/joiner.ts'
import { Library } from '../../models/library.ts'
import { Lookout } from '../../models/lookout.ts'
import type { TickParts } from '../../models/parts.ts'
import { Quarantine } from '../../models/poison.ts'
import { ResourceTicker } from '../../models/resource.ts'
import type { Presence } from '../../models/roster.ts'
import { FakeTime } from './time.ts'

export interface DriverOptions {
  readonly app: App
  readonly time: FakeTime
  readonly owner?: string
  readonly quota?: { readonly steps: number; readonly ms: number }
  /** A row of its own among those at work; none unless told. */
  readonly presence?: Presence
}

export interface Driver {
  readonly ticker: ResourceTicker
  /** One tick of one resource, whether anything is due or not. */
  tick(resourceId: string, lease?: Lease): Promise<Verdict>
  /** Ticks everything due until nothing is. */
  settle(): Promise<void>
  /** Moves time on, settling at every moment something falls due on the way. */
  advance(by: Duration): Promise<void>
}

/** More rounds than any spec needs: what is due after so many will always be due. */
const MOST_ROUNDS = 200

/** A lease nobody takes away. */
export const endless = (): Lease => ({
  signal: new AbortController().signal,
  remainingMs: () => Number.POSITIVE_INFINITY,
})

export function drive({ app, time, owner = 'driver', quota, presence }: DriverOptions): Driver {
  const parts = tickParts(app, time, owner, quota)
  const ticker = new ResourceTicker({ ...parts, ...(presence && { presence }) })
  const { database } = app.rooms
  const due = async (): Promise<string[]> => {
    const sql = `SELECT DISTINCT resource_id AS id FROM dues
                 WHERE due_at <= to_timestamp($1 / 1000.0) ORDER BY 1`
    return (await database.query(sql, [time.now()])).rows.map(({ id }) => id)
  }
  const nextDueAt = async (): Promise<number> => {
    const sql = 'SELECT min(due_at) AS at FROM dues WHERE due_at > to_timestamp($1 / 1000.0)'
    return (await database.query(sql, [time.now()])).rows[0].at ?? Number.POSITIVE_INFINITY
  }
  const settle = async () => {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const ids = await due()
      if (ids.length === 0) return
      await Promise.all(ids.map((id) => ticker.tick(id, endless())))
    }
    throw new Error(`something was still due after ${MOST_ROUNDS} rounds`)
  }
  return {
    ticker,
    settle,
    tick: (resourceId, lease = endless()) => ticker.tick(resourceId, lease),
    advance: async (by) => {
      const target = time.now() + toMs(by, 'advance')
      await settle()
      while (time.now() < target) {
        await time.advance(Math.min(target, await nextDueAt()) - time.now())
        await settle()
      }
    },
  }
}

/** Nobody else is at work. */
export const ALONE: Presence = {
  isJudge: true,
  quarantine: new Quarantine(new FakeTime()),
  release: async () => {},
}

function tickParts(app: App, time: FakeTime, owner: string, quota = { steps: 200, ms: 60_000 }) {
  const { store, events, registry, rooms } = app
  const { knex } = rooms.database
  const sealer = {
    seal: (text: string) => rooms.keyring.seal('fields', text, time.now()),
    open: (sealed: string) => rooms.keyring.open('fields', sealed, time.now()),
  }
  const requests = { time, sealer, actor: owner }
  const push = async () => {}
  const lookout = new Lookout({ knex, events, time, sealer })
  const joiner = new Joiner({ database: rooms.database, time, alarms: store.alarms })
  const desk = new Desk({ store, knex, requests, events, registry, lookout, joiner, push })
  const library = new Library({ knex, registry, sealer, desk })
  const children: TickParts['children'] = (...asked) => library.children(...asked)
  const offspring: TickParts['offspring'] = (...asked) => library.offspring(...asked)
  const lookMs = rooms.config.toldMs
  return {
    ...{ store, time, events, registry, sealer, requests, desk, push, owner, quota },
    ...{ lookMs, children, offspring, soon: () => {}, presence: ALONE },
    ...{ breakers: app.breakers, porter: store.porter },
  }
}
