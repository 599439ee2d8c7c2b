// Going to a state by hand: a machine entered at a state of our choice, with the context it had.
// Promise: what XState does on the way in is done, as far as it is data: assigns, timers, actors, transitions that
// follow at once. Custom actions are left out, for nobody is there to perform them.
import { type AnyStateMachine, createMachine } from 'xstate'
import type { Place } from './cast.ts'
import { begin } from './machine.ts'
import type { Rest, Step } from './rest.ts'

/**
 * The step that puts a machine into a state.
 * @param state as `stateName` writes it for simple states: `door.open`
 * @returns the step, or null when the machine has no such state
 * @throws what an assign on the way throws
 */
export function entered(
  machine: AnyStateMachine,
  rest: Pick<Rest, 'context' | 'history'>,
  state: string,
  step: number,
  nowMs: number,
  place: Place,
): Step | null {
  const path = state.split('.')
  const config = towards(machine.config, path)
  if (!config) return null
  // Written out again, so that the machine itself stays as it is; its id keeps the names of states and timers.
  const twin = createMachine(
    { ...config, id: machine.id, context: rest.context as never },
    machine.implementations as never,
  )
  return begin(twin as unknown as AnyStateMachine, undefined, step, nowMs, place)
}

/** A configuration that begins with this state; null when there is none. */
function towards(config: any, [first, ...rest]: readonly string[]): any {
  if (first === undefined) return config
  if (!config.states || !Object.hasOwn(config.states, first)) return null
  const child = config.states[first]
  if (child.type === 'history') return null
  const beneath = towards(child, rest)
  if (!beneath) return null
  const states = { ...config.states, [first]: beneath }
  return config.type === 'parallel' ? { ...config, states } : { ...config, states, initial: first }
}
