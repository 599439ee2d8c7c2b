// The wishes of a task: when it wants its next turn, and why.
// Promise: the earliest wins; what is held is found again by the reason, whatever else the task waits for.
import type { StoredTask } from '../lib/claim.ts'
import { HELD } from '../lib/latch.ts'
import type { Rest } from '../lib/machine.ts'
import { effectsOf } from '../lib/rest.ts'
import type { Stand } from './barrier.ts'
import { nextTimerAt } from './cause.ts'
import type { Errands } from './errands.ts'
import type { Trials } from './memory.ts'
import type { Round } from './round.ts'

export interface Wish {
  /** Null: not before somebody rings, or lets go. */
  readonly at: number | null
  readonly reason: string
}

/** Waiting mail and effects at once, effects to be tried again, timers; nothing of that while the task is held. */
interface Where {
  readonly rest: Rest
  readonly hasMail: boolean
  readonly trials: Trials | null
  /** The step it comes from, and since when it has been due. */
  readonly before: { readonly step: number; readonly dueAt: number }
}

export function wishOf(round: Round, stored: StoredTask, errands: Errands, where: Where): Wish {
  const { barrier, time } = round
  const { rest, hasMail, trials, before } = where
  const over = barrier.over(stored)
  if (over) return barrier.putOff(over)
  const now = time.now()
  let stands: Map<string, Stand> | null = null
  // Of one moment the first counts: mail before effects before timers.
  let first: { at: number; reason: string } | null = hasMail ? { at: now, reason: 'event' } : null
  const wish = (at: number, reason: string) => {
    if (!first || at < first.at) first = { at, reason }
  }
  for (const effect of effectsOf(rest)) {
    const at = errands.dueAt(effect, trials)
    const held = errands.heldBy(effect)
    if (held) {
      stands ??= new Map()
      stands.set(held.scope, held)
    }
    // What is under way is due since it was sent off: a death over it is known by that.
    else if (at === null)
      wish(effect.armedAt > before.step ? now : Math.min(now, before.dueAt), 'effect')
    else wish(at, 'retry')
  }
  for (const { dueAt } of rest.timers) wish(dueAt, 'timer')
  // What is due at once is looked at anyway, and then again.
  if (stands === null || (first && first.at <= now)) return first ?? { at: null, reason: 'waiting' }
  const ends = [...stands.values()].flatMap((stand) => barrier.putOff(stand).at ?? [])
  const at = Math.min(first?.at ?? Number.POSITIVE_INFINITY, ...ends)
  const reason = HELD + [...stands.keys()].join(' ')
  return { at: Number.isFinite(at) ? at : null, reason }
}

/** The same of a run that has taken its first step: nobody wrote to it, nothing was tried, and nothing is held. */
export function firstWish(rest: Rest, now: number): Wish {
  const at = nextTimerAt(rest)
  const isOverdue = at !== null && at < now
  if (effectsOf(rest).length > 0 && !isOverdue) return { at: now, reason: 'effect' }
  return at === null ? { at, reason: 'waiting' } : { at, reason: 'timer' }
}
