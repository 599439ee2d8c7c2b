// The turns of one round, side by side, one for each task that is due.
// Promise: a turn's trouble is kept for the round, never lost; what this program does not know is left to others.
import { parentOf, rootOf } from '../lib/address.ts'
import { type Claim, MOST_TASKS, type StoredEvent, type StoredTask } from '../lib/claim.ts'
import type { Verdict } from '../lib/contract.ts'
import { asError } from '../lib/errors.ts'
import { newId } from '../lib/id.ts'
import { RoundLost, RunEnded } from './change.ts'
import type { TaskDefinition } from './kind.ts'
import { Limiter } from './limiter.ts'
import type { InTurn, Order } from './order.ts'
import type { TickParts } from './parts.ts'
import type { Round } from './round.ts'
import { Turn } from './task.ts'

/** How long a task nobody here knows is left to others before it is looked at again. */
const STRANGER_MS = 30_000
/** Why a task was put off, for its due entry. */
export const UNKNOWN_HERE = 'unknown here'
export const SUSPECT = 'suspect'

export class Turns implements Order {
  /** What kept a turn from going on, other than that the round was lost. */
  trouble: Error | null = null
  readonly #round: Round
  #first: Claim | null = null
  #limiter: Limiter | null = null
  readonly #turns = new Map<string, Turn>()
  /** Was there more than one look takes? */
  #isMore = false
  /** Tasks whose turn was ending when news came for them. */
  readonly #missed = new Set<string>()

  constructor(round: Round) {
    this.#round = round
  }

  /** Does a turn last because somebody works for its task, and not because it steps? */
  get isHeldUp(): boolean {
    return [...this.#turns.values()].some((turn) => turn.isHeldUp)
  }

  get running(): number {
    return this.#turns.size
  }

  /** Gives each due task a turn, or its turn the news. */
  async admit(claim: Claim): Promise<void> {
    const { tasks } = claim
    const isFirst = this.#first === null
    this.#isMore ||= tasks.length >= MOST_TASKS
    this.#first ??= claim
    const isKnown = ({ task }: StoredTask) => this.#round.kind.has(rootOf(task))
    // Children begin in the order they were spawned, whichever process comes to them.
    const all = tasks.filter(isKnown).sort((a, b) => (a.id < b.id ? -1 : 1))
    const { parts, barrier } = this.#round
    try {
      if (isFirst) await this.#round.allowance?.recall()
      const known = await this.#within(claim, all)
      // A turn that is under way sees for itself; when all is held, all stays as it is.
      const fresh = known.filter(({ id }) => !this.#turns.has(id))
      const held = await barrier.sift(fresh)
      const isShut = barrier.isQueueHeld
      const waits = (one: StoredTask) => (isShut && fresh.includes(one)) || held.has(one)
      const free = known.filter((stored) => !waits(stored))
      for (const stored of await this.#lined(claim, await this.#apart(claim, free)))
        this.#admit(stored)
      if (!isShut)
        await putOff(parts, claim, [...held.keys()], (one) => barrier.putOff(held.get(one)!))
      const strangers = tasks.filter((stored) => !isKnown(stored))
      if (strangers.length > 0) await leave(parts, claim, strangers)
    } catch (thrown) {
      this.#note(thrown)
    }
  }

  /**
   * Those that may run now; suspects beside others are put off. One that came due only after the claim is stored as
   * due since then, so that it is known to be in hand.
   */
  async #apart(
    claim: Pick<Claim, 'resourceId' | 'fence' | 'claimedAt'>,
    known: readonly StoredTask[],
  ): Promise<readonly StoredTask[]> {
    const { parts } = this.#round
    const claimedAt = this.#first?.claimedAt ?? claim.claimedAt
    const news = known.filter(({ id, strikes }) => strikes > 0 && !this.#turns.has(id))
    if (news.length === 0) return known
    const waiting = news.filter((stored) => !this.#mayRun(stored))
    const at = parts.time.now() + parts.lookMs
    const { quarantine } = parts.presence
    await quarantine.goes(putOff(parts, claim, waiting, () => ({ at, reason: SUSPECT })))
    const late = news.filter((one) => one.dueAt > claimedAt && !waiting.includes(one))
    await putOff(parts, claim, late, () => ({ at: claimedAt, reason: 'apart' }))
    if (waiting.length < news.length)
      await quarantine.alone(parts.store.finished(news.map(({ id }) => id)))
    return known
      .filter((one) => !waiting.includes(one))
      .map((one) => (late.includes(one) ? { ...one, dueAt: claimedAt } : one))
  }

  /** Of a resource that has used its quota, those that are in hand; the others wait for the end of the period. */
  async #within(
    claim: Pick<Claim, 'resourceId' | 'fence'>,
    tasks: readonly StoredTask[],
  ): Promise<readonly StoredTask[]> {
    const { allowance, parts } = this.#round
    if (!allowance?.isUsedUp) return tasks
    const stand = allowance.putOff()
    const isInHand = ({ id }: StoredTask) => this.#turns.has(id)
    await putOff(
      parts,
      claim,
      tasks.filter((one) => !isInHand(one)),
      () => stand,
    )
    return tasks.filter(isInHand)
  }

  /** Those that find a slot of the limit of their task; the others stand in line, and nobody comes for them before. */
  async #lined(
    claim: Pick<Claim, 'resourceId' | 'fence'>,
    tasks: readonly StoredTask[],
  ): Promise<readonly StoredTask[]> {
    const { parts, kind } = this.#round
    this.#limiter ??= new Limiter(parts, kind, claim, () => this.#round.seen())
    const limiter = this.#limiter
    const waiting = await limiter.sift(tasks.filter(({ id }) => !this.#turns.has(id)))
    if (waiting.size === 0) return tasks
    await putOff(parts, claim, [...waiting.keys()], (one) => {
      return { at: null, reason: waiting.get(one) as string }
    })
    await limiter.lined(waiting.values())
    return tasks.filter((one) => !waiting.has(one))
  }

  /** A child that has not begun is not put off: its parent waits for it, and its first step may clear it. */
  #mayRun(stored: StoredTask): boolean {
    const isUnborn = stored.restStep === 0 && parentOf(stored.task) !== null
    return isUnborn || this.#round.parts.presence.quarantine.admits(stored)
  }

  /** Looks again; the turn of a task that was stopped from outside ends, its effects told so. */
  async look(): Promise<void> {
    try {
      const ended = await this.#round.parts.store.finished([...this.#turns.keys()])
      for (const id of ended) this.#turns.get(id)?.hurry('TASK_STOPPED')
      const claim = await this.#round.look()
      if (claim) await this.admit(claim)
      for (const turn of this.#turns.values()) turn.expect(false)
    } catch (thrown) {
      this.#note(thrown)
    }
  }

  /** What is left undone was not left by a death: that is told, should this process die of something else later. */
  async end(): Promise<Verdict> {
    await this.#limiter?.close()
    const isUsedUp = await this.#account()
    const { lost, spent, resourceId, parts, barrier } = this.#round
    const { fence = 0, tasks = [] } = this.#first ?? {}
    if (lost || spent || barrier.isQueueHeld || this.trouble || tasks.length >= MOST_TASKS)
      await parts.presence.release(resourceId, fence)
    if (barrier.isQueueHeld) return { kind: 'held' }
    if (spent && !isUsedUp) return { kind: 'again' }
    return { kind: 'done', isSettled: !lost && !spent && !this.#isMore }
  }

  /** What a used up resource has due waits for the end of the period. @returns does it? */
  async #account(): Promise<boolean> {
    const { allowance, parts } = this.#round
    if (!allowance || this.#round.lost) return false
    try {
      const isUsedUp = allowance.isUsedUp
      const stand = allowance.putOff()
      const claim = isUsedUp ? await this.#round.look() : null
      const known = claim?.tasks.filter(({ task }) => this.#round.kind.has(rootOf(task))) ?? []
      if (claim) await putOff(parts, claim, known, () => stand)
      await allowance.close()
      return isUsedUp
    } catch (thrown) {
      this.#note(thrown)
      return false
    }
  }

  /** Every turn looks again at what it waits for, and whether it has had its share. */
  nudge(): void {
    for (const turn of this.#turns.values()) turn.nudge()
  }

  /** The round is over: every turn ends as soon as it can. */
  hurry(): void {
    for (const turn of this.#turns.values()) turn.hurry('LEASE_LOST')
  }

  /** Children begin one after another, in the order they were spawned: as in XState. */
  mayBegin({ task }: InTurn): boolean {
    const root = rootOf(task)
    for (const other of this.#round.unborn) {
      if (other === task) return true
      if (rootOf(other) === root) return false
    }
    return true
  }

  /**
   * Mail is taken in the order it was sent, and children begin before anybody goes on: as in XState. What its
   * actors sent each other is part of what has happened already, and comes before any timer.
   */
  mayGoOn({ task }: InTurn, mail: StoredEvent | undefined): boolean {
    // One task alone is in nobody's way.
    if (this.#turns.size === 1 && this.#round.unborn.size === 0) return true
    const root = rootOf(task)
    for (const child of this.#round.unborn) if (rootOf(child) === root) return false
    for (const { task: other, nextMail } of this.#turns.values()) {
      if (!nextMail || other === task || rootOf(other) !== root) continue
      if (mail ? BigInt(nextMail.id) < BigInt(mail.id) : nextMail.sender !== null) return false
    }
    return true
  }

  wrote(tasks: readonly string[]): void {
    if (tasks.length === 0) return
    for (const turn of this.#turns.values()) if (tasks.includes(turn.task)) turn.expect(true)
  }

  moved(turn: InTurn): void {
    for (const other of this.#turns.values())
      if (other !== turn && rootOf(other.task) === rootOf(turn.task)) other.nudge()
  }

  #admit(stored: StoredTask): void {
    const { id } = stored
    const current = this.#turns.get(id)
    if (current) {
      if (!current.deliver(stored)) this.#missed.add(id)
      return
    }
    const turn = new Turn(this.#round, stored, this.#definitionOf(stored), this)
    this.#turns.set(id, turn)
    if (stored.restStep === 0 && parentOf(stored.task) !== null) this.#round.unborn.add(stored.task)
    const ended = () => {
      this.#turns.delete(id)
      this.#round.parts.presence.quarantine.leave(id)
      this.#round.unborn.delete(stored.task)
      this.moved(turn)
      if (this.#missed.delete(id)) this.#round.nudge()
      this.#round.bell.ring()
    }
    void turn
      .run()
      .catch((thrown) => this.#note(thrown))
      .then(() => this.#limiter?.left(id))
      .finally(ended)
  }

  /** A child whose machine is gone has the root's definition, which cannot hold it. */
  #definitionOf({ task, origin }: StoredTask): TaskDefinition {
    const { kind } = this.#round
    try {
      return kind.run(task, origin) as TaskDefinition
    } catch (stranded) {
      return { ...kind.task(rootOf(task)), name: task, stranded: asError(stranded) }
    }
  }

  #note(thrown: unknown): void {
    const isOver = thrown instanceof RoundLost || thrown instanceof RunEnded
    if (!isOver) this.trouble ??= asError(thrown)
    this.#round.bell.ring()
  }
}

/** What this program does not know belongs to another one's workers: it is put off, untouched. */
export async function leave(
  parts: TickParts,
  claim: Claim,
  tasks: readonly StoredTask[],
): Promise<Verdict> {
  const at = parts.time.now() + STRANGER_MS
  await putOff(parts, claim, tasks, () => ({ at, reason: UNKNOWN_HERE }))
  for (const { id: taskId, task } of tasks)
    parts.events.emit('task.unknown', { resourceId: claim.resourceId, taskId, task })
  return { kind: 'done' }
}

async function putOff(
  { store, time }: TickParts,
  { resourceId, fence }: Pick<Claim, 'resourceId' | 'fence'>,
  tasks: readonly StoredTask[],
  whenOf: (task: StoredTask) => { at: number | null; reason: string },
): Promise<void> {
  const unitOf = (task: StoredTask) => ({
    id: newId(time),
    fence: { resourceId, fence },
    due: { taskId: task.id, wakes: task.wakes, ...whenOf(task) },
  })
  await store.commit(tasks.map(unitOf))
}
