// A panic, as a handler is told of it: what happened, and what can be done about it.
// Promise: plain data that travels in an event; what is done is done at once, and only to a run that is still parked.
import type { AlarmAbout } from '../lib/alarm.ts'

/** What is told of a panic. */
export interface PanicTold {
  readonly kind: string
  readonly resourceId: string
  readonly task: string
  readonly taskId: string
  readonly step: number
  /** Where the task was. */
  readonly state: string
  readonly error: {
    readonly class: string
    readonly code: string | null
    readonly message: string
  }
  readonly playbook: string | null
  /** The alarm that opens if nobody helps. */
  readonly alarm: { readonly key: string; readonly about: AlarmAbout }
}

/** What names a run and what it is parked by. */
export type ParkedRun = Pick<PanicTold, 'kind' | 'resourceId' | 'task' | 'taskId' | 'step'>

/** What can be done to a parked run. */
export type ParkedAct =
  | { readonly verb: 'retry' }
  | { readonly verb: 'rewind'; readonly steps: number }
  | { readonly verb: 'goto'; readonly state: string }
  | { readonly verb: 'stop' }

/** A panic in the hands of `onPanic`. */
export class Panic {
  readonly told: PanicTold
  /** Has anything been done about it? */
  wasHandled = false
  readonly #act: (act: ParkedAct, reason: string | undefined) => Promise<boolean>

  constructor(told: PanicTold, act: Panic['does']) {
    this.told = told
    this.#act = act
  }

  get task(): string {
    return this.told.task
  }
  get state(): string {
    return this.told.state
  }
  get error(): PanicTold['error'] {
    return this.told.error
  }
  /** The resource whose task it is: the one that handles it, or one that belongs to it. */
  get resource(): { readonly kind: string; readonly id: string } {
    return { kind: this.told.kind, id: this.told.resourceId }
  }

  /** Lets the task go on from its last good step. False when it was not parked any more. */
  retry(reason?: string): Promise<boolean> {
    return this.does({ verb: 'retry' }, reason)
  }

  /** Takes it back. @throws STEP_UNKNOWN */
  rewind(steps: number, reason?: string): Promise<boolean> {
    return this.does({ verb: 'rewind', steps }, reason)
  }

  /** Puts it into a state. @throws ARGUMENT_INVALID for one its machine does not have */
  goto(state: string, reason?: string): Promise<boolean> {
    return this.does({ verb: 'goto', state }, reason)
  }

  /** Ends it. */
  stop(reason?: string): Promise<boolean> {
    return this.does({ verb: 'stop' }, reason)
  }

  /** Any of these. */
  async does(act: ParkedAct, reason: string | undefined): Promise<boolean> {
    const done = await this.#act(act, reason)
    this.wasHandled = true
    return done
  }
}
