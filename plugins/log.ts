// The log: what happens, as lines of JSON. The only pino door.
// Promise: of each event only what is listed here by name is written: identities, names, states and
// numbers; of an error its name, code and message, with secrets masked. A new event of
// lib/events.ts does not compile until it is listed.
import { type Logger, pino } from 'pino'
import type { EventName, EventTable } from '../lib/events.ts'
import { masked } from '../lib/mask.ts'
import { SystemTime, type Time } from '../lib/time.ts'
import type { Plugin } from '../models/index.ts'

type Level = 'debug' | 'info' | 'warn' | 'error'
type Line<N extends EventName> = readonly [Level, ...(keyof EventTable[N])[]]

const LINES: { readonly [N in EventName]: Line<N> } = {
  'clock.started': ['info', 'beatMs'],
  'clock.beat': ['debug', 'tickets', 'lateMs'],
  'due.taken': ['debug', 'kind', 'count', 'lateMs'],
  'quota.used': ['debug', 'kind', 'resourceId', 'quota', 'at'],
  'slot.failed': ['warn', 'key', 'error'],
  'clock.stopped': ['info', 'beats'],
  'clock.failed': ['error', 'error'],
  'worker.started': ['info', 'queue', 'concurrency'],
  'worker.draining': ['info', 'queue', 'inHand'],
  'worker.stopped': ['info', 'queue', 'reason'],
  'ticket.refused': ['warn', 'queue', 'reason', 'keyId'],
  'queue.failed': ['error', 'error'],
  'tick.started': ['debug', 'resourceId', 'kind'],
  'tick.busy': ['debug', 'resourceId'],
  'tick.done': ['debug', 'resourceId', 'kind', 'steps', 'elapsedMs'],
  'tick.failed': ['error', 'resourceId', 'error'],
  'lease.lost': ['warn', 'resourceId'],
  'lease.failed': ['warn', 'resourceId', 'error'],
  'task.stepped': [
    'info',
    ...['kind', 'resourceId', 'taskId', 'task', 'step', 'from', 'to', 'event', 'lateMs'],
  ] as Line<'task.stepped'>,
  'task.emitted': ['info', 'kind', 'resourceId', 'taskId', 'task', 'type'],
  'task.logged': ['info', 'kind', 'resourceId', 'taskId', 'task', 'label'],
  'task.finished': ['info', 'kind', 'resourceId', 'taskId', 'task', 'step', 'status'],
  'task.panicked': ['error', 'kind', 'resourceId', 'taskId', 'task', 'step', 'error'],
  'task.unknown': ['warn', 'resourceId', 'taskId', 'task'],
  'resource.availability': ['info', 'kind', 'resourceId', 'from', 'to'],
  'resource.deleted': ['info', 'kind', 'resourceId', 'isForced', 'actor'],
  'event.ignored': ['info', 'kind', 'resourceId', 'taskId', 'task', 'type'],
  'effect.started': [
    'debug',
    'kind',
    'resourceId',
    'taskId',
    'task',
    'effect',
    'source',
    'key',
    'attempt',
  ],
  'effect.progressed': [
    'debug',
    ...['kind', 'resourceId', 'taskId', 'task', 'effect', 'source', 'key', 'attempt'],
  ] as Line<'effect.progressed'>,
  'effect.done': [
    'debug',
    ...['kind', 'resourceId', 'taskId', 'task', 'effect', 'source', 'key', 'attempt', 'elapsedMs'],
  ] as Line<'effect.done'>,
  'effect.failed': [
    'warn',
    ...[
      'kind',
      'resourceId',
      'taskId',
      'task',
      'effect',
      'source',
      'key',
      'attempt',
      'isLast',
      'error',
    ],
  ] as Line<'effect.failed'>,
  'alarm.changed': [
    'warn',
    ...['alarmId', 'key', 'name', 'severity', 'kind', 'resourceId', 'from', 'to', 'event'],
  ] as Line<'alarm.changed'>,
  'rule.failed': ['warn', 'kind', 'resourceId', 'rule', 'error'],
  'hold.changed': ['warn', 'scope', 'by', 'event', 'until'],
  'notice.logged': ['warn', 'deliveryId', 'route', 'severity', 'notices', 'message'],
  'notice.delivered': ['info', 'deliveryId', 'route', 'notices', 'attempt'],
  'notice.failed': ['warn', 'deliveryId', 'route', 'attempt', 'isLast', 'error'],
  'condition.failed': ['warn', 'kind', 'resourceId', 'task', 'condition', 'error'],
  'runs.removed': ['info', 'kind', 'task', 'count'],
  'history.removed': ['info', 'kind', 'rows', 'file'],
  'run.kept': ['warn', 'kind', 'resourceId', 'taskId', 'task', 'error'],
  'steward.failed': ['error', 'error'],
  'roster.failed': ['warn', 'who', 'error'],
  'unit.fenced': ['warn', 'resourceId', 'taskId', 'fence'],
  'unit.desynchronized': ['warn', 'resourceId', 'taskId', 'step'],
  'store.retried': ['info', 'error'],
  'plugin.failed': ['error', 'plugin', 'error'],
  'listener.failed': ['error', 'event', 'error'],
}

export interface LogOptions {
  /** The least severe line that is written; `silent` writes none. */
  readonly level: Level | 'silent'
  /** Where a line goes, its end included. */
  write(line: string): void
  readonly time?: Time
}

/** A plugin that writes every event it hears. */
export function log({ level, write, time = new SystemTime() }: LogOptions): Plugin {
  const logger: Logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date(time.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  )
  const hear = (payload: object, name: EventName) => {
    const [severity, ...keys] = LINES[name] as Line<EventName>
    logger[severity](pick(payload as Record<string, unknown>, keys), name)
  }
  return { name: 'log', on: { '*': hear } }
}

function pick(payload: Readonly<Record<string, unknown>>, keys: readonly string[]): object {
  return Object.fromEntries(
    keys.map((key) => {
      const value = payload[key]
      if (value instanceof Error) return [key, brief(value)]
      // Why something happened is often the message of an error.
      return [key, key === 'reason' && typeof value === 'string' ? masked(value, MOST_TEXT) : value]
    }),
  )
}

const MOST_TEXT = 1_000

function brief(error: Error & { code?: unknown }): object {
  const { name, code, message } = error
  const text = (value: unknown) => masked(String(value), MOST_TEXT)
  return {
    name: text(name),
    ...(typeof code === 'string' && { code: text(code) }),
    message: text(message),
  }
}
