// What every resource can say of trouble: raise an alarm, tell somebody, see to a panic.
// Promise: inside a step all of it is part of the step's commit; outside, each is a commit of its own.
import type { Kind } from './kind.ts'
import { Panic, type PanicTold } from './panic.ts'
import {
  type AlarmOptions,
  type ClearOptions,
  type NoticeOptions,
  newClear,
  newNotice,
  newRaise,
} from './signals.ts'
import type { Verbs } from './verbs.ts'

/** Where a held resource keeps its backing. */
export const BACKING = Symbol('escapement.backing')

interface Bench {
  readonly id: string
  readonly kind: Kind
  readonly parentId: string | null
  readonly verbs: Verbs
}

export abstract class Alarming {
  abstract readonly [BACKING]: Bench

  /**
   * Called when a task of this resource panics, or one of a resource that belongs to it and does not see to it itself; the
   * alarm waits for a minute. Use the verbs of the panic, or answer true: it is seen to.
   */
  onPanic?(panic: Panic): unknown

  /**
   * Raises an alarm; raised again it is the same alarm. Inside a step, with the step's commit.
   * @throws ARGUMENT_INVALID for a name, a severity or labels that are none
   */
  async raise(name: string, options: AlarmOptions = {}): Promise<void> {
    const { verbs, kind, id } = this[BACKING]
    await verbs.signal(newRaise(verbs.requests, kind, id, name, options))
  }

  /** Clears an alarm that was raised; one that is not open stays so. @throws ARGUMENT_INVALID */
  async clear(name: string, options: ClearOptions = {}): Promise<void> {
    const { verbs, id } = this[BACKING]
    await verbs.signal(newClear(verbs.requests, id, name, options))
  }

  /**
   * Tells whoever routes say should know: `resource.notify('order.shipped', { message: 'Order 7 is on its way' })`.
   * @throws ARGUMENT_INVALID, EVENT_TOO_LARGE
   */
  async notify(type: string, options: NoticeOptions): Promise<void> {
    const { verbs, kind, id } = this[BACKING]
    await verbs.notify(newNotice(verbs.requests, kind, id, type, options), options)
  }

  /** For the house: asks `onPanic`. */
  async handlePanic(told: PanicTold): Promise<boolean> {
    const { verbs } = this[BACKING]
    const panic = new Panic(told, (act, reason) =>
      verbs.unpark(told, act, { reason: reason ?? 'onPanic' }),
    )
    const answer = await this.onPanic?.(panic)
    if (answer === true && !panic.wasHandled) {
      const { key } = told.alarm
      await verbs.signal({
        key,
        event: { type: 'CLEAR' },
        actor: verbs.requests.actor,
        reason: 'onPanic sees to it',
      })
    }
    return answer === true || panic.wasHandled
  }

  /** For the house: tells whoever is next. */
  passOn(told: PanicTold): Promise<void> {
    const { verbs, id, parentId } = this[BACKING]
    return verbs.climb(told, { resourceId: id, parentId })
  }
}
