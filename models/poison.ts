// Poison: a task that takes its process down again and again.
// Promise: after three processes it is parked, counted in its row and not in any queue; until then whatever was in
// hand when a process died is run apart, so that the innocent are cleared by their own progress.
import type { StoredTask } from '../lib/claim.ts'
import { fault } from '../lib/errors.ts'
import type { AnyStateMachine } from '../lib/machine.ts'
import { livesBy } from '../lib/machine-live.ts'
import { type Actor, effectsOf, type Rest } from '../lib/rest.ts'
import { LIVES } from '../lib/strike.ts'
import { type Time, turn } from '../lib/time.ts'
import type { Unit } from '../lib/unit.ts'

/** The error such a task is parked with; null while it has a life left. */
export function poisonIn({ task, status, strikes, struckBy }: StoredTask): Error | null {
  if (strikes < LIVES || status !== 'running') return null
  return fault('TASK_POISONOUS', { task, count: strikes, who: struckBy.join(', ') })
}

/** How long a suspect is alone, by its strikes: the last life is lived with care. */
const ALONE_MS = [0, 10_000, 300_000]

/** Suspects of one process, one after another. A suspect that lives on for a while lets the next one in. */
export class Quarantine {
  readonly #time: Time
  readonly #inside = new Map<string, number>()
  /** Put-offs that are not stored yet. */
  readonly #going = new Set<Promise<void>>()

  constructor(time: Time) {
    this.#time = time
  }

  /** May this task be run now? One that may is inside until it leaves. */
  admits({ id, strikes }: Pick<StoredTask, 'id' | 'strikes'>): boolean {
    if (strikes === 0 || strikes >= LIVES) return true
    const now = this.#time.monotonic()
    const isTaken = [...this.#inside].some(([other, until]) => other !== id && until > now)
    if (!isTaken) this.#inside.set(id, now + (ALONE_MS[strikes] ?? 0))
    return !isTaken
  }

  leave(taskId: string): void {
    this.#inside.delete(taskId)
  }

  /** Some were not admitted. @param stored resolves when that is written: until then they count as in hand. @returns it */
  goes(stored: Promise<void>): Promise<void> {
    const gone = stored.catch(() => {}).finally(() => this.#going.delete(gone))
    this.#going.add(gone)
    return stored
  }

  /**
   * Resolves when those that came along with whoever was admitted have gone, lest they be struck for what it does.
   * @param claimed resolves when what was claimed at the same time has been answered
   */
  async alone(claimed: Promise<unknown>): Promise<void> {
    await claimed
    await turn()
    while (this.#going.size > 0) await Promise.all(this.#going)
  }
}

/** A task that is in hand for so long is not what its process dies of. */
const FORGIVEN_MS = 600_000

/**
 * Does a commit clear a task of its strikes? Not while an effect goes on that was under way before: what comes beside
 * it, mail and cadences, says nothing of that.
 */
function isCleared(commit: {
  readonly machine: AnyStateMachine
  readonly rest: Rest | null
  /** The step it takes the task to. */
  readonly step: number
  /** The effect that has ended by it. */
  readonly done: Actor | undefined
  /** How long the task has been in hand. */
  readonly forMs: number
}): boolean {
  const { machine, rest, step, done, forMs } = commit
  if (forMs >= FORGIVEN_MS) return true
  const pending = rest ? effectsOf(rest) : []
  return !pending.some(
    (effect) => effect !== done && effect.armedAt < step && !livesBy(machine, effect.src),
  )
}

/** What the commits of one turn prove about a task that has strikes. */
export class Pardon {
  readonly #time: Time
  readonly #stored: Pick<StoredTask, 'strikes'>
  readonly #machine: AnyStateMachine
  readonly #begunAt: number

  constructor(time: Time, stored: Pick<StoredTask, 'strikes'>, machine: AnyStateMachine) {
    this.#time = time
    this.#stored = stored
    this.#machine = machine
    this.#begunAt = time.monotonic()
  }

  /** The change, and whether it clears the task. @param done the errand that has ended by it */
  on<C extends Pick<Unit, 'step'>>(change: C, rest: Rest | null, done?: { effect: Actor }): C {
    const { step } = change
    if (!step || this.#stored.strikes === 0) return change
    const forMs = this.#time.monotonic() - this.#begunAt
    const machine = this.#machine
    const clears = isCleared({ machine, rest, step: step.step, done: done?.effect, forMs })
    return { ...change, step: { ...step, clears } }
  }
}
