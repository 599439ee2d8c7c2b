// The rewinder: takes a run back to an earlier step, or lets a parked one go on.
// Promise: history only grows: going back is a new step that holds the old snapshot, with effects armed
// anew, so that what was already done under an old key is done again under a new one.

import { distance } from 'fastest-levenshtein'
import { EXIT, idOf } from '../lib/address.ts'
import { ALONE } from '../lib/cast.ts'
import { encode } from '../lib/codec.ts'
import type { Knex } from '../lib/database.ts'
import { fault } from '../lib/errors.ts'
import { newId } from '../lib/id.ts'
import { type Rest, stateName } from '../lib/machine.ts'
import { entered } from '../lib/machine-goto.ts'
import type { Actor } from '../lib/rest.ts'
import type { Author, DueChange, NewRun, StepChange, Unit } from '../lib/unit.ts'
import { LIFE } from './kind.ts'
import { fromSnapshot, refreshed, type Trials, toSnapshot } from './memory.ts'
import { rearmed, resumed } from './rearm.ts'
import { authorOf, type RequestParts } from './requests.ts'
import type { Because, Target } from './verbs.ts'

const unknownState = ({ kind, task }: Target, state: string, states: readonly string[]) => {
  const known = [...states].sort((a, b) => distance(a, state) - distance(b, state)).join(', ')
  const reason = `${kind.name}.${task} has none; its states: ${known}`
  return fault('ARGUMENT_INVALID', { what: `The state "${state}"`, reason })
}

const endState = ({ kind, task }: Target, state: string) => {
  const reason = `${kind.name}.${task} ends there; stop the task instead`
  return fault('ARGUMENT_INVALID', { what: `The state "${state}"`, reason })
}

type Change = { unit: Omit<Unit, 'id'>; state: string }

export class Rewinder {
  readonly #knex: Knex
  readonly #requests: RequestParts

  constructor(parts: { knex: Knex; requests: RequestParts }) {
    this.#knex = parts.knex
    this.#requests = parts.requests
  }

  /** The unit that goes back `steps` steps. @throws TASK_NOT_RUNNING, STEP_UNKNOWN, STEP_ARCHIVED, ARGUMENT_INVALID */
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
      const base = chain.at(-1)?.base ?? null
      const most = Math.max(0, chain.length - 1)
      const told = { kind: kind.name, id, task, count: steps, most }
      throw base === null
        ? fault('STEP_UNKNOWN', told)
        : fault('STEP_ARCHIVED', { ...told, step: base })
    }
    const step = row.step + 1
    const { sealer } = this.#requests
    const before = fromSnapshot(goal.snapshot, sealer, target.task)
    const { rest, born } = rearmed(before, target.task, step)
    const state = stateName(rest.value)
    const author = authorOf(because, this.#requests)
    const transition = {
      ...{ base: goal.base, from: row.state, to: state, event: '__rewind__' },
      ...{ payload: { to: goal.step }, snapshot: toSnapshot(rest, sealer) },
      ...author,
    }
    const starts = born.map((actor) => this.#childOf(target, row, actor, author))
    const { resourceId, task } = target
    const exits = target.kind.exitsOf(task)
    const stops = [{ resourceId, task, except: null, beneath: true, exits, ...author }]
    const unit = this.#unit(row, { step, restStep: step, state, transition })
    return { unit: { ...unit, stops, starts }, state }
  }

  /**
   * The unit that puts a live run into a state of its machine, with the context it has.
   * @throws TASK_NOT_RUNNING, ARGUMENT_INVALID for a state there is none of
   */
  async goto(target: Target, state: string, because: Because): Promise<Change> {
    const row = await this.#live(target)
    const { kind, resourceId, task } = target
    const { machine, states, version } = kind.run(row.name, row.origin) ?? kind.task(task)
    const [last] = await this.#chain(row.id, row.rest_step, 0)
    const { sealer, time } = this.#requests
    const before = last
      ? fromSnapshot(last.snapshot, sealer, task)
      : { context: undefined, history: {} }
    const step = row.step + 1
    const place = { ...ALONE, task: row.name, id: idOf(row.name) }
    const gone = states.includes(state)
      ? entered(machine, before, state, step, time.now(), place)
      : null
    if (!gone) throw unknownState(target, state, states)
    if (gone.rest.status !== 'active') throw endState(target, state)
    const to = stateName(gone.rest.value)
    const author = authorOf(because, this.#requests)
    const transition = {
      ...{ base: null, from: row.state, to, event: '__goto__', payload: { state } },
      snapshot: toSnapshot(gone.rest, sealer),
      ...author,
    }
    const starts = gone.born.map((actor) => this.#childOf(target, row, actor, author))
    const exits = kind.exitsOf(task)
    const stops = [{ resourceId, task, except: null, beneath: true, exits, ...author }]
    const unit = this.#unit(row, { step, restStep: step, state: to, version, transition })
    return { unit: { ...unit, stops, starts }, state: to }
  }

  /** The unit that lets a parked run go on where it rests; of one that is stopping, its exit machine. @throws TASK_NOT_RUNNING */
  async retry(target: Target, because: Because): Promise<Change> {
    const row = (await this.#exitOf(target)) ?? (await this.#live(target))
    const tries = refreshed(row.tries as Trials | null) as unknown as StepChange['tries']
    return this.#goOn({ ...target, task: row.name }, { ...row, tries }, '__retry__', because)
  }

  /** The unit that stops time for a run. @throws TASK_NOT_RUNNING */
  async pause(target: Target, because: Because): Promise<Change | null> {
    const row = await this.#live(target)
    if (row.status === 'paused') return null
    const { state, rest_step: restStep } = row
    const step = row.step + 1
    const transition = this.#line(state, '__pause__', because)
    const { tries } = row
    const { step: change, due } = this.#unit(row, { step, restStep, state, tries, transition })
    const unit = {
      step: { ...(change as StepChange), status: 'paused' as const },
      due: { ...(due as DueChange), at: null, reason: 'paused' },
    }
    return { unit, state }
  }

  /** The unit that lets a paused run go on. @throws TASK_NOT_RUNNING, TASK_NOT_PAUSED */
  async resume(target: Target, because: Because): Promise<Change> {
    const row = await this.#live(target)
    const { kind, resourceId: id, task } = target
    if (row.status !== 'paused') throw fault('TASK_NOT_PAUSED', { kind: kind.name, id, task })
    return this.#goOn(target, row, '__resume__', because)
  }

  /** Timers do as their policies say; where none of them changes, the snapshot stays where it is. */
  async #goOn(target: Target, row: any, event: string, because: Because): Promise<Change> {
    const { state, rest_step: restStep } = row
    const step = row.step + 1
    const line = this.#line(state, event, because)
    const rest = await this.#resumed(target, row)
    const { tries } = row
    if (!rest) {
      return { unit: this.#unit(row, { step, restStep, state, tries, transition: line }), state }
    }
    const snapshot = toSnapshot(rest, this.#requests.sealer)
    const transition = { ...line, base: row.rest_step, snapshot }
    return { unit: this.#unit(row, { step, restStep: step, state, tries, transition }), state }
  }

  /** What cannot be read is left as it is: the worker will say what is wrong with it. */
  async #resumed(target: Target, row: any): Promise<Rest | null> {
    const [at] = await this.#chain(row.id, row.rest_step, 0)
    if (!at || row.status === 'running') return null
    try {
      const rest = fromSnapshot(at.snapshot, this.#requests.sealer, target.task)
      return resumed(rest, row.moved_at, this.#requests.time.now())
    } catch {
      return null
    }
  }

  #line(state: string, event: string, because: Because) {
    const nothing = { base: null, payload: null, snapshot: null }
    return { ...nothing, from: state, to: state, event, ...authorOf(because, this.#requests) }
  }

  #childOf({ kind, resourceId, task }: Target, row: any, actor: Actor, author: Author): NewRun {
    const { id, src, sync = false, input, address } = actor
    const origin = { src: [...(row.origin?.src ?? []), src], id, sync }
    return {
      ...{ id: newId(this.#requests.time), resourceId, task: address.task, origin, ...author },
      version: kind.run(address.task, origin)?.version ?? '1',
      evenStopped: task === LIFE,
      ...kind.laneOf(task),
      args: input === undefined ? null : encode(input, this.#requests.sealer),
    }
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

  /** The live exit machine of a task that is stopping. */
  async #exitOf({ kind, resourceId, task }: Target) {
    return this.#knex('tasks')
      .leftJoin('dues', 'dues.task_id', 'tasks.id')
      .where({ 'tasks.resource_id': resourceId, finished_at: null })
      .whereRaw(`starts_with(name, ?) AND origin->'src'->>-1 = ?`, [
        `${kind.runName(task)}/exit:`,
        EXIT,
      ])
      .first('tasks.*', 'dues.wakes')
  }

  /** @throws TASK_NOT_RUNNING, TASK_STOPPING */
  async #live({ kind, resourceId, task }: Target) {
    const row = await this.#knex('tasks')
      .leftJoin('dues', 'dues.task_id', 'tasks.id')
      .where({ 'tasks.resource_id': resourceId, finished_at: null })
      .whereIn('name', kind.namesOf(task))
      .first('tasks.*', 'dues.wakes')
    if (!row) throw fault('TASK_NOT_RUNNING', { kind: kind.name, id: resourceId, task })
    if (row.status === 'stopping')
      throw fault('TASK_STOPPING', { kind: kind.name, id: resourceId, task })
    return row
  }

  #unit(
    row: any,
    change: Pick<StepChange, 'step' | 'restStep' | 'state' | 'transition'> & Partial<StepChange>,
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
        clears: true,
        ...change,
      },
      due,
    }
  }
}
