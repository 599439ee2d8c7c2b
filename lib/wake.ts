// Waking: a rest made into the snapshot XState works on, if this machine can hold it.
// Promise: what XState would quietly replace or restart is an error instead.
import { isDeepStrictEqual } from 'node:util'
import { actorLogic } from './blueprint.ts'
import { holds } from './chart.ts'
import { asError, fault } from './errors.ts'
import { chartOf } from './machine-chart.ts'
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
  if (rest.order) putInOrder(machine, awake, rest.order)
  // Children stand in by their addresses: enough for XState to name whom it sends to and what it stops.
  awake.children = Object.fromEntries(rest.actors.map(({ id, address }) => [id, address]))
  return awake
}

/** The active states, and the keys of the value, as they were when the task came to rest. */
function putInOrder(machine: AnyStateMachine, awake: any, order: readonly string[]): void {
  const place = new Map(order.map((id, index) => [id, index]))
  const placeOf = ({ id }: any) => place.get(id) ?? order.length
  awake._nodes.sort((a: any, b: any) => placeOf(a) - placeOf(b))
  const sorted = (node: any, value: any): any =>
    typeof value !== 'object'
      ? value
      : Object.fromEntries(
          Object.keys(value)
            .sort((a, b) => placeOf(node.states[a]) - placeOf(node.states[b]))
            .map((key) => [key, sorted(node.states[key], value[key])]),
        )
  awake.value = sorted(machine.root, awake.value)
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
  const chart = chartOf(machine)
  if (chart && holds(chart, rest)) return null
  const isAtomic = Object.keys(machine.root.states).length === 0
  if (
    !(isAtomic || (isStateValue(rest.value) && !isEmpty(rest.value))) ||
    !isObject(rest.context)
  ) {
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
  !type.startsWith('xstate.after.') || hears(machine.root, type)

/** `machine.events` leaves out transitions that do nothing; their timers run all the same. */
const hears = (node: any, type: string): boolean =>
  node.transitions.has(type) || Object.values(node.states).some((child) => hears(child, type))

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

const isEmpty = (value: StateValue) => typeof value === 'object' && Object.keys(value).length === 0

function isStateValue(value: unknown): value is StateValue {
  if (typeof value === 'string') return value !== '__proto__'
  if (!isObject(value) || Array.isArray(value)) return false
  // A region that is a leaf has an empty value.
  return Object.entries(value).every(([key, part]) => isStateValue(key) && isStateValue(part))
}
