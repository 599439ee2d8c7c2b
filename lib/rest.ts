// Rest: what a task is between two steps, and what one step of its machine comes to. Types only.

/** An event as machines take it. */
export interface MachineEvent {
  readonly type: string
  readonly [key: string]: any
}
export type StateValue = string | { [key: string]: StateValue | undefined }

/** A timer of a state, waiting. It lives and dies with the snapshot, so an old one cannot fire. */
export interface Timer {
  readonly id: string
  readonly event: MachineEvent
  readonly dueAt: number
}

/** An invoked actor to be run by the worker. `armedAt` (a step) tells one incarnation from the next. */
export interface PendingEffect {
  readonly id: string
  readonly src: string
  readonly input: unknown
  readonly armedAt: number
}

/** Everything a task is between two steps: plain data, ready for the codec. */
export interface Rest {
  readonly value: StateValue
  readonly context: unknown
  readonly history?: Readonly<Record<string, readonly string[]>>
  readonly status: 'active' | 'done' | 'error'
  readonly output?: unknown
  readonly timers: readonly Timer[]
  readonly effects: readonly PendingEffect[]
}

/** A custom action to perform before the commit, in the order XState asked for it. */
export interface Act {
  readonly type: string
  readonly params: unknown
  readonly info: Readonly<Record<string, unknown>>
  readonly exec: (info: unknown, params: unknown) => unknown
}

/** What one event did. `changed` is false when no state accepted it. */
export interface Step {
  readonly rest: Rest
  readonly changed: boolean
  readonly acts: readonly Act[]
  readonly emitted: readonly MachineEvent[]
  readonly error?: unknown
}
