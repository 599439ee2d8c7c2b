// The desk: verbs carried out at once, each a commit of its own, then a ticket.
// Promise: the answer tells what was committed; a refused change changed nothing; a lost ticket delays only.
import { fault } from '../lib/errors.ts'
import type { Escort } from '../lib/escort.ts'
import type { Events } from '../lib/events.ts'
import type { Porter } from '../lib/porter.ts'
import type { Store } from '../lib/store.ts'
import type { FieldChange, NewResource, NewRun, Unit } from '../lib/unit.ts'
import type { AvailabilityStatus } from './availability.ts'
import type { Joiner } from './joiner.ts'
import { type Kind, LIFE } from './kind.ts'
import { DELETING } from './life.ts'
import type { Seen } from './onlooker.ts'
import type { Opened, Opener } from './opener.ts'
import type { OwnerTable } from './owner.ts'
import { Pauser } from './pauser.ts'
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
} from './requests.ts'
import { RunDesk, type RunDeskParts } from './run-desk.ts'
import type {
  Because,
  DeleteOptions,
  EventInput,
  PauseOptions,
  Remains,
  SendOptions,
  Started,
  StartOptions,
  StopOptions,
  Target,
  Verbs,
} from './verbs.ts'

export interface DeskParts extends RunDeskParts {
  readonly store: Pick<Store, 'commit'> & { readonly porter?: Pick<Porter, 'letGo'> }
  readonly events: Events
  readonly joiner: Joiner
  /** Takes first steps; without it workers take them all. */
  readonly opener?: Opener
  /** Who comes for a run while it is started; without it somebody is told afterwards. */
  readonly escort?: (run: NewRun) => Escort | null
  /** Made with every start. */
  readonly anchor?: NewResource
}

/** How often a send is tried whose refusal cannot be explained any more. */
const MOST_TRIES = 3

export class Desk extends RunDesk<DeskParts> implements Verbs {
  /** @throws TASK_UNKNOWN, RESOURCE_UNKNOWN, RESOURCE_STOPPED, VALUE_NOT_STORABLE */
  async start(target: Target, args: unknown, options: StartOptions): Promise<Started> {
    const { trx, ...because } = options
    const { requests, joiner, anchor, opener, escort } = this.parts
    const run = newRun(requests, target, args, because)
    const creates = anchor ? [anchor] : []
    if (trx) return joiner.start(trx, target, run, creates)
    const opened = opener?.open(target.kind, run)
    const starts = [opened?.run ?? run]
    const unit = this.watched(target.kind, target.resourceId, { creates, starts })
    const isDue = isNow(opened, requests.time.now())
    const escorted = isDue ? escort?.(run) : null
    const outcome = await this.written(unit, target.resourceId).finally(() => escorted?.end())
    // Before anybody can be told of the step that follows.
    if (outcome.begun.length > 0) opened?.tell()
    if (!escorted?.hasSeen) await this.ring(unit, outcome, target.resourceId)
    if (outcome.started.length > 0) return { taskId: run.id, isNew: true }
    const live = await this.status(target)
    if (live && live.finishedAt === null && live.status !== 'stopping')
      return { taskId: live.taskId, isNew: live.taskId === run.id }
    throw await this.#unstartable(target)
  }

  async stop({ kind, resourceId, task }: Target, options: StopOptions): Promise<boolean> {
    const { requests } = this.parts
    const stop = newStop(requests, kind, resourceId, task, options)
    const unit = withNews(requests, kind, resourceId, { stops: [stop] })
    return (await this.commit(this.watched(kind, resourceId, unit), resourceId)).stopped > 0
  }

  async stopAll(kind: Kind, resourceId: string, options: StopOptions): Promise<number> {
    const stop = newStop(this.parts.requests, kind, resourceId, null, options)
    const unit = this.watched(kind, resourceId, { stops: [stop] })
    return (await this.commit(unit, resourceId)).stopped
  }

  /** @throws RESOURCE_UNKNOWN, RESOURCE_HAS_CHILDREN, RESOURCE_UNDELETABLE */
  async delete(kind: Kind, resourceId: string, options: DeleteOptions): Promise<void> {
    const { force = false, cascade = false } = options
    const { requests } = this.parts
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
    const report = newReport(this.parts.requests, resourceId, status, because)
    // Of what kind it is is not known here; a look too many costs little.
    const watches = this.parts.registry.hasRules ? [resourceId] : []
    return (await this.commit({ reports: [report], watches }, null)).reported > 0
  }

  async row({ name, key: column }: OwnerTable, key: string): Promise<unknown> {
    return this.parts.knex(name).where(column, key).first()
  }

  /** A desk at which every start makes this resource first, unless it is there. */
  anchored(anchor: NewResource): Desk {
    return new Desk({ ...this.parts, anchor })
  }

  remains(resourceId: string): Promise<Remains> {
    return this.parts.lookout.remains(resourceId)
  }

  /**
   * @throws TASK_NOT_RUNNING, TASK_FINISHED, EVENT_UNKNOWN, EVENT_TOO_LARGE, MAILBOX_FULL, DUPLICATE_SEND,
   *   VALUE_NOT_STORABLE, ARGUMENT_INVALID
   */
  async send(target: Target, event: EventInput, options: SendOptions): Promise<void> {
    const mail = newEvent(this.parts.requests, target, event, options)
    // What kept it out may be gone when it is looked for: a run began, or a full mailbox was worked off.
    for (let attempt = 1; ; attempt++) {
      const { delivered } = await this.commit({ sends: [mail] }, target.resourceId)
      if (delivered > 0) return
      const refused = await refusal(this.parts.knex, target, mail)
      if (refused) throw refused
      if (attempt === MOST_TRIES) throw this.#notRunning(target)
    }
  }

  /** @throws RESOURCE_UNKNOWN, ARGUMENT_INVALID */
  hold(resourceId: string, options: PauseOptions): Promise<boolean> {
    return this.#pauser.pause(resourceId, options)
  }

  release(resourceId: string, because: Because): Promise<boolean> {
    return this.#pauser.resume(resourceId, because)
  }

  get #pauser(): Pauser {
    return new Pauser(this.parts, (...asked) => this.commit(...asked))
  }

  /** @throws FIELDS_INVALID, FIELD_UNKNOWN, RESOURCE_UNKNOWN for the parent */
  async create(
    kind: Kind,
    given: Readonly<Record<string, unknown>>,
    parentId: string | null,
    { trx, ...because }: StartOptions,
  ): Promise<NewResource> {
    const { requests, joiner } = this.parts
    const made = newResource(requests, kind, given, parentId, because)
    const unit = this.watched(kind, made.id, { creates: [made] })
    const commit = trx ? joiner.create(trx, made) : this.commit(unit, null)
    await commit.catch((thrown) => {
      if (thrown?.code === '23503')
        throw fault('RESOURCE_UNKNOWN', { kind: 'parent resource', id: parentId }, thrown)
      throw thrown
    })
    return made
  }

  /** Writes fields that were set from outside. @throws DESYNCHRONIZED when they were changed since they were read */
  async save(fields: FieldChange, seen: Seen, because: Because): Promise<void> {
    const author = authorOf(because, this.parts.requests)
    const saved: Pick<Unit, 'fields' | 'starts' | 'stops'> = { fields: { ...fields, author } }
    const moved = withReflexes(this.parts, seen, saved)
    const unit = this.watched(seen.kind, seen.resourceId, moved)
    const isMoving = (unit.starts ?? []).length + (unit.stops ?? []).length > 0
    await this.commit(unit, isMoving ? seen.resourceId : null)
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
    return this.parts.knex('resources').where({ id }).whereIn('kind', names).first('state')
  }

  #notRunning({ kind, resourceId: id, task }: Target): Error {
    return fault('TASK_NOT_RUNNING', { kind: kind.name, id, task })
  }
}

/** Does the run want a worker as soon as it is there? */
const isNow = (opened: Opened | null | undefined, now: number): boolean => {
  const at = opened ? opened.run.first?.at : now
  return at !== null && at !== undefined && at <= now
}

const hasChildren = ({ name: kind }: Kind, id: string, count: number | string) =>
  fault('RESOURCE_HAS_CHILDREN', { kind, id, count })
