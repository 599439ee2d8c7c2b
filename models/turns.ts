// The turns of one round, side by side, one for each task that is due.
// Promise: a turn's trouble is kept for the round, never lost; what this program does not know is left to others.
import { parentOf, rootOf } from '../lib/address.ts'
import type { Claim, StoredEvent, StoredTask } from '../lib/claim.ts'
import type { Verdict } from '../lib/contract.ts'
import { asError } from '../lib/errors.ts'
import { newId } from '../lib/id.ts'
import { RoundLost, RunEnded } from './change.ts'
import type { TaskDefinition } from './kind.ts'
import type { InTurn, Order } from './order.ts'
import type { TickParts } from './parts.ts'
import type { Round } from './round.ts'
import { Turn } from './task.ts'

/** How long a task nobody here knows is left to others before it is looked at again. */
const STRANGER_MS = 30_000

export class Turns implements Order {
  /** What kept a turn from going on, other than that the round was lost. */
  trouble: Error | null = null
  readonly #round: Round
  readonly #turns = new Map<string, Turn>()
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
  async admit({ tasks, ...claim }: Claim): Promise<void> {
    const isKnown = ({ task }: StoredTask) => this.#round.kind.has(rootOf(task))
    // Children begin in the order they were spawned, whichever process comes to them.
    const known = tasks.filter(isKnown).sort((a, b) => (a.id < b.id ? -1 : 1))
    for (const stored of known) this.#admit(stored)
    const strangers = tasks.filter((stored) => !isKnown(stored))
    if (strangers.length === 0) return
    await leave(this.#round.parts, { ...claim, tasks }, strangers).catch((thrown) =>
      this.#note(thrown),
    )
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

  moved({ task }: InTurn): void {
    const root = rootOf(task)
    for (const other of this.#turns.values()) if (rootOf(other.task) === root) other.nudge()
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
      this.#round.unborn.delete(stored.task)
      this.moved(turn)
      if (this.#missed.delete(id)) this.#round.nudge()
      this.#round.bell.ring()
    }
    void turn
      .run()
      .catch((thrown) => this.#note(thrown))
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
  { store, time, events }: TickParts,
  { resourceId, fence }: Claim,
  tasks: readonly StoredTask[],
): Promise<Verdict> {
  const at = time.now() + STRANGER_MS
  const putOff = ({ id: taskId, wakes }: StoredTask) => ({
    taskId,
    at,
    reason: 'unknown here',
    wakes,
  })
  await store.commit(
    tasks.map((task) => ({ id: newId(time), fence: { resourceId, fence }, due: putOff(task) })),
  )
  for (const { id: taskId, task } of tasks)
    events.emit('task.unknown', { resourceId, taskId, task })
  return { kind: 'done' }
}
