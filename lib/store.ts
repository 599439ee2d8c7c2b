// The store: the only thing a tick writes through. A list of units in, an outcome for each.
// Promise: every unit commits whole or not at all, compare-and-set on its task's step and on its
// resource's fence; a conflict costs only the unit concerned; an unknown COMMIT is read back, not guessed.

import type { AlarmLogic } from './alarm.ts'
import { type Claim, type Claimant, claim, finished, look } from './claim.ts'
import type { Coalescer } from './coalescer.ts'
import { Committer } from './committer.ts'
import type { Berth, Due, Found } from './contract.ts'
import type { Database } from './database.ts'
import { dueNow } from './dues.ts'
import { Porter, type PorterParts } from './porter.ts'
import type { Time } from './time.ts'
import { coalesced } from './trips.ts'
import type { Outcome, Unit } from './unit.ts'

export interface StoreParts extends PorterParts {
  /** What decides about alarms. */
  readonly alarms: AlarmLogic
}

export class Store implements Due {
  readonly porter: Porter
  readonly #database: Database
  readonly #time: Time
  /** What decides about alarms. */
  readonly alarms: AlarmLogic
  readonly #committer: Committer
  readonly #claims: Coalescer<Claimant, Claim | null>
  readonly #looks: Coalescer<{ resourceId: string; fence: number }, Claim | null>
  readonly #dues: Coalescer<string, boolean>

  constructor(parts: StoreParts) {
    this.#database = parts.database
    this.#time = parts.time
    this.porter = new Porter(parts)
    this.alarms = parts.alarms
    const { database, time } = parts
    this.#committer = new Committer(parts)
    this.#claims = coalesced((asked) => claim(database, asked, time.now()))
    this.#looks = coalesced((asked) => look(database, asked, time.now()))
    this.#dues = coalesced((ids) => dueNow(database, ids, time.now()))
  }

  /** @inheritDoc Due.due */
  due(limit: number, isFull = false, berths?: readonly Berth[]): Promise<Found> {
    return this.porter.due(limit, isFull, berths)
  }

  /** Raises the fence of a resource and reads what is due in it; null if there is none. A judge can tell who died. */
  claim(resourceId: string, owner: string, isJudge = true): Promise<Claim | null> {
    return this.#claims.ask({ resourceId, owner, isJudge })
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
    return this.#committer.commit(units)
  }
}
