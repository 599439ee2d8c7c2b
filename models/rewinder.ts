// The rewinder: takes a run back to an earlier step, or lets a parked one go on.
// Promise: history only grows: going back is a new step that holds the old snapshot, with effects armed
// anew, so that what was already done under an old key is done again under a new one.
import type { Knex } from '../lib/database.ts'
import { fault } from '../lib/errors.ts'
import { type Rest, stateName } from '../lib/machine.ts'
import type { DueChange, StepChange, Unit } from '../lib/unit.ts'
import { fromSnapshot, toSnapshot } from './memory.ts'
import { authorOf, type RequestParts } from './requests.ts'
import type { Because, Target } from './verbs.ts'

type Change = { unit: Omit<Unit, 'id'>; state: string }

export class Rewinder {
  readonly #knex: Knex
  readonly #requests: RequestParts

  constructor(parts: { knex: Knex; requests: RequestParts }) {
    this.#knex = parts.knex
    this.#requests = parts.requests
  }

  /** The unit that goes back `steps` steps. @throws TASK_NOT_RUNNING, STEP_UNKNOWN, ARGUMENT_INVALID */
  async rewind(target: Target, steps: number, because: Because): Promise<Change> {
    if (!Number.isInteger(steps) || steps < 1) {
      throw fault('ARGUMENT_INVALID', {
        what: 'The number of steps to rewind',
        reason: `${steps} is not a whole number from 1`,
      })
    }
    const row = await this.#live(target)
    const chain = await this.#chain(row.id, row.rest_step, steps)
    const goal = chain[steps]
    if (!goal) {
      const { kind, resourceId: id, task } = target
      throw fault('STEP_UNKNOWN', {
        kind: kind.name,
        id,
        task,
        count: steps,
        most: Math.max(0, chain.length - 1),
      })
    }
    const step = row.step + 1
    const rest = rearmed(fromSnapshot(goal.snapshot, this.#requests.sealer, target.task), step)
    const state = stateName(rest.value)
    const snapshot = toSnapshot(rest, this.#requests.sealer)
    const transition = {
      base: goal.base,
      from: row.state,
      to: state,
      event: '__rewind__',
      payload: { to: goal.step },
      snapshot,
      ...authorOf(because, this.#requests),
    }
    return { unit: this.#unit(row, { step, restStep: step, state, transition }), state }
  }

  /** The unit that lets a panicked or paused run go on where it rests. @throws TASK_NOT_RUNNING */
  async retry(target: Target, because: Because): Promise<Change> {
    const row = await this.#live(target)
    const { state, rest_step: restStep } = row
    const transition = {
      base: null,
      from: state,
      to: state,
      event: '__retry__',
      payload: null,
      snapshot: null,
      ...authorOf(because, this.#requests),
    }
    return { unit: this.#unit(row, { step: row.step + 1, restStep, state, transition }), state }
  }

  /** The snapshots a run grew through, latest first, by following what each was based on. */
  async #chain(
    taskId: string,
    restStep: number,
    steps: number,
  ): Promise<{ step: number; base: number | null; snapshot: unknown }[]> {
    const { rows } = await this.#knex.raw(
      `WITH RECURSIVE chain AS (
         SELECT step, base, snapshot, 0 AS back FROM transitions WHERE task_id = :taskId AND step = :restStep AND snapshot IS NOT NULL
         UNION ALL
         SELECT t.step, t.base, t.snapshot, back + 1 FROM transitions t JOIN chain ON t.step = chain.base
         WHERE t.task_id = :taskId AND back < :steps)
       SELECT step, base, snapshot FROM chain ORDER BY back`,
      { taskId, restStep, steps },
    )
    return rows
  }

  async #live({ kind, resourceId, task }: Target) {
    const row = await this.#knex('tasks')
      .leftJoin('dues', 'dues.task_id', 'tasks.id')
      .where({ 'tasks.resource_id': resourceId, finished_at: null })
      .whereIn('name', kind.namesOf(task))
      .first('tasks.*', 'dues.wakes')
    if (!row) throw fault('TASK_NOT_RUNNING', { kind: kind.name, id: resourceId, task })
    return row
  }

  #unit(
    row: any,
    change: Pick<StepChange, 'step' | 'restStep' | 'state' | 'transition'>,
  ): Omit<Unit, 'id'> {
    const due: DueChange = {
      taskId: row.id,
      at: this.#requests.time.now(),
      reason: 'verb',
      wakes: row.wakes,
    }
    return {
      step: {
        taskId: row.id,
        task: row.name,
        system: row.system,
        resourceId: row.resource_id,
        expected: row.step,
        status: 'running',
        tries: null,
        finished: false,
        ...change,
      },
      due,
    }
  }
}

/** A new incarnation for every effect; timers keep their deadlines, past ones fire at once. */
function rearmed(rest: Rest, step: number): Rest {
  return { ...rest, actors: rest.actors.map((actor) => ({ ...actor, armedAt: step })) }
}
