// An address: where an actor of a machine can be reached, in place of the live actor XState would hold.
// Promise: plain data with the face of an actor; it may be kept in contexts and sent in events, and means
// the same one actor for ever: a later one of the same id has another address.

/** A task of the same resource (`actor` null), or an actor that a task's worker runs (`actor` is `id@step`). */
export class Address {
  /** The id by which its parent knows it. */
  readonly id: string
  readonly task: string
  readonly actor: string | null

  constructor(id: string, task: string, actor: string | null = null) {
    this.id = id
    this.task = task
    this.actor = actor
  }

  get sessionId(): string {
    return this.actor === null ? this.task : `${this.task}/${this.actor}`
  }
  get ref(): this {
    return this
  }

  equals(other: Address): boolean {
    return this.task === other.task && this.actor === other.actor
  }

  /** Not from here: what is sent is part of a step, so that it is sent if and only if the step is committed. */
  send(): never {
    throw new Error(
      `use the action sendTo to send to "${this.id}": a bare send would be no part of the step`,
    )
  }
  /** Another task's state may have moved on by the time it is read. */
  getSnapshot(): never {
    throw new Error(
      `the state of "${this.id}" is not at hand here; let it send events, or use onSnapshot`,
    )
  }
  subscribe(): never {
    throw new Error(`"${this.id}" cannot be subscribed to in a step; use onSnapshot`)
  }
}

/** The name of the task that an actor of this task becomes: `auth/login:3` was spawned by step 3 of `auth`. */
export function childName(parent: string, id: string, step: number, twin = 1): string {
  return `${parent}/${encodeURIComponent(id)}:${step}${twin > 1 ? `.${twin}` : ''}`
}

/** In an origin, the source of an exit machine: no actor of the machine, but what cleans up after it. */
export const EXIT = '__exit__'

/** The name of the run that cleans up after a task which was stopped in that step. */
export function exitName(task: string, step: number): string {
  return `${task}/exit:${step}`
}

/** Where an actor is that `step` of a task has spawned: a task of its own, or one the task's worker runs. */
export function actorAddress(
  kind: 'task' | 'effect',
  task: string,
  id: string,
  step: number,
  twin = 1,
): Address {
  if (kind === 'task') return new Address(id, childName(task, id, step, twin))
  return new Address(id, task, `${id}@${step}${twin > 1 ? `.${twin}` : ''}`)
}

/** The step that spawned an actor, as `actorAddress` wrote it; null for a task, for a twin, and where nobody wrote it. */
export function bornIn({ id, actor }: Address): number | null {
  if (actor === null || !actor.startsWith(`${id}@`)) return null
  const step = actor.slice(id.length + 1)
  return STEP.test(step) ? Number(step) : null
}

const STEP = /^(?:0|[1-9]\d*)$/

/** The id a task has for its parent; its name, when it has none. */
export function idOf(task: string): string {
  const own = task.slice(task.lastIndexOf('/') + 1)
  const end = own.lastIndexOf(':')
  return end < 0 ? own : decodeURIComponent(own.slice(0, end))
}

/** The task at the root of the tree of actors this one belongs to. */
export function rootOf(task: string): string {
  const end = task.indexOf('/')
  return end < 0 ? task : task.slice(0, end)
}

/** The task that spawned this one; null for a root. */
export function parentOf(task: string): string | null {
  const end = task.lastIndexOf('/')
  return end < 0 ? null : task.slice(0, end)
}
