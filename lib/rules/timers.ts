// Rules about delays and the timers they arm.
import { deedsOf, nodesOf } from '../blueprint.ts'
import type { AnyStateMachine } from '../machine-type.ts'
import type { Found } from './rule.ts'

/** Delays written as numbers where they are used. Zero is no delay but a way to say "next". */
export function inlined(machine: AnyStateMachine): Found[] {
  const after = nodesOf(machine).flatMap((node) =>
    Object.keys(node.config.after ?? {})
      .filter((delay) => Number.isFinite(Number(delay)))
      .map((delay) => ({
        at: node,
        problem: `it waits ${delay} ms, and its timer is named after the number: change the number and armed timers lead nowhere`,
        wayOut: "name the delay in setup({ delays }) and write after: { name: 'state' }",
      })),
  )
  const sent = delayed(machine)
    .filter(({ action }) => typeof action.delay === 'number')
    .map(({ at, action }) => ({
      at,
      problem: `it sends ${eventOf(action)} ${action.delay} ms later, by a number that nothing else can name`,
      wayOut: "name the delay in setup({ delays }) and write delay: 'name'",
    }))
  return [...after, ...sent]
}

/** Events sent later under no id. */
export function unnamed(machine: AnyStateMachine): Found[] {
  return delayed(machine)
    .filter(({ action }) => action.id === undefined)
    .map(({ at, action }) => ({
      at,
      problem: `it sends ${eventOf(action)} later under no id, so nothing can cancel it and each one more runs beside it`,
      wayOut: 'give it an id, and cancel(id) where it is no longer wanted',
    }))
}

const delayed = (machine: AnyStateMachine) =>
  deedsOf(machine).filter(
    ({ action }) =>
      (action?.type === 'xstate.raise' || action?.type === 'xstate.sendTo') &&
      Boolean(action.delay) &&
      !String(action.id).startsWith('__tick__'),
  )

const eventOf = ({ event }: any): string =>
  typeof event?.type === 'string' ? `"${event.type}"` : 'an event'
