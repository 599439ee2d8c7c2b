// The kin: what a step does to the actors around its task, as parts of its unit.
// Promise: who is spawned, stopped and written to is in the commit of the step; an end is told to the parent once.
import type { Address } from '../lib/address.ts'
import { EXIT, parentOf, rootOf } from '../lib/address.ts'
import { actorLogic, isMachine } from '../lib/blueprint.ts'
import type { StoredTask } from '../lib/claim.ts'
import { encode, encodeError, encodeRow, type Json } from '../lib/codec.ts'
import { newId } from '../lib/id.ts'
import { weighed } from '../lib/limits.ts'
import type { MachineEvent, Rest } from '../lib/machine.ts'
import type { Actor, Sent } from '../lib/rest.ts'
import type { Author, NewEvent, NewRun, RunEnd, RunStop, Unit } from '../lib/unit.ts'
import { LIFE, type TaskDefinition } from './kind.ts'
import type { Move } from './move.ts'
import type { Round } from './round.ts'

export type KinParts = Required<Pick<Unit, 'starts' | 'stops' | 'sends' | 'ends'>>

export class Kin {
  readonly #round: Round
  readonly #stored: StoredTask
  readonly #definition: TaskDefinition

  constructor(round: Round, stored: StoredTask, definition: TaskDefinition) {
    this.#round = round
    this.#stored = stored
    this.#definition = definition
  }

  /** What a step leaves to others; null when that is nothing. */
  of({ rest, sent, born, left }: Move): KinParts | null {
    if (!this.#stored.origin && sent.length + born.length + left.length === 0) return null
    const isWrittenTo = ({ address }: Actor) => sent.some(({ to }) => to.equals(address))
    return {
      starts: born.map((actor) => this.#start(actor)),
      // One that was written to in this very step reads that first, as it would in XState.
      stops: left.filter((actor) => !isWrittenTo(actor)).map(({ address }) => this.#stop(address)),
      sends: [
        ...sent.filter(({ to }) => !this.isOwn(to)).map((one) => this.#send(one)),
        ...left.filter(isWrittenTo).map(({ address }) => this.#send(goodbye(address))),
        ...this.#news(rest),
      ],
      ends: this.#ends(rest),
    }
  }

  /** Is this an actor the worker runs for this very task? What it is sent goes by hand. */
  isOwn({ task, actor }: Address): boolean {
    return actor !== null && task === this.#stored.task
  }

  /** What a failure leaves: the parent is told, what was spawned ends. */
  failed(thrown: unknown): KinParts {
    const error = encodeError(thrown, { stack: false })
    return {
      starts: [],
      stops: [{ ...this.#end(this.#stored.task), beneath: true }],
      sends: this.#tellParent('xstate.error.actor', { error: { $error: error } }),
      ends: [],
    }
  }

  /** Actors that can be found by a system id, for the row of the task. */
  systemOf(rest: Rest | null): Json | null {
    const named = rest?.actors.filter(({ systemId, ended }) => systemId !== undefined && !ended)
    if (!named || named.length === 0) return null
    return Object.fromEntries(
      named.map(({ systemId, address: { id, task, actor } }) => [systemId, [id, task, actor]]),
    )
  }

  /** Does the parent of this run have a transition for its failure? */
  get isAwaited(): boolean {
    const { origin, task } = this.#stored
    if (!origin || this.#isExit) return false
    return this.#round.kind.hears(task, origin, `xstate.error.actor.${origin.id}`)
  }

  /** Does this run clean up after another? That one hears nothing any more: it is ended with it. */
  get #isExit(): boolean {
    return this.#stored.origin?.src.at(-1) === EXIT
  }

  #ends(rest: Rest): RunEnd[] {
    const task = parentOf(this.#stored.task)
    if (!this.#isExit || task === null || rest.status !== 'done') return []
    return [{ resourceId: this.#round.resourceId, task, ...this.#author }]
  }

  /** An event nobody accepts changes nothing, but a parent that hears of snapshots hears of that: as in XState. */
  unmoved(rest: Rest | null): NewEvent[] {
    return rest && rest.status !== 'done' ? this.#news(rest) : []
  }

  #news(rest: Rest): NewEvent[] {
    const { origin } = this.#stored
    if (!origin || this.#isExit) return []
    const { sealer } = this.#round.parts
    if (rest.status === 'done') {
      const output = rest.output === undefined ? {} : { output: encode(rest.output, sealer) }
      return this.#tellParent('xstate.done.actor', output)
    }
    if (!origin.sync) return []
    const { value, context, history, status } = rest
    const snapshot = encode({ value, context, status, ...(history && { history }) }, sealer)
    return this.#tellParent('xstate.snapshot', { snapshot })
  }

  #tellParent(what: string, payload: Readonly<Record<string, Json>>): NewEvent[] {
    const { origin, task } = this.#stored
    const parent = parentOf(task)
    if (!origin || parent === null) return []
    const about = what === 'xstate.snapshot' ? {} : { actorId: origin.id }
    const type = `${what}.${origin.id}`
    return [{ ...this.#mail(parent, type, { ...payload, ...about }), sender: task }]
  }

  #start({ id, src, input, address, sync }: Actor): NewRun {
    const logic = actorLogic(this.#definition.machine, src)
    const { sealer, time } = this.#round.parts
    return {
      id: newId(time),
      resourceId: this.#round.resourceId,
      task: address.task,
      version: (isMachine(logic) && logic.version) || '1',
      evenStopped: rootOf(address.task) === LIFE,
      ...this.#round.kind.laneOf(address.task),
      origin: { src: [...(this.#stored.origin?.src ?? []), src], id, sync: sync ?? false },
      args:
        input === undefined
          ? null
          : weighed(encode(input, sealer), `What actor ${id} is started with`),
      ...this.#author,
    }
  }

  #stop({ task }: Address): RunStop {
    return this.#end(task)
  }

  #end(task: string): RunStop {
    const { resourceId, kind } = this.#round
    const exits = kind.exitsOf(task)
    const author = this.#author
    return { resourceId, task, except: null, ...(exits.length > 0 && { exits }), ...author }
  }

  #send({ to, event: { type, ...payload } }: Sent): NewEvent {
    const isEmpty = Object.keys(payload).length === 0
    const json = isEmpty ? null : encodeRow(payload, this.#round.parts.sealer)
    return { ...this.#mail(to.task, type, json), sender: this.#stored.task, recipient: to.actor }
  }

  #mail(task: string, type: string, payload: Json | null): NewEvent {
    return {
      id: newId(this.#round.time),
      resourceId: this.#round.resourceId,
      task,
      type,
      payload: payload && weighed(payload, `The event ${type}`),
      dedupKey: null,
      expiresAt: null,
      sender: null,
      recipient: null,
      ...this.#author,
    }
  }

  get #author(): Author {
    return { actor: this.#round.parts.owner, reason: null }
  }
}

/** What ends a task once it has read what came before. */
export const STOP = 'xstate.stop'
const goodbye = (to: Address): { to: Address; event: MachineEvent } => ({
  to,
  event: { type: STOP },
})
