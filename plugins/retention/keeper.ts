// The keeper: chunk after chunk of what grew old, written to the archive and then removed.
// Promise: a chunk is on the disk before its rows go, in the one transaction that moves the mark; any number of keepers may
// be about, one of them works on a part at a time; between two chunks it rests, so that work is not kept waiting.
import type { Runner } from '../../lib/database.ts'
import type { Premises } from '../../models/index.ts'
import { keep, type Line } from './archive.ts'
import type { Settings } from './options.ts'
import { Alarms, Changes, Failures } from './others.ts'
import type { Mark, Part, Question, Retired, Taken } from './part.ts'
import { type Scope, scopesOf } from './scope.ts'
import { Steps } from './steps.ts'

export type KeeperParts = Pick<Premises, 'database' | 'time' | 'events' | 'registry' | 'notices'>

/** Rows that are old, by kind. */
export interface OldLine {
  readonly rule: string
  /** Null for what belongs to no kind. */
  readonly kind: string | null
  /** Where they would be archived; null: they would be dropped. */
  readonly folder: string | null
  /** What is older goes. */
  readonly before: number
  readonly rows: number
  /** The same by table. */
  readonly tables: Readonly<Record<string, number>>
}

export interface RunOptions {
  /** Told of each chunk. */
  onChunk?(rows: number): void
  /** Stops between two chunks. */
  readonly signal?: AbortSignal
  /** Who wants it, and why. Default: the plugin, for its rules. */
  readonly actor?: string
  readonly reason?: string | null
}

/** What a round did. */
export interface Removed {
  readonly rows: number
  readonly files: readonly string[]
}

interface Done extends Removed {
  readonly isDone: boolean
}

const PARTS: readonly Part[] = [new Steps(), new Failures(), new Changes(), new Alarms()]
/** Rows one look of a count takes in. */
const LOOK = 20_000
const NOTICES = 5_000
const NOTHING: Done = { rows: 0, files: [], isDone: true }

export class Keeper {
  readonly #parts: KeeperParts
  readonly #settings: Settings
  readonly #scopes: readonly Scope[]

  /** @throws RETENTION_INVALID for a rule about a kind the app does not have */
  constructor(settings: Settings, parts: KeeperParts) {
    this.#parts = parts
    this.#settings = settings
    this.#scopes = scopesOf(settings.terms, parts.registry)
  }

  /** What would go now, by rule and kind, most first. Reads only. */
  async count(): Promise<OldLine[]> {
    const found: OldLine[] = []
    for (const scope of this.#scopes) {
      const { rule, folder } = scope
      const before = this.#before(scope)
      const kinds = new Map<string | null, Record<string, number>>()
      for (const part of PARTS) {
        const mark = await this.#mark(this.#parts.database, part, scope, '')
        const question = { scope, before, limit: LOOK, isKept: false, mark: mark ?? START }
        await part.count(this.#parts.database, question, (stored, table, rows) => {
          const kind = this.#today(stored)
          const tables = kinds.get(kind) ?? {}
          kinds.set(kind, { ...tables, [table]: (tables[table] ?? 0) + rows })
        })
      }
      for (const [kind, tables] of kinds) {
        const rows = Object.values(tables).reduce((sum, one) => sum + one, 0)
        found.push({ rule, kind, folder, before, rows, tables })
      }
    }
    return found.sort((a, b) => b.rows - a.rows)
  }

  /**
   * Removes what is old, until nothing is or it is stopped.
   * @throws ARCHIVE_UNWRITABLE, with nothing of the chunk removed
   */
  async run(options: RunOptions = {}): Promise<Removed> {
    const { onChunk, signal } = options
    const { pauseMs } = this.#settings
    const files = new Set<string>()
    let rows = 0
    for (const scope of this.#scopes) {
      for (const part of PARTS) {
        for (let isDone = false; !isDone && !signal?.aborted; ) {
          const done = await this.#chunk(part, scope, options)
          for (const file of done.files) files.add(file)
          rows += done.rows
          isDone = done.isDone
          if (done.rows > 0) onChunk?.(done.rows)
          if (!isDone && pauseMs > 0) await this.#parts.time.sleep(pauseMs, signal)
        }
      }
      if (scope.names === null && !signal?.aborted) {
        await this.#parts.notices.prune(this.#before(scope), NOTICES)
      }
    }
    return { rows, files: [...files] }
  }

  async #chunk(part: Part, scope: Scope, why: RunOptions): Promise<Done> {
    const { database, events } = this.#parts
    await database.query(OPEN, [part.name, scope.rule, nameOf(scope)])
    const told: { kind: string | null; rows: number; file: string | null }[] = []
    const done = await database.transaction(async (runner): Promise<Done> => {
      const mark = await this.#mark(runner, part, scope, 'FOR UPDATE SKIP LOCKED')
      // Somebody else is at it.
      if (!mark) return NOTHING
      const taken = await part.take(runner, this.#question(scope, mark))
      for (const [kind, lines] of byKind(taken.lines, (stored) => this.#today(stored))) {
        const file = scope.folder === null ? null : await keep(scope.folder, lines)
        told.push({ kind, rows: lines.length, file })
      }
      await this.#remove(runner, scope, taken)
      await this.#move(runner, part, scope, taken, why)
      const files = told.flatMap(({ file }) => file ?? [])
      return { rows: taken.lines.length, files, isDone: taken.isDone }
    })
    for (const one of told) events.emit('history.removed', one)
    return done
  }

  #question(scope: Scope, mark: Mark): Question {
    const before = this.#before(scope)
    return { scope, mark, before, limit: this.#settings.chunk, isKept: scope.folder !== null }
  }

  async #remove(runner: Runner, scope: Scope, { lines, retired = [] }: Taken): Promise<void> {
    if (retired.length > 0) await this.#note(runner, scope, retired)
    for (const [table, sql] of Object.entries(REMOVE)) {
      const gone = lines.filter((line) => line.table === table)
      if (gone.length === 0) continue
      const ids = gone.map(({ id }) => id)
      await runner.query(sql, table === 'transitions' ? [ids, gone.map(({ step }) => step)] : [ids])
    }
  }

  async #move(
    runner: Runner,
    part: Part,
    { rule }: Scope,
    { mark, lines }: Taken,
    { actor = 'retention', reason = null }: RunOptions,
  ): Promise<void> {
    const movedAt = lines.length > 0 ? this.#parts.time.now() : null
    const given = [part.name, rule, mark.at, mark.id, mark.step, movedAt, actor, reason]
    await runner.query(MOVE, given)
  }

  async #note(runner: Runner, { folder }: Scope, retired: readonly Retired[]): Promise<void> {
    const ids = retired.map(({ taskId }) => taskId)
    const firsts = retired.map(({ firstStep }) => firstStep)
    await runner.query(RETIRE, [ids, firsts, folder, this.#parts.time.now()])
  }

  /** One for other kinds counts as none. */
  async #mark(runner: Runner, part: Part, scope: Scope, lock: string): Promise<Mark | null> {
    const given = [part.name, scope.rule, nameOf(scope)]
    return (await runner.query(`${MARK} ${lock}`, given)).rows[0] ?? null
  }

  #before({ afterMs }: Scope): number {
    return this.#parts.time.now() - afterMs
  }

  #today(kind: string | null): string | null {
    return kind === null ? null : this.#parts.registry.today(kind, '').kind
  }
}

const START: Mark = { at: '-infinity', id: '', step: -1 }
/** Whom a rule is for, as a text. */
const nameOf = ({ names, except }: Scope) => JSON.stringify(names ?? { except })

function byKind(
  lines: readonly Line[],
  today: (kind: string | null) => string | null,
): Map<string | null, Line[]> {
  const kinds = new Map<string | null, Line[]>()
  for (const line of lines) {
    const kind = today(line.kind)
    const some = kinds.get(kind) ?? []
    some.push({ ...line, kind })
    kinds.set(kind, some)
  }
  return kinds
}

const OPEN = `
  INSERT INTO retention_marks AS m (part, rule, scope) VALUES ($1, $2, $3)
  ON CONFLICT (part, rule) DO UPDATE SET scope = excluded.scope, at = '-infinity', id = '', step = -1
  WHERE m.scope <> excluded.scope`

const MARK =
  'SELECT at::text AS at, id, step FROM retention_marks WHERE part = $1 AND rule = $2 AND scope = $3'

const MOVE = `
  UPDATE retention_marks SET at = $3::timestamptz, id = $4, step = $5,
    moved_at = coalesce(to_timestamp($6::float8 / 1000.0), moved_at),
    actor = CASE WHEN $6::float8 IS NULL THEN actor ELSE $7 END, reason = CASE WHEN $6::float8 IS NULL THEN reason ELSE $8 END
  WHERE part = $1 AND rule = $2`

const RETIRE = `
  INSERT INTO retired_steps AS r (task_id, first_step, folder, at)
  SELECT id, first, $3, to_timestamp($4::float8 / 1000.0) FROM unnest($1::uuid[], $2::integer[]) AS v(id, first)
  ON CONFLICT (task_id) DO UPDATE SET first_step = excluded.first_step, folder = excluded.folder, at = excluded.at`

/** Children before parents: what hangs on a row that goes has gone by then. */
const REMOVE = {
  transitions:
    'DELETE FROM transitions x USING unnest($1::uuid[], $2::integer[]) AS v(id, step) WHERE x.task_id = v.id AND x.step = v.step',
  events: 'DELETE FROM events WHERE id = ANY($1::bigint[])',
  failures: 'DELETE FROM failures WHERE id = ANY($1::uuid[])',
  tasks: 'DELETE FROM tasks WHERE id = ANY($1::uuid[]) AND finished_at IS NOT NULL',
  changes: 'DELETE FROM changes WHERE id = ANY($1::bigint[])',
  alarm_changes: 'DELETE FROM alarm_changes WHERE id = ANY($1::bigint[])',
  alarms: `DELETE FROM alarms WHERE id = ANY($1::uuid[]) AND state = 'closed'`,
} as const
