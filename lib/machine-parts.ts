// The parts of a chart: actions and guards of XState made into plain functions.
// Promise: an action or a guard that is not known here to the letter comes to nothing, and XState is asked.
import { type AnyStateMachine, and, assign, cancel, not, or, raise, stateIn } from 'xstate'
import type { StateNode } from './blueprint.ts'
import type { Guard } from './chart.ts'
import { takePolicy } from './delay.ts'
import type { MachineEvent } from './rest.ts'
import type { Deed } from './stride.ts'

/** XState's own actions and guards are known by what they are resolved with. */
const resolverOf = (own: unknown) => (own as { resolve: unknown }).resolve
const checkerOf = (own: unknown) => (own as { check: unknown }).check
const ASSIGN = resolverOf(assign({}))
const RAISE = resolverOf(raise({ type: '' }))
const CANCEL = resolverOf(cancel(''))
const AND = checkerOf(and([]))
const OR = checkerOf(or([]))
const NOT = checkerOf(not(() => true))
const IN = checkerOf(stateIn('#'))

/** How deep guards may be made of guards; one that is made of itself is XState's. */
const MOST_LEVELS = 20

/** Of several parts, each known; null when one is not. */
export function all<T>(parts: readonly (T | null)[]): T[] | null {
  return parts.includes(null) ? null : (parts as T[])
}

/** Actions and guards of one machine. */
export class Parts {
  readonly #machine: AnyStateMachine

  constructor(machine: AnyStateMachine) {
    this.#machine = machine
  }

  /** A state by its id; null where XState finds none. */
  node(name: string): StateNode | null {
    try {
      return this.#machine.getStateNodeById(name)
    } catch {
      return null
    }
  }

  deeds(actions: readonly any[]): Deed[] | null {
    return all(actions.map((action) => this.#deed(action)))
  }

  #deed(action: any): Deed | null {
    const { actions, delays } = this.#machine.implementations as any
    const isInline = typeof action === 'function'
    const name = typeof action === 'string' ? action : action?.type
    const does = isInline ? action : actions[name]
    if (typeof does !== 'function') return null
    const params = isInline || typeof action === 'string' ? NONE : paramsOf(action)
    if ('resolve' in does) {
      if (does.resolve === ASSIGN) return assigning(does.assignment, params)
      if (does.resolve === RAISE) return raising(does, delays, params)
      return does.resolve === CANCEL ? cancelling(does.sendId, params) : null
    }
    const type = isInline ? action.name || '(anonymous)' : name
    if (type.startsWith('xstate.')) return null
    return (on) => on.act(type, params(on.context, on.event), does)
  }

  guard(guard: any, level = 0): Guard | null {
    const isInline = typeof guard === 'function'
    const name = typeof guard === 'string' ? guard : guard?.type
    const asks = isInline ? guard : (this.#machine.implementations.guards as any)[name]
    if (asks === undefined || asks === null || level === MOST_LEVELS) return null
    // A name may stand for another.
    if (typeof asks !== 'function') return this.guard(asks, level + 1)
    const params = isInline || typeof guard === 'string' ? NONE : paramsOf(guard)
    if (!('check' in asks)) {
      if (params === NONE) return (context, event) => asks({ context, event }, undefined)
      return (context, event) => asks({ context, event }, params(context, event))
    }
    return params === NONE ? this.#builtin(asks, level) : null
  }

  #builtin({ check, guards, stateValue }: any, level: number): Guard | null {
    if (check === IN) {
      const node = String(stateValue).startsWith('#') ? this.node(stateValue) : null
      return node && ((_context, _event, at) => at === node || node === this.#machine.root)
    }
    if (check !== AND && check !== OR && check !== NOT) return null
    const parts = all<Guard>(guards.map((part: any) => this.guard(part, level + 1)))
    if (parts === null) return null
    if (check === AND) return (...asked) => parts.every((part) => part(...asked))
    if (check === OR) return (...asked) => parts.some((part) => part(...asked))
    return (...asked) => !parts[0]?.(...asked)
  }
}

/** Params of an action or a guard: none, always the same, or computed. */
type Params = (context: unknown, event: MachineEvent) => any

const NONE: Params = () => undefined

function paramsOf(named: { readonly params?: unknown }): Params {
  const { params } = named
  if (typeof params === 'function') return (context, event) => params({ context, event })
  return params === undefined ? NONE : () => params
}

function assigning(assignment: any, params: Params): Deed {
  return (on) => {
    const given = params(on.context, on.event)
    const args = on.writing()
    const update: any = typeof assignment === 'function' ? assignment(args, given) : {}
    if (typeof assignment !== 'function') {
      for (const [key, part] of Object.entries<any>(assignment)) {
        update[key] = typeof part === 'function' ? part(args, given) : part
      }
    }
    on.context = Object.assign({}, on.context, update)
  }
}

/** A delayed event; one without a delay is XState's to work off. */
function raising({ event, id, delay }: any, delays: any, params: Params): Deed | null {
  if (typeof event === 'string') return null
  const length = typeof delay === 'string' ? delays?.[delay] : delay
  if (typeof length === 'number' && typeof event !== 'function') {
    const later = { event, id, delay: length, policy: undefined }
    return (on) => {
      params(on.context, on.event)
      on.arm(later)
    }
  }
  if (typeof length !== 'number' && typeof length !== 'function') return null
  return (on) => {
    const scene = on.scene()
    const given = params(on.context, on.event)
    const told = typeof event === 'function' ? event(scene, given) : event
    const ms = typeof length === 'function' ? length(scene, given) : length
    const policy = takePolicy() ?? undefined
    if (typeof ms !== 'number') on.giveUp()
    on.arm({ event: told, id, delay: ms, policy })
  }
}

function cancelling(sendId: unknown, params: Params): Deed {
  return (on) => {
    const given = params(on.context, on.event)
    on.cancel(typeof sendId === 'function' ? sendId(on.scene(), given) : (sendId as string))
  }
}
