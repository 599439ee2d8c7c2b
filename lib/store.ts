// The store: the only thing a tick writes through. A list of units in, an outcome for each.
// Promise: every unit commits whole or not at all, compare-and-set on its task's step and on its
// resource's fence; a conflict costs only the unit concerned; an unknown COMMIT is read back, not guessed.

import { isOfTheData, isRace, readBack } from './aftermath.ts'
import { type Claim, claim, finished, look } from './claim.ts'
import { Coalescer } from './coalescer.ts'
import type { Due, Ticket } from './contract.ts'
import { CommitUnknown, type Database } from './database.ts'
import { dueNow, takeDue } from './dues.ts'
import { asError } from './errors.ts'
import type { Events } from './events.ts'
import { tell, write } from './notary.ts'
import type { Time } from './time.ts'
import type { Outcome, Unit } from './unit.ts'

/** The most of one trip, and how many trips of a kind are under way at once. */
const MOST_TOGETHER = 200
const TRIPS = 2
/** How often a batch that lost a deadlock or a serialisation race is tried again. */
const MOST_TRIES = 4

export class Store implements Due {
  readonly #database: Database
  readonly #time: Time
  readonly #events: Events
  readonly #toldMs: number
  readonly #commits: Coalescer<Unit, Outcome>
  readonly #claims: Coalescer<{ resourceId: string; owner: string }, Claim | null>
  readonly #looks: Coalescer<{ resourceId: string; fence: number }, Claim | null>
  readonly #dues: Coalescer<string, boolean>

  /** @param parts.toldMs how long a pushed ticket is trusted before the clock looks again */
  constructor(parts: { database: Database; time: Time; events: Events; toldMs: number }) {
    this.#database = parts.database
    this.#time = parts.time
    this.#events = parts.events
    this.#toldMs = parts.toldMs
    const { database, time } = parts
    this.#commits = coalesced((units) => this.#commit(units))
    this.#claims = coalesced((asked) => claim(database, asked, time.now()))
    this.#looks = coalesced((asked) => look(database, asked, time.now()))
    this.#dues = coalesced((ids) => dueNow(database, ids, time.now()))
  }

  /** @inheritDoc Due.due */
  due(limit: number): Promise<{ tickets: Ticket[]; nextAt: number | null; lateMs: number }> {
    return takeDue(this.#database, { limit, nowMs: this.#time.now(), toldMs: this.#toldMs })
  }

  /** Raises the fence of a resource and reads what is due in it. Null when there is no such resource. */
  claim(resourceId: string, owner: string): Promise<Claim | null> {
    return this.#claims.ask({ resourceId, owner })
  }

  /** Reads again under a fence already held. */
  look(resourceId: string, fence: number): Promise<Claim | null> {
    return this.#looks.ask({ resourceId, fence })
  }

  /** Which of these runs have ended? */
  finished(taskIds: readonly string[]): Promise<string[]> {
    return finished(this.#database, taskIds)
  }

  /** Is anything of this resource due now? */
  dueNow(resourceId: string): Promise<boolean> {
    return this.#dues.ask(resourceId)
  }

  /**
   * Commits units; those of many callers share a transaction, in the order they came.
   * @returns an outcome for each unit, in the order given
   * @throws COMMIT_UNKNOWN when the answer was lost and nothing of the unit can be read back
   */
  commit(units: readonly Unit[]): Promise<Outcome[]> {
    return Promise.all(units.map((unit) => this.#commits.ask(unit)))
  }

  async #commit(units: readonly Unit[]): Promise<Outcome[]> {
    for (let attempt = 1, isUnsure = false; ; attempt++) {
      try {
        const moment = { nowMs: this.#time.now(), toldMs: this.#toldMs }
        const written = await this.#database.transaction((runner) => write(runner, units, moment))
        // The first try may have been committed while the second waited for its locks.
        const known = isUnsure ? await readBack(this.#database, units) : null
        tell(this.#events, units, written)
        return known ?? written.outcomes
      } catch (thrown) {
        isUnsure ||= thrown instanceof CommitUnknown
        if (attempt === MOST_TRIES || !(isRace(thrown) || thrown instanceof CommitUnknown))
          throw thrown
        const known = isUnsure ? await readBack(this.#database, units, asError(thrown)) : null
        if (known) return known
        this.#events.emit('store.retried', { error: asError(thrown) })
      }
    }
  }
}

function coalesced<Question, Answer>(
  trip: (questions: readonly Question[]) => Promise<readonly Answer[]>,
) {
  return new Coalescer({ trip, most: MOST_TOGETHER, trips: TRIPS, isPersonal: isOfTheData })
}
