// Questions about what is stored, for the doors: runs, resources of any kind, what a run waits for.
// Promise: reads only; values are bound, columns are named here; nothing secret is answered.
import type { Knex } from '../lib/database.ts'
import type { Keyring } from '../lib/keyring.ts'
import type { Time } from '../lib/time.ts'
import { type Effort, effortsOf, fromSnapshot, type Trials } from './memory.ts'
import type { Registry } from './registry.ts'
import { runInfo } from './row.ts'
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

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
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
    if (!ids.every((id) => UUID.test(id))) return []
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
    if (!ids.every((one) => UUID.test(one))) return []
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

/** Adds what was given; what was not is no condition. */
function narrow(
  query: Knex.QueryBuilder,
  equal: Readonly<Record<string, string | undefined>>,
): void {
  for (const [column, value] of Object.entries(equal)) {
    if (value !== undefined) query.where(column, value)
  }
}
