// The joiner: a change that is part of the user's own transaction.
// Promise: what the user takes back was never there; a clock finds what they commit at its next beat, since nobody
// can tell when that is.
import type { AlarmLogic } from '../lib/alarm.ts'
import type { Database, Runner } from '../lib/database.ts'
import { fault } from '../lib/errors.ts'
import { newId } from '../lib/id.ts'
import { write } from '../lib/notary.ts'
import type { Time } from '../lib/time.ts'
import type { NewResource, NewRun, Unit } from '../lib/unit.ts'
import type { Started, Target, Transaction } from './verbs.ts'

export interface JoinerParts {
  readonly database: Database
  readonly time: Time
  readonly alarms: AlarmLogic
}

export class Joiner {
  readonly #parts: JoinerParts

  constructor(parts: JoinerParts) {
    this.#parts = parts
  }

  /** @throws TRANSACTION_FOREIGN, and what the database makes of a parent that is none */
  async create(trx: Transaction, made: NewResource): Promise<void> {
    await this.#parts.database.within(trx, (runner) => this.#write(runner, { creates: [made] }))
  }

  /** @throws TRANSACTION_FOREIGN, RESOURCE_STOPPED, RESOURCE_UNKNOWN */
  async start(
    trx: Transaction,
    target: Target,
    run: NewRun,
    creates: readonly NewResource[],
  ): Promise<Started> {
    return this.#parts.database.within(trx, async (runner) => {
      const started = await this.#write(runner, { creates, starts: [run] })
      if (started.length > 0) return { taskId: run.id, isNew: true }
      const { kind, resourceId: id, task } = target
      const { rows } = await runner.query(
        `SELECT t.id FROM resources r LEFT JOIN tasks t
           ON t.resource_id = r.id AND t.name = $2 AND t.finished_at IS NULL AND t.status <> 'stopping'
         WHERE r.id = $1`,
        [id, run.task],
      )
      if (rows[0]?.id) return { taskId: rows[0].id, isNew: false }
      const code = rows.length === 0 ? 'RESOURCE_UNKNOWN' : 'RESOURCE_STOPPED'
      throw fault(code, { kind: kind.name, id, task })
    })
  }

  /** Nobody is told, so a clock is to look at once. @returns the runs that were started */
  async #write(
    runner: Runner,
    parts: Pick<Unit, 'creates' | 'starts'>,
  ): Promise<readonly string[]> {
    const { time, alarms } = this.#parts
    const unit = { id: newId(time), ...parts }
    const { entries } = await write(runner, [unit], { nowMs: time.now(), toldMs: 0, alarms })
    return entries[0]?.started ?? []
  }
}
