// A simulation of ticks: processes with hands, trips that share a commit, a log with one flush at a time, cores that
// all share. Events in the order of their time.
// Promise: the same parameters, load and seed give the same figures to the last digit; what it simulates is the walk
// of lib (coalescer, tray, claim, express), and what it leaves out is said in docs/scaling.md.
import { BUNDLE, type Parameters } from './model.ts'
import { type Around, Process, type Ticket } from './simulated-process.ts'
import { Agenda, drawer, Gate, Log, type Then } from './simulation-parts.ts'
import { quantile } from './sums.ts'

/** What comes, and who is there for it. */
export interface Load {
  /** Tickets in all. */
  readonly instances: number
  readonly steps: number
  readonly processes: number
  /** Hands of one process. */
  readonly concurrency: number
  /** Cores that workers, PostgreSQL and Redis share. */
  readonly cores: number
  /** Tickets a second, one message each, at random; absent: all are queued before anybody works. */
  readonly perSecond?: number
  /** Each time is drawn from so much around its mean: 0.3 is from 70 to 130 %. */
  readonly jitter?: number
  readonly seed?: number
}

export interface Outcome {
  readonly stepsPerS: number
  /** From the first ticket to the last step. */
  readonly elapsedMs: number
  readonly commitsPerStep: number
  readonly flushesPerStep: number
  /** Mean of the trips that commit. */
  readonly rowsPerTrip: number
  /** Between two steps of one task, as the bench counts. */
  readonly stepP50Ms: number
  readonly stepP99Ms: number
  /** From the ticket to its first step. */
  readonly firstP50Ms: number
  readonly firstP99Ms: number
  /** Share of the time in which the busiest worker thread was held. */
  readonly workerShare: number
}

/** Runs a load through. @throws when nothing was to be done */
export function simulate(parameters: Parameters, load: Load): Outcome {
  if (load.instances < 1 || load.steps < 1) throw new RangeError('There is nothing to simulate.')
  const house = new House(parameters, load)
  house.fill()
  house.agenda.run()
  return house.outcome
}

/** What all processes share. */
class House implements Around {
  readonly agenda = new Agenda()
  readonly parameters: Parameters
  readonly load: Load
  readonly concurrency: number
  readonly queue: Ticket[][] = []
  readonly latenciesMs: number[] = []
  readonly firstsMs: number[] = []
  commits = 0
  rows = 0
  trips = 0
  finishedAt = 0
  readonly #cores: Gate
  readonly #redis = new Gate(1)
  readonly #log: Log
  readonly #draw: () => number
  readonly #processes: Process[]

  constructor(parameters: Parameters, load: Load) {
    this.parameters = parameters
    this.load = load
    this.concurrency = load.concurrency
    const { jitter = 0, seed = 1 } = load
    const random = drawer(seed)
    this.#draw = () => 1 + jitter * (2 * random() - 1)
    this.#cores = new Gate(load.cores)
    this.#log = new Log(this.agenda, () => parameters.flushMs * this.#draw())
    this.#processes = Array.from({ length: load.processes }, () => new Process(this))
  }

  /** Puts the tickets into the queue, now or when they come. */
  fill(): void {
    const { instances, steps, perSecond } = this.load
    const ticket = (at: number): Ticket => ({ pushedAt: at, stepsLeft: steps, movedAt: -1 })
    if (perSecond === undefined) {
      const all = Array.from({ length: instances }, () => ticket(0))
      while (all.length > 0) this.queue.push(all.splice(0, BUNDLE))
      for (const one of this.#processes) this.agenda.after(0, () => one.fetch())
      return
    }
    const random = drawer((this.load.seed ?? 1) + 1)
    let at = 0
    for (let index = 0; index < instances; index++) {
      at += (-Math.log(1 - random()) * 1_000) / perSecond
      const pushedAt = at
      this.agenda.after(pushedAt, () => {
        this.queue.push([ticket(pushedAt)])
        for (const one of this.#processes) one.fetch()
      })
    }
  }

  /** Work on a core, behind a gate of its own. */
  work(gate: Gate | null, ms: number, then: Then): void {
    const spent = ms * this.parameters.slowdown * this.#draw()
    const onCore = (free: Then) =>
      this.#cores.enter((freeCore) => {
        this.agenda.after(spent, () => {
          freeCore()
          free()
          then()
        })
      })
    if (gate) gate.enter(onCore)
    else onCore(() => {})
  }

  /** An errand to Redis for so many tickets. */
  errand(tickets: number, then: Then): void {
    const { roundTripMs, redisMsPerTick } = this.parameters
    this.agenda.after(roundTripMs / 2, () =>
      this.work(this.#redis, (redisMsPerTick / 3) * tickets, () =>
        this.agenda.after(roundTripMs / 2, then),
      ),
    )
  }

  /** A transaction of one statement, flushed when it writes steps. A connection does one thing at a time. */
  statement(lane: Gate | null, rows: number, then: Then): void {
    const { roundTripMs, postgresMsPerTrip, postgresMsPerStep } = this.parameters
    this.commits += 1
    const carry = (free: Then) => {
      const back = () => {
        free()
        this.agenda.after(roundTripMs / 2, then)
      }
      this.work(null, postgresMsPerTrip + postgresMsPerStep * rows, () =>
        rows > 0 ? this.#log.flush(back) : back(),
      )
    }
    this.agenda.after(roundTripMs / 2, () => {
      if (lane) lane.enter(carry)
      else carry(() => {})
    })
  }

  departs(rows: number): void {
    this.rows += rows
    this.trips += 1
  }

  stepped(ticket: Ticket): void {
    const { now } = this.agenda
    if (ticket.movedAt < 0) this.firstsMs.push(now - ticket.pushedAt)
    else this.latenciesMs.push(now - ticket.movedAt)
    ticket.movedAt = now
    ticket.stepsLeft -= 1
    this.finishedAt = now
  }

  get outcome(): Outcome {
    const { instances, steps } = this.load
    const total = instances * steps
    const firsts = this.firstsMs.sort((a, b) => a - b)
    const between = this.latenciesMs.length > 0 ? this.latenciesMs.sort((a, b) => a - b) : firsts
    const elapsedMs = this.finishedAt
    return {
      stepsPerS: (total * 1_000) / elapsedMs,
      elapsedMs,
      commitsPerStep: this.commits / total,
      flushesPerStep: this.#log.flushes / total,
      rowsPerTrip: this.rows / this.trips,
      stepP50Ms: quantile(between, 0.5),
      stepP99Ms: quantile(between, 0.99),
      firstP50Ms: quantile(firsts, 0.5),
      firstP99Ms: quantile(firsts, 0.99),
      workerShare: Math.max(...this.#processes.map(({ busyMs }) => busyMs)) / elapsedMs,
    }
  }
}
