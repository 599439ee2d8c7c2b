// The committer: the units of many ticks, together in few transactions.
// Promise: nothing waits while no transaction is under way; a conflict, or bad data, costs only the unit concerned; an
// unknown COMMIT is read back, not guessed. Plain steps take the express, all else the notary.

import { isRace, readBack } from './aftermath.ts'
import type { AlarmLogic } from './alarm.ts'
import { CommitUnknown } from './answer.ts'
import type { Coalescer } from './coalescer.ts'
import type { Database, Runner } from './database.ts'
import { asError } from './errors.ts'
import type { Escort, Escorts } from './escort.ts'
import type { Events } from './events.ts'
import { express, isPlain } from './express.ts'
import { tell, write } from './notary.ts'
import type { Time } from './time.ts'
import { coalesced } from './trips.ts'
import type { Outcome, Unit } from './unit.ts'

/** How often a batch that lost a deadlock or a serialisation race is tried again. */
const MOST_TRIES = 4

export interface CommitterParts {
  readonly database: Database
  readonly time: Time
  readonly events: Events
  /** How long a pushed ticket is trusted before the clock looks again. */
  readonly toldMs: number
  /** What decides about alarms. */
  readonly alarms: AlarmLogic
  /** Those who come for runs that are being started. */
  readonly escorts?: Pick<Escorts, 'of'>
}

/** Do they all start runs, or all create resources, and no more? */
function isOneStatement(units: readonly Unit[]): boolean {
  const onlyDo = (part: 'starts' | 'creates') =>
    units.every((unit) =>
      Object.entries(unit).every(
        ([name, value]) =>
          name === 'id' || name === part || (value as { length?: number })?.length === 0,
      ),
    )
  return onlyDo('starts') || onlyDo('creates')
}

/** A statement that is a transaction by itself needs none around it. */
function alone(database: Database, escort: Escort | undefined): Runner {
  let isAsked = false
  return {
    async query(text, params = []) {
      if (isAsked) throw new Error('a second statement would be a second transaction')
      isAsked = true
      return { rowCount: null, ...(await database.once(text, params, escort)) }
    },
  }
}

export class Committer {
  readonly #parts: CommitterParts
  readonly #plain: Coalescer<Unit, Outcome>
  readonly #express: Coalescer<Unit, Outcome>

  constructor(parts: CommitterParts) {
    this.#parts = parts
    this.#plain = coalesced((units) => this.#commit(units, false))
    this.#express = coalesced((units) => this.#hurry(units))
  }

  /**
   * Commits units; those of many callers share a transaction, in the order they came.
   * @returns an outcome for each unit, in the order given
   * @throws COMMIT_UNKNOWN when the answer was lost and nothing of the unit can be read back
   */
  commit(units: readonly Unit[]): Promise<Outcome[]> {
    const [first] = units
    // Of several at once a later one may build on an earlier one.
    if (first && units.length === 1 && isPlain(first))
      return this.#express.ask(first).then((outcome) => [outcome])
    return Promise.all(units.map((unit) => this.#plain.ask(unit)))
  }

  /** In one statement; the notary says of those that lost why they did. */
  async #hurry(units: readonly Unit[]): Promise<Outcome[]> {
    let outcomes: (Outcome | null)[] = []
    let isUnsure = false
    try {
      outcomes = await express(this.#parts.database, units, this.#moment)
    } catch (thrown) {
      isUnsure = thrown instanceof CommitUnknown
      if (!isUnsure && !isRace(thrown)) throw thrown
      this.#parts.events.emit('store.retried', { error: asError(thrown) })
    }
    const left = units.filter((_, index) => !outcomes[index])
    if (left.length === 0) return outcomes as Outcome[]
    const others = (await this.#commit(left, isUnsure))[Symbol.iterator]()
    return units.map((_, index) => outcomes[index] ?? (others.next().value as Outcome))
  }

  /** @param isUnsure they may have been committed already, or be so any moment */
  async #commit(units: readonly Unit[], isUnsure: boolean): Promise<Outcome[]> {
    const { database, events } = this.#parts
    for (let attempt = 1, isLost = isUnsure; ; attempt++) {
      try {
        const moment = this.#moment
        const written = isOneStatement(units)
          ? await write(alone(database, this.#escortOf(units)), units, moment)
          : await database.transaction((runner) => write(runner, units, moment))
        // The first try may have been committed while the second waited for its locks.
        const known = isLost ? await readBack(database, units) : null
        const outcomes = known ?? written.outcomes
        tell(events, units, { ...written, outcomes })
        return outcomes
      } catch (thrown) {
        isLost ||= thrown instanceof CommitUnknown
        if (attempt === MOST_TRIES || !(isRace(thrown) || thrown instanceof CommitUnknown))
          throw thrown
        const known = isLost ? await readBack(database, units, asError(thrown)) : null
        if (known) return known
        events.emit('store.retried', { error: asError(thrown) })
      }
    }
  }

  /** A start that travels alone has somebody behind it; with others, all claim together afterwards. */
  #escortOf(units: readonly Unit[]): Escort | undefined {
    const [run] = units[0]?.starts ?? []
    return units.length === 1 && run ? this.#parts.escorts?.of(run) : undefined
  }

  get #moment() {
    const { time, toldMs, alarms } = this.#parts
    return { nowMs: time.now(), toldMs, alarms }
  }
}
