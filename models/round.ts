// The round: what the tasks of one resource share while it is ticked.
// Promise: commits of one resource go one after another, each under the fence of this round; once the
// lease or a compare-and-set is lost, nothing more is written.

import { Address, idOf, parentOf, rootOf } from '../lib/address.ts'
import { Bell } from '../lib/bell.ts'
import type { Claim } from '../lib/claim.ts'
import type { Lease } from '../lib/contract.ts'
import { newId } from '../lib/id.ts'
import type { Place } from '../lib/machine.ts'
import type { Time } from '../lib/time.ts'
import type { Outcome, Unit } from '../lib/unit.ts'
import { type Change, type Desktop, noted, RoundLost, RunEnded, together } from './change.ts'
import { Draft } from './draft.ts'
import { hold } from './handle.ts'
import type { Kind } from './kind.ts'
import type { Seen } from './onlooker.ts'
import { Outbox } from './outbox.ts'
import type { TickParts } from './parts.ts'
import { withReflexes } from './reflexes.ts'
import { Sheet, type View } from './sheet.ts'

type Committed = Extract<Outcome, { kind: 'committed' }>

export class Round {
  readonly parts: TickParts
  readonly kind: Kind
  readonly lease: Lease
  /** Rung when a turn ends, the round is lost, or somebody wants it to look at the database again. */
  readonly bell = new Bell()
  #nudged = false
  readonly #fence: number
  readonly #resourceId: string
  readonly #parentId: string | null
  readonly #storedKind: string
  #state: string
  #availability: unknown
  readonly #sheet: Sheet
  #system: Map<string, Claim['system'][number][1]>
  /** Tasks spawned in this round that have not begun: their parents take no mail before them. */
  readonly unborn = new Set<string>()
  #deadlineAt: number
  #budget: number
  #steps = 0
  #lost: RoundLost | null = null
  readonly #ended = new Set<string>()
  #queue: Promise<unknown> = Promise.resolve()

  constructor(parts: TickParts, kind: Kind, claim: Claim, lease: Lease) {
    this.parts = parts
    this.kind = kind
    this.lease = lease
    this.#fence = claim.fence
    this.#resourceId = claim.resourceId
    this.#parentId = claim.parentId
    this.#storedKind = claim.kind
    this.#state = claim.state
    this.#availability = claim.availability
    this.#system = new Map(claim.system)
    this.#sheet = new Sheet(
      claim.resourceId,
      kind.fields,
      parts.sealer,
      claim.fields,
      claim.version,
    )
    this.#budget = parts.quota.steps
    this.#deadlineAt = parts.time.monotonic() + parts.quota.ms
    lease.signal.addEventListener('abort', () => this.bell.ring(), { once: true })
  }

  get resourceId(): string {
    return this.#resourceId
  }
  get steps(): number {
    return this.#steps
  }
  get time(): Time {
    return this.parts.time
  }
  get lost(): boolean {
    return this.#lost !== null || this.lease.signal.aborted
  }
  /** Was this run found to be over when it wanted to write? */
  hasEnded(taskId: string): boolean {
    return this.#ended.has(taskId)
  }
  /** Has the resource had its share of this worker? */
  get spent(): boolean {
    return this.#steps >= this.#budget || this.time.monotonic() >= this.#deadlineAt
  }

  /** Gives the resource another share. */
  refresh(): void {
    this.#budget = this.#steps + this.parts.quota.steps
    this.#deadlineAt = this.time.monotonic() + this.parts.quota.ms
  }

  /** Asks the round to look again, now or when it next can. */
  nudge(): void {
    this.#nudged = true
    this.bell.ring()
  }
  get nudged(): boolean {
    return this.#nudged
  }
  takeNudge(): boolean {
    const was = this.#nudged
    this.#nudged = false
    return was
  }

  /**
   * Reads again what is due; the fields follow. In line with the commits: what is read beside one may be
   * older than what the round knows by then.
   */
  look(): Promise<Claim | null> {
    const turn = this.#queue.then(() => this.#look())
    this.#queue = turn.catch(() => {})
    return turn
  }

  async #look(): Promise<Claim | null> {
    const claim = await this.parts.store.look(this.#resourceId, this.#fence)
    if (!claim) return null
    this.#sheet.replace(claim.fields, claim.version)
    this.#availability = claim.availability
    this.#system = new Map(claim.system)
    return claim
  }

  /** Where a task's machine runs: who spawned it, and whom of its tree it can find. */
  placeOf(task: string): Place {
    const root = rootOf(task)
    const found = [...this.#system].filter(([name]) => rootOf(name) === root)
    const system = found.flatMap(([, named]) =>
      Object.entries(named).map(([id, address]) => [id, new Address(...address)] as const),
    )
    const parent = parentOf(task)
    return {
      task,
      id: idOf(task),
      parent: parent === null ? null : new Address(idOf(parent), parent),
      system: new Map(system),
    }
  }

  /** A fresh view of the resource for one effect or one step. */
  open(): Desktop {
    const { requests, desk } = this.parts
    const view = this.#sheet.view()
    const outbox = new Outbox(requests, desk)
    const resource = hold({
      id: this.#resourceId,
      kind: this.kind,
      state: this.#state,
      parentId: this.#parentId,
      availability: this.#availability,
      verbs: outbox,
      read: (name) => view.read(name),
      write: (name, value) => view.write(name, value),
      save: null,
      reload: null,
      createChild: async (shape, fields, because) => {
        const kind = this.parts.registry.of(shape)
        const made = outbox.create(kind, fields, this.#resourceId, because)
        return hold(new Draft(made, kind, this.parts.sealer, outbox))
      },
      children: (shape) => this.parts.children(shape, this.#resourceId, outbox),
      offspring: () => this.parts.offspring(this.#resourceId, outbox),
    })
    return { resource, view, outbox }
  }

  /**
   * Commits one change, after those asked for before it.
   * @returns false when its view was overtaken by another task's commit: do the work again
   * @throws RoundLost when the fence, the step or the lease is gone; RunEnded when only the run is
   */
  async commit(change: Change): Promise<boolean> {
    const turn = this.#queue.then(() => this.#commit(change))
    this.#queue = turn.catch(() => {})
    return turn
  }

  async #commit(change: Change): Promise<boolean> {
    for (;;) {
      if (this.#lost) throw this.#lost
      if (this.lease.remainingMs() <= 0) throw this.#lose('the lease ran out')
      if (change.desktop?.view.overtaken) return false
      const unit = this.#unit(change)
      const [outcome] = await this.parts.store.commit([unit])
      if (outcome?.kind === 'committed') {
        await this.#committed(unit, outcome)
        return true
      }
      if (outcome?.kind === 'desynchronized' && (await this.#sawEnd(unit))) throw new RunEnded()
      // Fields saved from outside: the same change is tried on top of them, unless they were its own fields.
      if (!(outcome?.kind === 'desynchronized' && unit.fields && (await this.#caughtUp()))) {
        throw this.#lose(outcome?.kind ?? 'nothing came back')
      }
    }
  }

  #unit({ desktop, state, ...rest }: Change): Unit {
    const fields =
      desktop?.view.change() ?? (state === undefined ? null : this.#sheet.change({}, []))
    const { name: kind } = this.kind
    const renamed = this.#storedKind === kind ? {} : { kind }
    const unit: Unit = {
      id: newId(this.time),
      fence: { resourceId: this.#resourceId, fence: this.#fence },
      ...rest,
      ...(desktop && { ...together(rest, desktop.outbox.parts), ...noted(rest, desktop) }),
      ...(fields && { fields: { ...fields, ...renamed, ...(state !== undefined && { state }) } }),
    }
    return withReflexes(this.parts, this.#seen(desktop?.view), unit)
  }

  #seen(view: View | undefined): Seen {
    return {
      kind: this.kind,
      resourceId: this.#resourceId,
      parentId: this.#parentId,
      state: this.#state,
      read: (name) => (view ?? this.#sheet).read(name),
    }
  }

  async #committed(unit: Unit, { started, isRung }: Committed): Promise<void> {
    this.#register(unit, started)
    // Mail that came meanwhile may have had no ticket of its own: while other mail waits, nobody is told twice.
    if (isRung && unit.due?.reason !== 'event') this.nudge()
    if (unit.fields) this.#sheet.committed(unit.fields)
    if (unit.fields?.state !== undefined) this.#state = unit.fields.state
    if (unit.step?.transition) this.#steps += 1
    if (unit.due?.at) this.parts.soon(this.#resourceId, unit.due.at)
    await this.#tell(unit)
  }

  #register({ step, starts = [], stops = [] }: Unit, started: readonly string[]): void {
    for (const { id, task } of starts) {
      if (parentOf(task) !== null && started.includes(id)) this.unborn.add(task)
    }
    for (const { task } of stops) {
      for (const name of this.unborn)
        if (task === null || name.startsWith(task)) this.unborn.delete(name)
    }
    if (!step) return
    this.unborn.delete(step.task)
    if (step.system && !step.finished) this.#system.set(step.task, step.system as never)
    else this.#system.delete(step.task)
  }

  /** Was the run stopped from outside? Then that is all there is to it: what others do here is as good as before. */
  async #sawEnd({ step }: Unit): Promise<boolean> {
    const ended = step ? await this.parts.store.finished([step.taskId]) : []
    for (const id of ended) this.#ended.add(id)
    return ended.length > 0
  }

  /** Had the fields moved on? Then the sheet has them now. Anything else is no reason to try again. */
  async #caughtUp(): Promise<boolean> {
    const { version } = this.#sheet
    const claim = await this.#look()
    return claim !== null && claim.version > version
  }

  #lose(why: string): RoundLost {
    this.#lost ??= new RoundLost(why)
    this.bell.ring()
    return this.#lost
  }

  /** Tickets for whomever the unit made due; a lost ticket is the clock's business. */
  async #tell({ starts = [], sends = [], stops = [], reports = [] }: Unit): Promise<void> {
    const rung = new Set([...starts, ...sends, ...stops].map(({ resourceId }) => resourceId))
    // What is said of a resource makes nothing due; this one is to see what was said.
    if (reports.length > 0) this.nudge()
    if (rung.delete(this.#resourceId)) this.nudge()
    if (rung.size > 0) await this.parts.push([...rung].map((resourceId) => ({ resourceId })))
  }
}
