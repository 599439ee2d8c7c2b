// The opener: takes the first step of a run for whoever starts it, where that asks for nothing but to be written down.
// Promise: what it leaves is what a worker would have left; whatever is not plain is left to one, and so is whatever
// throws, to be told where all such things are told.
import { actorLogic } from '../lib/blueprint.ts'
import type { Sealer } from '../lib/codec.ts'
import { runnableOf } from '../lib/effect.ts'
import type { Events } from '../lib/events.ts'
import { stateName } from '../lib/machine.ts'
import { stuckAfterMs } from '../lib/patience.ts'
import type { Actor } from '../lib/rest.ts'
import type { Time } from '../lib/time.ts'
import type { NewRun } from '../lib/unit.ts'
import { type Kind, LIFE, type TaskDefinition } from './kind.ts'
import { type Move, movedAtOnce } from './move.ts'
import { placeIn } from './places.ts'
import { tellStep } from './telling.ts'
import { firstWish } from './wishes.ts'

export interface OpenerParts {
  readonly time: Time
  readonly sealer: Sealer
  readonly events: Events
  /** A timer that falls due within this time is kept in mind by a worker, so a worker is to set it. */
  readonly nearMs: number
}

/** A run with its first step, and what is to be told once that is committed. */
export interface Opened {
  readonly run: NewRun
  tell(): void
}

export class Opener {
  readonly #parts: OpenerParts

  constructor(parts: OpenerParts) {
    this.#parts = parts
  }

  /** @returns null for what is a worker's to take */
  open(kind: Kind, run: NewRun): Opened | null {
    const definition = kind.task(run.task)
    if (run.was || run.origin || !isPlainTask(kind, definition)) return null
    try {
      const move = this.#move(definition, run)
      return move && isPlainMove(definition, move) ? this.#opened(definition, run, move) : null
    } catch {
      return null
    }
  }

  #move(definition: TaskDefinition, { task, args }: NewRun): Move | null | undefined {
    const { time } = this.#parts
    const cause = { kind: 'start' as const, at: 0, input: args }
    const what = { definition, rest: null, step: 1, cause, place: placeIn(task, []) }
    return movedAtOnce({ round: { time, parts: this.#parts }, ...what })
  }

  #opened({ kind, name }: TaskDefinition, run: NewRun, move: Move): Opened | null {
    const { time, nearMs } = this.#parts
    const { rest, event, snapshot } = move
    const now = time.now()
    const { at, reason: why } = firstWish(rest, now)
    if (at !== null && at > now && at <= now + nearMs) return null
    const state = stateName(rest.value)
    const naming = { kind, resourceId: run.resourceId, taskId: run.id, task: name, step: 1 }
    const names = { from: '__new__', to: state, event }
    return {
      run: { ...run, first: { state, event, snapshot, at, why } },
      tell: () => tellStep({ time, parts: this.#parts }, naming, move, names),
    }
  }
}

/** Is there nothing but the machine that would have to be asked, or counted, before its first step or with it? */
const isPlainTask = (kind: Kind, { name, terms }: TaskDefinition): boolean =>
  name !== LIFE &&
  terms.limit === null &&
  kind.quota === null &&
  kind.rules.length === 0 &&
  !kind.hasReflexes

/** Does it leave a row, a line and a due entry, and no more? */
const isPlainMove = (
  { machine }: TaskDefinition,
  { rest, emitted, logged, sent, born, left }: Move,
): boolean =>
  rest.status === 'active' &&
  [emitted, logged, sent, born, left].every(({ length }) => length === 0) &&
  stuckAfterMs(machine, stateName(rest.value)) === null &&
  rest.actors.every((actor) => isPlainActor(machine, actor))

/** Nobody can find it by a name, and nothing is written of it before it has been tried. */
const isPlainActor = (
  machine: TaskDefinition['machine'],
  { kind, src, systemId }: Actor,
): boolean => {
  const policy = runnableOf(actorLogic(machine, src))?.policy
  return kind === 'effect' && systemId === undefined && (policy?.withinMs ?? null) === null
}
