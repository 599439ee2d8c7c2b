// The watchman: steps alarms, and asks the rules of users, for the store.
// Promise: pure, and never throws: a rule that does is told, and what it said before still counts; an alarm that
// cannot be read begins anew rather than keep a commit from being made.
import type { AlarmLogic, AlarmSignal, AlarmStep, StoredAlarm, Watched } from '../lib/alarm.ts'
import type { Json } from '../lib/codec.ts'
import type { Events } from '../lib/events.ts'
import { newId } from '../lib/id.ts'
import { type AnyStateMachine, advance, begin, type MachineEvent } from '../lib/machine.ts'
import type { NewNotice } from '../lib/notice.ts'
import type { Rest, Step } from '../lib/rest.ts'
import type { Time } from '../lib/time.ts'
import {
  type AlarmContext,
  alarmMachine,
  alarmState,
  isClearing,
  type Repeats,
  type Told,
} from './alarm-machine.ts'
import type { Registry } from './registry.ts'
import type { RequestParts } from './requests.ts'
import { ruled } from './sentry.ts'

export interface WatchmanParts {
  readonly time: Time
  readonly events: Events
  readonly registry: Registry
  readonly requests: RequestParts
  readonly repeats: Repeats
}

/** Timers that were due while nobody looked, of one alarm. */
const MOST_TIMERS = 8

export class Watchman implements AlarmLogic {
  readonly #parts: WatchmanParts
  readonly #machine: AnyStateMachine

  constructor(parts: WatchmanParts) {
    this.#parts = parts
    this.#machine = alarmMachine(parts.repeats)
  }

  /** @inheritDoc AlarmLogic.judge */
  judge(watched: Watched, nowMs: number): readonly AlarmSignal[] {
    return ruled(this.#parts, watched, nowMs)
  }

  /** @inheritDoc AlarmLogic.step */
  step(alarm: StoredAlarm | null, { key, event }: AlarmSignal, nowMs: number): AlarmStep {
    const from = alarm?.state ?? null
    if (!alarm && event.type !== 'RAISE')
      return unmoved(null, event.type === 'CLEAR' ? null : 'unknown')
    const walk = new Walk(this.#machine, alarm ? (alarm.rest as unknown as Rest) : null, nowMs)
    if (event.type === 'RAISE' && !alarm) walk.begin(event.about)
    // What was due before the signal came has happened before it, however late anybody looks.
    const fired = walk.catchUp()
    const isTaken = event.type === 'TICK' ? fired : walk.take(event)
    if (!isTaken && !fired)
      return unmoved(alarm, refusalOf(event.type, alarmState(walk.rest.value)))
    const id = alarm?.id ?? newId(this.#parts.time)
    const next = rowOf({ id, key, version: (alarm?.version ?? 0) + 1 }, walk.rest)
    const refused = isTaken ? null : refusalOf(event.type, next.state)
    const notices = walk.told.map((type) => this.#notice(type, next))
    return { alarm: next, changed: true, from, to: next.state, refused, notices }
  }

  #notice(type: Told, alarm: StoredAlarm): NewNotice {
    const { severity, episode, kind, resourceId, task, message, labels } = alarm
    const { rest: _, detail: __, dueAt: ___, version: ____, taskId: _____, ...shown } = alarm
    return {
      id: newId(this.#parts.time),
      alarmId: alarm.id,
      ...{ type, severity, episode, kind, resourceId, task, message, labels },
      payload: { alarm: shown } as unknown as Json,
    }
  }
}

const unmoved = (alarm: StoredAlarm | null, refused: AlarmStep['refused']): AlarmStep => {
  const state = alarm?.state ?? null
  return { alarm: null, changed: false, from: state, to: state, refused, notices: [] }
}

/** What comes from the house is never refused: it may be late, or say again what is known. */
function refusalOf(type: string, state: string): AlarmStep['refused'] {
  if (type === 'REOPEN') return 'not-closed'
  return ['ACKNOWLEDGE', 'SILENCE', 'CLOSE'].includes(type) && state !== 'active' ? 'closed' : null
}

/** An alarm's way through its machine at one moment. */
class Walk {
  rest: Rest
  readonly told: Told[] = []
  readonly #machine: AnyStateMachine
  readonly #nowMs: number

  constructor(machine: AnyStateMachine, rest: Rest | null, nowMs: number) {
    this.#machine = machine
    this.#nowMs = nowMs
    this.rest = rest ?? NOWHERE
  }

  begin(about: AlarmContext['about']): void {
    const now = this.#nowMs
    const seen = { firstSeenAt: now, lastSeenAt: now, openedAt: null, closedAt: null }
    const told = { owner: null, note: null, silencedUntil: null, openings: [] }
    const context: AlarmContext = { now, about, count: 0, episode: 0, ...seen, ...told }
    this.#note(begin(this.#machine, context, 1, now))
  }

  /** Fires what is due. @returns was there anything? */
  catchUp(): boolean {
    let fired = 0
    while (fired < MOST_TIMERS) {
      const due = [...this.rest.timers].sort((a, b) => a.dueAt - b.dueAt)[0]
      if (!due || due.dueAt > this.#nowMs) break
      this.rest = { ...this.rest, timers: this.rest.timers.filter((timer) => timer !== due) }
      this.#advance(due.event, due)
      fired += 1
    }
    return fired > 0
  }

  /** @returns was it accepted? */
  take(event: MachineEvent): boolean {
    return this.#advance(event)
  }

  #advance(event: MachineEvent, timer?: Rest['timers'][number]): boolean {
    const context = { ...(this.rest.context as AlarmContext), now: this.#nowMs }
    const rest = { ...this.rest, context }
    let step: Step
    try {
      step = advance(this.#machine, rest, event, 1, this.#nowMs, undefined, timer)
    } catch {
      const { about } = context
      this.begin(event.about ?? about)
      step = advance(this.#machine, this.rest, event, 1, this.#nowMs)
    }
    if (step.changed) this.#note(step)
    return step.changed
  }

  #note({ rest, emitted }: Step): void {
    this.rest = rest
    this.told.push(...emitted.map(({ type }) => type as Told))
  }
}

const NOWHERE: Rest = { value: 'closed', context: {}, status: 'active', timers: [], actors: [] }

/** The row an alarm is kept in. */
function rowOf(naming: Pick<StoredAlarm, 'id' | 'key' | 'version'>, rest: Rest): StoredAlarm {
  const {
    about,
    now: _,
    openings: __,
    silencedUntil: ___,
    ...context
  } = rest.context as AlarmContext
  const { forMs, clearForMs, flap, ...shown } = about
  const dueAt = rest.timers.reduce((least, { dueAt: at }) => Math.min(least, at), Infinity)
  return {
    ...naming,
    ...shown,
    ...context,
    state: alarmState(rest.value),
    isClearing: isClearing(rest.value),
    rest: rest as unknown as Json,
    dueAt: Number.isFinite(dueAt) ? dueAt : null,
  }
}
