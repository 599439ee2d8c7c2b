// Everything that can happen, name to payload, declared once.
// Promise: rooms do not log; they emit. A listener that throws is an event itself, never a lost tick.
// Payloads carry identities, states and numbers, never field values, contexts or event payloads, but for what a
// machine emits or logs itself.
import { EventEmitter } from 'node:events'
import { asError } from './errors.ts'

export interface EventTable {
  'clock.started': { beatMs: number }
  'clock.beat': { tickets: number; lateMs: number }
  'clock.stopped': { beats: number }
  'clock.failed': { error: Error }
  'worker.started': { concurrency: number }
  'worker.draining': { inHand: number }
  'worker.stopped': { reason: string }
  'ticket.refused': { reason: string; keyId: string | null }
  'queue.failed': { error: Error }
  'tick.started': { resourceId: string }
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
  'effect.started': {
    kind: string
    resourceId: string
    taskId: string
    task: string
    effect: string
    key: string
    attempt: number
  }
  'effect.progressed': {
    kind: string
    resourceId: string
    taskId: string
    task: string
    effect: string
    key: string
    attempt: number
  }
  'effect.done': {
    kind: string
    resourceId: string
    taskId: string
    task: string
    effect: string
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
    key: string
    attempt: number
    isLast: boolean
    error: Error
  }
  /** A condition of a task threw, or answered with something else than yes or no: it counts as no. */
  'condition.failed': {
    kind: string
    resourceId: string
    task: string
    condition: 'shouldStart' | 'shouldStop'
    error: Error
  }
  /** Finished runs of a task were removed for their age. */
  'runs.removed': { kind: string; task: string; count: number }
  /** A finished run was kept, because its `gc.each` threw. */
  'run.kept': { kind: string; resourceId: string; taskId: string; task: string; error: Error }
  /** What the house does now and then did not work; it is done again. */
  'steward.failed': { error: Error }
  'unit.fenced': { resourceId: string; taskId: string | null; fence: number }
  'unit.desynchronized': { resourceId: string; taskId: string | null; step: number }
  'store.retried': { error: Error }
  'plugin.failed': { plugin: string; error: Error }
  'listener.failed': { event: string; error: Error }
}

export type EventName = keyof EventTable
type Listener<N extends EventName> = (payload: EventTable[N], name: N) => void

/** The house's one bus of events. */
export class Events {
  readonly #bus = new EventEmitter().setMaxListeners(0)

  /** Listens to one event, or to all with '*'. Returns the undo. */
  on<N extends EventName>(name: N, listener: Listener<N>): () => void
  on(name: '*', listener: (payload: object, name: EventName) => void): () => void
  on(name: string, listener: (payload: any, name: any) => void): () => void {
    this.#bus.on(name, listener)
    return () => this.#bus.off(name, listener)
  }

  /** Tells every listener, in order; what one throws is told as 'listener.failed'. */
  emit<N extends EventName>(name: N, payload: EventTable[N]): void {
    for (const listener of [...this.#bus.listeners(name), ...this.#bus.listeners('*')]) {
      try {
        listener(payload, name)
      } catch (thrown) {
        if (name !== 'listener.failed') {
          this.emit('listener.failed', { event: name, error: asError(thrown) })
        }
      }
    }
  }
}
