// Waking: a rest made into the snapshot XState works on, if this machine can hold it.
// Promise: what XState would quietly replace or restart is an error instead.
import { isDeepStrictEqual } from 'node:util'
import { actorLogic } from './blueprint.ts'
import { asError, fault } from './errors.ts'
import type { AnyStateMachine } from './machine-type.ts'
import type { Rest, StateValue } from './rest.ts'

/** Microsteps in one step before an eventless cycle is called endless. XState's default is Infinity. */
const MOST_MICROSTEPS = 1_000

/** The machine, with an end to its eventless cycles. */
export function bounded(machine: AnyStateMachine): AnyStateMachine {
  machine.options.maxIterations = MOST_MICROSTEPS
  return machine
}

/** The snapshot XState works on, rebuilt. A value that XState would quietly replace is corrupt. */
export function wake(machine: AnyStateMachine, rest: Rest): any {
  let awake: any
  try {
    awake = bounded(machine).resolveState({
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
  // Children stand in by their addresses: enough for XState to name whom it sends to and what it stops.
  awake.children = Object.fromEntries(rest.actors.map(({ id, address }) => [id, address]))
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

/**
 * Why this machine cannot hold the rest; null when it can. Something that was never a rest is another matter.
 * @throws STATE_CORRUPT when no machine could have written it
 */
export function strayed(machine: AnyStateMachine, rest: Rest): string | null {
  const isAtomic = Object.keys(machine.root.states).length === 0
  if (!(isAtomic || isStateValue(rest.value)) || !isObject(rest.context)) {
    const reason = isObject(rest.context) ? 'its value is no state' : 'its context is no object'
    throw fault('STATE_CORRUPT', { task: machine.id, reason })
  }
  try {
    wake(machine, rest)
  } catch (thrown) {
    return asError(thrown).message
  }
  const orphan = rest.timers.find(({ event, to }) => !to && !isKnown(machine, event.type))
  if (orphan) return `a timer waits for "${orphan.event.type}", which no state takes any more`
  const lost = rest.actors.find(
    ({ src, ended }) => !ended && actorLogic(machine, src) === undefined,
  )
  return lost ? `its machine has no actor "${lost.src}" any more` : null
}

/** Timers of states are known by name; what a machine raises itself it may also choose to ignore. */
const isKnown = (machine: AnyStateMachine, type: string) =>
  !type.startsWith('xstate.after.') || machine.events.includes(type)

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

function isStateValue(value: unknown): value is StateValue {
  if (typeof value === 'string') return value !== '__proto__'
  if (!isObject(value) || Array.isArray(value)) return false
  const parts = Object.entries(value)
  const isPart = (part: unknown) => isPlainRegion(part) || isStateValue(part)
  return parts.length > 0 && parts.every(([key, part]) => isStateValue(key) && isPart(part))
}

/** A region of a parallel state that has no states of its own. */
const isPlainRegion = (value: unknown): boolean =>
  isObject(value) && !Array.isArray(value) && Object.keys(value).length === 0
