// One worker process in simulated time: a thread, so many hands, and trips in which what was asked goes together.
// Promise: a ticket goes the way it goes in lib: fetched in messages, locked, claimed, stepped and committed until it
// is done, and released; the thread does one thing at a time, in the order in which it came, and so does the connection
// that its trips share, unless commits are slow.
import { CLAIM_TRIPS, FAIR, MOST_TOGETHER, type Parameters, SLOW_MS, TRIPS } from './model.ts'
import { type Agenda, Gate, type Then } from './simulation-parts.ts'

export interface Ticket {
  readonly pushedAt: number
  stepsLeft: number
  movedAt: number
}

/** What is around a process. */
export interface Around {
  readonly agenda: Agenda
  readonly parameters: Parameters
  /** Hands of each process. */
  readonly concurrency: number
  /** Messages that wait. */
  readonly queue: Ticket[][]
  /** Work on a core, behind a gate of its own. */
  work(gate: Gate | null, ms: number, then: Then): void
  /** An errand to Redis for so many tickets. */
  errand(tickets: number, then: Then): void
  /** A transaction of one statement, on a connection behind what was sent there before; null: on one of its own. */
  statement(lane: Gate | null, rows: number, then: Then): void
  /** So many steps are on their way together. */
  departs(rows: number): void
  /** A step is durable. */
  stepped(ticket: Ticket): void
}

/** One worker process: a thread, so many hands, and trips in which what was asked goes together. */
export class Process {
  busyMs = 0
  readonly #house: Around
  readonly #thread = new Gate(1)
  readonly #lane: Gate | null
  #inHand = 0
  #isFetching = false
  readonly #waiting: Ticket[] = []
  readonly #locks: Trips
  readonly #claims: Trips
  readonly #commits: Trips
  readonly #releases: Trips

  constructor(house: Around) {
    this.#house = house
    const { roundTripMs, postgresMsPerTrip, postgresMsPerStep, slowdown, flushMs } =
      house.parameters
    const quickestMs = roundTripMs + slowdown * (postgresMsPerTrip + postgresMsPerStep) + flushMs
    this.#lane = quickestMs > SLOW_MS ? null : new Gate(1)
    const trips = (most: number, travel: Travel) => new Trips(house.agenda, most, travel)
    this.#locks = trips(1, (asked, home) => this.#byRedis(asked, home, (all) => this.#claim(all)))
    this.#claims = trips(TRIPS, (asked, home) =>
      this.#byPostgres(CLAIM_TRIPS, 0, home, () => this.#think(asked)),
    )
    this.#commits = trips(TRIPS, (asked, home) => this.#commit(asked, home))
    this.#releases = trips(1, (asked, home) => this.#byRedis(asked, home, (all) => this.#rest(all)))
  }

  /** Fetches a message while there is a free hand. */
  fetch(): void {
    const room = this.#house.concurrency - this.#inHand - this.#waiting.length
    if (this.#isFetching || room <= 0 || this.#house.queue.length === 0) return
    this.#isFetching = true
    const message = this.#house.queue.shift()!
    this.#house.errand(message.length, () => {
      this.#isFetching = false
      this.#waiting.push(...message)
      this.#begin()
    })
  }

  #begin(): void {
    const begun = this.#waiting.splice(0, this.#house.concurrency - this.#inHand)
    this.#inHand += begun.length
    if (begun.length > 0) {
      const { workerMsPerTick } = this.#house.parameters
      this.#run(workerMsPerTick * begun.length, () => this.#locks.ask(begun))
    }
    this.fetch()
  }

  #claim(tickets: readonly Ticket[]): void {
    this.#claims.ask(tickets)
  }

  /** One step of each, then all of them ask to be committed. */
  #think(tickets: readonly Ticket[]): void {
    const going = tickets.filter(({ stepsLeft }) => stepsLeft > 0)
    const ended = tickets.filter(({ stepsLeft }) => stepsLeft === 0)
    if (ended.length > 0) this.#releases.ask(ended)
    if (going.length === 0) return
    const { workerMsPerStep } = this.#house.parameters
    this.#run(workerMsPerStep * going.length, () => this.#commits.ask(going))
  }

  #commit(asked: readonly Ticket[], home: Then): void {
    this.#house.departs(asked.length)
    this.#byPostgres(1, asked.length, home, () => {
      for (const ticket of asked) this.#house.stepped(ticket)
      this.#think(asked)
    })
  }

  #rest(tickets: readonly Ticket[]): void {
    this.#inHand -= tickets.length
    this.#begin()
  }

  /** Statements sent together; the last of them is answered last. @param rows that are written by steps; 0: a claim */
  #byPostgres(statements: number, rows: number, home: Then, then: Then): void {
    const { workerMsPerTrip } = this.#house.parameters
    let answers = 0
    const answered = () => {
      answers += 1
      if (answers < statements) return
      then()
      home()
    }
    this.#run(workerMsPerTrip * statements, () => {
      const lane = this.#lane ?? (statements > 1 ? new Gate(1) : null)
      for (let sent = 0; sent < statements; sent++) this.#house.statement(lane, rows, answered)
    })
  }

  #byRedis(asked: readonly Ticket[], home: Then, then: (all: readonly Ticket[]) => void): void {
    this.#house.errand(asked.length, () => {
      then(asked)
      home()
    })
  }

  #run(ms: number, then: Then): void {
    this.busyMs += ms * this.#house.parameters.slowdown
    this.#house.work(this.#thread, ms, then)
  }
}

type Travel = (asked: readonly Ticket[], home: Then) => void

/**
 * lib/coalescer.ts in simulated time: what is asked while trips are under way goes together in the next, which leaves
 * when all has been asked that one answer leads to; few beside many wait.
 */
class Trips {
  readonly #agenda: Agenda
  readonly #most: number
  readonly #travel: Travel
  #waiting: Ticket[] = []
  #underWay = 0
  #travelling = 0

  constructor(agenda: Agenda, most: number, travel: Travel) {
    this.#agenda = agenda
    this.#most = most
    this.#travel = travel
  }

  ask(tickets: readonly Ticket[]): void {
    this.#waiting.push(...tickets)
    this.#agenda.after(0, () => this.#depart())
  }

  #depart(): void {
    const waiting = this.#waiting.length
    if (waiting === 0 || this.#underWay >= this.#most) return
    if (waiting < MOST_TOGETHER && waiting * FAIR < this.#travelling) return
    this.#underWay += 1
    const going = this.#waiting.splice(0, MOST_TOGETHER)
    this.#travelling += going.length
    this.#travel(going, () => {
      this.#underWay -= 1
      this.#travelling -= going.length
      this.#agenda.after(0, () => this.#depart())
    })
    this.#depart()
  }
}
