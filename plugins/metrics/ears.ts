// What is heard on the bus, as numbers.
// Promise: of a run its declared task counts, never the ids of the actors below it; of an error nothing but that
// there was one.
import type { Plugin } from '../../models/index.ts'
import type { Meter } from './meter.ts'

type Ears = NonNullable<Plugin['on']>

/** The kind of what was never looked at. */
const UNKNOWN = 'unknown'

export function ears(meter: Meter): Ears {
  return { ...ofClock(meter), ...ofTicks(meter), ...ofTasks(meter), ...ofTrouble(meter) }
}

function ofClock(meter: Meter): Ears {
  return {
    'clock.beat': ({ tickets, lateMs }) => {
      meter.count('escapement_clock_beats_total', {})
      meter.count('escapement_clock_tickets_total', {}, tickets)
      meter.set('escapement_clock_lateness_seconds', {}, seconds(lateMs))
    },
    'due.taken': ({ kind, lateMs }) =>
      meter.observe('escapement_clock_kind_lateness_seconds', { kind }, seconds(lateMs)),
    ...ofPlaces(meter),
  }
}

/** Of all queues together. */
function ofPlaces(meter: Meter): Ears {
  const places = new Map<string, number>()
  const have = (queue: string, count: number) => {
    places.set(queue, count)
    const all = [...places.values()].reduce((sum, one) => sum + one, 0)
    meter.set('escapement_worker_concurrency', {}, all)
  }
  return {
    'worker.started': ({ queue, concurrency }) => have(queue, concurrency),
    'worker.stopped': ({ queue }) => have(queue, 0),
  }
}

function ofTicks(meter: Meter): Ears {
  const kinds = new Map<string, string>()
  const ended = (resourceId: string, outcome: string) => {
    const kind = kinds.get(resourceId) ?? UNKNOWN
    if (outcome !== 'busy') kinds.delete(resourceId)
    meter.count('escapement_ticks_total', { kind, outcome })
    meter.set('escapement_ticks_in_hand', {}, kinds.size)
  }
  return {
    'tick.started': ({ resourceId, kind }) => {
      kinds.set(resourceId, kind)
      meter.set('escapement_ticks_in_hand', {}, kinds.size)
    },
    'tick.done': ({ resourceId, kind, elapsedMs }) => {
      ended(resourceId, 'done')
      meter.observe('escapement_tick_duration_seconds', { kind }, seconds(elapsedMs))
    },
    'tick.failed': ({ resourceId }) => ended(resourceId, 'failed'),
    'tick.busy': ({ resourceId }) => ended(resourceId, 'busy'),
    'ticket.refused': () => meter.count('escapement_tickets_refused_total', {}),
    'lease.lost': () => meter.count('escapement_leases_lost_total', {}),
  }
}

function ofTasks(meter: Meter): Ears {
  return {
    'task.stepped': ({ kind, task, lateMs }) => {
      const labels = { kind, task: declared(task) }
      meter.count('escapement_steps_total', labels)
      meter.observe('escapement_step_lateness_seconds', labels, seconds(lateMs))
      // A rate sees no change in a series that begins with its first panic.
      meter.count('escapement_panics_total', labels, 0)
    },
    'task.panicked': ({ kind, task }) =>
      meter.count('escapement_panics_total', { kind, task: declared(task) }),
    'effect.done': (ended) =>
      meter.count('escapement_effect_attempts_total', attempt(ended, 'done')),
    'effect.failed': (ended) => {
      const outcome = ended.isLast ? 'failed' : 'retried'
      meter.count('escapement_effect_attempts_total', attempt(ended, outcome))
    },
    'unit.fenced': () => meter.count('escapement_fences_total', {}),
    'unit.desynchronized': () => meter.count('escapement_desynchronized_total', {}),
    'store.retried': () => meter.count('escapement_store_retries_total', {}),
  }
}

function ofTrouble(meter: Meter): Ears {
  const failed = (room: string) => () => meter.count('escapement_room_failures_total', { room })
  const told = (route: string, outcome: string, by = 1) =>
    meter.count('escapement_notice_deliveries_total', { route, outcome }, by)
  return {
    'alarm.changed': ({ from, to, severity }) => {
      if (from !== to) meter.count('escapement_alarm_changes_total', { to, severity })
    },
    'notice.delivered': ({ route }) => {
      told(route, 'delivered')
      told(route, 'dead', 0)
    },
    'notice.failed': ({ route, isLast }) => {
      told(route, 'retried', isLast ? 0 : 1)
      told(route, 'dead', isLast ? 1 : 0)
    },
    'clock.failed': failed('clock'),
    'queue.failed': failed('queue'),
    'lease.failed': failed('lease'),
    'steward.failed': failed('steward'),
    'rule.failed': failed('rule'),
    'condition.failed': failed('condition'),
    'plugin.failed': failed('plugin'),
    'listener.failed': failed('listener'),
  }
}

const seconds = (ms: number) => ms / 1_000

/** Below the slash are actors, whose ids a machine may draw from its context. */
const declared = (task: string) => task.split('/', 1)[0]!

const attempt = (
  { kind, task, source }: { kind: string; task: string; source: string },
  outcome: string,
) => ({ kind, task: declared(task), effect: source, outcome })
