// Rules of users: `static alarms = { unreachable: alarm({ when, for, severity }) }`.
// Promise: checked when the app loads; asked in the commit that may have changed their answer, and at no other time;
// a rule that throws is told, and what it said before still counts.
import type { AlarmAbout } from '../lib/alarm.ts'
import { type Duration, toMs } from '../lib/duration.ts'
import { asError, fault } from '../lib/errors.ts'
import { type Labels, SEVERITIES, type Severity } from '../lib/notice.ts'
import { storable } from '../lib/text.ts'
import type { Availability } from './availability.ts'

/** A resource as a rule sees it: to be looked at only. */
export interface Standing<R = any> {
  readonly resource: R
  /** Where it is in its life. */
  readonly state: string
  readonly availability: Availability
  /** The live run of each task, or else the last one; nothing for a task that never ran. */
  readonly tasks: Readonly<Record<string, TaskStanding | undefined>>
  /** Milliseconds since 1970. */
  readonly now: number
}

export interface TaskStanding {
  readonly taskId: string
  readonly status: string
  readonly state: string
  readonly step: number
  /** Since when it is there, in milliseconds since 1970. */
  readonly since: number
}

export interface RuleOptions<R = any> {
  /** The alarm opens when this holds. */
  readonly when: (standing: Standing<R>) => boolean
  /** It closes when this holds; when `when` no longer does, unless told. */
  readonly until?: (standing: Standing<R>) => boolean
  /** Only if it has held for so long. */
  readonly for?: Duration
  /** Only if it was over for so long. */
  readonly clearFor?: Duration
  /** Opened `times` within that time, it stays open until it was quiet for as long. */
  readonly flap?: { readonly times: number; readonly within: Duration }
  /** Default `error`. */
  readonly severity?: Severity
  /** One sentence, without secrets. */
  readonly message?: string | ((standing: Standing<R>) => string)
  /** What whoever is called should do. */
  readonly playbook?: string
  readonly labels?: Labels
}

const RULE = Symbol('escapement.rule')

/** A rule as declared, its options checked. */
export interface DeclaredRule {
  readonly [RULE]: true
  readonly options: RuleOptions
  readonly forMs: number
  readonly clearForMs: number
  readonly flap: AlarmAbout['flap']
}

export type RuleMap = Readonly<Record<string, DeclaredRule>>

/** A rule and its name. */
export interface Rule extends DeclaredRule {
  readonly name: string
}

/**
 * Declares an alarm that opens and closes by a rule, for `static alarms`.
 * @throws ARGUMENT_INVALID for options that are none
 */
export function alarm<R = any>(options: RuleOptions<R>): DeclaredRule {
  const { when, until, severity = 'error', flap = null } = options
  const invalid = (reason: string) => fault('ARGUMENT_INVALID', { what: 'An alarm', reason })
  if (typeof when !== 'function') throw invalid('"when" is not a function')
  if (until !== undefined && typeof until !== 'function') throw invalid('"until" is not a function')
  checkSeverity(severity, 'The severity of an alarm')
  if (flap && !(Number.isInteger(flap.times) && flap.times >= 2 && flap.times <= 100))
    throw invalid('"flap.times" is not a whole number from 2 to 100')
  return {
    [RULE]: true,
    options,
    forMs: toMs(options.for ?? 0, 'for of an alarm'),
    clearForMs: toMs(options.clearFor ?? 0, 'clearFor of an alarm'),
    flap: flap && { times: flap.times, withinMs: toMs(flap.within, 'flap.within of an alarm') },
  }
}

/** @throws ARGUMENT_INVALID, naming the four there are */
export function checkSeverity(severity: unknown, what: string): asserts severity is Severity {
  if (SEVERITIES.includes(severity as Severity)) return
  const reason = `"${severity}" is none of ${SEVERITIES.join(', ')}`
  throw fault('ARGUMENT_INVALID', { what, reason })
}

/** The rules of a class. @throws RULE_INVALID */
export function rulesOf(kind: string, map: RuleMap): Rule[] {
  return Object.entries(map).map(([name, rule]) => {
    const reason = !NAME.test(name)
      ? 'its name is not a letter followed by letters, digits or underscores'
      : HOUSE.has(name)
        ? 'the house opens alarms of that name itself'
        : rule?.[RULE] !== true
          ? 'it is not made with alarm({…})'
          : null
    if (reason) throw fault('RULE_INVALID', { kind, name, reason })
    return { ...rule, name }
  })
}

const NAME = /^[A-Za-z][A-Za-z0-9_]{0,59}$/

/** Alarms the house opens by itself. */
export const HOUSE: ReadonlySet<string> = new Set([
  ...['panic', 'timeout', 'stuck', 'overdue', 'poison', 'stranded', 'breaker', 'tickets'],
])

const MOST_LABELS = 20
const LABEL = /^[A-Za-z][A-Za-z0-9_.-]{0,59}$/

/** @throws ARGUMENT_INVALID for what are no labels */
export function checkedLabels(labels: unknown): Labels {
  const entries = typeof labels === 'object' && labels !== null ? Object.entries(labels) : null
  const isLabel = ([name, value]: [string, unknown]) =>
    LABEL.test(name) && name !== '__proto__' && typeof value === 'string' && value.length <= 200
  if (entries && entries.length <= MOST_LABELS && entries.every(isLabel))
    return Object.fromEntries(entries.map(([name, value]) => [name, storable(value, 200)]))
  const reason = `they are not at most ${MOST_LABELS} names with texts of at most 200 letters`
  throw fault('ARGUMENT_INVALID', { what: 'The labels', reason })
}

/** The labels of a class. @throws RULE_INVALID */
export function labelsOf(kind: string, labels: Labels): Labels {
  try {
    return checkedLabels(labels)
  } catch (refused) {
    throw fault('RULE_INVALID', { kind, name: 'labels', reason: asError(refused).message })
  }
}
