// Every metric: its name, type, labels and meaning; docs/metrics.md is written from this.
// Promise: no label holds an id or a message, only names declared in code and words of ours.

/** Who knows it: one process of itself, or the database, which tells all processes the same. */
type Scope = 'process' | 'house'

export interface Metric {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly of: Scope
  readonly labels: readonly string[]
  readonly help: string
  readonly buckets?: readonly number[]
}

const counter = <const L extends readonly string[]>(help: string, ...labels: L) =>
  ({ type: 'counter', of: 'process', labels, help }) as const

const gauge = <const S extends Scope, const L extends readonly string[]>(
  of: S,
  help: string,
  ...labels: L
) => ({ type: 'gauge', of, labels, help }) as const

const histogram = <const L extends readonly string[]>(
  buckets: readonly number[],
  help: string,
  ...labels: L
) => ({ type: 'histogram', of: 'process', labels, help, buckets }) as const

const WORK_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
const LATE_S = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600]

export const METRICS = {
  // the clock
  escapement_clock_beats_total: counter('Looks of the clock at what is due.'),
  escapement_clock_tickets_total: counter('Tickets the clock has pushed.'),
  escapement_clock_lateness_seconds: gauge(
    'process',
    'How late the oldest ticket of the last beat was.',
  ),
  escapement_clock_kind_lateness_seconds: histogram(
    LATE_S,
    'How late the oldest of a kind was, in each look of the clock that took any.',
    'kind',
  ),
  // the worker
  escapement_worker_concurrency: gauge(
    'process',
    'How many resources the worker ticks at once, of all queues; 0 while there is none.',
  ),
  escapement_ticks_in_hand: gauge('process', 'Ticks that are going on.'),
  escapement_ticks_total: counter(
    'Ticks that ended: done, failed, or busy where the resource was ticked elsewhere.',
    'kind',
    'outcome',
  ),
  escapement_tick_duration_seconds: histogram(WORK_S, 'How long a tick took.', 'kind'),
  escapement_tickets_refused_total: counter('Messages of the queue that would not open.'),
  escapement_leases_lost_total: counter('Ticks that lost the right to their resource.'),
  // tasks
  escapement_steps_total: counter('Steps that were committed.', 'kind', 'task'),
  escapement_step_lateness_seconds: histogram(
    LATE_S,
    'How long after its moment a step was committed.',
    'kind',
    'task',
  ),
  escapement_panics_total: counter('Tasks that were parked.', 'kind', 'task'),
  escapement_effect_attempts_total: counter(
    'Attempts of effects that ended: done, retried, or failed for the last time.',
    'kind',
    'task',
    'effect',
    'outcome',
  ),
  // the store
  escapement_fences_total: counter('Commits refused: another worker had the resource by then.'),
  escapement_desynchronized_total: counter('Commits refused: the task had moved on.'),
  escapement_store_retries_total: counter('Transactions that were tried again.'),
  // what is due
  escapement_queue_depth: gauge('house', 'Tickets that wait in a queue.', 'queue'),
  escapement_due_tasks: gauge('house', 'Tasks that are due now.'),
  escapement_due_lateness_seconds: gauge('house', 'How late the oldest of them is.'),
  // alarms, holds and notices
  escapement_alarms: gauge('house', 'Alarms that are not closed.', 'state', 'severity'),
  escapement_alarm_changes_total: counter(
    'Changes of alarms, by the state they led to.',
    'to',
    'severity',
  ),
  escapement_holds: gauge(
    'house',
    'What is kept from going on, by what is held (resource, task, queue, dependency) and by what holds it.',
    'scope',
    'by',
  ),
  escapement_notices: gauge(
    'house',
    'Notices in the outbox; of those handed over at most 10,000 are counted.',
    'status',
  ),
  escapement_notice_waiting_seconds: gauge(
    'house',
    'How long the oldest notice waits to be handed over.',
  ),
  escapement_notice_deliveries_total: counter(
    'Attempts to deliver notices: delivered, retried, or dead for good.',
    'route',
    'outcome',
  ),
  // the house itself
  escapement_room_failures_total: counter(
    'Troubles outside of any task: clock, queue, lease, steward, rule, condition, plugin, listener.',
    'room',
  ),
  escapement_scrape_failures_total: counter(
    'Questions for these metrics that were not answered in time: queue, database.',
    'source',
  ),
} as const satisfies Readonly<Record<string, Metric>>

type Table = typeof METRICS
type Named<T extends Metric['type']> = {
  [N in keyof Table]: Table[N]['type'] extends T ? N : never
}[keyof Table]

export type MetricName = keyof Table
export type CounterName = Named<'counter'>
export type GaugeName = Named<'gauge'>
export type HistogramName = Named<'histogram'>

/** A value for each label of a metric. */
export type LabelsOf<N extends MetricName> = Readonly<Record<Table[N]['labels'][number], string>>
