// What only the database and the queue know: asked when somebody wants to see it.
// Promise: two questions, both bounded in time and shared by everybody who asks within a few seconds; what is
// not answered is not shown.
import type { AlarmState } from '../../lib/alarm.ts'
import type { HoldBy } from '../../lib/hold.ts'
import { SEVERITIES } from '../../lib/notice.ts'
import type { Premises } from '../../models/index.ts'
import { Look } from './look.ts'
import type { Meter } from './meter.ts'
import type { GaugeName, LabelsOf } from './table.ts'

const FRESH_MS = 3_000
const PATIENCE_MS = 2_000

const STATES: readonly AlarmState[] = ['pending', 'open', 'reopened', 'acknowledged', 'silenced']
const SCOPES = ['resource', 'task', 'queue', 'dependency'] as const
const HOLDERS: readonly HoldBy[] = ['pause', 'breaker', 'limit']

/** Every due entry has its look within `toldMs` from now, so the index on looks finds all of them. */
const ASK = `
  SELECT
    (SELECT json_build_object('count', count(*), 'at', extract(epoch FROM min(due_at)) * 1000) FROM dues
     WHERE look_at <= to_timestamp(($1::float8 + $2::float8) / 1000.0) AND due_at <= to_timestamp($1::float8 / 1000.0)) AS due,
    (SELECT json_agg(a) FROM (
       SELECT state, severity, count(*) AS count FROM alarms WHERE state <> 'closed' GROUP BY 1, 2) a) AS alarms,
    (SELECT json_agg(h) FROM (
       SELECT split_part(scope, ':', 1) AS scope, by, count(*) AS count FROM holds
       WHERE until IS NULL OR until > to_timestamp($1::float8 / 1000.0) OR by = 'breaker' GROUP BY 1, 2) h) AS holds,
    (SELECT count(*) FROM notices WHERE status = 'waiting') AS waiting,
    (SELECT at FROM notices WHERE status = 'waiting' ORDER BY seq LIMIT 1) AS "waitingSince",
    (SELECT count(*) FROM notices WHERE status = 'held') AS held,
    (SELECT count(*) FROM (SELECT FROM notices WHERE status = 'handed' LIMIT 10000) n) AS handed`

interface Answer {
  readonly due: { readonly count: number; readonly at: number | null }
  readonly alarms: readonly { state: string; severity: string; count: number }[] | null
  readonly holds: readonly { scope: string; by: string; count: number }[] | null
  readonly waiting: number
  readonly waitingSince: number | null
  readonly held: number
  readonly handed: number
}

export class Gauges {
  readonly #meter: Meter
  readonly #premises: Pick<Premises, 'time'>
  readonly #depths: Look<readonly (readonly [queue: string, depth: number])[]>
  readonly #house: Look<Answer>

  constructor(meter: Meter, premises: Premises) {
    const { time, events, queues, database, config } = premises
    this.#meter = meter
    this.#premises = premises
    const patience = { time, freshMs: FRESH_MS, patienceMs: PATIENCE_MS }
    const failed = (source: string) => (error: Error | null) => {
      meter.count('escapement_scrape_failures_total', { source })
      if (error) events.emit('plugin.failed', { plugin: 'metrics', error })
    }
    const ask = async () => (await database.query(ASK, [time.now(), config.toldMs])).rows[0]
    const depths = () =>
      Promise.all([...queues].map(async ([name, queue]) => [name, await queue.depth()] as const))
    this.#depths = new Look({ ...patience, ask: depths, onFailure: failed('queue') })
    this.#house = new Look({ ...patience, ask, onFailure: failed('database') })
  }

  /** Brings the meter up to date. Never rejects. */
  async read(): Promise<void> {
    const [depths, answer] = await Promise.all([this.#depths.take(), this.#house.take()])
    if (depths === null) this.#meter.forget('escapement_queue_depth')
    for (const [queue, depth] of depths ?? [])
      this.#meter.set('escapement_queue_depth', { queue }, depth)
    if (answer === null) for (const name of ASKED) this.#meter.forget(name)
    else this.#show(answer)
  }

  /** Nobody asks any more, so nothing of it is known. */
  end(): void {
    for (const name of ['escapement_queue_depth', ...ASKED] as const) this.#meter.forget(name)
  }

  #show({ due, alarms, holds, waiting, waitingSince, held, handed }: Answer): void {
    const meter = this.#meter
    meter.set('escapement_due_tasks', {}, due.count)
    meter.set('escapement_due_lateness_seconds', {}, this.#since(due.at))
    this.#all('escapement_alarms', EVERY_ALARM, alarms ?? [])
    this.#all('escapement_holds', EVERY_HOLD, holds ?? [])
    meter.set('escapement_notices', { status: 'waiting' }, waiting)
    meter.set('escapement_notices', { status: 'held' }, held)
    meter.set('escapement_notices', { status: 'handed' }, handed)
    meter.set('escapement_notice_waiting_seconds', {}, this.#since(waitingSince))
  }

  #since(at: number | null): number {
    return at === null ? 0 : Math.max(0, (this.#premises.time.now() - at) / 1_000)
  }

  /** A zero for what there is none of, so that an alert on it knows. */
  #all<N extends 'escapement_alarms' | 'escapement_holds'>(
    name: N,
    every: readonly LabelsOf<N>[],
    rows: readonly (LabelsOf<N> & { count: number })[],
  ): void {
    for (const labels of every) this.#meter.set(name, labels, 0)
    for (const { count, ...labels } of rows) this.#meter.set(name, labels as never, count)
  }
}

const ASKED = [
  'escapement_due_tasks',
  'escapement_due_lateness_seconds',
  'escapement_alarms',
  'escapement_holds',
  'escapement_notices',
  'escapement_notice_waiting_seconds',
] as const satisfies readonly GaugeName[]

const EVERY_ALARM = STATES.flatMap((state) => SEVERITIES.map((severity) => ({ state, severity })))
const EVERY_HOLD = SCOPES.flatMap((scope) => HOLDERS.map((by) => ({ scope, by })))
