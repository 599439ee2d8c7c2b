// What a step costs, and how many steps a second each resource can pay for. Pure: parameters in, figures out.
// Promise: nothing here is measured; what was is in calibration.json, and what a site is taken to have is in SITE.

/** Most questions of one trip, and trips of a kind at once: lib/trips.ts, which a spec compares. */
export const MOST_TOGETHER = 200
export const TRIPS = 2
/** A second trip has at least so large a part of the first: lib/coalescer.ts. */
export const FAIR = 2
/** Most tickets of one message: lib/envelope.ts. */
export const BUNDLE = 16
/** Transactions of a claim, which raises the fence and looks: lib/claim.ts. Neither is flushed. */
export const CLAIM_TRIPS = 2
/** A server that takes longer for a commit has a connection for each trip, else one for all: lib/lane.ts. */
export const SLOW_MS = 1.5
/** Tickets of one look, and the shortest rest between two: models/staff.ts, lib/clock.ts. */
export const LOOK = { tickets: 1_000, restMs: 5 }
/** What retention removes at a time, and its rest afterwards: plugins/retention. */
export const CHUNK = { rows: 2_000, pauseMs: 100 }

/** What each piece of work takes. Times are processor time, but for the last three. */
export interface Parameters {
  /** Worker, for each tick: ticket, lock, lease. Milliseconds; docs/decisions/0015. */
  readonly workerMsPerTick: number
  /** Worker, for each step: machine, effect, row. Milliseconds; from W1. */
  readonly workerMsPerStep: number
  /** Worker, for each trip to PostgreSQL, however many travel together. Milliseconds; from W1. */
  readonly workerMsPerTrip: number
  /** PostgreSQL, for each step. Milliseconds; from W1. */
  readonly postgresMsPerStep: number
  /** PostgreSQL, for each trip. Milliseconds; from W1. */
  readonly postgresMsPerTrip: number
  /** Redis, for each tick: fetch, lock, release. Milliseconds; from W1. */
  readonly redisMsPerTick: number
  /** Commands of Redis, those in scripts included. From W1. */
  readonly redisCommandsPerTick: number
  /** Bytes; from W1. */
  readonly walBytesPerStep: number
  /** One flush of the log. Milliseconds; told by the report. */
  readonly flushMs: number
  /** To a server and back, wake-ups included. Milliseconds; fitted. */
  readonly roundTripMs: number
  /** How much longer work took than its processor time, for others used the machine. 1 or more; fitted. */
  readonly slowdown: number
}

/** What rows take on the disk and in memory, and what a look of the clock takes; bench/sizes.ts measures it. */
export interface Sizes {
  /** Bytes of tables and indexes for each sleeping task: resource, lease, task, due entry, its first line of history. */
  readonly bytesPerSleeper: number
  /** Of these, what a tick touches: lease, task, due entry and all indexes. Bytes. */
  readonly hotBytesPerSleeper: number
  /** Bytes of a line of history with its indexes. */
  readonly bytesPerStep: number
  /** Bytes of a row of tasks, without indexes. */
  readonly bytesPerTaskRow: number
  /** A look that takes 1,000 tickets, with 100,000 tasks asleep. Milliseconds. */
  readonly lookMs: number
  /** A look that finds nothing. Milliseconds. */
  readonly emptyLookMs: number
}

/** How work comes. */
export interface Shape {
  readonly stepsPerTick: number
  /** How many travel together; see `together` and the simulation. */
  readonly rowsPerTrip: number
}

/** What one step takes. */
export interface Cost {
  readonly commits: number
  readonly flushes: number
  readonly walBytes: number
  readonly redisCommands: number
  /** Milliseconds of processor time. */
  readonly workerMs: number
  readonly postgresMs: number
  readonly redisMs: number
}

/**
 * What one step costs.
 * @param shape steps of one tick and rows of one trip, both 1 or more
 */
export function costOf(parameters: Parameters, { stepsPerTick, rowsPerTrip }: Shape): Cost {
  const commits = (1 + CLAIM_TRIPS / stepsPerTick) / rowsPerTrip
  const { workerMsPerStep, workerMsPerTick, workerMsPerTrip } = parameters
  const { postgresMsPerStep, postgresMsPerTrip } = parameters
  return {
    commits,
    // Steps are flushed, claims are not.
    flushes: 1 / rowsPerTrip,
    walBytes: parameters.walBytesPerStep,
    redisCommands: parameters.redisCommandsPerTick / stepsPerTick,
    workerMs: workerMsPerStep + workerMsPerTick / stepsPerTick + workerMsPerTrip * commits,
    postgresMs: postgresMsPerStep + postgresMsPerTrip * commits,
    redisMs: parameters.redisMsPerTick / stepsPerTick,
  }
}

/** The most that can travel together for long: half is under way while the other half asks. @param concurrency of one process */
export function together(concurrency: number): number {
  return Math.min(MOST_TOGETHER, Math.max(1, concurrency / TRIPS))
}

/** One resource alone: milliseconds from its ticket in the queue to its last step being durable. */
export function aloneMs(parameters: Parameters, steps: number): number {
  const { slowdown, roundTripMs, flushMs } = parameters
  const busy = (ms: number) => ms * slowdown
  const errand = busy(parameters.redisMsPerTick / 3) + roundTripMs
  const trip = busy(parameters.workerMsPerTrip + parameters.postgresMsPerTrip)
  // Its statements travel together.
  const claim = CLAIM_TRIPS * trip + roundTripMs
  const step =
    busy(parameters.workerMsPerStep + parameters.postgresMsPerStep) + trip + roundTripMs + flushMs
  return 2 * errand + busy(parameters.workerMsPerTick) + claim + steps * step
}

/** What a site is taken to have: assumed, not measured. Put your own here. */
export interface Site {
  /** Cores of the PostgreSQL server, and the share of them that may be busy all the time. */
  readonly postgresCores: number
  readonly busyShare: number
  /** Log that the disk takes for long, in megabytes a second. */
  readonly walMbPerS: number
  /** Milliseconds of one flush: a network disk of a cloud. */
  readonly flushMs: number
  readonly connections: number
  /** Memory of the PostgreSQL server, and the share that may hold what ticks touch. */
  readonly memoryGb: number
  readonly hotShare: number
  readonly diskGb: number
  /** Pages that autovacuum may dirty in a second: cost limit 200 each 2 ms, 20 for a dirty page. */
  readonly vacuumPagesPerS: number
  readonly stepsPerTick: number
  /** How many travel together; the page takes it from the simulation. */
  readonly rowsPerTrip: number
  /** Connections of one process: 10 for ticking and up to 4 of Knex (lib/database.ts). */
  readonly connectionsPerProcess: number
  /** Days for which history is kept. */
  readonly historyDays: number
}

/** One PostgreSQL server of 16 cores and 64 GB with a network disk, one Redis; short work. */
export const SITE: Site = {
  postgresCores: 16,
  busyShare: 0.7,
  walMbPerS: 200,
  flushMs: 1,
  connections: 500,
  memoryGb: 64,
  hotShare: 0.5,
  diskGb: 2_000,
  vacuumPagesPerS: 5_000,
  stepsPerTick: 3,
  rowsPerTrip: 20,
  connectionsPerProcess: 15,
  historyDays: 30,
}

export type Resource =
  | 'worker: one process'
  | 'Redis: its one thread'
  | 'PostgreSQL: processors'
  | 'log: bytes'
  | 'log: flushes, one process'
  | 'connections'
  | 'clock: one, all by timers'
  | 'vacuum of hot rows'
  | 'removing history'
  | 'disk: history'
  | 'memory: what ticks touch'
  | 'disk: tasks asleep'

/** Where one resource ends. */
export interface Ceiling {
  readonly resource: Resource
  /** What one step takes of it, with its unit. */
  readonly each: string
  /** Steps a second at which it is used up; of what holds still, null. */
  readonly stepsPerS: number | null
  /** Sleeping tasks at which it is used up; of what moves, null. */
  readonly sleepers: number | null
}

const PAGE_BYTES = 8_192
const GB = 1e9
const DAY_S = 86_400

/** Where each resource of a site is used up, by what each step takes of it; the first to end comes first. */
export function ceilings(parameters: Parameters, sizes: Sizes, site: Site = SITE): Ceiling[] {
  return [...busy(parameters, site), ...stored(parameters, sizes, site)].sort(
    (one, other) => (one.stepsPerS ?? Infinity) - (other.stepsPerS ?? Infinity),
  )
}

const moving = (resource: Resource, each: string, stepsPerS: number): Ceiling => ({
  ...{ resource, each, stepsPerS, sleepers: null },
})
const still = (resource: Resource, bytes: number, room: number): Ceiling => ({
  ...{ resource, each: `${bytes} B a task`, stepsPerS: null, sleepers: room / bytes },
})
const ms = (value: number) => `${Number(value.toPrecision(2))} ms`

/** What is used up by being busy. */
function busy(parameters: Parameters, site: Site): Ceiling[] {
  const { busyShare: share, postgresCores, connections, connectionsPerProcess } = site
  const { workerMs, redisMs, postgresMs, walBytes, flushes } = costOf(parameters, site)
  const processes = Math.floor(connections / connectionsPerProcess)
  return [
    moving('worker: one process', ms(workerMs), 1_000 / workerMs),
    moving('Redis: its one thread', ms(redisMs), (share * 1_000) / redisMs),
    moving('PostgreSQL: processors', ms(postgresMs), (share * postgresCores * 1_000) / postgresMs),
    moving('log: bytes', `${Math.round(walBytes)} B`, (site.walMbPerS * 1e6) / walBytes),
    moving(
      'log: flushes, one process',
      `${Number(flushes.toPrecision(2))}`,
      1_000 / site.flushMs / flushes,
    ),
    moving(
      'connections',
      `${connectionsPerProcess} a process`,
      processes * (1_000 / workerMs) * share,
    ),
  ]
}

/** What is used up by rows: told of, rewritten, kept, removed. Removing a row is taken to cost what writing it does. */
function stored(parameters: Parameters, sizes: Sizes, site: Site): Ceiling[] {
  const { stepsPerTick, busyShare, hotShare, memoryGb, diskGb, historyDays } = site
  const { postgresMs } = costOf(parameters, site)
  const ticketsPerS = (LOOK.tickets * 1_000) / (sizes.lookMs + LOOK.restMs)
  // A task's row each step, its lease and its due entry each tick.
  const versions = 1 + 2 / stepsPerTick
  const vacuumed = (site.vacuumPagesPerS * PAGE_BYTES) / sizes.bytesPerTaskRow
  const removing = (CHUNK.rows * 1_000) / (CHUNK.pauseMs + CHUNK.rows * postgresMs)
  const memory = hotShare * memoryGb * GB
  const keptS = historyDays * DAY_S
  const look = ms(sizes.lookMs / LOOK.tickets / stepsPerTick)
  return [
    moving('clock: one, all by timers', look, ticketsPerS * stepsPerTick),
    moving(
      'vacuum of hot rows',
      `${versions.toPrecision(2)} dead rows`,
      (busyShare * vacuumed) / versions,
    ),
    moving('removing history', '1 row', removing),
    moving(
      'disk: history',
      `${sizes.bytesPerStep} B for ${historyDays} days`,
      (diskGb * GB) / (sizes.bytesPerStep * keptS),
    ),
    still('memory: what ticks touch', sizes.hotBytesPerSleeper, memory),
    still('disk: tasks asleep', sizes.bytesPerSleeper, diskGb * GB),
  ]
}
