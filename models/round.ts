// The round: what the tasks of one resource share while it is ticked.
// Promise: commits of one resource go one after another, each under the fence of this round; once the
// lease or a compare-and-set is lost, nothing more is written.

import { parentOf } from '../lib/address.ts'
import { Bell } from '../lib/bell.ts'
import type { Claim, StoredTask } from '../lib/claim.ts'
import type { Lease } from '../lib/contract.ts'
import { newId } from '../lib/id.ts'
import { heed } from '../lib/lease.ts'
import type { Place } from '../lib/machine.ts'
import { rungBy } from '../lib/routes.ts'
import type { Time } from '../lib/time.ts'
import type { Outcome, Unit } from '../lib/unit.ts'
import { Allowance } from './allowance.ts'
import { Barrier } from './barrier.ts'
import { type Change, enveloped, NONE, noted, RoundLost, RunEnded, together } from './change.ts'
import { CLIMBER } from './climber.ts'
import { Desktop, type Stock } from './desktop.ts'
import type { Kind } from './kind.ts'
import { Line } from './line.ts'
import type { Seen } from './onlooker.ts'
import type { TickParts } from './parts.ts'
import { Places } from './places.ts'
import { withReflexes } from './reflexes.ts'
import { Sheet, type View } from './sheet.ts'
import type { Target } from './verbs.ts'
import { withVigil } from './vigil.ts'

type Committed = Extract<Outcome, { kind: 'committed' }>

export class Round implements Stock {
  readonly parts: TickParts
  readonly kind: Kind
  readonly lease: Lease
  readonly barrier: Barrier
  readonly allowance: Allowance | null
  /** Rung when a turn ends, the round is lost, or somebody wants it to look at the database again. */
  readonly bell = new Bell()
  #nudged = false
  readonly #fence: number
  readonly #resourceId: string
  readonly parentId: string | null
  readonly #storedKind: string
  #state: string
  #availability: unknown
  readonly #sheet: Sheet
  /** Tasks spawned in this round that have not begun: their parents take no mail before them. */
  readonly unborn = new Set<string>()
  readonly #places: Places
  #deadlineAt: number
  #budget: number
  #steps = 0
  #lost: RoundLost | null = null
  #isFallen = false
  readonly #ended = new Set<string>()
  /** Those at work, to be called back when the lease is lost. */
  readonly errands = new Set<{ cancel(why: Error): void }>()
  /** Commits and looks, one after another. */
  readonly #line = new Line()

  constructor(parts: TickParts, kind: Kind, claim: Claim, lease: Lease) {
    this.parts = parts
    this.kind = kind
    this.lease = lease
    this.barrier = new Barrier(parts, kind, claim)
    this.allowance = Allowance.of(parts, kind, claim)
    this.#fence = claim.fence
    this.#resourceId = claim.resourceId
    this.parentId = claim.parentId
    this.#storedKind = claim.kind
    this.#state = claim.state
    this.#availability = claim.availability
    this.#places = new Places(claim.system)
    this.#sheet = new Sheet(
      claim.resourceId,
      kind.fields,
      parts.sealer,
      claim.fields,
      claim.version,
    )
    this.#budget = parts.quota.steps
    this.#deadlineAt = parts.time.monotonic() + parts.quota.ms
    heed(lease, (why) => this.#fell(why))
  }

  get resourceId(): string {
    return this.#resourceId
  }
  get state(): string {
    return this.#state
  }
  get availability(): unknown {
    return this.#availability
  }
  get steps(): number {
    return this.#steps
  }
  get time(): Time {
    return this.parts.time
  }
  get lost(): boolean {
    return this.#lost !== null || this.#isFallen
  }
  /** Was this run found to be over when it wanted to write? */
  hasEnded(taskId: string): boolean {
    return this.#ended.has(taskId)
  }
  /** Has the resource had its share of this worker? */
  get spent(): boolean {
    if (this.allowance?.isUsedUp) return true
    return this.#steps >= this.#budget || this.time.monotonic() >= this.#deadlineAt
  }

  /** Gives the resource another share. */
  refresh(): void {
    this.#budget = this.#steps + this.parts.quota.steps
    this.#deadlineAt = this.time.monotonic() + this.parts.quota.ms
  }

  /** Takes the task no step now? What runs for it may end. */
  stops(task: StoredTask): boolean {
    return this.allowance?.isUsedUp || this.barrier.stops(task)
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

  /** Reads again what is due; the fields follow. In line with the commits: read beside one, it may be older than known. */
  look(): Promise<Claim | null> {
    return this.#line.go(() => this.#look())
  }

  async #look(): Promise<Claim | null> {
    const claim = await this.parts.store.look(this.#resourceId, this.#fence)
    if (!claim) return null
    this.#sheet.replace(claim.fields, claim.version)
    this.#availability = claim.availability
    this.#places.see(claim.system)
    this.barrier.see(claim)
    return claim
  }

  /** The task that is told of a panic here: the resource's own, or that of the one it belongs to. */
  async climber(): Promise<Target | null> {
    const { registry, desk } = this.parts
    if (this.kind.handlesPanics)
      return { kind: this.kind, resourceId: this.#resourceId, task: CLIMBER }
    if (!registry.handlesPanics || this.parentId === null) return null
    return desk.climberOf(this.parentId)
  }

  /** Where a task's machine runs: who spawned it, and whom of its tree it can find. */
  placeOf(task: string): Place {
    return this.#places.of(task)
  }

  /** A fresh view of the resource for one effect or one step. */
  open(): Desktop {
    return new Desktop(this)
  }

  /** @inheritDoc Stock.view */
  view(): View {
    return this.#sheet.view()
  }

  /**
   * Commits one change, after those asked for before it.
   * @returns false when its view was overtaken by another task's commit: do the work again
   * @throws RoundLost when the fence, the step or the lease is gone; RunEnded when only the run is
   */
  commit(change: Change): Promise<boolean> {
    return this.#line.go(() => this.#commit(change))
  }

  async #commit(change: Change): Promise<boolean> {
    for (;;) {
      if (this.#lost) throw this.#lost
      if (this.lease.remainingMs() <= 0) throw this.#lose('the lease ran out')
      if (change.desktop?.isOvertaken) return false
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

  #unit(change: Change): Unit {
    const { desktop, state, isHandled = false } = change
    const fields = desktop?.change ?? (state === undefined ? null : this.#sheet.change({}, []))
    const parts = desktop?.parts
    const renamed = this.#storedKind === this.kind.name ? {} : { kind: this.kind.name }
    const plain = enveloped(
      desktop?.message == null ? change : { ...change, ...noted(change, desktop) },
      newId(this.time),
      { resourceId: this.#resourceId, fence: this.#fence },
      fields && { ...fields, ...renamed, ...(state !== undefined && { state }) },
    )
    const unit = parts ? { ...plain, ...together(change, parts) } : plain
    const whole = this.kind.hasReflexes
      ? withReflexes(this.parts, this.seen(desktop?.view ?? undefined), unit)
      : unit
    return withVigil(this.parts.registry, isHandled, this.kind, this.#resourceId, whole)
  }

  seen(view?: View): Seen {
    return {
      kind: this.kind,
      resourceId: this.#resourceId,
      parentId: this.parentId,
      state: this.#state,
      read: (name) => (view ?? this.#sheet).read(name),
    }
  }

  async #committed(unit: Unit, { started, isRung, held }: Committed): Promise<void> {
    this.#register(unit, started)
    // Mail that came meanwhile may have had no ticket of its own: while other mail waits, nobody is told twice.
    if ((isRung && unit.due?.reason !== 'event') || held.length > 0) this.nudge()
    if (unit.fields) this.#sheet.committed(unit.fields)
    if (unit.fields?.state !== undefined) this.#state = unit.fields.state
    if (unit.step?.transition) {
      this.#steps += 1
      this.allowance?.count()
    }
    if (unit.due?.at) this.parts.soon(this.#resourceId, unit.due.at, this.kind.route.queue)
    if (unit.starts || unit.sends || unit.stops || unit.reports) await this.#tell(unit)
  }

  #register({ step, starts, stops }: Unit, started: readonly string[]): void {
    for (const { id, task } of starts ?? NONE)
      if (parentOf(task) !== null && started.includes(id)) this.unborn.add(task)
    for (const { task } of stops ?? NONE) {
      for (const name of this.unborn)
        if (task === null || name.startsWith(task)) this.unborn.delete(name)
    }
    if (!step) return
    if (this.unborn.size > 0) this.unborn.delete(step.task)
    this.#places.moved(step)
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

  /** The lease is lost: whoever works under it is told at once. */
  #fell(why: Error): void {
    this.#isFallen = true
    for (const errand of this.errands) errand.cancel(why)
    this.bell.ring()
  }

  #lose(why: string): RoundLost {
    this.#lost ??= new RoundLost(why)
    this.bell.ring()
    return this.#lost
  }

  /** Tickets for whomever the unit made due; a lost ticket is the clock's business. */
  async #tell(unit: Unit): Promise<void> {
    const rung = rungBy(unit)
    // What is said of a resource makes nothing due; this one is to see what was said.
    if (unit.reports?.length) this.nudge()
    if (rung.delete(this.#resourceId)) this.nudge()
    if (rung.size > 0) await this.parts.push([...rung.values()])
  }
}
