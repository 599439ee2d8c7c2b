// Arming anew: what becomes of timers and actors when a task goes on after a rest, or goes back to an earlier one.
// Promise: pure. A timer does as its policy says; an actor that is armed again is another one, by its address.
import { Address, actorAddress } from '../lib/address.ts'
import { translated } from '../lib/cast.ts'
import type { Rest, Timer } from '../lib/machine.ts'
import { isTimeout } from '../lib/machine-cadence.ts'
import type { Actor } from '../lib/rest.ts'

/**
 * The rest of a task that was paused or parked at `parkedAt` and goes on now.
 * @returns null when nothing in it changes
 */
export function resumed(rest: Rest, parkedAt: number, nowMs: number): Rest | null {
  const timers = rest.timers.map((timer) => resumedTimer(timer, parkedAt, nowMs))
  return timers.every((timer, index) => timer === rest.timers[index]) ? null : { ...rest, timers }
}

function resumedTimer(timer: Timer, parkedAt: number, nowMs: number): Timer {
  const { policy = 'deadline', delayMs = 0, dueAt } = timer
  // A state whose time was up has failed by it: going on means that it gets its time once more.
  const isSpent = isTimeout(timer.id) && dueAt <= parkedAt
  if (policy === 'restart' || isSpent) return { ...timer, dueAt: nowMs + delayMs }
  if (policy === 'frozen') return { ...timer, dueAt: dueAt + Math.max(0, nowMs - parkedAt) }
  return timer
}

/**
 * The rest of a task that goes back to it with `step`: every actor that had not ended is armed anew.
 * @param task the name of the task
 * @returns the rest, and the actors that are to become tasks
 */
export function rearmed(rest: Rest, task: string, step: number): { rest: Rest; born: Actor[] } {
  const counts = new Map<string, number>()
  const actors = rest.actors.map((actor) => {
    if (actor.ended) return actor
    const twin = (counts.get(actor.id) ?? 0) + 1
    counts.set(actor.id, twin)
    return {
      ...actor,
      armedAt: step,
      address: actorAddress(actor.kind, task, actor.id, step, twin),
    }
  })
  const moved = rest.actors.map(({ address }, index) => ({
    from: address,
    to: actors[index]?.address,
  }))
  const find = (object: object) =>
    object instanceof Address ? moved.find(({ from }) => from.equals(object))?.to : undefined
  const isLive = ({ kind, ended }: Actor) => kind === 'task' && !ended
  return {
    rest: {
      ...rest,
      actors,
      context: actors.length === 0 ? rest.context : translated(rest.context, find),
      timers: actors.length === 0 ? rest.timers : translated(rest.timers, find),
    },
    born: actors.filter(isLive),
  }
}
