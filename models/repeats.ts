// How often an alarm that nobody has acknowledged is told again.
import { type Duration, toMs } from '../lib/duration.ts'
import { fault } from '../lib/errors.ts'
import { SEVERITIES, type Severity } from '../lib/notice.ts'
import type { Repeats } from './alarm-machine.ts'

/** What an app says of its alarms. */
export interface AlarmsOptions {
  /** How often an alarm nobody has acknowledged is told again, by severity; false for never. */
  readonly repeat?: Partial<Record<Severity, Duration | false>>
  /** How late a task may be before the alarm `overdue` opens. Default '5m'. */
  readonly overdueAfter?: Duration
}

const USUAL: Record<Severity, Duration | false> = {
  critical: '15m',
  error: '1h',
  warning: '4h',
  info: false,
}
/** Nobody reads what comes more often. */
const LEAST_MS = 1_000

/** @throws ARGUMENT_INVALID for a severity or a pace that is none */
export function repeatsOf({ repeat = {} }: AlarmsOptions = {}): Repeats {
  for (const name of Object.keys(repeat)) {
    if (!SEVERITIES.includes(name as Severity)) {
      const reason = `"${name}" is none of ${SEVERITIES.join(', ')}`
      throw fault('ARGUMENT_INVALID', { what: 'alarms.repeat of the app', reason })
    }
  }
  const paces = SEVERITIES.map((severity) => [severity, paceOf(severity, repeat)] as const)
  return Object.fromEntries(paces) as Repeats
}

/** @throws ARGUMENT_INVALID */
export function overdueOf({ overdueAfter = '5m' }: AlarmsOptions = {}): number {
  const what = 'alarms.overdueAfter of the app'
  const ms = toMs(overdueAfter, what)
  if (ms >= LEAST_MS) return ms
  throw fault('ARGUMENT_INVALID', { what, reason: 'it is less than a second' })
}

function paceOf(severity: Severity, repeat: NonNullable<AlarmsOptions['repeat']>): number {
  const pace = repeat[severity] ?? USUAL[severity]
  if (pace === false) return 0
  const what = `alarms.repeat.${severity} of the app`
  const ms = toMs(pace, what)
  if (ms >= LEAST_MS) return ms
  throw fault('ARGUMENT_INVALID', { what, reason: 'it is less than a second' })
}
