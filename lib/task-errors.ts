// The built-in classes of errors: to be thrown as they are, or subclassed; and the class of each error of the house.
// Promise: no address, header or body of a call is kept: of HTTP only method, host and status.
import { isFault } from './errors.ts'
import { TaskError, type TaskErrorOptions, type Usual } from './task-error.ts'

export { TaskError, type TaskErrorOptions } from './task-error.ts'

const usual = (
  severity: Usual['severity'],
  retryable: boolean,
  playbook: string | null = null,
): Usual => ({
  severity,
  retryable,
  playbook,
})

/** Something in this very program is wrong. */
export class InternalError extends TaskError {}

/** Somebody else was asked and did not do it. */
export class ExternalCallError extends TaskError {}

/** What is needed to begin is not there: settings, credentials, a machine that starts. */
export class InitializationError extends TaskError {
  static override readonly usual: Usual = usual('critical', true)
}

/** It took too long. */
export class TimeoutError extends TaskError {}

/** It was told to stop. */
export class CancelledError extends TaskError {
  static override readonly usual: Usual = usual('info', true)
}

/** Working on it takes processes down. */
export class PoisonError extends TaskError {
  static override readonly usual: Usual = usual(
    'critical',
    false,
    'Find out what of this task takes processes down before it goes on; the logs of those that died say where they were.',
  )
}

/** The program that runs cannot hold what is stored. */
export class StrandedError extends TaskError {
  static override readonly usual: Usual = usual('error', false)
}

/** What is stored is not what was written. */
export class CorruptError extends TaskError {
  static override readonly usual: Usual = usual('critical', false)
}

/** `fetch`'s headers, or an object of them. */
export type HeadersLike =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>

export interface HttpErrorOptions extends TaskErrorOptions {
  readonly message?: string
  readonly method?: string
  /** Only its host is kept. */
  readonly url?: string | URL
  /** Only `Retry-After` is read, and `Date`, from which it is counted. */
  readonly headers?: HeadersLike
}

/** Of all 4xx, those that another attempt may mend. */
const PASSING = new Set([408, 425, 429])

/** A server answered with a status that is no success. */
export class HttpError extends ExternalCallError {
  readonly status: number
  readonly method: string | undefined
  readonly host: string | undefined
  /** How long the server wants to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined
  /** The same as a date, where the server did not say what time it has. */
  readonly retryAfter: string | undefined

  constructor(
    status: number,
    { message, method, url, headers, ...options }: HttpErrorOptions = {},
  ) {
    const verb = method && /^[a-z]{1,20}$/i.test(method) ? method.toUpperCase() : undefined
    const host = hostOf(url)
    const context = {
      status,
      ...(verb && { method: verb }),
      ...(host && { host }),
      ...options.context,
    }
    const asked = verb ? `${verb} ${host ?? 'a server'}` : (host ?? 'A server')
    const isRetryable = status < 400 || status >= 500 || PASSING.has(status)
    super(
      message ?? `${asked} answered with status ${status}.`,
      { ...options, context },
      { ...new.target.usual, retryable: isRetryable },
    )
    this.status = status
    this.method = verb
    this.host = host
    const { retryAfterMs, retryAfter } = waitOf(headers)
    this.retryAfterMs = retryAfterMs
    this.retryAfter = retryAfter
  }

  /** Of a `Response`, whose body is left alone. */
  static of(
    response: { readonly status: number; readonly url?: string; readonly headers?: HeadersLike },
    options: HttpErrorOptions = {},
  ): HttpError {
    const { status, url, headers } = response
    return new this(status, { ...(url && { url }), ...(headers && { headers }), ...options })
  }
}

function hostOf(url: string | URL | undefined): string | undefined {
  if (url === undefined || !URL.canParse(String(url))) return undefined
  return new URL(url).host || undefined
}

function waitOf(headers: HeadersLike | undefined): { retryAfterMs?: number; retryAfter?: string } {
  const asked = header(headers, 'retry-after')?.trim()
  if (!asked) return {}
  if (/^\d+$/.test(asked)) return { retryAfterMs: Number(asked) * 1_000 }
  const until = Date.parse(asked)
  const now = Date.parse(header(headers, 'date') ?? '')
  if (Number.isNaN(until)) return {}
  return Number.isNaN(now)
    ? { retryAfter: asked }
    : { retryAfterMs: Math.max(0, until - now), retryAfter: asked }
}

function header(headers: HeadersLike | undefined, name: string): string | undefined {
  if (!headers) return undefined
  if (typeof headers.get === 'function') return headers.get(name) ?? undefined
  const found = Object.entries(headers).find(([one]) => one.toLowerCase() === name)?.[1]
  return typeof found === 'string' ? found : found?.[0]
}

/** The classes of what the house itself throws; what is not here is internal. */
const CLASSES = new Map<string, typeof TaskError>([
  ['EFFECT_TIMEOUT', TimeoutError],
  ['EFFECT_SILENT', TimeoutError],
  ['EFFECT_OVERDUE', TimeoutError],
  ['STATE_TIMEOUT', TimeoutError],
  ['TASK_POISONOUS', PoisonError],
  ['STATE_STRANDED', StrandedError],
  ['STATE_CORRUPT', CorruptError],
  ['VALUE_CORRUPT', CorruptError],
  ['SEAL_BROKEN', CorruptError],
  ['STATE_LEFT', CancelledError],
  ['TASK_STOPPED', CancelledError],
  ['LEASE_LOST', CancelledError],
  ['WORKER_DRAINING', CancelledError],
  ['CONFIG_INVALID', InitializationError],
  ['KEYS_MISSING', InitializationError],
  ['SEAL_UNKNOWN_KEY', InitializationError],
  ['DATABASE_UNREACHABLE', InitializationError],
  ['REDIS_UNREACHABLE', InitializationError],
])

/** The class of an error of the house, and what it usually means; null for others. */
export function classOfFault(thrown: unknown): { name: string; usual: Usual } | null {
  if (!isFault(thrown)) return null
  const { name, usual } = CLASSES.get(thrown.code) ?? InternalError
  return { name, usual: { ...usual, playbook: thrown.todo } }
}
