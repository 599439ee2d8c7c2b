// The live actors of one task: its callbacks and observables, while their states are active and the lease is held.
// Promise: started again wherever the task is taken up again; what they say becomes steps in the order it was
// said; what they were sent and had not taken when their process died is lost, as their own state is.
import type { Address } from '../lib/address.ts'
import type { Bell } from '../lib/bell.ts'
import type { StoredEvent } from '../lib/claim.ts'
import { decode } from '../lib/codec.ts'
import type { MachineEvent, Rest } from '../lib/machine.ts'
import { type LiveActor, livesBy, startLive } from '../lib/machine-live.ts'
import { type Actor, effectsOf } from '../lib/rest.ts'
import type { Cause } from './cause.ts'
import type { TaskDefinition } from './kind.ts'
import type { Round } from './round.ts'

type Said = Extract<Cause, { kind: 'said' }>

/** Of what an actor says while its machine is busy, only so much is kept: beyond it the actor is stopped. */
const MOST_SAID = 10_000

export class LiveActors {
  readonly #round: Round
  readonly #definition: TaskDefinition
  readonly #bell: Bell
  readonly #alive = new Map<string, LiveActor>()
  /** Those that have ended while their machine has yet to hear of it. */
  readonly #spent = new Set<string>()
  #said: Said[] = []

  constructor(round: Round, definition: TaskDefinition, bell: Bell) {
    this.#round = round
    this.#definition = definition
    this.#bell = bell
  }

  get running(): number {
    return this.#alive.size + this.#said.length
  }

  /** Starts those that are wanted, stops those nobody wants any more. */
  launch(rest: Rest): void {
    const { machine } = this.#definition
    if (
      this.#alive.size + this.#spent.size === 0 &&
      !rest.actors.some(({ src }) => livesBy(machine, src))
    )
      return
    const wanted = effectsOf(rest).filter(({ src }) => livesBy(machine, src))
    const names = new Set(wanted.map(nameOf))
    for (const [name, actor] of this.#alive) {
      if (names.has(name)) continue
      this.#alive.delete(name)
      actor.stop()
    }
    for (const name of this.#spent) if (!names.has(name)) this.#spent.delete(name)
    for (const actor of wanted) {
      const name = nameOf(actor)
      if (!this.#alive.has(name) && !this.#spent.has(name)) this.#start(actor)
    }
  }

  /** What was said first, if anything. */
  news(): Said | null {
    return this.#said[0] ?? null
  }

  /** A step was made of it. */
  heard(cause: Cause): void {
    if (cause === this.#said[0]) this.#said = this.#said.slice(1)
  }

  /** Hands an event to the actor at this address, if it lives. */
  tell({ sessionId }: Address, event: MachineEvent): void {
    this.#alive.get(sessionId)?.tell(event)
  }

  /** The same, for one that came by mail from another task. */
  hand(recipient: string, { type, payload }: StoredEvent): void {
    const event = { ...(decode(payload, this.#round.parts.sealer) as object | null), type }
    for (const [name, actor] of this.#alive) if (name.endsWith(`/${recipient}`)) actor.tell(event)
  }

  stop(): void {
    for (const actor of this.#alive.values()) actor.stop()
    this.#alive.clear()
    this.#said = []
  }

  #start(actor: Actor): void {
    const sender = nameOf(actor)
    let isOver = false
    const say = (event: MachineEvent) => {
      if (isOver) return
      if (
        event.type === `xstate.done.actor.${actor.id}` ||
        event.type === `xstate.error.actor.${actor.id}`
      ) {
        this.#alive.delete(sender)
        this.#spent.add(sender)
      }
      this.#hear(sender, event)
    }
    const { tell, stop } = startLive(this.#definition.machine, actor, say)
    // Nobody waits for one that is stopped: what it says or throws on its way out is no news to its machine.
    const end = () => {
      isOver = true
      try {
        stop()
      } catch {}
    }
    // It may have ended while it started: then it was never alive.
    if (!this.#spent.has(sender)) this.#alive.set(sender, { tell, stop: end })
  }

  #hear(sender: string, event: MachineEvent): void {
    if (this.#said.length === MOST_SAID) {
      this.#alive.get(sender)?.stop()
      this.#alive.delete(sender)
      const error = new Error(`"${sender}" has said ${MOST_SAID} things while nobody could listen`)
      const type = `xstate.error.actor.${sender.slice(sender.lastIndexOf('/') + 1).replace(/@.*$/, '')}`
      this.#said.push({ kind: 'said', at: this.#round.time.now(), sender, event: { type, error } })
    } else if (this.#said.length < MOST_SAID) {
      this.#said.push({ kind: 'said', at: this.#round.time.now(), sender, event })
    }
    this.#bell.ring()
  }
}

const nameOf = ({ address }: Actor) => address.sessionId
