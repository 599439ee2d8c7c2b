// A task's turn: while something is due for it, one event through its machine, then one commit.
// Promise: a step is committed before the next begins; what comes too late, from an effect of an earlier
// incarnation or under a lost fence, changes nothing; what cannot go on is parked as it was, with its reason.
import { Bell } from '../lib/bell.ts'
import type { StoredEvent, StoredTask } from '../lib/claim.ts'
import { asError, type ErrorCode } from '../lib/errors.ts'
import { stateName } from '../lib/machine.ts'
import { type Cause, earliest, nameOf, nextTimerAt } from './cause.ts'
import type { Errand } from './errand.ts'
import { Errands } from './errands.ts'
import { LIFE, type TaskDefinition } from './kind.ts'
import { Ledger } from './ledger.ts'
import { fromSnapshot } from './memory.ts'
import { type Move, move } from './move.ts'
import type { Desktop, Round } from './round.ts'
import { tellStep } from './telling.ts'

export class Turn {
  readonly #round: Round
  readonly #definition: TaskDefinition
  readonly #stored: StoredTask
  readonly #bell = new Bell()
  readonly #errands: Errands
  readonly #ledger: Ledger
  /** Why it is over; its effects are told so. */
  #over: ErrorCode | null = null

  constructor(round: Round, stored: StoredTask) {
    this.#round = round
    this.#stored = stored
    this.#definition = round.kind.task(stored.task)
    this.#errands = new Errands(round, stored, this.#definition, this.#bell)
    this.#ledger = new Ledger(round, stored, this.#errands)
  }

  /** Newer mail for a turn that still runs; false when it is over and a new one is needed. */
  deliver(news: StoredTask): boolean {
    if (this.#over) return false
    this.#ledger.receive(news)
    this.#bell.ring()
    return true
  }

  /** Stop as soon as you can: the round is over, or the run was stopped. */
  hurry(why: ErrorCode): void {
    this.#over = why
    this.#bell.ring()
  }

  /** @throws RoundLost, or whatever keeps the store from answering */
  async run(): Promise<void> {
    try {
      const isParked = this.#stored.status !== 'running'
      if (!isParked) await this.#walk()
      if (!this.#over && !this.#ledger.isSettled && !this.#round.spent) {
        await this.#round.commit(this.#ledger.settled(isParked))
      }
    } finally {
      this.#over ??= 'LEASE_LOST'
      this.#errands.cancel(this.#over)
    }
  }

  async #walk(): Promise<void> {
    if (this.#ledger.restStep > 0 && !(await this.#wake())) return
    while (!this.#over && !this.#round.lost) {
      if (this.#round.spent && this.#errands.running === 0) return
      if (this.#ledger.rest) this.#errands.launch(this.#ledger.rest)
      const cause = this.#next()
      if (cause) await this.#take(cause)
      else if (this.#errands.hasReport)
        await this.#errands.report((trials) => this.#ledger.noted(trials))
      else if (this.#errands.running > 0) await this.#errands.wait(nextTimerAt(this.#ledger.rest))
      else return
    }
  }

  async #wake(): Promise<boolean> {
    try {
      this.#ledger.rest = fromSnapshot(
        this.#stored.snapshot,
        this.#round.parts.sealer,
        this.#definition.name,
      )
      return true
    } catch (thrown) {
      await this.#panic(thrown, '__wake__')
      return false
    }
  }

  #next(): Cause | null {
    const { rest, mail } = this.#ledger
    if (!rest) return { kind: 'start', at: 0, input: this.#stored.args }
    return earliest(rest.timers, mail[0], this.#errands.ended(), this.#round.time.now())
  }

  async #take(cause: Cause): Promise<void> {
    if (cause.kind === 'effect' && (await this.#putOff(cause.errand))) return
    if (cause.kind === 'mail' && this.#isExpired(cause.mail)) return this.#drop(cause.mail)
    // What an attempt that failed has left on its desktop is not committed, though its machine goes on.
    const isDone = cause.kind === 'effect' && cause.errand.ending?.kind !== 'error'
    const desktop = isDone ? cause.errand.desktop : this.#round.open()
    const { rest, step } = this.#ledger
    const round = this.#round
    const definition = this.#definition
    let moved: Move | null
    try {
      moved = await move({
        round,
        definition,
        taskId: this.#stored.id,
        rest,
        step: step + 1,
        cause,
        desktop,
      })
    } catch (thrown) {
      return this.#panic(thrown, nameOf(cause))
    }
    if (moved) await this.#commit(moved, desktop)
    else if (cause.kind === 'mail') await this.#drop(cause.mail)
  }

  async #commit(move: Move, desktop: Desktop): Promise<void> {
    const { cause, event, rest } = move
    const trials = this.#errands.trialsOf(rest.effects)
    const from = this.#ledger.state
    const to = stateName(rest.value)
    const life = this.#definition.name === LIFE ? { state: to } : {}
    const change = { ...this.#ledger.stepped(move, trials), ...life, desktop }
    const isCommitted = await this.#round.commit(change)
    if (cause.kind === 'effect') this.#errands.forget(cause.errand)
    // Overtaken by another task's change to the same field: taken again, its effect run anew.
    if (!isCommitted) return
    this.#ledger.moved(move, trials)
    if (rest.status === 'done') this.#over = 'TASK_STOPPED'
    tellStep(this.#round, { ...this.#naming, step: this.#ledger.step }, move, { from, to, event })
  }

  /** An effect that wants another run, or may be tried again, waits; its machine does not hear of it. */
  async #putOff(errand: Errand): Promise<boolean> {
    const trial = errand.next
    if (!trial) return false
    const trials = this.#errands.trialsOf(this.#ledger.rest?.effects ?? [], { errand, trial })
    const desktop = errand.ending?.kind === 'again' ? errand.desktop : undefined
    const isCommitted = await this.#round.commit({
      ...this.#ledger.stayed({ errand, trials }),
      desktop,
    })
    this.#errands.forget(errand)
    if (isCommitted) this.#errands.stored(trials)
    this.#ledger.isSettled ||= isCommitted
    return true
  }

  async #drop(mail: StoredEvent): Promise<void> {
    await this.#round.commit(this.#ledger.stayed({ drop: mail, trials: this.#errands.trials }))
    this.#ledger.took(mail)
    this.#ledger.isSettled = true
    this.#round.parts.events.emit('event.ignored', { ...this.#naming, type: mail.type })
  }

  async #panic(thrown: unknown, event: string): Promise<void> {
    await this.#round.commit(this.#ledger.parked(thrown, event))
    this.#over = 'TASK_STOPPED'
    const step = this.#ledger.step + 1
    this.#round.parts.events.emit('task.panicked', {
      ...this.#naming,
      step,
      error: asError(thrown),
    })
  }

  #isExpired({ expiresAt }: StoredEvent): boolean {
    return expiresAt !== null && expiresAt <= this.#round.time.now()
  }

  get #naming() {
    const { kind, name: task } = this.#definition
    return { kind, resourceId: this.#round.resourceId, taskId: this.#stored.id, task }
  }
}
