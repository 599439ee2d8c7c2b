// The roster: who is at work. Each clock and each worker of a process keeps a row and says now and then that it lives.
// Promise: whoever dies falls silent, for what blocks the process blocks its pulse; whoever ends in good order says so;
// a process that was itself cut off from the database judges nobody until the others had time to be heard again.

import { hostname } from 'node:os'
import type { Config } from '../lib/config.ts'
import type { Database } from '../lib/database.ts'
import { asError } from '../lib/errors.ts'
import type { Events } from '../lib/events.ts'
import { newToken } from '../lib/id.ts'
import { keyed } from '../lib/keyed.ts'
import { SILENT_PULSES } from '../lib/strike.ts'
import type { Time } from '../lib/time.ts'
import { within } from '../lib/within.ts'
import { Quarantine } from './poison.ts'

export interface RosterParts {
  readonly database: Pick<Database, 'query'>
  readonly config: Config
  readonly time: Time
  readonly events: Events
}

/** What a tick needs of it. */
export interface Presence {
  /** Would this process know if another one had died? */
  readonly isJudge: boolean
  /** Where its suspects are kept apart. */
  readonly quarantine: Quarantine
  /** Says that this claim came to its end without having settled what it took, and that nobody died of it. */
  release(resourceId: string, fence: number): Promise<void>
}

const MOST_PULSE_MS = 2_000
const LEAST_PULSE_MS = 50
/** How long a goodbye may take. */
const PATIENCE_MS = 2_000
/** Rows of those who are gone: how old they get, and how many are kept. */
const KEPT = { ms: 86_400_000, rows: 1_000, freshMs: 3_600_000 }
/** The most claims of which the database is yet to hear that nobody died of them. */
const MOST_UNSAID = 10_000

/** A death is to be seen before the lock of the dead runs out, whatever the pace of the house. */
export const pulseMsOf = ({ beatMs, lockTtlMs }: Pick<Config, 'beatMs' | 'lockTtlMs'>): number =>
  Math.max(LEAST_PULSE_MS, Math.min(2 * beatMs, MOST_PULSE_MS, Math.floor(lockTtlMs / 5)))

export class Roster implements Presence {
  /** The name of this worker in leases and history. */
  readonly id: string
  readonly quarantine: Quarantine
  readonly #parts: RosterParts
  readonly #role: 'clock' | 'worker'
  readonly #queues: ReadonlyMap<string, number | null>
  readonly #pulseMs: number
  readonly #startedAt: number
  readonly #left = new AbortController()
  readonly #unsaid = new Map<string, number>()
  #entering: Promise<void> | null = null
  #pulsing: Promise<void> | null = null
  #seenAt = Number.NEGATIVE_INFINITY
  #judgesFrom = Number.NEGATIVE_INFINITY

  /** @param queues those it serves, a worker with how many places each; the house's alone unless told */
  constructor(
    parts: RosterParts,
    role: 'clock' | 'worker',
    queues: ReadonlyMap<string, number | null> = new Map([
      [parts.config.queue, role === 'worker' ? parts.config.concurrency : null],
    ]),
  ) {
    this.#parts = parts
    this.quarantine = new Quarantine(parts.time)
    this.#role = role
    this.#queues = queues
    this.id = `${role}-${newToken().slice(0, 8)}`
    this.#pulseMs = pulseMsOf(parts.config)
    this.#startedAt = parts.time.now()
  }

  get isJudge(): boolean {
    const now = this.#parts.time.monotonic()
    return now >= this.#judgesFrom && now - this.#seenAt < SILENT_PULSES * this.#pulseMs
  }

  /** Signs in; the pulse goes on until it leaves. @throws when the database cannot be asked */
  enter(): Promise<void> {
    this.#entering ??= this.#enter()
    return this.#entering
  }

  async #enter(): Promise<void> {
    try {
      await this.#say()
    } finally {
      this.#pulsing ??= this.#pulse()
    }
    await this.#sweep().catch((thrown) => this.failed(thrown))
  }

  /** Says goodbye, if there is anybody to hear it. */
  async leave(): Promise<void> {
    const { time, database } = this.#parts
    this.#left.abort()
    // Whoever is about to come in must not be seen only after its goodbye.
    await within(time, PATIENCE_MS, this.#entering ?? Promise.resolve()).catch(() => {})
    await this.#pulsing
    const goodbye = database.query(
      'UPDATE workers SET stopped_at = to_timestamp($2 / 1000.0) WHERE id = $1',
      [this.id, time.now()],
    )
    await within(time, PATIENCE_MS, goodbye).catch((thrown) => this.failed(thrown))
  }

  /** @inheritDoc Presence.release */
  async release(resourceId: string, fence: number): Promise<void> {
    if (this.#unsaid.size < MOST_UNSAID) this.#unsaid.set(resourceId, fence)
    await within(this.#parts.time, PATIENCE_MS, this.#confess()).catch((thrown) =>
      this.failed(thrown),
    )
  }

  async #pulse(): Promise<void> {
    const { time } = this.#parts
    let pauseMs = this.#pulseMs
    while (!this.#left.signal.aborted) {
      await time.sleep(pauseMs, this.#left.signal)
      if (this.#left.signal.aborted) return
      try {
        await this.#say()
        await this.#confess()
        pauseMs = this.#pulseMs
      } catch (thrown) {
        this.failed(thrown)
        pauseMs = this.#pulseMs / 5
      }
    }
  }

  async #say(): Promise<void> {
    const { database, config, time } = this.#parts
    await database.query(SAY, [
      ...[this.id, this.#role, hostname(), process.pid, config.queue],
      ...[this.#role === 'worker' ? this.#places : null, this.#pulseMs],
      ...[this.#startedAt, time.now(), JSON.stringify(Object.fromEntries(this.#queues))],
    ])
    const silentMs = SILENT_PULSES * this.#pulseMs
    const now = time.monotonic()
    // Whatever kept this one from being heard may have kept others.
    const wasSilent = this.#seenAt > Number.NEGATIVE_INFINITY && now - this.#seenAt >= silentMs
    if (wasSilent) this.#judgesFrom = now + silentMs
    this.#seenAt = now
  }

  get #places(): number {
    return [...this.#queues.values()].reduce<number>((sum, places) => sum + (places ?? 0), 0)
  }

  async #confess(): Promise<void> {
    const said = [...this.#unsaid].sort(([a], [b]) => (a < b ? -1 : 1))
    if (said.length === 0) return
    await this.#parts.database.query(RELEASE, [said.map(([id]) => id), said.map(([, f]) => f)])
    for (const [id, fence] of said) if (this.#unsaid.get(id) === fence) this.#unsaid.delete(id)
  }

  async #sweep(): Promise<void> {
    const { database, time } = this.#parts
    await database.query(SWEEP, [time.now() - KEPT.ms, KEPT.rows, time.now() - KEPT.freshMs])
  }

  failed(thrown: unknown): void {
    this.#parts.events.emit('roster.failed', { who: this.id, error: asError(thrown) })
  }
}

const SAY = `
  INSERT INTO workers (id, role, host, pid, queue, concurrency, pulse_ms, started_at, seen_at, queues)
  VALUES ($1, $2, $3, $4, $5, $6, $7, to_timestamp($8 / 1000.0), to_timestamp($9 / 1000.0), $10::jsonb)
  ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at`

const RELEASE = `
  UPDATE leases SET owner = NULL FROM unnest($1::uuid[], $2::bigint[]) AS v(id, held)
  WHERE ${keyed('resource_id', 'v.id')} AND fence = v.held`

const SWEEP = `
  DELETE FROM workers WHERE seen_at < to_timestamp($1 / 1000.0) OR id IN (
    SELECT id FROM workers WHERE stopped_at IS NOT NULL OR seen_at < to_timestamp($3 / 1000.0) ORDER BY seen_at DESC OFFSET $2)`
