// A failure: what is kept of an attempt or a step that ended with an error.
// Promise: whatever was thrown makes a row, bounded in size and without the secrets this process knows; what the error
// says of itself comes before what the state says, and that before what is usual.
import { type Advice, adviceOf } from '../lib/advice.ts'
import { causesOf, encodeError } from '../lib/error-record.ts'
import { excerptOf } from '../lib/excerpt.ts'
import { newId } from '../lib/id.ts'
import type { AnyStateMachine, Rest } from '../lib/machine.ts'
import { traitsOf } from '../lib/task-error.ts'
import { classOfFault } from '../lib/task-errors.ts'
import { storable } from '../lib/text.ts'
import type { NewFailure } from '../lib/unit.ts'
import type { Errand } from './errand.ts'
import type { Round } from './round.ts'

const MOST_PLAYBOOK = 4_000

interface Failed {
  readonly thrown: unknown
  readonly step: number
  /** The effect whose attempt it was; null for a step. */
  readonly effect: string | null
  /** What that effect needed, if it said so. */
  readonly dependency?: string | null
  readonly attempt: number
  /** What the state says of a panic in it. */
  readonly advice?: Advice
}

/** The failures of one task, as rows. */
export class Failures {
  readonly #round: Round
  readonly #taskId: string
  readonly #machine: AnyStateMachine

  constructor(round: Round, taskId: string, machine: AnyStateMachine) {
    this.#round = round
    this.#taskId = taskId
    this.#machine = machine
  }

  /** Of an errand that ended badly; none of one that did not. */
  ofAttempt(errand: Errand, step: number): NewFailure[] {
    const { ending } = errand
    if (ending?.kind !== 'error') return []
    return [this.#row({ thrown: ending.error, step, ...attemptOf(errand) })]
  }

  /** @param at.step the step that tells of the panic; it is the last attempt too of the effect whose error it is */
  ofPanic(
    thrown: unknown,
    { step, rest, errand }: { step: number; rest: Rest | null; errand: Errand | undefined },
  ): NewFailure[] {
    const at = { thrown, step, advice: adviceOf(this.#machine, rest?.value ?? null) }
    const ending = errand?.ending
    if (errand && ending?.kind === 'error' && ending.error === thrown) {
      return [this.#row({ ...at, ...attemptOf(errand) })]
    }
    const attempts = errand ? this.ofAttempt(errand, step - 1) : []
    return [...attempts, this.#row({ ...at, effect: null, attempt: 1 })]
  }

  #row({ thrown, advice, dependency = null, ...where }: Failed): NewFailure {
    const { name, message, code, stack } = encodeError(thrown)
    const known = classOfFault(thrown)
    const { retryable, severity, playbook, said, context } = traitsOf(thrown, known?.usual)
    const todo = said.playbook ?? advice?.playbook ?? playbook
    const causes = causesOf(thrown)
    const about = excerptOf(context)
    return {
      id: newId(this.#round.time),
      resourceId: this.#round.resourceId,
      taskId: this.#taskId,
      ...where,
      class: known?.name ?? name,
      code: code ?? null,
      message,
      severity: said.severity ?? advice?.severity ?? severity,
      isRetryable: retryable,
      playbook: todo === null ? null : storable(todo, MOST_PLAYBOOK),
      detail: {
        ...(stack !== undefined && { stack }),
        ...(causes.length > 0 && { causes }),
        ...(about !== null && { context: about }),
      },
      dependency,
    }
  }
}

const attemptOf = ({ effect, trial, runnable }: Errand) => ({
  effect: effect.id,
  attempt: trial.attempt,
  dependency: runnable.policy.dependency ?? null,
})
