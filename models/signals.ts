// Signals and notices, made from words: what code, rules and the house itself tell of trouble.
// Promise: what cannot be a row is refused or made fit here, so that no commit fails over the telling of it.
import { createHash } from 'node:crypto'
import type { AlarmAbout, AlarmSignal } from '../lib/alarm.ts'
import { encode, type Json } from '../lib/codec.ts'
import { type Duration, toMs } from '../lib/duration.ts'
import { fault } from '../lib/errors.ts'
import { newId } from '../lib/id.ts'
import { weighed } from '../lib/limits.ts'
import { maskedJson } from '../lib/mask.ts'
import type { Labels, NewNotice, Severity } from '../lib/notice.ts'
import { storable, storableKey } from '../lib/text.ts'
import { checkedLabels, checkSeverity, HOUSE } from './alarm-rule.ts'
import type { Kind } from './kind.ts'
import { authorOf, type RequestParts } from './requests.ts'
import type { Because } from './verbs.ts'

/** What code says of an alarm it raises. */
export interface AlarmOptions extends Because {
  /** Default `error`. */
  readonly severity?: Severity
  /** One sentence, without secrets. */
  readonly message?: string
  readonly playbook?: string
  readonly labels?: Labels
  /** Only if it has held for so long, and nobody cleared it. */
  readonly for?: Duration
  /** Tells several alarms of one name apart. */
  readonly detail?: string
}

/** What code says of something worth telling. */
export interface NoticeOptions extends Because {
  /** Default `info`. */
  readonly severity?: Severity
  /** One sentence, without secrets. */
  readonly message: string
  readonly labels?: Labels
  /** Plain data for whoever reads it, without secrets; at most 256 KiB. */
  readonly data?: unknown
}

export interface ClearOptions extends Because {
  /** The one it was raised with. */
  readonly detail?: string
}

const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,59}$/
const TYPE = /^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)+$/

/** Keys are at most so long: a longer one ends with its fingerprint. */
const MOST_KEY = 255

/** The key of an alarm: what it is about, and its name. */
export function alarmKey(...parts: readonly (string | null | undefined)[]): string {
  const key = storableKey(parts.filter(Boolean).join('/'), 4_000)
  if (key.length <= MOST_KEY) return key
  const print = createHash('sha256').update(key).digest('hex').slice(0, 16)
  return `${key.slice(0, MOST_KEY - 17)}#${print}`
}

/** @throws ARGUMENT_INVALID for a name, a severity or labels that are none */
export function newRaise(
  parts: RequestParts,
  kind: Kind,
  resourceId: string,
  name: string,
  { severity = 'error', message, playbook, labels = {}, detail, ...options }: AlarmOptions,
): AlarmSignal {
  checkName(name)
  checkSeverity(severity, `The severity of the alarm "${name}"`)
  const about: AlarmAbout = {
    ...{ name, severity, kind: kind.name, resourceId, taskId: null, task: null },
    closes: 'told',
    message: storable(message ?? `${kind.name} is ${name}`, 1_000),
    playbook: playbook === undefined ? null : storable(playbook, 4_000),
    labels: { ...kind.labels, ...checkedLabels(labels) },
    detail: null,
    forMs: options.for === undefined ? 0 : toMs(options.for, `for of the alarm "${name}"`),
    clearForMs: 0,
    flap: null,
  }
  const key = alarmKey(resourceId, name, detail)
  return { key, event: { type: 'RAISE', about }, ...authorOf(options, parts) }
}

/** @throws ARGUMENT_INVALID for a name that is none */
export function newClear(
  parts: RequestParts,
  resourceId: string,
  name: string,
  { detail, ...because }: ClearOptions,
): AlarmSignal {
  checkName(name)
  const key = alarmKey(resourceId, name, detail)
  return { key, event: { type: 'CLEAR' }, ...authorOf(because, parts) }
}

/** @throws ARGUMENT_INVALID, EVENT_TOO_LARGE, VALUE_NOT_STORABLE */
export function newNotice(
  parts: RequestParts,
  kind: Kind,
  resourceId: string,
  type: string,
  { severity = 'info', message, labels = {}, data }: NoticeOptions,
): NewNotice {
  if (
    typeof type !== 'string' ||
    !TYPE.test(type) ||
    type.length > 100 ||
    type.startsWith('alarm.')
  ) {
    const reason = `${JSON.stringify(type)} is not two or more words of small letters joined by dots, such as "order.shipped", or begins with "alarm."`
    throw fault('ARGUMENT_INVALID', { what: 'The type of a notice', reason })
  }
  checkSeverity(severity, `The severity of the notice ${type}`)
  const payload = data === undefined ? {} : encode(data, parts.sealer)
  return {
    ...{ id: newId(parts.time), type, severity, alarmId: null, episode: null, task: null },
    ...{ kind: kind.name, resourceId, message: storable(String(message), 1_000) },
    labels: { ...kind.labels, ...checkedLabels(labels) },
    payload: { data: maskedJson(weighed(payload, `The notice ${type}`)) } as Json,
  }
}

function checkName(name: string): void {
  if (typeof name === 'string' && NAME.test(name) && !HOUSE.has(name)) return
  const reason = HOUSE.has(name)
    ? `"${name}" is one the house opens itself`
    : `${JSON.stringify(name)} is not a letter followed by letters, digits, dots, dashes or underscores`
  throw fault('ARGUMENT_INVALID', { what: 'The name of an alarm', reason })
}
