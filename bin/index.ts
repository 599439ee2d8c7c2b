// The front door of the package: what `import … from 'escapement'` gives.
// Promise: everything a user needs is here, and `createApp` alone reads the environment.
import { readConfig } from '../lib/config.ts'
import { App, type AppDefinition, type AppOptions } from '../models/index.ts'

export { Ref } from '../lib/codec.ts'
export { type Config, type Environment, readConfig } from '../lib/config.ts'
export { type DelayOptions, delay } from '../lib/delay.ts'
export {
  type ActionWork,
  Again,
  action,
  type EffectOptions,
  effect,
  type Work,
} from '../lib/effect.ts'
export { ERRORS, EscapementError, EXIT, isFault } from '../lib/errors.ts'
export { type EventName, Events, type EventTable } from '../lib/events.ts'
export { Keyring } from '../lib/keyring.ts'
export { masked, maskedJson } from '../lib/mask.ts'
export type { Severity } from '../lib/notice.ts'
export { NonRetryableError, RetryAfterError } from '../lib/retry.ts'
export { Secret } from '../lib/secret.ts'
export {
  CancelledError,
  CorruptError,
  ExternalCallError,
  HttpError,
  type HttpErrorOptions,
  InitializationError,
  InternalError,
  PoisonError,
  StrandedError,
  TaskError,
  type TaskErrorOptions,
  TimeoutError,
} from '../lib/task-errors.ts'
export { SystemTime, type Time } from '../lib/time.ts'
export * from '../models/index.ts'
export {
  type ArchivedLine,
  type EmailOptions,
  email,
  type GroupName,
  type LogOptions,
  log,
  logChannel,
  type Metrics,
  type MetricsOptions,
  metrics,
  type NotificationsOptions,
  notifications,
  type OldLine,
  type PagerDutyOptions,
  pagerduty,
  type Removed,
  type Retention,
  type RetentionOptions,
  type RetentionRule,
  type RouteOptions,
  readArchive,
  retention,
  type SlackOptions,
  slack,
  type Target,
  type WebhookOptions,
  type When,
  webhook,
} from '../plugins/index.ts'

/**
 * Opens an app.
 * @param options the definition; `config` stands in for the environment
 * @returns an app that can be asked and told; it ticks once `start`, `startClock` or `startWorker` is called
 * @throws CONFIG_INVALID, DATABASE_UNREACHABLE, REDIS_UNREACHABLE, MIGRATIONS_PENDING, KEYS_MISSING and
 *   whatever is wrong with a definition
 */
export function createApp(options: AppDefinition & Partial<AppOptions>): Promise<App> {
  return App.open({ ...options, config: options.config ?? readConfig(process.env) })
}
