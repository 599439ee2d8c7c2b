// A delivery as a message: what is counted, what is shown, in which words.
// Promise: a thousand notices are a count and the first few; times are written in UTC; nothing in it can be run.
import { type Notice, SEVERITIES } from '../../lib/notice.ts'
import type { Route } from './route.ts'
import { CLOSED } from './tables.ts'
import type { Message } from './target.ts'

const TIMES = new Set(['at', 'firstSeenAt', 'lastSeenAt', 'openedAt', 'closedAt'])

/** The last moment there is a date for. */
const LAST_MS = 8.64e15

export interface Delivered {
  readonly id: string
  readonly attempt: number
  readonly at: number
  readonly notices: readonly Notice[]
}

/** @param notices in the order they were written, at least one */
export function messageOf(route: Route, { id, attempt, at, notices }: Delivered): Message {
  const shown = notices.slice(0, route.show)
  const [first] = shown
  const isOver = notices.every(({ type }) => type === CLOSED)
  const open = isOver ? notices : notices.filter(({ type }) => type !== CLOSED)
  const severity = SEVERITIES.find((one) => open.some((notice) => notice.severity === one))!
  const counts = { count: notices.length, shown: shown.length, more: notices.length - shown.length }
  const view = bare({
    ...viewOf(first!),
    ...{ ...counts, severity, isOver, route: route.name, at },
    notices: shown.map(viewOf),
  }) as object
  const { quote } = route.to.kind
  const title = route.title.render(view, quote)
  const text = route.text.render(view, quote)
  const told = { notices: shown.map((notice) => bare(notice)) as Notice[], last: lastOf(notices) }
  return {
    ...{ id, route: route.name, attempt, at, severity, isOver },
    count: counts.count,
    title,
    text,
    ...told,
  }
}

function viewOf(notice: Notice): object {
  const { id, type, severity, kind, resourceId, task, message, labels, at, payload } = notice
  const { alarm = null } = (payload ?? {}) as { alarm?: unknown }
  const isOver = type === CLOSED
  return { id, type, severity, kind, resourceId, task, message, labels, at, isOver, alarm, payload }
}

/** The last opening and the last close, in their order: all that matters to a receiver that keeps alarms itself. */
function lastOf(notices: readonly Notice[]): Notice[] {
  const isClose = (notice: Notice) => notice.type === CLOSED
  const ends = [notices.findLast(isClose), notices.findLast((notice) => !isClose(notice))]
  return ends
    .filter((one) => one !== undefined)
    .sort((a, b) => notices.indexOf(a) - notices.indexOf(b))
}

/** Plain data without a prototype, so that a name finds what was stored or nothing; times of ours as ISO 8601. */
function bare(value: unknown, name = '', within = ''): unknown {
  if (Array.isArray(value)) return value.map((one) => bare(one, '', name))
  if (typeof value === 'number' && isTime(name, within, value)) return new Date(value).toISOString()
  if (typeof value !== 'object' || value === null) return value
  const copy = Object.create(null)
  for (const [key, inner] of Object.entries(value)) copy[key] = bare(inner, key, name)
  return copy
}

/** Of a notice and of its alarm; numbers in a payload of the user's own stay numbers. */
const isTime = (name: string, within: string, value: number) =>
  TIMES.has(name) && /^(alarm)?$/.test(within) && Math.abs(value) <= LAST_MS
