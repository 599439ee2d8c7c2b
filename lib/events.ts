// Everything that can happen, name to payload, declared once.
// Promise: rooms do not log; they emit. A listener that throws is an event itself, never a lost tick.
// Payloads carry identities, states and numbers, never field values, contexts or event payloads, but for what a
// machine emits or logs itself.
import { asError } from './errors.ts'

export interface EventTable {
  'clock.started': { beatMs: number }
  'clock.beat': { tickets: number; lateMs: number }
  'due.taken': { kind: string; count: number; lateMs: number }
  'slot.failed': { key: string; error: Error }
  /** A resource has used its quota, and rests until the period is over. */
  'quota.used': { kind: string; resourceId: string; quota: string; at: number }
  'clock.stopped': { beats: number }
  'clock.failed': { error: Error }
  'worker.started': { queue: string; concurrency: number }
  'worker.draining': { queue: string; inHand: number }
  'worker.stopped': { queue: string; reason: string }
  'ticket.refused': { queue: string; reason: string; keyId: string | null }
  'queue.failed': { error: Error }
  'tick.started': { resourceId: string; kind: string }
  'tick.busy': { resourceId: string }
  'tick.done': { resourceId: string; kind: string; steps: number; elapsedMs: number }
  'tick.failed': { resourceId: string; error: Error }
  'lease.lost': { resourceId: string }
  'lease.failed': { resourceId: string; error: Error }
  'task.stepped': {
    kind: string
    resourceId: string
    taskId: string
    task: string
    step: number
    from: string
    to: string
    event: string
    lateMs: number
  }
  /** `event` is what the machine emitted, whole: it is meant for whoever listens, and never logged. */
  'task.emitted': {
    kind: string
    resourceId: string
    taskId: string
    task: string
    type: string
    event: object
  }
  /** A line a machine wrote with `log`; the value is for whoever listens. */
  'task.logged': {
    kind: string
    resourceId: string
    taskId: string
    task: string
    label: string | null
    value: unknown
  }
  'task.finished': {
    kind: string
    resourceId: string
    taskId: string
    task: string
    step: number
    status: string
  }
  'task.panicked': {
    kind: string
    resourceId: string
    taskId: string
    task: string
    step: number
    error: Error
  }
  'task.unknown': { resourceId: string; taskId: string; task: string }
  /** What is said of a resource's availability has changed. */
  'resource.availability': { kind: string; resourceId: string; from: string; to: string }
  /** A resource's row is gone. */
  'resource.deleted': {
    kind: string
    resourceId: string
    isForced: boolean
    actor: string
    reason: string | null
  }
  'event.ignored': { kind: string; resourceId: string; taskId: string; task: string; type: string }
  /** `effect` is the id of the actor, `source` what the machine calls its code. */
  'effect.started': {
    kind: string
    resourceId: string
    taskId: string
    task: string
    effect: string
    source: string
    key: string
    attempt: number
  }
  'effect.progressed': {
    kind: string
    resourceId: string
    taskId: string
    task: string
    effect: string
    source: string
    key: string
    attempt: number
  }
  'effect.done': {
    kind: string
    resourceId: string
    taskId: string
    task: string
    effect: string
    source: string
    key: string
    attempt: number
    elapsedMs: number
  }
  'effect.failed': {
    kind: string
    resourceId: string
    taskId: string
    task: string
    effect: string
    source: string
    key: string
    attempt: number
    isLast: boolean
    error: Error
  }
  /** An alarm has changed: opened, acknowledged, silenced, closed, opened again, or told again. */
  'alarm.changed': {
    alarmId: string
    key: string
    name: string
    severity: string
    kind: string | null
    resourceId: string | null
    from: string
    to: string
    event: string
  }
  /** A rule threw: what it said before still counts. */
  'rule.failed': { kind: string; resourceId: string; rule: string; error: Error }
  /** Something is held, or let go: a pause, a breaker, a limit. */
  'hold.changed': { scope: string; by: string; event: string; until: number | null }
  /** What a route to the log tells: one sentence for each notice, without secrets. */
  'notice.logged': {
    deliveryId: string
    route: string
    severity: string
    notices: number
    message: string
  }
  /** What a notice was delivered to, or not. */
  'notice.delivered': { deliveryId: string; route: string; notices: number; attempt: number }
  'notice.failed': {
    deliveryId: string
    route: string
    attempt: number
    isLast: boolean
    error: Error
  }
  /** A condition of a task threw, or answered with something else than yes or no: it counts as no. */
  'condition.failed': {
    kind: string
    resourceId: string
    task: string
    condition: 'shouldStart' | 'shouldStop' | 'limit.key'
    error: Error
  }
  /** Finished runs of a task were removed for their age. */
  'runs.removed': { kind: string; task: string; count: number }
  /** History that grew old was removed; `file` is where it is archived, null when it was dropped. */
  'history.removed': { kind: string | null; rows: number; file: string | null }
  /** A finished run was kept, because its `gc.each` threw. */
  'run.kept': { kind: string; resourceId: string; taskId: string; task: string; error: Error }
  /** What the house does now and then did not work; it is done again. */
  'steward.failed': { error: Error }
  /** A clock or a worker could not say that it lives: the others may take it for dead. */
  'roster.failed': { who: string; error: Error }
  'unit.fenced': { resourceId: string; taskId: string | null; fence: number }
  'unit.desynchronized': { resourceId: string; taskId: string | null; step: number }
  'store.retried': { error: Error }
  'plugin.failed': { plugin: string; error: Error }
  'listener.failed': { event: string; error: Error }
}

export type EventName = keyof EventTable
type Listener<N extends EventName> = (payload: EventTable[N], name: N) => void

/** The house's one bus of events. */
interface Heard {
  readonly listener: (payload: any, name: any) => unknown
}
const NOBODY: readonly Heard[] = []

export class Events {
  /** Copied when somebody comes or goes, so that a telling under way is not disturbed. */
  readonly #listeners = new Map<string, readonly Heard[]>()
  #isTellingFailure = false

  /** Listens to one event, or to all with '*'. Returns the undo. */
  on<N extends EventName>(name: N, listener: Listener<N>): () => void
  on(name: '*', listener: (payload: object, name: EventName) => void): () => void
  on(name: string, listener: (payload: any, name: any) => void): () => void {
    const heard = { listener }
    this.#listeners.set(name, [...this.#of(name), heard])
    return () => {
      this.#listeners.set(
        name,
        this.#of(name).filter((one) => one !== heard),
      )
    }
  }

  /** Does anybody listen? What costs something to say need not be said otherwise. */
  isHeard(name: EventName): boolean {
    return this.#of(name).length + this.#of('*').length > 0
  }

  #of(name: string): readonly Heard[] {
    return this.#listeners.get(name) ?? NOBODY
  }

  /**
   * Tells every listener, in order; what one throws is told as 'listener.failed'. What goes wrong while that is told
   * is not told again, by whatever way it comes back.
   */
  emit<N extends EventName>(name: N, payload: EventTable[N]): void {
    for (const one of this.#of(name)) this.#tell(one, name, payload)
    for (const one of this.#of('*')) this.#tell(one, name, payload)
  }

  #tell({ listener }: Heard, name: EventName, payload: object): void {
    try {
      const answer = listener(payload, name)
      // An async function is a listener too; nobody else would hear of its failure, and the process would end.
      if (answer instanceof Promise) answer.catch((thrown) => this.#tellFailure(name, thrown))
    } catch (thrown) {
      this.#tellFailure(name, thrown)
    }
  }

  #tellFailure(event: EventName, thrown: unknown): void {
    if (event === 'listener.failed' || this.#isTellingFailure) return
    this.#isTellingFailure = true
    try {
      this.emit('listener.failed', { event, error: asError(thrown) })
    } finally {
      this.#isTellingFailure = false
    }
  }
}
