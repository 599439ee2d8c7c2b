// Perils: every call through the ports of an app is counted, and one of them goes wrong.
// Promise: no switch in the house; only what a port is asked and what it answers is tampered with. A death
// is final: whatever the dead process still tries reaches nobody.
import { Clock } from '../../lib/clock.ts'
import type { Hold, Ticket } from '../../lib/contract.ts'
import { Quay } from '../../lib/routes.ts'
import type { App } from '../../models/app.ts'
import type { House } from '../support/house.ts'
import type { FakeTime } from '../support/time.ts'

export interface Peril {
  /** Which call goes wrong, counted from 1. */
  readonly at: number
  /** Before the port did its work, or after it was done and before anybody heard. */
  readonly when: 'before' | 'after'
  /** The process dies of it, or sees one error and lives. */
  readonly what: 'death' | 'hiccup'
}

/** How a run under a peril went. */
export interface Run {
  /** The port whose call went wrong; null when the work was done before it came to that. */
  hit: string | null
  isDead: boolean
}

/** More turns than the work can need: what goes on longer will go on for ever. */
const MOST_TURNS = 500
const MOST = { tickets: 100, waiting: 1_000 }

/**
 * Works until nothing is under way or the process is dead: a clock and a worker, one ticket at a time,
 * with tickets kept in memory and a time that moves when nothing else can.
 */
export async function workUnder(app: App, time: FakeTime, peril: Peril | null): Promise<Run> {
  const run: Run = { hit: null, isDead: false }
  const tickets: Ticket[] = []
  let work: (ticket: Ticket) => Promise<void> = async () => {}
  const { queue, lock, database, config } = app.rooms
  Object.assign(queue, {
    push: async (more: readonly Ticket[]) => void tickets.push(...more),
    depth: async () => tickets.length,
    take: async (taken: typeof work) => {
      work = taken
      return { stop: async () => {} }
    },
  })
  const guard = guardOf(run, peril)
  for (const port of ['due', 'claim', 'look', 'finished', 'dueNow', 'commit'] as const) {
    guard(app.store, port)
  }
  guard(queue, 'push')
  let held = 0
  guard(lock, 'acquire', (hold: Hold | null) => {
    if (!hold) return hold
    // Somebody else came for every other one meanwhile.
    const isWanted = ++held % 2 === 0
    const asked = { ...hold, release: async () => (await hold.release()) || isWanted }
    for (const port of ['extend', 'release'] as const) guard(asked, port)
    return asked
  })
  await app.startWorker()
  const { store: due, events } = app
  const quay = new Quay(config.queue, new Map([[config.queue, queue]]))
  const clock = new Clock({ due, queue: quay, time, events, beatMs: config.beatMs, most: MOST })
  const isDone = async () =>
    (await database.query('SELECT 1 FROM tasks WHERE finished_at IS NULL LIMIT 1')).rowCount === 0
  for (let turn = 0; turn < MOST_TURNS && !run.isDead; turn++) {
    for (let ticket = tickets.shift(); ticket && !run.isDead; ticket = tickets.shift()) {
      await work(ticket)
    }
    if (run.isDead || (await isDone())) return run
    const waitMs = await clock.beat().catch(() => config.beatMs)
    if (tickets.length > 0) continue
    await time.advance(waitMs)
    // The database's own clock does not follow: locks whose holder is gone run out by hand.
    await database.query('DELETE FROM locks')
  }
  if (!run.isDead) throw new Error(`the work was not done after ${MOST_TURNS} turns`)
  return run
}

/**
 * A neighbour of the house begins something and dies of one of its calls; an heir goes on with what it left.
 * @returns the port whose call it was; null when the work was done before it came to that
 */
export async function bequeath(
  house: House,
  time: FakeTime,
  { at, when }: Pick<Peril, 'at' | 'when'>,
  begin: (victim: App) => Promise<void> = async () => {},
): Promise<string | null> {
  const victim = await house.neighbour()
  await begin(victim)
  const { hit, isDead } = await workUnder(victim, time, { at, when, what: 'death' })
  await victim.close()
  if (isDead) {
    const heir = await house.neighbour()
    await house.sql('DELETE FROM locks')
    await workUnder(heir, time, null)
    await heir.close()
  }
  return hit
}

/** Puts a counter, and the peril, around a method. */
function guardOf(run: Run, peril: Peril | null) {
  let calls = 0
  return (owner: object, port: string, also: (answer: any) => unknown = (answer) => answer) => {
    const method = (owner as Record<string, (...args: unknown[]) => Promise<unknown>>)[port]!
    const perilous = async (...args: unknown[]) => {
      if (run.isDead) throw new Error('this process is no more')
      calls += 1
      const isHit = calls === peril?.at
      if (isHit) run.hit = port
      const fail = () => {
        run.isDead = peril?.what === 'death'
        throw new Error(`planted: ${port} went wrong`)
      }
      if (isHit && peril?.when === 'before') fail()
      const answer = also(await method.apply(owner, args))
      if (isHit) fail()
      return answer
    }
    Object.assign(owner, { [port]: perilous })
  }
}
