// The desk: verbs carried out at once, each a commit of its own, then a ticket.
// Promise: the answer tells what was committed; a refused change changed nothing; a lost ticket delays only.
import type { Ticket } from '../lib/contract.ts'
import type { Knex } from '../lib/database.ts'
import { fault } from '../lib/errors.ts'
import type { Events } from '../lib/events.ts'
import { newId } from '../lib/id.ts'
import type { Store } from '../lib/store.ts'
import type { FieldChange, NewResource, Outcome, Unit } from '../lib/unit.ts'
import type { AvailabilityStatus } from './availability.ts'
import type { Joiner } from './joiner.ts'
import { type Kind, LIFE } from './kind.ts'
import { DELETING } from './life.ts'
import type { Lookout } from './lookout.ts'
import type { Seen } from './onlooker.ts'
import type { OwnerTable } from './owner.ts'
import { withNews, withReflexes } from './reflexes.ts'
import { refusal } from './refusal.ts'
import {
  authorOf,
  newDeletion,
  newEvent,
  newReport,
  newResource,
  newRun,
  newStop,
  type RequestParts,
} from './requests.ts'
import { Rewinder } from './rewinder.ts'
import type { TaskSnapshot } from './snapshot.ts'
import type {
  Because,
  Condition,
  DeleteOptions,
  EventInput,
  Remains,
  RunInfo,
  Schedule,
  SendOptions,
  Started,
  StartOptions,
  StopOptions,
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
  readonly joiner: Joiner
  /** Made with every start. */
  readonly anchor?: NewResource
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
  async start(target: Target, args: unknown, options: StartOptions): Promise<Started> {
    const { trx, ...because } = options
    const { requests, joiner, anchor } = this.#parts
    const run = newRun(requests, target, args, because)
    const creates = anchor ? [anchor] : []
    if (trx) return joiner.start(trx, target, run, creates)
    const { started } = await this.commit({ creates, starts: [run] }, target.resourceId)
    if (started.length > 0) return { taskId: run.id, isNew: true }
    const live = await this.status(target)
    if (live && live.finishedAt === null && live.status !== 'stopping')
      return { taskId: live.taskId, isNew: live.taskId === run.id }
    throw await this.#unstartable(target)
  }

  async stop({ kind, resourceId, task }: Target, options: StopOptions): Promise<boolean> {
    const { requests } = this.#parts
    const stop = newStop(requests, kind, resourceId, task, options)
    const unit = withNews(requests, kind, resourceId, { stops: [stop] })
    return (await this.commit(unit, resourceId)).stopped > 0
  }

  async stopAll(kind: Kind, resourceId: string, options: StopOptions): Promise<number> {
    const stop = newStop(this.#parts.requests, kind, resourceId, null, options)
    return (await this.commit({ stops: [stop] }, resourceId)).stopped
  }

  /** @throws RESOURCE_UNKNOWN, RESOURCE_HAS_CHILDREN, RESOURCE_UNDELETABLE */
  async delete(kind: Kind, resourceId: string, options: DeleteOptions): Promise<void> {
    const { force = false, cascade = false } = options
    const { requests } = this.#parts
    const found = await this.#row(kind, resourceId)
    if (!found) throw fault('RESOURCE_UNKNOWN', { kind: kind.name, id: resourceId })
    const { children } = await this.remains(resourceId)
    if (children > 0 && !cascade) throw hasChildren(kind, resourceId, children)
    if (force) {
      const author = authorOf(options, requests)
      const removes = [{ resourceId, isForced: true, cascade, ...author }]
      await this.commit({ removes }, null).catch((thrown) => {
        throw thrown?.code === '23503' ? hasChildren(kind, resourceId, 'some') : thrown
      })
      return
    }
    const life = await this.status({ kind, resourceId, task: LIFE })
    const isUnderWay = found.state === DELETING && life?.status === 'running'
    if (!isUnderWay) await this.commit(newDeletion(requests, kind, resourceId, options), resourceId)
  }

  /** Only from within a life, as part of its last step. */
  async remove(): Promise<never> {
    const reason = 'only the life of a resource does it; use delete'
    throw fault('ARGUMENT_INVALID', { what: 'remove', reason })
  }

  /** @throws ARGUMENT_INVALID */
  async report(resourceId: string, status: AvailabilityStatus, because: Because): Promise<boolean> {
    const report = newReport(this.#parts.requests, resourceId, status, because)
    return (await this.commit({ reports: [report] }, null)).reported > 0
  }

  async row({ name, key: column }: OwnerTable, key: string): Promise<unknown> {
    return this.#parts.knex(name).where(column, key).first()
  }

  /** A desk at which every start makes this resource first, unless it is there. */
  anchored(anchor: NewResource): Desk {
    return new Desk({ ...this.#parts, anchor })
  }

  remains(resourceId: string): Promise<Remains> {
    return this.#parts.lookout.remains(resourceId)
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

  schedule(target: Target): Promise<Schedule | null> {
    return this.#parts.lookout.schedule(target)
  }

  /** @throws FIELDS_INVALID, FIELD_UNKNOWN, RESOURCE_UNKNOWN for the parent */
  async create(
    kind: Kind,
    given: Readonly<Record<string, unknown>>,
    parentId: string | null,
    { trx, ...because }: StartOptions,
  ): Promise<NewResource> {
    const { requests, joiner } = this.#parts
    const made = newResource(requests, kind, given, parentId, because)
    const commit = trx ? joiner.create(trx, made) : this.commit({ creates: [made] }, null)
    await commit.catch((thrown) => {
      if (thrown?.code === '23503')
        throw fault('RESOURCE_UNKNOWN', { kind: 'parent resource', id: parentId }, thrown)
      throw thrown
    })
    return made
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

  async #unstartable({ kind, resourceId: id, task }: Target): Promise<Error> {
    const found = await this.#row(kind, id)
    const values = { kind: kind.name, id, task }
    if (!found) return fault('RESOURCE_UNKNOWN', values)
    if (found.state === DELETING) return fault('RESOURCE_DELETING', values)
    if (found.state === 'stopping' || found.state === '__stop__')
      return fault('RESOURCE_STOPPED', values)
    return fault('TASK_STOPPING', values)
  }

  #row({ names }: Kind, id: string): Promise<{ state: string } | undefined> {
    return this.#parts.knex('resources').where({ id }).whereIn('kind', names).first('state')
  }

  #notRunning({ kind, resourceId: id, task }: Target): Error {
    return fault('TASK_NOT_RUNNING', { kind: kind.name, id, task })
  }
}

const hasChildren = ({ name: kind }: Kind, id: string, count: number | string) =>
  fault('RESOURCE_HAS_CHILDREN', { kind, id, count })
