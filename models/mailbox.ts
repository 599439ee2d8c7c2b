// The mailbox of one task in its turn: mail that is not for the machine, or not any more.
// Promise: whatever is taken out is taken in a commit; what no state accepts is in the history, with the reason.
import type { StoredEvent, StoredTask } from '../lib/claim.ts'
import type { NewEvent } from '../lib/unit.ts'
import { isStale } from './cause.ts'
import type { Crew } from './crew.ts'
import { STOP } from './kin.ts'
import type { Ledger } from './ledger.ts'
import type { Round } from './round.ts'

export class Mailbox {
  readonly #round: Round
  readonly #stored: StoredTask
  readonly #ledger: Ledger
  readonly #crew: Crew

  constructor(round: Round, stored: StoredTask, ledger: Ledger, crew: Crew) {
    this.#round = round
    this.#stored = stored
    this.#ledger = ledger
    this.#crew = crew
  }

  /** Takes the mail out if it is not for the machine; `left` when it was the last the task ever reads. */
  async sort(mail: StoredEvent): Promise<'keep' | 'sorted' | 'left'> {
    if (mail.type === STOP) return this.leave([mail])
    if (this.#isExpired(mail)) await this.drop(mail, 'it had expired')
    else if (isStale(mail, this.#ledger.rest)) await this.drop(mail, 'its sender was left')
    else if (mail.recipient !== null) await this.#handOn(mail, mail.recipient)
    else return 'keep'
    return 'sorted'
  }

  /** No state accepts it. @returns to whom that was told */
  async refuse(mail: StoredEvent): Promise<string[]> {
    const sends = this.#ledger.kin.unmoved(this.#ledger.rest)
    await this.#out(mail, 'no state accepted it', sends)
    this.ignored(mail.type)
    return sends.map(({ task }) => task)
  }

  /** Nobody wants it. */
  async drop(mail: StoredEvent, why: string): Promise<void> {
    await this.#out(mail, why)
    this.ignored(mail.type)
  }

  /** Its parent has left it: it ends, and all it has spawned with it. */
  async leave(mail: readonly StoredEvent[]): Promise<'left'> {
    const { resourceId, kind, parts } = this.#round
    const { task } = this.#stored
    const author = { actor: parts.owner, reason: null }
    const stop = { resourceId, task, except: null, exits: kind.exitsOf(task), ...author }
    await this.#round.commit({ stops: [stop], consumes: mail.map(({ id }) => id) })
    return 'left'
  }

  ignored(type: string): void {
    const { kind, resourceId, parts } = this.#round
    const { id: taskId, task } = this.#stored
    parts.events.emit('event.ignored', { kind: kind.name, resourceId, taskId, task, type })
  }

  /** Mail for an actor that runs here. One that is gone, or is yet to be restarted, misses it. */
  async #handOn(mail: StoredEvent, recipient: string): Promise<void> {
    await this.#out(mail)
    this.#crew.hand(recipient, mail)
  }

  async #out(mail: StoredEvent, why?: string, sends: readonly NewEvent[] = []): Promise<void> {
    const { trials } = this.#crew.errands
    const change = this.#ledger.stayed({ drop: mail, ...(why && { why }), trials })
    await this.#round.commit({ ...change, sends })
    this.#ledger.took(mail)
    this.#ledger.isSettled = true
  }

  #isExpired({ expiresAt }: StoredEvent): boolean {
    return expiresAt !== null && expiresAt <= this.#round.time.now()
  }
}
