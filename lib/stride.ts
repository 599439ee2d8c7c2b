// A stride: one step of a charted machine in the making, from what was to what will be.
// Promise: nothing it was given is changed; what only XState can do makes it give up, and XState begins anew.
import { actorAddress } from './address.ts'
import { arm, type Later, repeated } from './asked.ts'
import { Cast, type Place, translated } from './cast.ts'
import type { Act, Actor, MachineEvent, Rest, Step, Timer } from './rest.ts'

/** Something a machine does in a step. */
export type Deed = (stride: Stride) => void

/** When a step happens, and where. */
export interface Moment {
  /** The number the step will have. */
  readonly step: number
  readonly nowMs: number
  readonly place: Place
}

/** What an actor is spawned from. */
export interface Invoke {
  readonly id: string
  readonly src: string
  readonly input: unknown
}

/** Thrown where only XState knows what to do. It is nobody's error, so it has no stack. */
export const GIVEN_UP = { message: 'a step was left to XState' }

const NOBODY: readonly never[] = Object.freeze([])
const nobody = () => undefined

/** What looks at nothing but context and event: a view of the rest need not be made for it. */
type Modest = (scene: { readonly context: any; readonly event: any }) => unknown
const modests = new WeakSet<object>()

/** Marks a mapper as one that looks at context and event alone. */
export function modest<M extends Modest>(mapper: M): M {
  modests.add(mapper)
  return mapper
}

export class Stride {
  context: any
  readonly event: MachineEvent
  readonly #moment: Moment
  readonly #before: Pick<Rest, 'timers' | 'actors'>
  #timers: Map<string, Timer> | null = null
  #actors: readonly Actor[]
  #born: Actor[] | null = null
  #acts: Act[] | null = null
  #isDone = false
  #output: unknown
  #cast: Cast | null = null
  /** Said even to those who caught what was thrown. */
  #hasGivenUp = false

  constructor(
    moment: Moment,
    before: Pick<Rest, 'timers' | 'actors'>,
    event: MachineEvent,
    context: unknown,
  ) {
    this.#moment = moment
    this.#before = before
    this.#actors = before.actors
    this.event = event
    this.context = context
  }

  giveUp(): never {
    this.#hasGivenUp = true
    throw GIVEN_UP
  }

  /** What actions and delays are handed; `self` and `system` are made for those who ask. */
  scene(): any {
    const stride = this
    return {
      context: this.context,
      event: this.event,
      get self() {
        return stride.#self
      },
      get system() {
        return stride.#self.system
      },
    }
  }

  /** The same for an assign. What is spawned by it must be made by XState. */
  writing(): any {
    const stride = this
    return {
      context: this.context,
      event: this.event,
      get spawn() {
        return stride.giveUp()
      },
      get self() {
        return stride.#self
      },
      get system() {
        return stride.#self.system
      },
    }
  }

  /** The same for the mapper of an input or an output. */
  mapping(event = this.event): any {
    const stride = this
    return {
      context: this.context,
      event,
      get self() {
        return stride.#self
      },
    }
  }

  /** What a mapper makes of it. */
  mapped(mapper: (scene: any) => unknown, event = this.event): unknown {
    if (modests.has(mapper)) return mapper({ context: this.context, event })
    return mapper(this.mapping(event))
  }

  /** The same for the machine's first context. */
  opening(input: unknown): any {
    const stride = this
    return {
      get spawn() {
        return stride.giveUp()
      },
      input,
      get self() {
        return stride.#self
      },
    }
  }

  act(type: string, params: unknown, exec: Act['exec']): void {
    const self = this.#self
    const info = { context: this.context, event: this.event, self, system: self.system }
    this.#acts ??= []
    this.#acts.push({ type, params, info, exec })
  }

  arm(later: Later): void {
    arm(this.#armed, later, this.#moment.nowMs)
  }

  repeat(timer: Timer): void {
    this.#armed.set(timer.id, repeated(timer, this.#moment.nowMs))
  }

  cancel(id: string): void {
    if (this.#timers || this.#before.timers.length > 0) this.#armed.delete(id)
  }

  /** Of several with one id the last is meant, as in XState. */
  stop(id: string): void {
    const known = this.#actors.findLast((actor) => actor.id === id)
    if (known) this.#actors = this.#actors.filter(({ address }) => !address.equals(known.address))
  }

  spawn({ id, src, input }: Invoke): void {
    const { step, place } = this.#moment
    const given = typeof input === 'function' ? this.mapped(input as Modest) : input
    const address = actorAddress('effect', place.task, id, step)
    this.#born ??= []
    this.#born.push({ id, src, input: given, armedAt: step, kind: 'effect', address })
  }

  finish(output: unknown): void {
    this.#isDone = true
    this.#output = output
  }

  /** What it has come to; null when it has given up. */
  end(value: string, changed: boolean): Step | null {
    if (this.#hasGivenUp) return null
    return {
      rest: this.#isDone ? this.#done(value) : this.#active(value),
      changed,
      acts: this.#acts ?? NOBODY,
      emitted: NOBODY,
      logged: NOBODY,
      sent: NOBODY,
      born: NOBODY,
      left: NOBODY,
    }
  }

  #done(value: string): Rest {
    const output = this.#output === undefined ? {} : { output: this.#output }
    return { value, context: this.context, status: 'done', ...output, timers: [], actors: [] }
  }

  #active(value: string): Rest {
    const born = this.#born
    // An actor's input may be part of the context, and whoever runs the actor may write in it.
    const context = born ? translated(this.context, nobody) : this.context
    const timers = this.#timers ? [...this.#timers.values()] : this.#before.timers
    const actors = born ? [...this.#actors, ...born] : this.#actors
    return { value, context, status: 'active', timers, actors }
  }

  get #armed(): Map<string, Timer> {
    this.#timers ??= new Map(this.#before.timers.map((timer) => [timer.id, timer]))
    return this.#timers
  }

  get #self(): any {
    this.#cast ??= new Cast(this.#moment.place, this.#moment.step)
    return this.#cast.self
  }
}
