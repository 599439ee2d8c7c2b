// The machine: one event through one statechart, as data. The only file that drives XState.
// Promise: pure. Nothing runs, waits or is scheduled here; what XState would have done comes back
// as acts (timers to keep, effects to run, actions to perform), so a task holds no time and no promises.
import { settle } from './asked.ts'
import { ALONE, Cast, type Place } from './cast.ts'
import { charted, chartedStart } from './machine-chart.ts'
import type { AnyStateMachine } from './machine-type.ts'
import type { MachineEvent, Rest, StateValue, Step, Timer } from './rest.ts'
import { bounded, wake } from './wake.ts'

export type { Place } from './cast.ts'
export type { AnyStateMachine, EventFrom, InputFrom, OutputFrom } from './machine-type.ts'
export type { Actor, MachineEvent, PendingEffect, Rest, StateValue, Step, Timer } from './rest.ts'

/** The machine's first step, from nothing. */
export function begin(
  machine: AnyStateMachine,
  input: unknown,
  step: number,
  nowMs: number,
  place: Place = ALONE,
): Step {
  const known = chartedStart(machine, input, { step, nowMs, place })
  if (known) return known
  const cast = new Cast(place, step)
  const next = bounded(machine).getInitialSnapshot(cast.scope(), input)
  return settle({ machine, cast, next, before: { timers: [], actors: [] }, changed: true, nowMs })
}

/**
 * One event from rest to rest.
 * @param step the number the step will have; it becomes the incarnation of what is armed in it
 * @param nowMs the moment of the step, from which delays are counted
 * @param place the task the machine is, and the actors it can reach
 * @param fired the timer the event comes from, so that a cadence can go on
 * @throws what a guard or an assign threw; STATE_CORRUPT when the machine cannot hold the rest
 */
export function advance(
  machine: AnyStateMachine,
  rest: Rest,
  event: MachineEvent,
  step: number,
  nowMs: number,
  place: Place = ALONE,
  fired?: Timer,
): Step {
  const known = charted(machine, rest, event, { step, nowMs, place }, fired)
  if (known) return known
  const awake = wake(machine, rest)
  const cast = new Cast(place, step)
  const next = machine.transition(awake, event, cast.scope())
  // A transition that only acts, or leads back to where it was, leaves XState's snapshot the same object.
  const changed = next !== awake || cast.asked.length > 0 || awake.can(event)
  return settle({ machine, cast, next, before: rest, changed, nowMs, fired })
}

/** A state value as people write it: `online`, or `door.open` and `{…}` for deeper ones. */
export function stateName(value: StateValue): string {
  if (typeof value === 'string') return value
  const [only, ...others] = Object.entries(value)
  if (only && others.length === 0) return `${only[0]}.${stateName(only[1] ?? {})}`
  // A column keeps no order of keys, and two names for one state would break the chain of a history.
  return JSON.stringify(inOrder(value))
}

function inOrder(value: StateValue | undefined): unknown {
  if (typeof value !== 'object') return value
  const keys = Object.keys(value).sort()
  return Object.fromEntries(keys.map((key) => [key, inOrder(value[key])]))
}
