// The cast: the actors around a machine during one step, as XState wants to see them.
// Promise: nobody in it is alive. Known actors stand as addresses; new ones are made, noted and never started.
import { Address, actorAddress } from './address.ts'
import { actorLogic, isMachine, nameOfLogic } from './blueprint.ts'
import { takePolicy } from './delay.ts'
import type { AnyStateMachine } from './machine-type.ts'
import type { Act, Actor, TimerPolicy } from './rest.ts'

/** One action as XState hands it over: asked for, not done. */
export interface Asked {
  readonly type: string
  readonly params: any
  readonly info: Readonly<Record<string, unknown>>
  readonly exec?: Act['exec']
  /** The policy of the delay that was computed for it. */
  readonly policy?: TimerPolicy
}

/** Where a machine runs: the task it is, who spawned it, and who can be found by a system id. */
export interface Place {
  readonly task: string
  readonly id: string
  readonly parent: Address | null
  readonly system: ReadonlyMap<string, Address>
}

/** A machine by itself. */
export const ALONE: Place = { task: 'task', id: 'task', parent: null, system: new Map() }

const nothing = () => {}

/** What XState's actors ask of their system, without clocks, schedules or deliveries. */
export const INERT = {
  _register: nothing,
  _unregister: nothing,
  _set: nothing,
  get: nothing as (systemId: string) => unknown,
  getAll: () => ({}),
  inspect: () => ({ unsubscribe: nothing }),
  _sendInspectionEvent: nothing as (event: any) => void,
  _relay: nothing as (source: unknown, target: any, event: any) => void,
  scheduler: { schedule: nothing, cancel: nothing, cancelAll: nothing },
  _clock: { setTimeout: nothing, clearTimeout: nothing },
  _logger: nothing,
}

export class Cast {
  /** What XState asked for, in order. */
  readonly asked: Asked[] = []
  /** Actors of XState made in this step, in the order they were made. */
  readonly #made: any[] = []
  readonly #keyed: Map<string, unknown>
  readonly #place: Place
  readonly #step: number
  readonly #self: any
  #booked = 0

  constructor(place: Place, step: number) {
    this.#place = place
    this.#step = step
    this.#keyed = new Map(place.system)
    this.#self = Object.assign(new Address(place.id, place.task), { system: this.#system() })
    if (place.parent) this.#self._parent = place.parent
  }

  get self(): Address {
    return this.#self
  }

  /** The scope XState computes in: every action lands in `asked`, nothing is executed. */
  scope(): any {
    const { task, id } = this.#place
    return {
      self: this.#self,
      id,
      sessionId: task,
      system: this.#self.system,
      logger: nothing,
      defer: nothing,
      emit: nothing,
      stopChild: nothing,
      actionExecutor: (action: Asked) => this.#note(action),
    }
  }

  /**
   * The actors made and not stopped again within the step, as data.
   * @throws when one was made from a logic that has no name to find it by
   */
  born(machine: AnyStateMachine): { actor: Actor; made: unknown }[] {
    const stopped = new Set(this.asked.filter(isStop).map(({ params }) => params))
    const names = new Map<string, number>()
    return this.#made
      .filter((made) => !stopped.has(made))
      .map((made) => ({ made, actor: this.#actor(machine, made, names) }))
  }

  #actor(machine: AnyStateMachine, made: any, names: Map<string, number>): Actor {
    const { id, options, systemId } = made
    const src = nameOfLogic(machine, made.src)
    if (src === null) {
      throw new Error(
        `the actor "${id}" was spawned from a logic without a name, which cannot be found again after a restart; name it in setup({ actors })`,
      )
    }
    const twin = (names.get(id) ?? 0) + 1
    names.set(id, twin)
    const { task } = this.#place
    const kind = isMachine(actorLogic(machine, src)) ? 'task' : 'effect'
    const address = actorAddress(kind, task, id, this.#step, twin)
    return {
      id,
      src,
      input: options.input,
      armedAt: this.#step,
      kind,
      address,
      ...(systemId !== undefined && { systemId }),
      ...(options.syncSnapshot && { sync: true as const }),
    }
  }

  #note(action: Asked): void {
    // XState asks right after it has computed the delay, and does not say where the delay came from.
    const policy = takePolicy()
    this.asked.push(policy === null ? action : { ...action, policy })
    if (!isStop(action) || !action.params) return
    // A system id is free at once, for the actor that takes its place in this very step.
    const { id } = action.params
    for (const [systemId, actor] of this.#keyed) {
      if (actor === action.params || isSame(actor, action.params, id)) this.#keyed.delete(systemId)
    }
  }

  #system(): object {
    const keyed = this.#keyed
    return {
      ...INERT,
      _bookId: () => `x:${this.#step}.${this.#booked++}`,
      _set: (systemId: string, made: any) => this.#key(systemId, made),
      get: (systemId: string) => keyed.get(systemId),
      getAll: () => Object.fromEntries(keyed),
      _sendInspectionEvent: ({ type, actorRef }: any) => {
        // Those of a child that is being made are its own affair, in its own first step.
        if (type === '@xstate.actor' && actorRef._parent === this.#self) this.#made.push(actorRef)
      },
    }
  }

  #key(systemId: string, made: any): void {
    if (made._parent !== this.#self) return
    const known = this.#keyed.get(systemId)
    if (known !== undefined && known !== made)
      throw new Error(`Actor with system ID '${systemId}' already exists.`)
    this.#keyed.set(systemId, made)
  }
}

const isStop = ({ type }: Asked) => type === 'xstate.stopChild'

const isSame = (one: unknown, other: unknown, id: string) =>
  one instanceof Address && other instanceof Address && one.id === id && one.equals(other)

/**
 * A value with addresses in the place of others; the same value when there are none.
 * @param find the address that stands for an object, if one does
 */
export function translated(value: unknown, find: (object: object) => Address | undefined): any {
  if (typeof value !== 'object' || value === null) return value
  const address = find(value)
  if (address) return address
  if (Array.isArray(value)) return value.map((item) => translated(item, find))
  const prototype = Object.getPrototypeOf(value)
  if (prototype === Map.prototype) {
    return new Map([...(value as Map<unknown, unknown>)].map((pair) => translated(pair, find)))
  }
  if (prototype === Set.prototype)
    return new Set([...(value as Set<unknown>)].map((item) => translated(item, find)))
  if (prototype !== Object.prototype && prototype !== null) return value
  const copy: Record<string, unknown> = {}
  for (const [key, part] of Object.entries(value)) {
    const given = translated(part, find)
    if (key === '__proto__') Object.defineProperty(copy, key, { ...OWN, value: given })
    else copy[key] = given
  }
  return copy
}

const OWN = { configurable: true, enumerable: true, writable: true }
