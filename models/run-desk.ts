// The desk of runs: what is done at once about live runs, parked ones above all, and what is told of trouble.
// Promise: a panic is acted on only while it is the one the run is parked by; an alarm that refuses says why.
import type { AlarmResult, AlarmSignal } from '../lib/alarm.ts'
import type { Ticket } from '../lib/contract.ts'
import type { Knex } from '../lib/database.ts'
import { fault } from '../lib/errors.ts'
import { newId } from '../lib/id.ts'
import type { NewNotice } from '../lib/notice.ts'
import { rungBy } from '../lib/routes.ts'
import { ORDINARY } from '../lib/share.ts'
import type { Store } from '../lib/store.ts'
import type { Outcome, Unit } from '../lib/unit.ts'
import { CLIMBER } from './climber.ts'
import type { Explanation } from './explanations.ts'
import type { Kind } from './kind.ts'
import type { Lookout } from './lookout.ts'
import type { ParkedAct, ParkedRun } from './panic.ts'
import type { Registry } from './registry.ts'
import { Rewinder } from './rewinder.ts'
import type { TaskSnapshot } from './snapshot.ts'
import type {
  Because,
  Condition,
  RequestParts,
  RunInfo,
  Schedule,
  StopOptions,
  Target,
  WaitOptions,
} from './verbs.ts'
import { watched } from './vigil.ts'

export type Committed = Extract<Outcome, { kind: 'committed' }>

export interface RunDeskParts {
  readonly store: Pick<Store, 'commit'>
  readonly knex: Knex
  readonly requests: RequestParts
  readonly lookout: Lookout
  readonly registry: Registry
  push(tickets: readonly Ticket[]): Promise<void>
}

export abstract class RunDesk<Parts extends RunDeskParts> {
  protected readonly parts: Parts
  readonly #rewinder: Rewinder

  constructor(parts: Parts) {
    this.parts = parts
    this.#rewinder = new Rewinder(parts)
  }

  get requests(): RequestParts {
    return this.parts.requests
  }

  abstract stop(target: Target, options: StopOptions): Promise<boolean>

  /** @throws TASK_NOT_RUNNING, STEP_UNKNOWN, DESYNCHRONIZED */
  async rewind(
    target: Target,
    steps: number,
    because: Because,
  ): Promise<{ step: number; state: string }> {
    const { unit, state } = await this.#rewinder.rewind(target, steps, because)
    return this.moved(target, unit, state)
  }

  /** @throws TASK_NOT_RUNNING, DESYNCHRONIZED */
  async retry(target: Target, because: Because): Promise<void> {
    const { unit, state } = await this.#rewinder.retry(target, because)
    await this.moved(target, unit, state)
  }

  /** @throws TASK_NOT_RUNNING, ARGUMENT_INVALID, DESYNCHRONIZED */
  async goto(target: Target, state: string, because: Because) {
    const change = await this.#rewinder.goto(target, state, because)
    return this.moved(target, change.unit, change.state)
  }

  /** Only from within the task that handles panics. */
  async climb(): Promise<never> {
    throw fault('ARGUMENT_INVALID', { what: 'climb', reason: 'only a handler of panics does it' })
  }

  /** @returns false when it was paused already. @throws TASK_NOT_RUNNING, DESYNCHRONIZED */
  async pause(target: Target, because: Because): Promise<boolean> {
    const change = await this.#rewinder.pause(target, because)
    if (change) await this.moved(target, change.unit, change.state)
    return change !== null
  }

  /** @throws TASK_NOT_RUNNING, TASK_NOT_PAUSED, DESYNCHRONIZED */
  async resume(target: Target, because: Because): Promise<void> {
    const { unit, state } = await this.#rewinder.resume(target, because)
    await this.moved(target, unit, state)
  }

  status(target: Target): Promise<RunInfo | null> {
    return this.parts.lookout.status(target)
  }

  explain(kind: Kind, resourceId: string, task: string | null): Promise<Explanation> {
    return this.parts.lookout.explain(kind, resourceId, task)
  }

  snapshot(target: Target): Promise<TaskSnapshot | null> {
    return this.parts.lookout.snapshot(target)
  }

  waitFor(target: Target, condition: Condition, options: WaitOptions): Promise<TaskSnapshot> {
    return this.parts.lookout.waitFor(target, condition, options)
  }

  on(target: Target, type: string, listener: (event: any) => void): () => void {
    return this.parts.lookout.on(target, type, listener)
  }

  schedule(target: Target): Promise<Schedule | null> {
    return this.parts.lookout.schedule(target)
  }

  /** @inheritDoc Verbs.unpark */
  async unpark(panic: ParkedRun, act: ParkedAct, because: Because): Promise<boolean> {
    const { registry } = this.parts
    const { resourceId, task, taskId } = panic
    const target: Target = { kind: registry.find(panic.kind), resourceId, task }
    const run = await this.status(target)
    const isParked = run?.status === 'panicked' || run?.status === 'stranded'
    if (!isParked || run.taskId !== taskId || run.step !== panic.step) return false
    if (act.verb === 'retry') await this.retry(target, because)
    else if (act.verb === 'rewind') await this.rewind(target, act.steps, because)
    else if (act.verb === 'goto') await this.goto(target, act.state, because)
    else return this.stop(target, because)
    return true
  }

  /** The task that is told of panics at a resource, if its class handles them. */
  async climberOf(resourceId: string): Promise<Target | null> {
    const { knex, registry } = this.parts
    const row = await knex('resources').where({ id: resourceId }).first('kind')
    if (!row || !registry.has(row.kind)) return null
    const kind = registry.find(row.kind)
    return kind.handlesPanics ? { kind, resourceId, task: CLIMBER } : null
  }

  /** @throws ALARM_UNKNOWN, ALARM_CLOSED, ALARM_ACTIVE */
  async signal(signal: AlarmSignal): Promise<AlarmResult> {
    const { alarmed } = await this.commit({ alarms: [signal] }, null)
    const result = alarmed[0] ?? { ...NOTHING, key: signal.key }
    const code = result.refused && REFUSALS[result.refused]
    if (code) throw fault(code, { key: signal.key, state: result.to ?? 'closed' })
    return result
  }

  async notify(notice: NewNotice): Promise<void> {
    await this.commit({ notices: [notice] }, null)
  }

  /**
   * Commits a unit of the desk's own and pushes a ticket for the resource it made due.
   * @param route of that resource, where the unit does not say it
   * @throws DESYNCHRONIZED when somebody else was faster
   */
  async commit(
    parts: Omit<Unit, 'id'>,
    resourceId: string | null,
    route: Kind['route'] = {},
  ): Promise<Committed> {
    const outcome = await this.written(parts, resourceId)
    await this.ring(parts, outcome, resourceId, route)
    return outcome
  }

  /** The same without the ticket. @throws DESYNCHRONIZED */
  protected async written(parts: Omit<Unit, 'id'>, resourceId: string | null): Promise<Committed> {
    const [outcome] = await this.parts.store.commit([
      { id: newId(this.parts.requests.time), ...parts },
    ])
    if (outcome?.kind !== 'committed') {
      const { taskId: task, expected } = parts.step ?? {
        taskId: resourceId,
        expected: parts.fields?.version,
      }
      throw fault('DESYNCHRONIZED', { task, expected })
    }
    return outcome
  }

  /** A ticket for what was committed. */
  protected async ring(
    parts: Omit<Unit, 'id'>,
    outcome: Committed,
    resourceId: string | null,
    route: Kind['route'] = {},
  ): Promise<void> {
    const isUrgent = parts.starts?.some(({ rank = ORDINARY }) => rank < ORDINARY) ?? false
    if (resourceId !== null && !outcome.isQuiet)
      await this.parts.push([{ resourceId, isUrgent, ...route, ...rungBy(parts).get(resourceId) }])
  }

  protected async moved({ kind, resourceId }: Target, unit: Omit<Unit, 'id'>, state: string) {
    await this.commit(this.watched(kind, resourceId, unit), resourceId, kind.route)
    return { step: unit.step?.step ?? 0, state }
  }

  /** The unit, and whose rules are to be asked after it. */
  protected watched<U extends Partial<Unit>>(kind: Kind, resourceId: string, unit: U): U {
    const watches = watched(this.parts.registry, kind, resourceId, unit)
    return watches.length > 0 ? { ...unit, watches } : unit
  }
}

const NOTHING = { changed: true, from: null, to: null, refused: null }

const REFUSALS = {
  unknown: 'ALARM_UNKNOWN',
  closed: 'ALARM_CLOSED',
  'not-closed': 'ALARM_ACTIVE',
} as const
