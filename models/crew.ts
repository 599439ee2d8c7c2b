// The crew of one task: whoever works for it outside its machine. Errands come back once, live actors stay a while.
// Promise: one face to the turn; nobody of the crew outlives it.
import type { Bell } from '../lib/bell.ts'
import type { StoredEvent, StoredTask } from '../lib/claim.ts'
import type { ErrorCode } from '../lib/errors.ts'
import type { Rest } from '../lib/machine.ts'
import type { Sent } from '../lib/rest.ts'
import type { Unit } from '../lib/unit.ts'
import type { Cause } from './cause.ts'
import type { Errand } from './errand.ts'
import { Errands } from './errands.ts'
import type { TaskDefinition } from './kind.ts'
import { LiveActors } from './live.ts'
import { Pardon } from './poison.ts'
import type { Round } from './round.ts'

export class Crew {
  readonly errands: Errands
  readonly #live: LiveActors
  readonly #pardon: Pardon
  #rest: Rest | null = null

  constructor(round: Round, stored: StoredTask, definition: TaskDefinition, bell: Bell) {
    this.errands = new Errands(round, stored, definition, bell)
    this.#live = new LiveActors(round, definition, bell)
    this.#pardon = new Pardon(round.time, stored, definition.machine)
  }

  /** How many are at work, or have come back with something. */
  get running(): number {
    return this.errands.running + (this.errands.ended() ? 1 : 0) + this.#live.running
  }

  /** Sends off whom the rest asks for, calls back whom it does not. @param isStopped nobody is sent off any more */
  launch(rest: Rest, isStopped = false): void {
    this.#rest = rest
    this.errands.launch(rest, isStopped)
    if (isStopped) this.#live.stop()
    else this.#live.launch(rest)
  }

  /** What each has to say first. */
  news(): (Cause | null)[] {
    const errand = this.errands.ended()
    return [this.#live.news(), errand && { kind: 'effect', at: errand.endedAt, errand }]
  }

  /** This was taken. */
  heard(cause: Cause): void {
    if (cause.kind === 'effect') this.errands.forget(cause.errand)
    else this.#live.heard(cause)
  }

  /** The change, with what it proves about a task over which processes died. @param rest where it leads, if elsewhere */
  clears<C extends Pick<Unit, 'step'>>(change: C, rest = this.#rest, done?: Errand): C {
    return this.#pardon.on(change, rest, done)
  }

  /** What its machine sends to whoever runs for it goes by hand. */
  tell(rest: Rest, sent: readonly Sent[]): void {
    this.launch(rest)
    for (const { to, event } of sent) this.#live.tell(to, event)
  }

  hand(recipient: string, mail: StoredEvent): void {
    this.#live.hand(recipient, mail)
  }

  cancel(why: ErrorCode): void {
    this.errands.cancel(why)
    this.#live.stop()
  }
}
