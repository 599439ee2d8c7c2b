// Rest: what a task is between two steps, and what one step of its machine comes to.
// Promise: plain data throughout, so that a task can rest in a table.
import type { Address } from './address.ts'

/** An event as machines take it. */
export interface MachineEvent {
  readonly type: string
  readonly [key: string]: any
}
export type StateValue = string | { [key: string]: StateValue | undefined }

/** What becomes of a timer while its task is paused or parked. */
export type TimerPolicy = 'deadline' | 'frozen' | 'restart'

/** A timer of a state, waiting. It lives and dies with the snapshot, so an old one cannot fire. */
export interface Timer {
  readonly id: string
  readonly event: MachineEvent
  readonly dueAt: number
  /** Told only when the policy is not `deadline`. */
  readonly policy?: TimerPolicy
  readonly delayMs?: number
  /** A cadence: armed anew at this pace when it has fired and its state is still active. */
  readonly everyMs?: number
  /** To whom the event goes; to the task itself unless told. */
  readonly to?: Address
}

/** An invoked actor to be run by the worker. `armedAt` (a step) tells one incarnation from the next. */
export interface PendingEffect {
  readonly id: string
  readonly src: string
  readonly input: unknown
  readonly armedAt: number
  /** The id it had when its key was made, if its state was renamed since. */
  readonly keyId?: string
}

/** An actor the machine has invoked or spawned: a task of its own, or an effect the worker runs. */
export interface Actor extends PendingEffect {
  readonly kind: 'task' | 'effect'
  readonly address: Address
  readonly systemId?: string
  /** Does the parent want to hear of each of its snapshots? */
  readonly sync?: true
  /** It has reported its end; it stays known by its id until its state is left, as in XState. */
  readonly ended?: true
}

/** Everything a task is between two steps: plain data, ready for the codec. */
export interface Rest {
  readonly value: StateValue
  readonly context: unknown
  /** The active states in XState's order, where there are parallel ones: it decides who acts first. */
  readonly order?: readonly string[]
  readonly history?: Readonly<Record<string, readonly string[]>>
  readonly status: 'active' | 'done' | 'error'
  readonly output?: unknown
  readonly timers: readonly Timer[]
  readonly actors: readonly Actor[]
}

/** The effects a worker is to run for this rest. */
export function effectsOf({ actors }: Pick<Rest, 'actors'>): Actor[] {
  return actors.filter(({ kind, ended }) => kind === 'effect' && !ended)
}

/** A custom action to perform before the commit, in the order XState asked for it. */
export interface Act {
  readonly type: string
  readonly params: unknown
  readonly info: Readonly<Record<string, unknown>>
  readonly exec: (info: unknown, params: unknown) => unknown
}

/** An event for another actor, or for the task's own mailbox. */
export interface Sent {
  readonly to: Address
  readonly event: MachineEvent
}

/** A line a machine wrote with `log`. */
export interface Logged {
  readonly label: string | null
  readonly value: unknown
}

/** What one event did. `changed` is false when no state accepted it. */
export interface Step {
  readonly rest: Rest
  readonly changed: boolean
  readonly acts: readonly Act[]
  readonly emitted: readonly MachineEvent[]
  readonly logged: readonly Logged[]
  readonly sent: readonly Sent[]
  /** Actors that are to become tasks, and tasks that are to end. */
  readonly born: readonly Actor[]
  readonly left: readonly Actor[]
  readonly error?: unknown
}
