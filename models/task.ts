// A task's turn: while something is due for it, one event through its machine, then one commit.
// Promise: a step is committed before the next begins; what comes too late, from an effect of an earlier
// incarnation or under a lost fence, changes nothing; what cannot go on is parked as it was, with its reason.
import { Bell } from '../lib/bell.ts'
import type { StoredEvent, StoredTask } from '../lib/claim.ts'
import { asError, type ErrorCode } from '../lib/errors.ts'
import { stateName } from '../lib/machine.ts'
import { effectsOf } from '../lib/rest.ts'
import { type Cause, earliest, nameOf, nextTimerAt } from './cause.ts'
import { Crew } from './crew.ts'
import type { Errand } from './errand.ts'
import { withHandler } from './handler.ts'
import { STOP } from './kin.ts'
import type { TaskDefinition } from './kind.ts'
import { Ledger, type Stepped } from './ledger.ts'
import { Mailbox } from './mailbox.ts'
import { awaken, type Woken } from './memory.ts'
import { type Move, move, movedAtOnce } from './move.ts'
import type { InTurn, Order } from './order.ts'
import { poisonIn } from './poison.ts'
import type { Round } from './round.ts'
import { tellEnd, tellStep } from './telling.ts'

export class Turn implements InTurn {
  readonly #round: Round
  readonly #definition: TaskDefinition
  readonly #stored: StoredTask
  readonly #order: Order
  readonly #bell = new Bell()
  readonly #crew: Crew
  readonly #ledger: Ledger
  readonly #mailbox: Mailbox
  /** Why it is over; its effects are told so. */
  #over: ErrorCode | null = null
  /** Is there mail of its own tree on the way, which comes before any timer? */
  #expects = false

  constructor(round: Round, stored: StoredTask, definition: TaskDefinition, order: Order) {
    this.#round = round
    this.#stored = stored
    this.#definition = definition
    this.#order = order
    this.#crew = new Crew(round, stored, definition, this.#bell)
    this.#ledger = new Ledger(round, stored, definition, this.#crew.errands)
    this.#mailbox = new Mailbox(round, stored, this.#ledger, this.#crew)
  }

  get task(): string {
    return this.#stored.task
  }
  /** The mail it would take next. */
  get nextMail(): StoredEvent | undefined {
    return !this.#over && this.#stored.status === 'running' ? this.#ledger.mail[0] : undefined
  }

  get isHeldUp(): boolean {
    return this.#crew.running > 0
  }

  /** Newer mail for a turn that still runs; false when it is over and a new one is needed. */
  deliver(news: StoredTask): boolean {
    if (this.#over) return false
    this.#ledger.receive(news)
    this.#bell.ring()
    return true
  }

  /** Mail is on the way, or has been looked for. */
  expect(mail: boolean): void {
    this.#expects = mail
    if (!mail) this.#bell.ring()
  }

  /** Something it may have waited for has happened. */
  nudge(): void {
    this.#bell.ring()
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
      const poison = poisonIn(this.#stored)
      if (poison) await this.#panic(poison, '__poison__')
      else if (!isParked) await this.#walk()
      else if (this.#ledger.mail.some(({ type }) => type === STOP)) await this.#end()
      if (!this.#over && !this.#ledger.isSettled && !this.#round.spent) {
        await this.#round.commit(this.#ledger.settled(isParked))
      }
    } finally {
      this.#over ??= 'LEASE_LOST'
      this.#crew.cancel(this.#over)
      this.#order.moved(this)
    }
  }

  async #walk(): Promise<void> {
    if (this.#ledger.restStep > 0 && !(await this.#wake())) return
    while (!this.#over && !this.#round.lost) {
      if (this.#round.spent && this.#crew.running === 0) return
      const isStopped = this.#round.stops(this.#stored)
      if (this.#ledger.rest) this.#crew.launch(this.#ledger.rest, isStopped)
      const isHeld = !isStopped && (this.#expects || this.#isHeld())
      const cause = isHeld ? null : this.#next(isStopped)
      if (cause) {
        await this.#take(cause)
        this.#order.moved(this)
      } else if (this.#crew.errands.hasReport) {
        await this.#crew.errands.report((trials) => this.#ledger.noted(trials))
      } else if (isHeld || this.#crew.running > 0) {
        await this.#crew.errands.wait(isHeld || isStopped ? null : nextTimerAt(this.#ledger.rest))
      } else return
    }
  }

  /** Reads where it rests, brought up to the definition that runs now. */
  async #wake(): Promise<boolean> {
    let woken: Woken
    try {
      woken = awaken(this.#stored, this.#definition, this.#round.parts.sealer)
    } catch (thrown) {
      await this.#panic(thrown, '__wake__')
      return false
    }
    const { rest, migrated } = woken
    if (migrated) {
      await this.#round.commit(this.#ledger.migrated(rest, migrated))
      this.#ledger.moved({ rest }, this.#crew.errands.trialsOf(effectsOf(rest)))
    }
    this.#ledger.rest = rest
    return true
  }

  /** Is there anything in the tree that comes before whatever this turn would do next? */
  #isHeld(): boolean {
    const { rest, mail } = this.#ledger
    return rest ? !this.#order.mayGoOn(this, mail[0]) : !this.#order.mayBegin(this)
  }

  /** @param isStopped what runs for it may end, and nothing else happens */
  #next(isStopped: boolean): Cause | null {
    const { rest, mail } = this.#ledger
    if (isStopped) return earliest([], undefined, this.#crew.news(), this.#round.time.now())
    if (!rest) return { kind: 'start', at: 0, input: this.#stored.args }
    return earliest(rest.timers, mail[0], this.#crew.news(), this.#round.time.now())
  }

  async #take(cause: Cause): Promise<void> {
    if (cause.kind === 'effect' && (await this.#putOff(cause.errand))) return
    if (cause.kind === 'mail') {
      const sorted = await this.#mailbox.sort(cause.mail)
      if (sorted === 'left') this.#over = 'TASK_STOPPED'
      if (sorted !== 'keep') return
    }
    // What an attempt that failed has left on its desktop is not committed, though its machine goes on.
    const isDone = cause.kind === 'effect' && cause.errand.ending?.kind !== 'error'
    const desktop = isDone ? cause.errand.desktop : this.#round.open()
    const { rest, step: last } = this.#ledger
    const definition = this.#definition
    const place = this.#round.placeOf(this.#stored.task)
    const taskId = this.#stored.id
    let moved: Move | null
    let stepped: Stepped | null
    try {
      const what = { definition, taskId, rest, step: last + 1, cause, desktop, place }
      const options = { round: this.#round, ...what }
      const atOnce = movedAtOnce(options)
      moved = atOnce === undefined ? await move(options) : atOnce
      if (desktop.isWrittenOn) await desktop.check()
      stepped = moved && this.#ledger.stepped(moved, desktop)
    } catch (thrown) {
      return this.#panic(thrown, nameOf(cause), cause)
    }
    if (moved && stepped) await this.#commit(moved, stepped)
    else if (cause.kind === 'mail') this.#order.wrote(await this.#mailbox.refuse(cause.mail))
    else {
      this.#crew.heard(cause)
      this.#mailbox.ignored(nameOf(cause))
    }
  }

  async #commit(move: Move, { trials, change }: Stepped): Promise<void> {
    const { cause, event, rest, sent } = move
    const from = this.#ledger.state
    const to = stateName(rest.value)
    const isCommitted = await this.#round.commit(this.#crew.clears(change, rest))
    if (isCommitted && change.sends) this.#order.wrote(change.sends.map(({ task }) => task))
    if (cause.kind === 'effect') this.#crew.heard(cause)
    // Overtaken by another task's change to the same field: taken again, its effect run anew.
    if (!isCommitted) return
    this.#ledger.moved(move, trials)
    if (cause.kind === 'said') this.#crew.heard(cause)
    const own = sent.filter(({ to }) => this.#ledger.kin.isOwn(to))
    if (own.length > 0) this.#crew.tell(rest, own)
    if (rest.status === 'done') this.#over = 'TASK_STOPPED'
    tellStep(this.#round, this.#naming(this.#ledger.step), move, { from, to, event })
  }

  /** An effect that wants another run, or may be tried again, waits; its machine does not hear of it. */
  async #putOff(errand: Errand): Promise<boolean> {
    const { errands } = this.#crew
    const trial = errand.next
    if (!trial) return false
    const pending = this.#ledger.rest ? effectsOf(this.#ledger.rest) : []
    const trials = errands.trialsOf(pending, { errand, trial })
    const desktop = errand.ending?.kind === 'again' ? errand.desktop : undefined
    const change = { ...this.#ledger.stayed({ errand, trials }), desktop }
    const isCommitted = await this.#round.commit(this.#crew.clears(change, undefined, errand))
    errands.forget(errand)
    if (isCommitted) errands.stored(trials)
    this.#ledger.isSettled ||= isCommitted
    return true
  }

  async #end(): Promise<void> {
    await this.#mailbox.leave(this.#ledger.mail)
    this.#over = 'TASK_STOPPED'
  }

  async #panic(thrown: unknown, event: string, cause?: Cause): Promise<void> {
    const change = this.#ledger.parked(thrown, event, cause)
    const naming = this.#naming(this.#ledger.step + 1)
    const parked = await withHandler(this.#round, naming, change)
    await this.#round.commit(parked)
    this.#over = 'TASK_STOPPED'
    tellEnd(this.#round, naming, parked, asError(thrown))
  }

  #naming(step: number) {
    const { kind, name: task } = this.#definition
    return { kind, resourceId: this.#round.resourceId, taskId: this.#stored.id, task, step }
  }
}
