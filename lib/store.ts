// The store: the only thing a tick writes through. A list of units in, an outcome for each.
// Promise: every unit commits whole or not at all, compare-and-set on its task's step and on its
// resource's fence; a conflict costs only the unit concerned; an unknown COMMIT is read back, not guessed.
import type { Due, Ticket } from './contract.ts'
import { CommitUnknown, type Database, type Runner } from './database.ts'
import { asError, fault } from './errors.ts'
import type { Events } from './events.ts'
import { judge } from './judge.ts'
import { type Entry, Scribe } from './scribe.ts'
import type { Time } from './time.ts'
import type { Outcome, RunStatus, Unit } from './unit.ts'

/** A resource as it was when it was claimed, or looked at again. */
export interface Claim {
  readonly resourceId: string
  readonly kind: string
  readonly state: string
  readonly fields: Record<string, unknown>
  readonly version: number
  readonly fence: number
  readonly tasks: readonly StoredTask[]
}

export interface StoredTask {
  readonly id: string
  readonly task: string
  readonly machineVersion: string
  readonly step: number
  readonly restStep: number
  readonly status: RunStatus
  readonly state: string
  readonly tries: unknown
  readonly snapshot: unknown
  /** What the run was started with. */
  readonly args: unknown
  readonly dueAt: number
  readonly wakes: number
  readonly mail: readonly StoredEvent[]
}

export interface StoredEvent {
  readonly id: string
  readonly type: string
  readonly payload: unknown
  readonly actor: string
  readonly reason: string | null
  readonly sentAt: number
  readonly expiresAt: number | null
}

/** Bounds of one look: a resource with more due tasks, or a task with more mail, gets another turn. */
const MOST_TASKS = 50
const MOST_MAIL = 100
/** How often a batch that lost a deadlock or a serialisation race is tried again. */
const MOST_RETRIES = 4

export class Store implements Due {
  readonly #database: Database
  readonly #time: Time
  readonly #events: Events
  readonly #toldMs: number

  /** @param parts.toldMs how long a pushed ticket is trusted before the clock looks again */
  constructor(parts: { database: Database; time: Time; events: Events; toldMs: number }) {
    this.#database = parts.database
    this.#time = parts.time
    this.#events = parts.events
    this.#toldMs = parts.toldMs
  }

  /** @inheritDoc Due.due */
  async due(limit: number): Promise<{ tickets: Ticket[]; nextAt: number | null; lateMs: number }> {
    const now = this.#time.now()
    const { rows } = await this.#database.query(
      `WITH picked AS (
         SELECT task_id FROM dues WHERE look_at <= to_timestamp($1 / 1000.0)
         ORDER BY look_at LIMIT $2 FOR UPDATE SKIP LOCKED)
       UPDATE dues SET look_at = to_timestamp(($1 + $3) / 1000.0) FROM picked
       WHERE dues.task_id = picked.task_id RETURNING dues.resource_id, dues.due_at`,
      [now, limit, this.#toldMs],
    )
    rows.sort((a, b) => a.due_at - b.due_at)
    const next = await this.#database.query(
      'SELECT min(look_at) AS at FROM dues WHERE look_at > to_timestamp($1 / 1000.0)',
      [now],
    )
    const ids = new Set<string>(rows.map((row) => row.resource_id))
    const lateMs = rows.length > 0 ? Math.max(0, now - rows[0].due_at) : 0
    return {
      tickets: [...ids].map((resourceId) => ({ resourceId })),
      nextAt: next.rows[0].at,
      lateMs,
    }
  }

  /** Raises the fence of a resource and reads what is due in it. Null when there is no such resource. */
  async claim(resourceId: string, owner: string): Promise<Claim | null> {
    const { rows } = await this.#database.query(
      `UPDATE leases SET fence = fence + 1, owner = $2, claimed_at = to_timestamp($3 / 1000.0)
       WHERE resource_id = $1 RETURNING fence`,
      [resourceId, owner, this.#time.now()],
    )
    return rows[0] ? this.look(resourceId, rows[0].fence) : null
  }

  /** Reads again under a fence already held. A statement of its own, so it sees all that was committed. */
  async look(resourceId: string, fence: number): Promise<Claim | null> {
    const { rows } = await this.#database.query(LOOK, [
      resourceId,
      this.#time.now(),
      MOST_TASKS,
      MOST_MAIL,
    ])
    const [first] = rows
    if (!first) return null
    const { kind, resource_state: state, fields, version } = first
    return {
      resourceId,
      kind,
      state,
      fields,
      version,
      fence,
      tasks: rows.filter(({ id }) => id).map(storedTask),
    }
  }

  /** Is anything of this resource due now? */
  async dueNow(resourceId: string): Promise<boolean> {
    const { rowCount } = await this.#database.query(
      'SELECT 1 FROM dues WHERE resource_id = $1 AND due_at <= to_timestamp($2 / 1000.0) LIMIT 1',
      [resourceId, this.#time.now()],
    )
    return rowCount === 1
  }

  /**
   * Commits units, in order, in one transaction.
   * @returns an outcome for each unit, in the order given
   * @throws COMMIT_UNKNOWN when the answer was lost and nothing of the unit can be read back
   */
  async commit(units: readonly Unit[]): Promise<Outcome[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        const outcomes = await this.#database.transaction((runner) => this.#write(runner, units))
        for (const [index, outcome] of outcomes.entries()) this.#tell(units[index] as Unit, outcome)
        return outcomes
      } catch (thrown) {
        if (thrown instanceof CommitUnknown) return this.#readBack(units, thrown)
        if (!isRace(thrown) || attempt === MOST_RETRIES) throw thrown
        this.#events.emit('store.retried', { error: asError(thrown) })
      }
    }
  }

  async #write(runner: Runner, units: readonly Unit[]): Promise<Outcome[]> {
    const verdicts = await judge(runner, units)
    const entries = units.map((unit): Entry => ({ unit, started: [], delivered: 0, stopped: 0 }))
    const won = entries.filter((_, index) => !verdicts[index])
    const scribe = new Scribe(runner, { nowMs: this.#time.now(), toldMs: this.#toldMs })
    if (won.length > 0) await scribe.write(won)
    return entries.map(
      ({ started, delivered, stopped }, index) =>
        verdicts[index] ?? { kind: 'committed', started, delivered, stopped },
    )
  }

  #tell(unit: Unit, outcome: Outcome): void {
    const resourceId = unit.fence?.resourceId ?? unit.step?.resourceId ?? ''
    const taskId = unit.step?.taskId ?? null
    if (outcome.kind === 'fenced') {
      this.#events.emit('unit.fenced', { resourceId, taskId, fence: unit.fence?.fence ?? 0 })
    } else if (outcome.kind === 'desynchronized') {
      this.#events.emit('unit.desynchronized', {
        resourceId,
        taskId,
        step: unit.step?.expected ?? -1,
      })
    }
  }

  /** After a lost COMMIT: a unit left its id in what it wrote, so look for it. All or none were written. */
  async #readBack(units: readonly Unit[], unknown: CommitUnknown): Promise<Outcome[]> {
    const traces = units.filter(leavesTrace)
    if (traces.length === 0) throw fault('COMMIT_UNKNOWN', { reason: unknown.message }, unknown)
    const found = await traced(this.#database, traces)
    if (found.size === 0) return this.commit(units)
    return units.map((unit) =>
      !leavesTrace(unit) || found.has(unit.id)
        ? {
            kind: 'committed',
            started: (unit.starts ?? []).map(({ id }) => id),
            delivered: unit.sends?.length ?? 0,
            stopped: unit.stops?.length ?? 0,
          }
        : { kind: 'desynchronized' },
    )
  }
}

function leavesTrace(unit: Unit): boolean {
  return Boolean(
    unit.step?.transition || unit.starts?.length || unit.sends?.length || unit.stops?.length,
  )
}

async function traced(runner: Runner, units: readonly Unit[]): Promise<Set<string>> {
  const { rows } = await runner.query(
    `SELECT unit_id FROM transitions WHERE unit_id = ANY($1)
     UNION SELECT unit_id FROM events WHERE unit_id = ANY($1)`,
    [units.map(({ id }) => id)],
  )
  return new Set(rows.map(({ unit_id }) => unit_id))
}

/** Deadlock or serialisation failure: the transaction was taken back whole, so it may be repeated. */
function isRace(thrown: unknown): boolean {
  const { code } = thrown as { code?: string }
  return code === '40P01' || code === '40001'
}

function storedTask(row: any): StoredTask {
  return {
    id: row.id,
    task: row.name,
    machineVersion: row.machine_version,
    step: row.step,
    restStep: row.rest_step,
    status: row.status,
    state: row.state,
    tries: row.tries,
    snapshot: row.snapshot,
    args: row.args,
    dueAt: row.due_at,
    wakes: row.wakes,
    mail: row.mail ?? [],
  }
}

/** One snapshot for rings and mail: an event not read here has a ring not counted here. */
const LOOK = `
  SELECT r.kind, r.state AS resource_state, coalesce(r.lost_and_found, '{}') || r.fields AS fields, r.version, t.*
  FROM resources r LEFT JOIN LATERAL (
    SELECT t.id, t.name, t.machine_version, t.step, t.rest_step, t.status, t.state, t.tries,
           x.snapshot, CASE WHEN t.rest_step = 0 THEN x.payload END AS args, d.due_at, d.wakes,
           (SELECT json_agg(json_build_object('id', e.id::text, 'type', e.type, 'payload', e.payload,
                     'actor', e.actor, 'reason', e.reason, 'sentAt', floor(extract(epoch FROM e.sent_at) * 1000),
                     'expiresAt', floor(extract(epoch FROM e.expires_at) * 1000)) ORDER BY e.id)
            FROM (SELECT * FROM events WHERE task_id = t.id AND consumed_at IS NULL ORDER BY id LIMIT $4) e) AS mail
    FROM dues d JOIN tasks t ON t.id = d.task_id
    JOIN transitions x ON x.task_id = t.id AND x.step = t.rest_step
    WHERE d.resource_id = r.id AND d.due_at <= to_timestamp($2 / 1000.0)
    ORDER BY d.due_at LIMIT $3) t ON true
  WHERE r.id = $1`
