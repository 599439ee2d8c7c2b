// The pauser: a resource held by hand, and let go.
// Promise: each is a commit of its own with its line of history; whoever lets go makes due what was put off.
import type { Knex } from '../lib/database.ts'
import { fault } from '../lib/errors.ts'
import type { Hold, HoldSignal } from '../lib/hold.ts'
import type { Porter } from '../lib/porter.ts'
import type { Outcome, Unit } from '../lib/unit.ts'
import { newPause, newResume, type RequestParts } from './requests.ts'
import type { Because, PauseOptions } from './verbs.ts'

export interface PauserParts {
  readonly knex: Knex
  readonly requests: RequestParts
  readonly store: { readonly porter?: Pick<Porter, 'letGo'> }
}

type Commit = (
  unit: Omit<Unit, 'id'>,
  resourceId: string | null,
) => Promise<Extract<Outcome, { kind: 'committed' }>>

export class Pauser {
  readonly #parts: PauserParts
  readonly #commit: Commit

  constructor(parts: PauserParts, commit: Commit) {
    this.#parts = parts
    this.#commit = commit
  }

  /** @returns false when it was paused already. @throws RESOURCE_UNKNOWN, ARGUMENT_INVALID */
  async pause(resourceId: string, options: PauseOptions): Promise<boolean> {
    const { requests, knex } = this.#parts
    const signal = newPause(requests, resourceId, options)
    if (!(await knex('resources').where({ id: resourceId }).first('id')))
      throw fault('RESOURCE_UNKNOWN', { kind: 'resource', id: resourceId })
    return this.shut(signal, resourceId)
  }

  /** @returns false when it was not paused */
  resume(resourceId: string, because: Because): Promise<boolean> {
    return this.open(newResume(this.#parts.requests, resourceId, because), resourceId)
  }

  /** @param resourceId who is nudged. @returns false when the same was held already */
  async shut(signal: HoldSignal, resourceId: string | null): Promise<boolean> {
    const { knex, requests } = this.#parts
    const { scope, by } = signal
    const known: Pick<Hold, 'state' | 'until'> | undefined = await knex('holds')
      .where({ scope, by })
      .first('state', 'until')
    await this.#commit({ holds: [signal] }, resourceId)
    const isKnown = known?.state === 'trial' || known?.state === 'shut'
    return !(isKnown && (known.until === null || known.until > requests.time.now()))
  }

  async open(signal: HoldSignal, resourceId: string | null): Promise<boolean> {
    const { held } = await this.#commit({ holds: [signal] }, resourceId)
    if (held.length > 0) await this.#parts.store.porter?.letGo()
    return held.length > 0
  }
}
