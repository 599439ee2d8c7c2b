// The limiter: lets so many runs of a task go on at once, or begin in a period, by key, across all processes.
// Promise: a task without a limit costs nothing; one that may not go on waits in line and is not asked about again
// until its turn has come; what a turn held is given back when it ends, however it ends.
import type { Claim, StoredTask } from '../lib/claim.ts'
import { asError } from '../lib/errors.ts'
import { namedId } from '../lib/id.ts'
import { type Entrant, IN_LINE } from '../lib/slots.ts'
import { hold } from './dress.ts'
import type { Kind } from './kind.ts'
import { onlooker, type Seen } from './onlooker.ts'
import type { TickParts } from './parts.ts'
import type { Limit } from './terms.ts'

/** The most characters of a key that are kept as they are. */
const MOST_KEY = 100
/** How often, and how long after each other, a slot is given back that could not be. */
const TRIES = 10
const TRY_MS = 1_000

export class Limiter {
  readonly #parts: TickParts
  readonly #kind: Kind
  readonly #seen: () => Seen
  readonly #claim: Pick<Claim, 'resourceId' | 'fence'>
  readonly #held = new Map<string, Entrant>()

  constructor(
    parts: TickParts,
    kind: Kind,
    claim: Pick<Claim, 'resourceId' | 'fence'>,
    seen: () => Seen,
  ) {
    this.#parts = parts
    this.#kind = kind
    this.#claim = claim
    this.#seen = seen
  }

  /** Those that find no slot, each with the reason it waits with. */
  async sift(tasks: readonly StoredTask[]): Promise<Map<StoredTask, string>> {
    const { porter } = this.#parts
    const waiting = new Map<StoredTask, string>()
    if (!porter) return waiting
    for (const stored of tasks) {
      const limit = this.#limitOf(stored)
      if (!limit) continue
      for (const one of this.#entrants(limit, stored)) {
        if (await porter.enter(one)) {
          if (one.perMs === null) this.#held.set(stored.id, one)
        } else {
          waiting.set(stored, IN_LINE + one.key)
          break
        }
      }
    }
    return waiting
  }

  /** A slot may have become free before it stood in line. */
  async lined(reasons: Iterable<string>): Promise<void> {
    for (const reason of new Set(reasons)) {
      const called = await this.#parts.porter?.callIn(reason.slice(IN_LINE.length))
      this.#tell(called ?? [])
    }
  }

  /** The turn of a task has ended. Never rejects. */
  async left(taskId: string): Promise<void> {
    const one = this.#held.get(taskId)
    const { porter, time, events } = this.#parts
    if (!one || !porter) return
    this.#held.delete(taskId)
    for (let tries = 1; ; tries++) {
      try {
        return this.#tell(await porter.leave(one))
      } catch (thrown) {
        // Whoever keeps it is alive, so nobody else would free it.
        if (tries === 1) events.emit('slot.failed', { key: one.key, error: asError(thrown) })
        if (tries === TRIES) return
        await time.sleep(TRY_MS)
      }
    }
  }

  /** Gives back what no turn was made of. Never rejects. */
  async close(): Promise<void> {
    for (const taskId of [...this.#held.keys()]) await this.left(taskId)
  }

  #tell(resourceIds: readonly string[]): void {
    // Whoever waits for a slot of this task is of this kind.
    const { route } = this.#kind
    if (resourceIds.length > 0)
      void this.#parts.push(
        resourceIds.map((resourceId) => ({ resourceId, isUrgent: true, ...route })),
      )
  }

  #limitOf({ task, status, origin }: StoredTask): Limit | null {
    if (origin !== null || status !== 'running' || !this.#kind.has(task)) return null
    return this.#kind.task(task).terms.limit
  }

  /** A rate counts runs that begin; whoever may begin then needs a place among those that go on. */
  #entrants({ key, concurrency, rate }: Limit, stored: StoredTask): Entrant[] {
    const name = this.#nameOf(key, stored.task)
    const { resourceId, fence } = this.#claim
    const who = { resourceId, fence, taskId: stored.id, owner: this.#parts.owner }
    const isNew = stored.restStep === 0 && stored.step === 0
    return [
      ...(rate && isNew
        ? [{ ...who, key: `rate:${name}`, most: rate.count, perMs: rate.perMs }]
        : []),
      ...(concurrency ? [{ ...who, key: `run:${name}`, most: concurrency, perMs: null }] : []),
    ]
  }

  /** What answers with no key is limited together with all that do. */
  #nameOf(key: Limit['key'], task: string): string {
    const { name: kind } = this.#kind
    const scope = `${kind}.${this.#kind.today(task)}`
    if (key === null) return scope
    try {
      const answer: unknown = key(hold(onlooker(this.#seen())))
      if (typeof answer !== 'string' && typeof answer !== 'number')
        throw new TypeError(`it answered with ${typeof answer}; it answers at once, with a text`)
      const text = String(answer)
      return `${scope}:${text.length > MOST_KEY ? namedId(scope, text) : text}`
    } catch (thrown) {
      const { resourceId } = this.#claim
      const condition = 'limit.key'
      const error = asError(thrown)
      this.#parts.events.emit('condition.failed', { kind, resourceId, task, condition, error })
      return scope
    }
  }
}
