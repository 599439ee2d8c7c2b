// Waiting for a run to become something, without asking the database all the time.
// Promise: what this process commits is seen at once, what others commit within a second; however many wait, there is
// one question at a time; whoever is answered leaves no timer and no listener behind.
import type { Knex } from '../lib/database.ts'
import { asError, fault } from '../lib/errors.ts'
import type { Events } from '../lib/events.ts'
import type { Time } from '../lib/time.ts'
import type { Kind } from './kind.ts'
import type { Begun, TaskSnapshot } from './snapshot.ts'
import type { Condition, Target, WaitOptions } from './verbs.ts'

export interface WaitingParts {
  readonly knex: Knex
  readonly events: Events
  readonly time: Time
  read(taskId: string, kind: Kind): Promise<TaskSnapshot | null>
}

/** One run that somebody waits for. */
interface Watch {
  readonly taskId: string
  readonly kind: Kind
  readonly waiters: Set<Waiter>
  /** Where it was when it was last looked at. */
  seen: Pick<TaskSnapshot, 'step' | 'status' | 'state'>
  isReading: boolean
  isStale: boolean
}

interface Waiter {
  readonly target: Target
  readonly condition: Condition
  readonly timeoutMs: number
  settle(outcome: Outcome): void
}

type Outcome = { readonly snapshot: TaskSnapshot } | { readonly error: unknown }

const FIRST_POLL_MS = 50
const SLOWEST_POLL_MS = 1_000
const TIMEOUT_MS = 30_000
const LONGEST_MS = 86_400_000

export class Waiting {
  readonly #parts: WaitingParts
  readonly #watches = new Map<string, Watch>()
  #pollMs = FIRST_POLL_MS
  #rest: AbortController | null = null
  #deafen: (() => void)[] = []
  #trouble: Error | undefined
  #isClosed = false

  constructor(parts: WaitingParts) {
    this.#parts = parts
  }

  /**
   * @param latest the run to wait for, as it is now
   * @throws TASK_NOT_RUNNING, TASK_FINISHED, TASK_PARKED, WAIT_TIMEOUT, WAIT_ABANDONED, ARGUMENT_INVALID; what the
   *   condition throws; the reason of the signal
   */
  async until(
    target: Target,
    latest: TaskSnapshot | null,
    condition: Condition,
    { timeoutMs = TIMEOUT_MS, signal }: WaitOptions,
  ): Promise<TaskSnapshot> {
    if (!(timeoutMs > 0 && timeoutMs <= LONGEST_MS)) {
      const reason = `${timeoutMs} is not a number from 1 to ${LONGEST_MS}`
      throw fault('ARGUMENT_INVALID', { what: 'timeoutMs', reason })
    }
    signal?.throwIfAborted()
    if (!latest) throw fault('TASK_NOT_RUNNING', naming(target))
    const outcome =
      judged(target, condition, latest) ??
      (await this.#wait(target, latest, { condition, timeoutMs, signal }))
    if ('error' in outcome) throw outcome.error
    return outcome.snapshot
  }

  /** Whoever waits is told that nobody looks any more. */
  close(): void {
    this.#isClosed = true
    for (const { waiters } of this.#watches.values())
      for (const { settle, target } of waiters)
        settle({ error: fault('WAIT_ABANDONED', naming(target)) })
  }

  #wait(
    target: Target,
    latest: TaskSnapshot,
    { condition, timeoutMs, signal }: WaitOptions & { condition: Condition; timeoutMs: number },
  ): Promise<Outcome> {
    if (this.#isClosed) return Promise.resolve({ error: fault('WAIT_ABANDONED', naming(target)) })
    return new Promise((resolve) => {
      const watch = this.#watch(target, latest)
      const onAbort = () => waiter.settle({ error: signal?.reason })
      const onLate = () => waiter.settle({ error: this.#late(waiter, watch) })
      const stopClock = this.#parts.time.after(timeoutMs, onLate)
      const waiter: Waiter = {
        target,
        condition,
        timeoutMs,
        settle: (outcome) => {
          if (!watch.waiters.delete(waiter)) return
          stopClock()
          signal?.removeEventListener('abort', onAbort)
          if (watch.waiters.size === 0) this.#forget(watch)
          resolve(outcome)
        },
      }
      watch.waiters.add(waiter)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#hasten()
    })
  }

  #watch({ kind }: Target, latest: TaskSnapshot): Watch {
    const { taskId } = latest
    const found = this.#watches.get(taskId)
    if (found) return found
    const watch = {
      taskId,
      kind,
      waiters: new Set<Waiter>(),
      seen: latest,
      isReading: false,
      isStale: false,
    }
    this.#watches.set(taskId, watch)
    if (this.#watches.size === 1) this.#listen()
    return watch
  }

  #forget({ taskId }: Watch): void {
    this.#watches.delete(taskId)
    if (this.#watches.size > 0) return
    for (const undo of this.#deafen.splice(0)) undo()
    this.#rest?.abort()
  }

  /** What this process commits is told here, so that it need not be asked for. */
  #listen(): void {
    const { events } = this.#parts
    const hear = ({ taskId }: { taskId: string }) => {
      const watch = this.#watches.get(taskId)
      if (watch) void this.#look(watch)
    }
    const hearStep = ({ taskId }: { taskId: string }) => {
      const watch = this.#watches.get(taskId)
      if (watch && wantsSteps(watch)) void this.#look(watch)
    }
    this.#deafen.push(
      events.on('task.stepped', hearStep),
      events.on('task.finished', hear),
      events.on('task.panicked', hear),
    )
  }

  /** Somebody new waits: the pauses between two questions are short again. */
  #hasten(): void {
    const isSlow = this.#pollMs > FIRST_POLL_MS
    this.#pollMs = FIRST_POLL_MS
    if (!this.#rest) void this.#poll()
    else if (isSlow) this.#rest.abort()
  }

  async #poll(): Promise<void> {
    while (this.#watches.size > 0) {
      this.#rest = new AbortController()
      await this.#parts.time.sleep(this.#pollMs, this.#rest.signal)
      if (this.#rest.signal.aborted) continue
      this.#pollMs = Math.min(this.#pollMs * 2, SLOWEST_POLL_MS)
      await this.#ask().catch((thrown) => {
        this.#trouble = asError(thrown)
      })
    }
    this.#rest = null
  }

  /** Which of them have moved? One question for all. */
  async #ask(): Promise<void> {
    const ids = [...this.#watches.keys()]
    const rows = await this.#parts
      .knex('tasks')
      .whereRaw('id = ANY(?)', [ids])
      .select('id', 'step', 'status', 'state')
    for (const { id, ...now } of rows) {
      const watch = this.#watches.get(id)
      if (!watch) continue
      const hasMoved = now.step !== watch.seen.step || now.status !== watch.seen.status
      if (hasMoved && (wantsSteps(watch) || now.status !== 'running')) void this.#look(watch)
      else watch.seen = now
    }
  }

  async #look(watch: Watch): Promise<void> {
    watch.isStale = true
    if (watch.isReading) return
    watch.isReading = true
    while (watch.isStale && watch.waiters.size > 0) {
      watch.isStale = false
      try {
        const snapshot = await this.#parts.read(watch.taskId, watch.kind)
        if (snapshot) this.#tell(watch, snapshot)
      } catch (thrown) {
        this.#trouble = asError(thrown)
      }
    }
    watch.isReading = false
  }

  #tell(watch: Watch, snapshot: TaskSnapshot): void {
    watch.seen = snapshot
    for (const waiter of watch.waiters) {
      const outcome = judged(waiter.target, waiter.condition, snapshot)
      if (outcome) waiter.settle(outcome)
    }
  }

  #late({ target, condition, timeoutMs }: Waiter, { seen: { status, state } }: Watch): Error {
    const what = typeof condition === 'string' ? condition : 'what was asked for'
    return fault(
      'WAIT_TIMEOUT',
      { ...naming(target), what, timeoutMs, status, state },
      this.#trouble,
    )
  }
}

/** Does anybody want more than the end? */
const wantsSteps = ({ waiters }: Watch) =>
  [...waiters].some(({ condition }) => condition !== 'done')

const naming = ({ kind, resourceId: id, task }: Target) => ({ kind: kind.name, id, task })

/** Is the waiting over, one way or the other? Null when it is not. */
function judged(target: Target, condition: Condition, snapshot: TaskSnapshot): Outcome | null {
  try {
    if (isMet(condition, snapshot)) return { snapshot }
  } catch (error) {
    return { error }
  }
  const { status } = snapshot
  if (!snapshot.isLive) {
    const at = new Date(snapshot.movedAt).toISOString()
    return { error: fault('TASK_FINISHED', { ...naming(target), at, status }) }
  }
  const isParked = status === 'panicked' || status === 'stranded'
  return isParked ? { error: fault('TASK_PARKED', { ...naming(target), status }) } : null
}

/** Before its first step a run is nothing yet, and is not asked. */
function isMet(condition: Condition, snapshot: TaskSnapshot): boolean {
  if (condition === 'done') return snapshot.status === 'done'
  if (snapshot.value === undefined) return false
  if (typeof condition === 'string') return snapshot.hasTag(condition as never)
  const answer: unknown = condition(snapshot as Begun)
  if (typeof answer === 'boolean') return answer
  const reason = 'it answers neither true nor false'
  throw fault('ARGUMENT_INVALID', { what: 'The condition to wait for', reason })
}
