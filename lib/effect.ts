// Effects: user code that touches the world, with its policy of retries and time.
// Promise: an effect is an ordinary XState promise actor, so a machine runs unchanged elsewhere; here the
// worker runs it under the lease, at least once, with a key that is the same on every attempt.
import { type EventObject, fromPromise, type PromiseActorLogic } from 'xstate'
import type { Backoff } from './backoff.ts'
import { type Duration, toMs, toRangeMs } from './duration.ts'
import { asError, fault } from './errors.ts'

/** What an effect is handed. `R` is the resource as the effect may see it, `I` its input. */
export interface Work<R = any, I = any> {
  /** The resource. Fields set here are committed with the step the effect leads to. */
  readonly resource: R
  readonly input: I
  /** Idempotency key: `task:step:effect`, the same on every attempt. Give it to the outside world. */
  readonly key: string
  /** Counted from 1. */
  readonly attempt: number
  /** Aborts when the state is left, the time is up, the lease is lost or the process drains. */
  readonly signal: AbortSignal
  /** Answer with this to be run again later, in the same state, without that counting as a failure. */
  again(after: Duration): Again
  /** What time it is, by the database's clock: milliseconds since 1970. */
  now(): number
  /** A message for the history, on the line of the step the effect leads to. Cut at 1,000 letters. */
  note(text: string): void
}

export interface EffectOptions {
  readonly retry?: {
    /** How often it is tried in all. Default 5. */
    readonly attempts?: number
    /** First and longest wait between attempts, doubling with jitter. Default '1s..1m'. */
    readonly backoff?: Duration
  }
  /** How long one attempt may take. Default '1m'. */
  readonly timeout?: Duration
}

export interface EffectPolicy {
  readonly attempts: number
  readonly backoff: Backoff
  readonly timeoutMs: number
}

/** What the worker needs of an actor to run it. */
export interface Runnable {
  readonly run: (work: Work & Record<string, unknown>) => unknown
  readonly policy: EffectPolicy
}

const POLICY = Symbol('escapement.effect')
/** A bare fromPromise keeps XState's meaning: one rejection is one error event. */
const BARE: EffectPolicy = {
  attempts: 1,
  backoff: { firstMs: 1_000, mostMs: 60_000 },
  timeoutMs: 600_000,
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
  if (!isPromiseLogic(logic)) return null
  return { run: logic.config, policy: logic[POLICY] ?? BARE }
}

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

function policyOf({ retry = {}, timeout = 60_000 }: EffectOptions): EffectPolicy {
  const [firstMs, mostMs] = toRangeMs(retry.backoff ?? '1s..1m', 'retry.backoff of an effect')
  const { attempts = 5 } = retry
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > 1_000) {
    const reason = `${attempts} is not a whole number from 1 to 1000`
    throw fault('ARGUMENT_INVALID', { what: 'retry.attempts of an effect', reason })
  }
  return {
    attempts,
    backoff: { firstMs, mostMs },
    timeoutMs: toMs(timeout, 'timeout of an effect'),
  }
}

/** "Run me again, later": an effect's answer that is no answer. */
export class Again {
  readonly afterMs: number
  constructor(after: Duration) {
    this.afterMs = toMs(after, 'again')
  }
}

/** An error that no retry will mend; subclass it, or set `retryable = false` on your own. */
export class NonRetryableError extends Error {
  override readonly name: string = 'NonRetryableError'
  readonly retryable = false
}

/** Should this error be tried again? Only an explicit `retryable: false` says no. */
export function isRetryable(thrown: unknown): boolean {
  return (asError(thrown) as { retryable?: unknown }).retryable !== false
}

/** The wait an error itself asks for (`retryAfterMs`), such as one made from a Retry-After header. */
export function retryAfterOf(thrown: unknown): number | null {
  const { retryAfterMs } = asError(thrown) as { retryAfterMs?: unknown }
  return typeof retryAfterMs === 'number' && Number.isFinite(retryAfterMs) && retryAfterMs >= 0
    ? retryAfterMs
    : null
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
