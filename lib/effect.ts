// Effects: user code that touches the world, with its policy of retries and time.
// Promise: an effect is an ordinary XState promise actor, so a machine runs unchanged elsewhere; here the
// worker runs it under the lease, at least once, with a key that is the same on every attempt.
import { type EventObject, fromPromise, type PromiseActorLogic } from 'xstate'
import type { Backoff } from './backoff.ts'
import { type Duration, toMs, toRangeMs } from './duration.ts'
import { fault } from './errors.ts'

/** What an effect is handed. `R` is the resource as the effect may see it, `I` its input. */
export interface Work<R = any, I = any> {
  /** The resource. Fields set here are committed with the step the effect leads to. */
  readonly resource: R
  readonly input: I
  /** Idempotency key: `task:step:effect`, the same on every attempt. Give it to the outside world. */
  readonly key: string
  /** Counted from 1. */
  readonly attempt: number
  /**
   * Aborts when nobody waits for the answer any more; `signal.reason.code` says why: STATE_LEFT, TASK_STOPPED,
   * EFFECT_TIMEOUT, EFFECT_SILENT, EFFECT_OVERDUE, LEASE_LOST or WORKER_DRAINING.
   */
  readonly signal: AbortSignal
  /** What `progress` was last told in this state, by this attempt's predecessors; undefined if nothing was. */
  readonly lastProgress: unknown
  /**
   * Notes how far the work is, for whoever looks and for the next attempt to go on from. Also a heartbeat.
   * Written now and then, the latest only; not heard once the effect has ended.
   * @param value plain data without secrets, at most 8 KiB as JSON
   * @throws VALUE_NOT_STORABLE
   */
  progress(value: unknown): void
  /** Says "still alive" to an effect that declared a `heartbeat`. Costs nothing: it goes no further than the worker. */
  heartbeat(): void
  /** Answer with this to be run again later, in the same state, without that counting as a failure. */
  again(after: Duration): Again
  /** What time it is, by the database's clock: milliseconds since 1970. */
  now(): number
  /** A message for the history, on the line of the step the effect leads to. Cut at 1,000 letters. */
  note(text: string): void
}

export interface EffectOptions {
  /** False for one attempt only. */
  readonly retry?:
    | false
    | {
        /** How often it is tried in all. Default 5. */
        readonly attempts?: number
        /** First and longest wait between attempts, doubling with jitter. Default '1s..1m'. */
        readonly backoff?: Duration
      }
  /**
   * How long one attempt may take; false for as long as `heartbeat` or `within` let it.
   * Default '1m', or false for an effect with a heartbeat.
   */
  readonly timeout?: Duration | false
  /** How long one attempt may be silent: an effect that calls neither `heartbeat` nor `progress` is timed out. */
  readonly heartbeat?: Duration
  /** How long all attempts may take together, waits between them included, counted from when the state was entered. */
  readonly within?: Duration
  /** The shared dependency it needs: while the breaker of that is shut, it is not run. See docs/holds.md. */
  readonly breaker?: string
}

export interface EffectPolicy {
  readonly attempts: number
  readonly backoff: Backoff
  /** Null for no bound. */
  readonly timeoutMs: number | null
  readonly heartbeatMs: number | null
  readonly withinMs: number | null
  /** The dependency whose breaker is asked; none unless told. */
  readonly dependency?: string
}

/** What the worker needs of an actor to run it. */
export interface Runnable {
  readonly run: (work: Work) => unknown
  readonly policy: EffectPolicy
}

/** How a dependency may be named. */
export const DEPENDENCY = /^[A-Za-z][A-Za-z0-9_-]{0,59}$/

const POLICY = Symbol('escapement.effect')
/** A bare fromPromise keeps XState's meaning: one rejection is one error event. */
const BARE: EffectPolicy = {
  attempts: 1,
  backoff: { firstMs: 1_000, mostMs: 60_000 },
  timeoutMs: 600_000,
  heartbeatMs: null,
  withinMs: null,
}

/**
 * Declares an effect, for the `actors` of a machine.
 * @param run does the work; its answer is the output of the actor
 * @throws ARGUMENT_INVALID for a policy that is none
 */
export function effect<O, I = any, R = any>(
  run: (work: Work<R, I>) => Promise<O | Again> | O | Again,
  options: EffectOptions = {},
): PromiseActorLogic<O, I, EventObject> {
  const logic = fromPromise<O, I>((args) => run(args as unknown as Work<R, I>) as Promise<O>)
  return Object.assign(logic, { [POLICY]: policyOf(options) })
}

/** The way to run an actor's logic here; null when it is not a promise (a machine, a callback, …). */
export function runnableOf(logic: any): Runnable | null {
  if (typeof logic?.config !== 'function') return null
  let known = runnables.get(logic)
  if (known === undefined) {
    known = isPromiseLogic(logic) ? { run: logic.config, policy: logic[POLICY] ?? BARE } : null
    runnables.set(logic, known)
  }
  return known
}

/** Asked at every step of a task that runs something, so each logic is looked into once. */
const runnables = new WeakMap<object, Runnable | null>()

/** XState marks its logics with no name; but only a promise's takes this event for its end. */
function isPromiseLogic(logic: any): boolean {
  if (typeof logic?.config !== 'function' || typeof logic.start !== 'function') return false
  const resting = { status: 'active', output: undefined, error: undefined, input: undefined }
  try {
    return (
      logic.transition(resting, { type: 'xstate.promise.resolve' }, { self: {} }).status === 'done'
    )
  } catch {
    return false
  }
}

function policyOf(options: EffectOptions): EffectPolicy {
  const { retry = {}, timeout, heartbeat, within, breaker } = options
  const { attempts = 5, backoff = '1s..1m' } = retry === false ? { attempts: 1 } : retry
  const [firstMs, mostMs] = toRangeMs(backoff, 'retry.backoff of an effect')
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > 1_000) {
    const reason = `${attempts} is not a whole number from 1 to 1000`
    throw fault('ARGUMENT_INVALID', { what: 'retry.attempts of an effect', reason })
  }
  const heartbeatMs = heartbeat === undefined ? null : toLimitMs(heartbeat, 'heartbeat')
  const withinMs = within === undefined ? null : toLimitMs(within, 'within')
  const wanted = timeout ?? (heartbeatMs === null ? '1m' : false)
  const timeoutMs = wanted === false ? null : toMs(wanted, 'timeout of an effect')
  if (timeoutMs === null && heartbeatMs === null && withinMs === null) {
    const reason =
      'it is false, and there is neither a `heartbeat` nor a `within` to end the effect'
    throw fault('ARGUMENT_INVALID', { what: 'timeout of an effect', reason })
  }
  if (breaker !== undefined && !DEPENDENCY.test(breaker)) {
    const reason = `"${breaker}" is not a name of letters, digits, dashes and underscores`
    throw fault('ARGUMENT_INVALID', { what: 'breaker of an effect', reason })
  }
  const dependency = breaker === undefined ? {} : { dependency: breaker }
  return { attempts, backoff: { firstMs, mostMs }, timeoutMs, heartbeatMs, withinMs, ...dependency }
}

/** A bound of no time at all would end every attempt before it began. */
function toLimitMs(limit: Duration, name: string): number {
  const what = `${name} of an effect`
  const limitMs = toMs(limit, what)
  if (limitMs > 0) return limitMs
  throw fault('ARGUMENT_INVALID', { what, reason: 'it is no time at all' })
}

/** "Run me again, later": an effect's answer that is no answer. */
export class Again {
  readonly afterMs: number
  constructor(after: Duration) {
    this.afterMs = toMs(after, 'again')
  }
}

/** What a custom action is handed beside XState's own arguments. */
export interface ActionWork<R = any> {
  readonly resource: R
  readonly key: string
  /** A message for the history, on the line of this step. Cut at 1,000 letters. */
  note(text: string): void
}

/**
 * Declares a custom action that sees its resource, for the `actions` of a machine. It is performed
 * before the commit, at least once, and what it sets on the resource is part of the step.
 */
export function action<R = any, C = any, E extends EventObject = any, P = any>(
  perform: (args: { context: C; event: E } & ActionWork<R>, params: P) => void | Promise<void>,
): (args: any, params: any) => void {
  return perform as (args: any, params: any) => void
}
