// The store: the only thing a tick writes through. A list of units in, an outcome for each.
// Promise: every unit commits whole or not at all, compare-and-set on its task's step and on its
// resource's fence; a conflict costs only the unit concerned; an unknown COMMIT is read back, not guessed.
import type { AlarmLogic } from './alarm.ts'
import { type Claim, type Claimant, claim, finished, look } from './claim.ts'
import type { Coalescer } from './coalescer.ts'
import { Committer } from './committer.ts'
import type { Berth, Due, Found } from './contract.ts'
import { dueNow } from './dues.ts'
import { Escorts } from './escort.ts'
import { Porter, type PorterParts } from './porter.ts'
import { coalesced } from './trips.ts'
import type { Outcome, Unit } from './unit.ts'

export interface StoreParts extends PorterParts {
  /** What decides about alarms. */
  readonly alarms: AlarmLogic
}

export class Store implements Due {
  readonly porter: Porter
  readonly alarms: AlarmLogic
  readonly escorts = new Escorts()
  readonly #parts: StoreParts
  readonly #committer: Committer
  readonly #claims: Coalescer<Claimant, Claim | null>
  readonly #looks: Coalescer<{ resourceId: string; fence: number }, Claim | null>
  readonly #dues: Coalescer<string, boolean>

  constructor(parts: StoreParts) {
    this.#parts = parts
    this.porter = new Porter(parts)
    this.alarms = parts.alarms
    const { database, time } = parts
    this.#committer = new Committer({ ...parts, escorts: this.escorts })
    this.#claims = coalesced((asked) => claim(database, asked, time.now()))
    this.#looks = coalesced((asked) => look(database, asked, time.now()))
    this.#dues = coalesced((ids) => dueNow(database, ids, time.now()))
  }

  /** @inheritDoc Due.due */
  due(limit: number, isFull = false, berths?: readonly Berth[]): Promise<Found> {
    return this.porter.due(limit, isFull, berths)
  }

  /** Raises the fence of a resource and reads what is due in it; null if there is none. A judge can tell who died. */
  async claim(resourceId: string, owner: string, isJudge = true): Promise<Claim | null> {
    const asked = { resourceId, owner, isJudge }
    const behind = await this.escorts.at(resourceId)?.take()
    return behind
      ? (await claim(behind, [asked], this.#parts.time.now()))[0]!
      : this.#claims.ask(asked)
  }

  /** Reads again under a fence already held. */
  look(resourceId: string, fence: number): Promise<Claim | null> {
    return this.#looks.ask({ resourceId, fence })
  }

  /** Which of these runs have ended? */
  finished(taskIds: readonly string[]): Promise<string[]> {
    return finished(this.#parts.database, taskIds)
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
