// Questions about what is stored, for the doors: runs, resources of any kind, what a run waits for.
// Promise: reads only; values are bound, columns are named here; nothing secret is answered.
import type { Knex } from '../lib/database.ts'
import type { Keyring } from '../lib/keyring.ts'
import { isSilent } from '../lib/strike.ts'
import type { Time } from '../lib/time.ts'
import { Casebook, type FailureLine, type FailuresWanted } from './casebook.ts'
import { type Effort, effortsOf, fromSnapshot, type Trials } from './memory.ts'
import type { Registry } from './registry.ts'
import { isId, narrow, runInfo } from './row.ts'
import type { RunInfo } from './verbs.ts'

/** A run and the resource it belongs to. */
export interface RunLine extends RunInfo {
  readonly kind: string
  readonly resourceId: string
}

/** A resource of any kind, known to the app or not. */
export interface ResourceLine {
  readonly id: string
  readonly kind: string
  readonly state: string
  readonly parentId: string | null
  readonly createdAt: number
  readonly updatedAt: number
}

/** Everything given must hold. */
export interface RunsWanted {
  readonly taskId?: string
  readonly kind?: string
  readonly resourceId?: string
  readonly task?: string
  readonly status?: string
  readonly state?: string
  readonly limit?: number
}

export interface ResourcesWanted {
  readonly id?: string
  readonly kind?: string
  readonly state?: string
  readonly parentId?: string
  readonly limit?: number
}

/** A task that falls due. */
export interface DueLine {
  readonly kind: string
  readonly resourceId: string
  readonly task: string
  readonly status: string
  readonly state: string
  readonly dueAt: number
  /** How late it is; null when it is yet to come. */
  readonly lateMs: number | null
  readonly reason: string
}

export interface DuesWanted {
  /** What falls due until then; what is late is always told. */
  readonly until: number
  readonly kind?: string
  readonly limit?: number
}

/** A clock or a worker, of today or of lately. */
export interface WorkerLine {
  readonly id: string
  readonly role: 'clock' | 'worker'
  readonly host: string
  readonly pid: number
  readonly queue: string
  /** Of all queues together. */
  readonly concurrency: number | null
  /** Those it serves, a worker with how many places each; null of one that did not say. */
  readonly queues: Readonly<Record<string, number | null>> | null
  /** Stale: it was not heard of for too long, and did not say goodbye. */
  readonly status: 'alive' | 'stale' | 'stopped'
  readonly startedAt: number
  readonly seenAt: number
  readonly stoppedAt: number | null
}

/** What a live run waits for. */
export interface Waiting {
  readonly mailbox: number
  readonly timers: readonly {
    readonly id: string
    readonly event: string
    readonly dueAt: number
  }[]
  /** Effects that failed, asked for another run, or told of their progress. */
  readonly effects: readonly Effort[]
}

const MOST = 100

export class Query {
  readonly #knex: Knex
  readonly #keyring: Keyring
  readonly #time: Time
  readonly #registry: Registry

  constructor(parts: { knex: Knex; keyring: Keyring; time: Time; registry: Registry }) {
    this.#registry = parts.registry
    this.#knex = parts.knex
    this.#keyring = parts.keyring
    this.#time = parts.time
  }

  /** Runs, the latest started first. */
  async runs({ limit = MOST, ...wanted }: RunsWanted = {}): Promise<RunLine[]> {
    const { taskId, kind, resourceId, task, status, state } = wanted
    const ids = [taskId, resourceId].filter((id) => id !== undefined)
    if (!ids.every((id) => isId(id))) return []
    const query = this.#knex('tasks')
      .join('resources', 'resources.id', 'tasks.resource_id')
      .leftJoin('dues', 'dues.task_id', 'tasks.id')
      .orderBy([
        { column: 'tasks.started_at', order: 'desc' },
        { column: 'tasks.id', order: 'desc' },
      ])
      .limit(limit)
      .select('tasks.*', 'resources.kind', 'dues.due_at')
    narrow(query, { 'tasks.id': taskId, 'tasks.resource_id': resourceId })
    narrow(query, { 'tasks.status': status, 'tasks.state': state })
    if (kind !== undefined) query.whereIn('resources.kind', this.#registry.namesOf(kind))
    if (task !== undefined) query.whereIn('tasks.name', this.#registry.namesOfTask(task))
    const rows: any[] = await query
    return rows.map((row) => ({
      resourceId: row.resource_id,
      ...runInfo(row),
      ...this.#registry.today(row.kind, row.name),
    }))
  }

  /** Resources of any kind, oldest first. */
  async resources({ limit = MOST, ...wanted }: ResourcesWanted = {}): Promise<ResourceLine[]> {
    const { id, kind, state, parentId } = wanted
    const ids = [id, parentId].filter((one) => one !== undefined)
    if (!ids.every((one) => isId(one))) return []
    const query = this.#knex('resources').orderBy('id').limit(limit)
    narrow(query, { id, state, parent_id: parentId })
    if (kind !== undefined) query.whereIn('kind', this.#registry.namesOf(kind))
    const rows: any[] = await query.select(
      'id',
      'kind',
      'state',
      'parent_id',
      'created_at',
      'updated_at',
    )
    return rows.map((row) => ({
      id: row.id,
      kind: this.#registry.today(row.kind, '').kind,
      state: row.state,
      parentId: row.parent_id,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    }))
  }

  /** Failed attempts and panics, the latest last. */
  failures(wanted: FailuresWanted = {}): Promise<FailureLine[]> {
    return new Casebook(this.#knex, this.#registry).failures(wanted)
  }

  /** Events nobody took yet, timers and efforts of the state the run rests in. @throws STATE_CORRUPT, SEAL_UNKNOWN_KEY */
  async waiting(taskId: string, task: string): Promise<Waiting> {
    const mail: any = await this.#knex('events')
      .where({ task_id: taskId, consumed_at: null })
      .count('id as count')
      .first()
    const row: any = await this.#knex('tasks')
      .join('transitions', (join) =>
        join.on('transitions.task_id', 'tasks.id').andOn('transitions.step', 'tasks.rest_step'),
      )
      .where({ 'tasks.id': taskId, finished_at: null })
      .first('snapshot', 'tries')
    const timers = row?.snapshot ? fromSnapshot(row.snapshot, this.#sealer, task).timers : []
    return {
      mailbox: Number(mail.count),
      timers: timers.map(({ id, event, dueAt }) => ({ id, event: event.type, dueAt })),
      effects: effortsOf((row?.tries ?? null) as Trials | null),
    }
  }

  /** What falls due, the latest of the late first. */
  async dues({ until, kind, limit = MOST }: DuesWanted): Promise<DueLine[]> {
    const nowMs = this.#time.now()
    const query = this.#knex('dues')
      .join('tasks', 'tasks.id', 'dues.task_id')
      .join('resources', 'resources.id', 'tasks.resource_id')
      .whereRaw('dues.due_at <= to_timestamp(? / 1000.0)', [until])
      .orderBy([{ column: 'dues.due_at' }, { column: 'tasks.id' }])
      .limit(limit)
      .select('tasks.resource_id', 'resources.kind', 'tasks.name', 'status', 'tasks.state')
      .select('dues.due_at', 'dues.reason')
    if (kind !== undefined) query.whereIn('resources.kind', this.#registry.namesOf(kind))
    const rows: any[] = await query
    return rows.map(({ resource_id: resourceId, status, state, due_at: dueAt, reason, ...row }) => {
      const lateMs = dueAt > nowMs ? null : nowMs - dueAt
      return {
        resourceId,
        ...this.#registry.today(row.kind, row.name),
        status,
        state,
        dueAt,
        lateMs,
        reason,
      }
    })
  }

  /** Who is at work, and who was lately: those alive first, then the latest seen. */
  async workers({ limit = MOST }: { limit?: number } = {}): Promise<WorkerLine[]> {
    const { rows } = await this.#knex.raw(
      `SELECT id, role, host, pid, queue, concurrency, queues, started_at AS "startedAt", seen_at AS "seenAt", stopped_at AS "stoppedAt",
         CASE WHEN stopped_at IS NOT NULL THEN 'stopped' WHEN ${isSilent('w', ':nowMs::float8')} THEN 'stale' ELSE 'alive' END AS status
       FROM workers w ORDER BY status, seen_at DESC, id LIMIT :limit`,
      { nowMs: this.#time.now(), limit },
    )
    return rows
  }

  /** Does anything exist here? */
  async isEmpty(): Promise<boolean> {
    return (await this.#knex('resources').first('id')) === undefined
  }

  get #sealer() {
    const now = () => this.#time.now()
    return {
      seal: (text: string) => this.#keyring.seal('fields', text, now()),
      open: (sealed: string) => this.#keyring.open('fields', sealed, now()),
    }
  }
}
