// The machine: one event through one statechart, as data. The only file that drives XState.
// Promise: pure. Nothing runs, waits or is scheduled here; what XState would have done comes back
// as acts (timers to keep, effects to run, actions to perform), so a task holds no time and no promises.
import { isDeepStrictEqual } from 'node:util'
import { type AnyActorRef, type AnyStateMachine, createEmptyActor } from 'xstate'
import { type Asked, settle } from './asked.ts'
import { asError, fault } from './errors.ts'
import type { MachineEvent, Rest, StateValue, Step } from './rest.ts'

export type { AnyStateMachine, EventFrom, InputFrom, OutputFrom } from 'xstate'
export type { MachineEvent, PendingEffect, Rest, StateValue, Step, Timer } from './rest.ts'

/** Microsteps in one step before an eventless cycle is called endless. XState's default is Infinity. */
const MOST_MICROSTEPS = 1_000

/** The machine's first step, from nothing. */
export function begin(machine: AnyStateMachine, input: unknown, step: number, nowMs: number): Step {
  const { scope, raw } = inertScope(machine)
  const next = machine.getInitialSnapshot(scope, input)
  return settle(next, raw, { timers: [], effects: [] }, true, step, nowMs)
}

/**
 * One event from rest to rest.
 * @param step the number the step will have; it becomes the incarnation of what is armed in it
 * @param nowMs the moment of the step, from which delays are counted
 * @throws what a guard or an assign threw; STATE_CORRUPT when the machine cannot hold the rest
 */
export function advance(
  machine: AnyStateMachine,
  rest: Rest,
  event: MachineEvent,
  step: number,
  nowMs: number,
): Step {
  const awake = wake(machine, rest)
  const { scope, raw } = inertScope(machine)
  const next = machine.transition(awake, event, scope)
  // A transition that only acts, or leads back to where it was, leaves XState's snapshot the same object.
  const changed = next !== awake || raw.length > 0 || awake.can(event)
  return settle(next, raw, rest, changed, step, nowMs)
}

/** Does this state of rest accept the event? Evaluates guards. */
export function accepts(machine: AnyStateMachine, rest: Rest, event: MachineEvent): boolean {
  return wake(machine, rest).can(event)
}

/** A state value as people write it: `online`, or `door.open` and `{…}` for deeper ones. */
export function stateName(value: StateValue): string {
  if (typeof value === 'string') return value
  const entries = Object.entries(value)
  const [only] = entries
  if (entries.length === 1 && only) return `${only[0]}.${stateName(only[1] ?? {})}`
  // A column keeps no order of keys, and two names for one state would break the chain of a history.
  return JSON.stringify(inOrder(value))
}

const inOrder = (value: StateValue | undefined): unknown =>
  typeof value === 'object'
    ? Object.fromEntries(
        Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, part]) => [key, inOrder(part)]),
      )
    : value

/** The snapshot XState works on, rebuilt. A value that XState would quietly replace is corrupt. */
function wake(machine: AnyStateMachine, rest: Rest): any {
  machine.options.maxIterations = MOST_MICROSTEPS
  let awake: any
  try {
    awake = machine.resolveState({
      value: rest.value,
      context: rest.context,
      status: rest.status,
      historyValue: reviveHistory(machine, rest.history),
    } as never)
  } catch (thrown) {
    throw fault('STATE_CORRUPT', { task: machine.id, reason: asError(thrown).message }, thrown)
  }
  if (!isDeepStrictEqual(awake.value, rest.value)) {
    const reason = `it names the state ${JSON.stringify(rest.value)}`
    throw fault('STATE_CORRUPT', { task: machine.id, reason })
  }
  // Children stand in by id only: enough for XState to name what it stops.
  awake.children = Object.fromEntries(rest.effects.map(({ id, src }) => [id, { id, src }]))
  return awake
}

function reviveHistory(machine: AnyStateMachine, history: Rest['history']): unknown {
  if (!history) return {}
  return Object.fromEntries(
    Object.entries(history).map(([key, ids]) => [
      key,
      ids.map((id) => machine.getStateNodeById(id)),
    ]),
  )
}

/** A scope in which XState computes and executes nothing: every action lands in `raw`. */
function inertScope(machine: AnyStateMachine): { scope: any; raw: Asked[] } {
  machine.options.maxIterations = MOST_MICROSTEPS
  const raw: Asked[] = []
  const self: AnyActorRef = createEmptyActor()
  const nothing = () => {}
  const scope = {
    self,
    id: machine.id,
    sessionId: self.sessionId,
    system: self.system,
    logger: nothing,
    defer: nothing,
    emit: nothing,
    stopChild: nothing,
    actionExecutor: (action: Asked) => raw.push(action),
  }
  return { scope, raw }
}
