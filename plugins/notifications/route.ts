// A route: which notices go where, which of them together, and how patiently.
// Promise: pure; the same notice always takes the same routes and falls into the same groups.

import type { Backoff } from '../../lib/backoff.ts'
import { type Notice, SEVERITIES, type Severity } from '../../lib/notice.ts'
import type { Checked } from './target.ts'
import type { Template } from './template.ts'

/** What a route asks of a notice; every condition that is given must hold. */
export interface When {
  readonly severity?: Severity | readonly Severity[]
  /** This severity and the graver ones. */
  readonly atLeast?: Severity
  /** A type such as `alarm.opened`; `*` stands for any letters. */
  readonly type?: string | readonly string[]
  readonly kind?: string | readonly string[]
  /** The name of the alarm. */
  readonly name?: string | readonly string[]
  readonly labels?: Readonly<Record<string, string | readonly string[]>>
}

/** What notices have in common that go together. */
export type GroupName =
  | 'kind'
  | 'name'
  | 'severity'
  | 'type'
  | 'task'
  | 'resourceId'
  | `label.${string}`

export interface Route {
  readonly name: string
  readonly to: Checked
  readonly when: When
  readonly groupBy: readonly GroupName[]
  readonly waitMs: number
  readonly intervalMs: number
  readonly most: number
  readonly show: number
  readonly attempts: number
  readonly backoff: Backoff
  readonly concurrency: number
  readonly timeoutMs: number
  readonly title: Template
  readonly text: Template
}

/** Of one value of a group; longer ones count as equal where they begin alike. */
const MOST_LETTERS = 100

/** Is it told of this? */
export function takes({ when }: Route, notice: Notice): boolean {
  const { severity, atLeast, type, kind, name, labels = {} } = when
  return (
    isOne(severity, notice.severity) &&
    (atLeast === undefined || SEVERITIES.indexOf(notice.severity) <= SEVERITIES.indexOf(atLeast)) &&
    (type === undefined || listOf(type).some((one) => isLike(one, notice.type))) &&
    isOne(kind, notice.kind) &&
    isOne(name, nameOf(notice)) &&
    Object.entries(labels).every(([label, value]) => isOne(value, labelOf(notice, label)))
  )
}

/** Notices of one group go together. */
export function groupOf({ to, groupBy }: Route, notice: Notice): string {
  if (to.kind.isSingle) return notice.alarmId ?? notice.id
  const values = groupBy.map((by) => groupValue(notice, by)?.slice(0, MOST_LETTERS) ?? null)
  return JSON.stringify(values)
}

function groupValue(notice: Notice, by: GroupName): string | null {
  if (by === 'name') return nameOf(notice)
  if (by.startsWith('label.')) return labelOf(notice, by.slice('label.'.length))
  return notice[by as 'kind' | 'severity' | 'type' | 'task' | 'resourceId']
}

/** The name of its alarm, or its type. */
function nameOf({ payload, type }: Notice): string {
  const { alarm } = (payload ?? {}) as { alarm?: { name?: unknown } }
  return typeof alarm?.name === 'string' ? alarm.name : type
}

const labelOf = ({ labels }: Notice, label: string): string | null =>
  Object.hasOwn(labels, label) ? String(labels[label]) : null

const listOf = (given: string | readonly string[]): readonly string[] =>
  typeof given === 'string' ? [given] : given
const isOne = (given: string | readonly string[] | undefined, value: string | null) =>
  given === undefined || (value !== null && listOf(given).includes(value))

/** Split at the stars: what is between them must follow one another. No pattern of a user is run as one. */
function isLike(pattern: string, text: string): boolean {
  const parts = pattern.split('*')
  if (parts.length === 1) return pattern === text
  const [first = '', last = ''] = [parts[0], parts.at(-1)]
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length)
    return false
  let at = first.length
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return at <= text.length - last.length
}
