// The holds of an app: pauses and breakers by hand, and what is held now.
// Promise: an unknown name is refused with a sentence; every change is told with who and why; whoever opens lets go.
import { isQueueName } from '../lib/config.ts'
import type { Ticket } from '../lib/contract.ts'
import type { Knex } from '../lib/database.ts'
import { fault } from '../lib/errors.ts'
import type { BreakerPolicy, Hold, HoldBy, HoldChange, HoldSignal, Scope } from '../lib/hold.ts'
import type { Porter } from '../lib/porter.ts'
import type { Breakers } from './breakers.ts'
import type { Desk } from './desk.ts'
import { endOf } from './ending.ts'
import { LIFE } from './kind.ts'
import { Pauser } from './pauser.ts'
import type { Registry } from './registry.ts'
import { authorOf, type RequestParts } from './requests.ts'
import type { Because, PauseOptions } from './verbs.ts'

/** What is held; one of them. */
export interface HoldTarget {
  /** A resource, or its id. */
  readonly resource?: { readonly id: string } | string
  /** `KIND.NAME`: a task of every resource of a kind. */
  readonly task?: string
  /** The queue of this configuration for true, or another by its name. */
  readonly queue?: true | string
  /** What effects name as their `breaker`. */
  readonly dependency?: string
}

export interface ShutOptions extends PauseOptions {
  /** As what it is shut: 'breaker' tries again after its time, 'pause' and 'limit' are over then. */
  readonly by?: HoldBy
}

/** A change, as the history has it. */
export interface HoldLine extends HoldChange {
  readonly actor: string
  readonly reason: string | null
  readonly at: number
}

/** A breaker, whether anything has failed behind it or not. */
export interface BreakerStatus {
  readonly scope: Scope
  readonly policy: BreakerPolicy | null
  readonly state: 'open' | 'shut' | 'trial' | 'limited'
  readonly until: number | null
  readonly reason: string | null
  /** Of the time its policy looks back, as far as it was written. */
  readonly ok: number
  readonly failed: number
}

export interface HoldsParts {
  readonly knex: Knex
  readonly requests: RequestParts
  readonly registry: Registry
  readonly breakers: Breakers
  readonly desk: Pick<Desk, 'commit'>
  readonly store: { readonly porter: Porter }
  push(tickets: readonly Ticket[]): Promise<void>
}

export class Holds {
  readonly #parts: HoldsParts
  readonly #pauser: Pauser

  constructor(parts: HoldsParts) {
    this.#parts = parts
    this.#pauser = new Pauser(parts, (...asked) => parts.desk.commit(...asked))
  }

  /**
   * Shuts: as a breaker what is a dependency, as a pause all else, unless told.
   * @returns false when it was shut already, and is now by these terms
   * @throws RESOURCE_UNKNOWN, RESOURCE_KIND_UNKNOWN, TASK_UNKNOWN, DEPENDENCY_UNKNOWN, ARGUMENT_INVALID
   */
  async shut(what: HoldTarget, options: ShutOptions = {}): Promise<boolean> {
    const { requests } = this.#parts
    const { resource } = what
    const by = options.by ?? (what.dependency === undefined ? 'pause' : 'breaker')
    const until = endOf(options, requests.time.now())
    if (by === 'limit' && until === null)
      throw fault('ARGUMENT_INVALID', { what: 'until', reason: 'a limit has an end; give one' })
    if (resource !== undefined && by === 'pause' && onlyOne(what))
      return this.#pauser.pause(idOf(resource), options)
    const scope = this.scopeOf(what)
    const signal: HoldSignal = { scope, by, event: 'shut', until, ...authorOf(options, requests) }
    const isNew = await this.#pauser.shut(signal, null)
    await this.#nudge(what)
    return isNew
  }

  /** Opens: all that holds it, unless told. @returns false when nothing did. @throws what `shut` does */
  async open(what: HoldTarget, options: Because & { readonly by?: HoldBy } = {}): Promise<boolean> {
    const scope = this.scopeOf(what)
    const author = authorOf(options, this.#parts.requests)
    const kinds: readonly HoldBy[] = options.by ? [options.by] : ['pause', 'breaker', 'limit']
    let isOpened = false
    for (const by of kinds) {
      const signal: HoldSignal = { scope, by, event: 'open', until: null, ...author }
      isOpened = (await this.#pauser.open(signal, null)) || isOpened
    }
    await this.#nudge(what)
    return isOpened
  }

  /** @throws what `shut` does */
  pause(what: HoldTarget, options: PauseOptions = {}): Promise<boolean> {
    return this.shut(what, { ...options, by: 'pause' })
  }

  /** @throws what `shut` does */
  resume(what: HoldTarget, because: Because = {}): Promise<boolean> {
    return this.open(what, { ...because, by: 'pause' })
  }

  /** What is held now, the longest first. */
  async list(): Promise<Hold[]> {
    const now = this.#parts.requests.time.now()
    const rows: any[] = await this.#parts.knex('holds').whereNot({ state: 'open' }).orderBy('since')
    const holds = rows.map(({ probe_at: probeAt, ...hold }): Hold => ({ ...hold, probeAt }))
    return holds.filter(({ until, by }) => by === 'breaker' || until === null || until > now)
  }

  /** What was done to it, the latest first. */
  async history(what: HoldTarget | Scope, limit = 100): Promise<HoldLine[]> {
    const scope = typeof what === 'string' ? what : this.scopeOf(what)
    return this.#parts
      .knex('hold_changes')
      .where({ scope })
      .orderBy('id', 'desc')
      .limit(limit)
      .select('scope', 'by', 'event', 'until', 'actor', 'reason', 'at')
  }

  /** Every breaker of the app, with how it is and what ended behind it lately. */
  async breakers(): Promise<BreakerStatus[]> {
    const { knex, breakers, requests } = this.#parts
    const now = requests.time.now()
    const held = (await this.list()).filter(({ by }) => by !== 'pause')
    const known = new Map<Scope, BreakerPolicy | null>(
      breakers.all.map(({ scope, policy }) => [scope, policy]),
    )
    for (const { scope } of held) if (!known.has(scope)) known.set(scope, null)
    const { rows } = await knex.raw(
      `SELECT v.scope, coalesce(sum(ok), 0)::integer AS ok, coalesce(sum(failed), 0)::integer AS failed
       FROM json_to_recordset(:asked) AS v(scope text, since double precision)
       LEFT JOIN breaker_counts c ON c.scope = v.scope AND c.at > to_timestamp(v.since / 1000.0) GROUP BY v.scope`,
      {
        asked: JSON.stringify(
          [...known].map(([scope, policy]) => ({ scope, since: now - (policy?.withinMs ?? 0) })),
        ),
      },
    )
    const sums = new Map<string, { ok: number; failed: number }>(
      rows.map((row: any) => [row.scope, row]),
    )
    return [...known].map(([scope, policy]) => {
      const { ok = 0, failed = 0 } = sums.get(scope) ?? {}
      const of = (by: HoldBy) => held.find((hold) => hold.scope === scope && hold.by === by)
      const hold = of('breaker') ?? of('limit')
      const state = hold ? stateOf(hold, now) : 'open'
      const { until = null, reason = null } = hold ?? {}
      return { scope, policy, state, until, reason, ok, failed }
    })
  }

  /** The scope of what is named. @throws TASK_UNKNOWN, RESOURCE_KIND_UNKNOWN, DEPENDENCY_UNKNOWN, ARGUMENT_INVALID */
  scopeOf(what: HoldTarget): Scope {
    if (!onlyOne(what)) {
      const reason = 'it names not exactly one of resource, task, queue and dependency'
      throw fault('ARGUMENT_INVALID', { what: 'What is held', reason })
    }
    const { resource, task, queue, dependency } = what
    const { registry, breakers, store } = this.#parts
    if (resource !== undefined) return `resource:${idOf(resource)}`
    if (queue !== undefined) return `queue:${queue === true ? store.porter.queue : queueOf(queue)}`
    if (task !== undefined) {
      const [kindName = '', name = '', more] = task.split('.')
      if (!kindName || !name || more !== undefined) {
        const reason = `"${task}" is not of the form KIND.NAME`
        throw fault('ARGUMENT_INVALID', { what: 'The task', reason })
      }
      const kind = registry.find(kindName)
      return `task:${kind.name}.${name === LIFE ? LIFE : kind.task(name).name}`
    }
    if (!breakers.dependencies.includes(dependency as string)) {
      const known = breakers.dependencies.join(', ') || 'none'
      throw fault('DEPENDENCY_UNKNOWN', { dependency, known })
    }
    return `dependency:${dependency}`
  }

  /** A round that lasts sees it at once; where many are concerned, each sees it when it next looks by itself. */
  async #nudge({ resource }: HoldTarget): Promise<void> {
    if (resource !== undefined) await this.#parts.push([{ resourceId: idOf(resource) }])
  }
}

const idOf = (resource: { readonly id: string } | string) =>
  typeof resource === 'string' ? resource : resource.id

const onlyOne = ({ resource, task, queue, dependency }: HoldTarget) =>
  [resource, task, queue, dependency].filter((one) => one !== undefined).length === 1

function queueOf(name: string): string {
  if (isQueueName(name)) return name
  const reason = `"${name}" is not a name of small letters, digits and underscores`
  throw fault('ARGUMENT_INVALID', { what: 'The queue', reason })
}

function stateOf({ by, state, until }: Hold, nowMs: number): BreakerStatus['state'] {
  if (by === 'limit') return 'limited'
  return state === 'trial' || (until !== null && until <= nowMs) ? 'trial' : 'shut'
}
