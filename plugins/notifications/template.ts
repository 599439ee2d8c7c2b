// Templates of messages. The only mustache door.
// Promise: a template is data: nothing in it or in what it shows is run; every name is checked when the app loads;
// what is shown stays on its line.
import mustache from 'mustache'
import { onOneLine } from './clean.ts'

/** Names a template may use, by where they stand: beside the notices, within them. */
export const TEMPLATE_NAMES = {
  delivery: ['count', 'shown', 'more', 'severity', 'route', 'isOver', 'at', 'notices'],
  notice: [
    'id',
    'type',
    'severity',
    'kind',
    'resourceId',
    'task',
    'message',
    'at',
    'isOver',
    'alarm',
  ],
  alarm: [
    ...[
      'id',
      'key',
      'name',
      'severity',
      'state',
      'message',
      'playbook',
      'count',
      'episode',
      'owner',
      'note',
    ],
    ...['kind', 'resourceId', 'task', 'firstSeenAt', 'lastSeenAt', 'openedAt', 'closedAt'],
  ],
} as const

/** Names of the user's own: `labels.team`, `payload.order.number`. */
const FREE = /^(?:labels|alarm\.labels|payload)(?:\.[A-Za-z][\w-]{0,59}){1,5}$/
const FORBIDDEN = /(?:^|\.)(?:constructor|prototype|__proto__)(?:\.|$)/
const KNOWN: ReadonlySet<string> = new Set([
  ...TEMPLATE_NAMES.delivery,
  ...TEMPLATE_NAMES.notice,
  ...TEMPLATE_NAMES.alarm.map((name) => `alarm.${name}`),
])
const WITHIN_ALARM: ReadonlySet<string> = new Set(TEMPLATE_NAMES.alarm)

const MOST_TEMPLATE = 10_000
const MOST_TEXT = 30_000

export class Template {
  readonly #source: string

  /** @param source a text that `problemOf` has nothing against */
  constructor(source: string) {
    this.#source = source
  }

  /** @param quote what the channel needs beside clean text */
  render(view: object, quote: (text: string) => string = (text) => text): string {
    const shown = (value: unknown) => quote(onOneLine(textOf(value)))
    const text = new mustache.Writer().render(this.#source, view, undefined, { escape: shown })
    return text.slice(0, MOST_TEXT).trim()
  }
}

const textOf = (value: unknown): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)

/** What is wrong with a template; null for nothing. */
export function problemOf(source: string): string | null {
  if (source.length > MOST_TEMPLATE) return `has more than ${MOST_TEMPLATE} characters`
  try {
    return wrongIn(mustache.parse(source), false)
  } catch (thrown) {
    return `cannot be read: ${(thrown as Error).message}`
  }
}

type Token = readonly [kind: string, name: string, from: number, to: number, inner?: Token[]]

function wrongIn(tokens: readonly any[], isInAlarm: boolean): string | null {
  for (const [kind, name, , , inner] of tokens as readonly Token[]) {
    if (kind === 'text' || kind === '!') continue
    if (kind === '>') return `asks for the partial "${name}", and there are none`
    if (kind === '&')
      return `shows "${name}" with three braces or an ampersand; two braces are enough`
    if (kind === '=') return 'changes its delimiters'
    if (!isKnown(name, isInAlarm)) return `uses "${name}", which is no name of a message`
    const found = Array.isArray(inner) ? wrongIn(inner, isInAlarm || name === 'alarm') : null
    if (found !== null) return found
  }
  return null
}

const isKnown = (name: string, isInAlarm: boolean) =>
  name === '.' || KNOWN.has(name) || (isInAlarm && WITHIN_ALARM.has(name)) || isFree(name)
const isFree = (name: string) => FREE.test(name) && !FORBIDDEN.test(name)
