// Maintenances: times in which nobody is told of some alarms.
// Promise: each has an author, a reason and an end; ending one early changes nothing of what was not told.
import type { Knex } from '../lib/database.ts'
import { fault } from '../lib/errors.ts'
import { newId } from '../lib/id.ts'
import type { Registry } from './registry.ts'
import { authorOf, type RequestParts } from './requests.ts'
import type { Because } from './verbs.ts'

/** A time in which nobody is told of what matches. */
export interface Maintenance {
  readonly id: string
  readonly kind: string | null
  readonly resourceId: string | null
  readonly name: string | null
  readonly fromAt: number
  readonly untilAt: number
  readonly actor: string
  readonly reason: string
}

export interface MaintenanceOptions extends Because {
  readonly kind?: string
  /** A resource, and all that belong to it. */
  readonly resourceId?: string
  /** The name of the alarms. */
  readonly name?: string
  /** Milliseconds since 1970; now unless told. */
  readonly fromAt?: number
  readonly untilAt: number
}

export interface MaintenancesParts {
  readonly knex: Knex
  readonly registry: Registry
  readonly requests: RequestParts
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export class Maintenances {
  readonly #parts: MaintenancesParts

  constructor(parts: MaintenancesParts) {
    this.#parts = parts
  }

  /**
   * Nobody is told of what matches during that time; what is still open when it is over is told then.
   * @throws ARGUMENT_INVALID for a time that is over, or without a reason
   */
  async add(options: MaintenanceOptions): Promise<Maintenance> {
    const { requests, knex } = this.#parts
    const { actor, reason } = authorOf(options, requests)
    const { kind = null, resourceId = null, name = null, untilAt } = options
    const { fromAt = requests.time.now() } = options
    const invalid = (why: string) =>
      fault('ARGUMENT_INVALID', { what: 'The maintenance', reason: why })
    if (!(untilAt > Math.max(fromAt, requests.time.now())))
      throw invalid(`${moment(untilAt)} has passed already, or is before its beginning`)
    if (reason === null) throw invalid('it has no reason, and people will ask')
    if (resourceId !== null && !UUID.test(resourceId)) throw invalid(`"${resourceId}" is no id`)
    if (kind !== null) this.#parts.registry.find(kind)
    const made = {
      id: newId(requests.time),
      kind,
      resourceId,
      name,
      fromAt,
      untilAt,
      actor,
      reason,
    }
    await knex.raw(
      `INSERT INTO maintenances (id, kind, resource_id, name, from_at, until_at, actor, reason)
       VALUES (:id, :kind, :resourceId, :name, to_timestamp(:fromAt / 1000.0), to_timestamp(:untilAt / 1000.0), :actor, :reason)`,
      made,
    )
    return made
  }

  /** Those that are not over, the first to end first. */
  async list(): Promise<Maintenance[]> {
    const { knex, requests } = this.#parts
    const rows: any[] = await knex('maintenances')
      .whereRaw('until_at > to_timestamp(? / 1000.0)', [requests.time.now()])
      .orderBy('until_at')
      .limit(1_000)
    return rows.map(({ id, kind, resource_id, name, from_at, until_at, actor, reason }) => ({
      ...{ id, kind, name, actor, reason },
      ...{ resourceId: resource_id, fromAt: from_at, untilAt: until_at },
    }))
  }

  /** Ends one before its time. False when there was none, or it was over. */
  async end(id: string): Promise<boolean> {
    if (!UUID.test(id)) return false
    const { knex, requests } = this.#parts
    const now = requests.time.now()
    const ended = await knex.raw(
      `UPDATE maintenances SET until_at = to_timestamp(:now / 1000.0) WHERE id = :id AND until_at > to_timestamp(:now / 1000.0)`,
      { id, now },
    )
    return ended.rowCount > 0
  }
}

const moment = (at: number) => (Number.isFinite(at) ? new Date(at).toISOString() : String(at))
