// The desk: verbs carried out at once, each a commit of its own, then a ticket.
// Promise: the answer tells what was committed; a refused change changed nothing; a lost ticket delays only.
import type { Ticket } from '../lib/contract.ts'
import type { Knex } from '../lib/database.ts'
import { fault } from '../lib/errors.ts'
import type { Events } from '../lib/events.ts'
import { newId } from '../lib/id.ts'
import type { Store } from '../lib/store.ts'
import type { FieldChange, Outcome, Unit } from '../lib/unit.ts'
import type { Kind } from './kind.ts'
import type { Lookout } from './lookout.ts'
import { fromSnapshot } from './memory.ts'
import type { Seen } from './onlooker.ts'
import { withNews, withReflexes } from './reflexes.ts'
import { refusal } from './refusal.ts'
import { repeaterOf } from './repeater.ts'
import {
  authorOf,
  newEvent,
  newResource,
  newRun,
  newStop,
  type RequestParts,
  stopAllOf,
} from './requests.ts'
import { Rewinder } from './rewinder.ts'
import type { TaskSnapshot } from './snapshot.ts'
import type {
  Because,
  Condition,
  EventInput,
  RunInfo,
  Schedule,
  SendOptions,
  Started,
  Target,
  Verbs,
  WaitOptions,
} from './verbs.ts'

export interface DeskParts {
  readonly store: Pick<Store, 'commit'>
  readonly knex: Knex
  readonly requests: RequestParts
  readonly events: Events
  readonly lookout: Lookout
  push(tickets: readonly Ticket[]): Promise<void>
}

/** How often a send is tried whose refusal cannot be explained any more. */
const MOST_TRIES = 3

type Committed = Extract<Outcome, { kind: 'committed' }>

export class Desk implements Verbs {
  readonly #parts: DeskParts
  readonly #rewinder: Rewinder

  constructor(parts: DeskParts) {
    this.#parts = parts
    this.#rewinder = new Rewinder(parts)
  }

  /** @throws TASK_UNKNOWN, RESOURCE_UNKNOWN, RESOURCE_STOPPED, VALUE_NOT_STORABLE */
  async start(target: Target, args: unknown, because: Because): Promise<Started> {
    const run = newRun(this.#parts.requests, target, args, because)
    const { started } = await this.commit({ starts: [run] }, target.resourceId)
    if (started.length > 0) return { taskId: run.id, isNew: true }
    const live = await this.status(target)
    if (live && live.finishedAt === null)
      return { taskId: live.taskId, isNew: live.taskId === run.id }
    const { kind, resourceId: id, task } = target
    if (await this.#exists(target)) throw fault('RESOURCE_STOPPED', { kind: kind.name, id, task })
    throw fault('RESOURCE_UNKNOWN', { kind: kind.name, id })
  }

  async stop(target: Target, because: Because): Promise<boolean> {
    const stop = newStop(this.#parts.requests, target, because)
    const { kind, resourceId } = target
    const unit = withNews(this.#parts.requests, kind, resourceId, { stops: [stop] })
    return (await this.commit(unit, resourceId)).stopped > 0
  }

  async stopAll(_kind: Kind, resourceId: string, because: Because): Promise<number> {
    const stop = stopAllOf(this.#parts.requests, resourceId, because)
    return (await this.commit({ stops: [stop] }, resourceId)).stopped
  }

  /**
   * @throws TASK_NOT_RUNNING, TASK_FINISHED, EVENT_UNKNOWN, EVENT_TOO_LARGE, MAILBOX_FULL, DUPLICATE_SEND,
   *   VALUE_NOT_STORABLE, ARGUMENT_INVALID
   */
  async send(target: Target, event: EventInput, options: SendOptions): Promise<void> {
    const mail = newEvent(this.#parts.requests, target, event, options)
    // What kept it out may be gone when it is looked for: a run began, or a full mailbox was worked off.
    for (let attempt = 1; ; attempt++) {
      const { delivered } = await this.commit({ sends: [mail] }, target.resourceId)
      if (delivered > 0) return
      const refused = await refusal(this.#parts.knex, target, mail)
      if (refused) throw refused
      if (attempt === MOST_TRIES) throw this.#notRunning(target)
    }
  }

  /** @throws TASK_NOT_RUNNING, STEP_UNKNOWN, DESYNCHRONIZED */
  async rewind(
    target: Target,
    steps: number,
    because: Because,
  ): Promise<{ step: number; state: string }> {
    const { unit, state } = await this.#rewinder.rewind(target, steps, because)
    return this.#moved(target, unit, state)
  }

  /** @throws TASK_NOT_RUNNING, DESYNCHRONIZED */
  async retry(target: Target, because: Because): Promise<void> {
    const { unit, state } = await this.#rewinder.retry(target, because)
    await this.#moved(target, unit, state)
  }

  /** @returns false when it was paused already. @throws TASK_NOT_RUNNING, DESYNCHRONIZED */
  async pause(target: Target, because: Because): Promise<boolean> {
    const change = await this.#rewinder.pause(target, because)
    if (change) await this.#moved(target, change.unit, change.state)
    return change !== null
  }

  /** @throws TASK_NOT_RUNNING, TASK_NOT_PAUSED, DESYNCHRONIZED */
  async resume(target: Target, because: Because): Promise<void> {
    const { unit, state } = await this.#rewinder.resume(target, because)
    await this.#moved(target, unit, state)
  }

  status(target: Target): Promise<RunInfo | null> {
    return this.#parts.lookout.status(target)
  }

  snapshot(target: Target): Promise<TaskSnapshot | null> {
    return this.#parts.lookout.snapshot(target)
  }

  waitFor(target: Target, condition: Condition, options: WaitOptions): Promise<TaskSnapshot> {
    return this.#parts.lookout.waitFor(target, condition, options)
  }

  on(target: Target, type: string, listener: (event: any) => void): () => void {
    return this.#parts.lookout.on(target, type, listener)
  }

  /** Where the schedule of a task is: the latest plan one of its runs has kept. @throws TASK_UNKNOWN */
  async schedule({ kind, resourceId, task }: Target): Promise<Schedule | null> {
    const name = repeaterOf(kind.task(task).name)
    const rows: any[] = await this.#parts
      .knex('tasks')
      .join('transitions', (join) =>
        join.on('transitions.task_id', 'tasks.id').andOn('transitions.step', 'tasks.rest_step'),
      )
      .where({ 'tasks.resource_id': resourceId })
      .whereIn('name', kind.namesOf(name))
      .whereNotNull('snapshot')
      .orderBy('started_at', 'desc')
      .orderBy('tasks.id', 'desc')
      .limit(2)
      .select('snapshot', 'status')
    for (const { snapshot, status } of rows) {
      const { context } = fromSnapshot(snapshot, this.#parts.requests.sealer, name)
      const { plan } = context as { plan: Schedule['plan'] | null }
      if (plan) return { plan, isDone: status === 'done' }
    }
    return null
  }

  /** @returns the new resource's id. @throws FIELDS_INVALID, FIELD_UNKNOWN, RESOURCE_UNKNOWN for the parent */
  async create(
    kind: Kind,
    given: Readonly<Record<string, unknown>>,
    parentId: string | null,
    because: Because,
  ): Promise<string> {
    const made = newResource(this.#parts.requests, kind, given, parentId, because)
    await this.commit({ creates: [made] }, null).catch((thrown) => {
      if (thrown?.code === '23503')
        throw fault('RESOURCE_UNKNOWN', { kind: 'parent resource', id: parentId }, thrown)
      throw thrown
    })
    return made.id
  }

  /** Writes fields that were set from outside. @throws DESYNCHRONIZED when they were changed since they were read */
  async save(fields: FieldChange, seen: Seen, because: Because): Promise<void> {
    const author = authorOf(because, this.#parts.requests)
    const saved: Pick<Unit, 'fields' | 'starts' | 'stops'> = { fields: { ...fields, author } }
    const unit = withReflexes(this.#parts, seen, saved)
    const isMoving = (unit.starts ?? []).length + (unit.stops ?? []).length > 0
    await this.commit(unit, isMoving ? seen.resourceId : null)
  }

  /**
   * Commits a unit of the desk's own and pushes a ticket for the resource it made due.
   * @throws DESYNCHRONIZED when somebody else was faster
   */
  async commit(parts: Omit<Unit, 'id'>, resourceId: string | null): Promise<Committed> {
    const [outcome] = await this.#parts.store.commit([
      { id: newId(this.#parts.requests.time), ...parts },
    ])
    if (outcome?.kind !== 'committed') {
      const { taskId: task, expected } = parts.step ?? {
        taskId: resourceId,
        expected: parts.fields?.version,
      }
      throw fault('DESYNCHRONIZED', { task, expected })
    }
    if (resourceId !== null && !outcome.isQuiet) await this.#parts.push([{ resourceId }])
    return outcome
  }

  async #moved({ resourceId }: Target, unit: Omit<Unit, 'id'>, state: string) {
    await this.commit(unit, resourceId)
    return { step: unit.step?.step ?? 0, state }
  }

  async #exists({ kind, resourceId }: Target): Promise<boolean> {
    return (
      (await this.#parts
        .knex('resources')
        .where({ id: resourceId })
        .whereIn('kind', kind.names)
        .first('id')) !== undefined
    )
  }

  #notRunning({ kind, resourceId: id, task }: Target): Error {
    return fault('TASK_NOT_RUNNING', { kind: kind.name, id, task })
  }
}
