// What XState asked for in one step, as data of ours: timers kept, actors armed, actions to perform.
// Promise: nothing is dropped in silence; what cannot be durable here is an error that names it.
import { Address } from './address.ts'
import { type Asked, type Cast, translated } from './cast.ts'
import type { AnyStateMachine } from './machine-type.ts'
import type { Act, Actor, Logged, MachineEvent, Rest, Sent, Step, Timer } from './rest.ts'

export interface Settling {
  readonly machine: AnyStateMachine
  readonly cast: Cast
  /** What XState made of the event. */
  readonly next: any
  readonly before: Pick<Rest, 'timers' | 'actors'>
  readonly changed: boolean
  readonly nowMs: number
  /** The cadence that fired, if it was one. */
  readonly fired?: Timer | undefined
}

/** Folds what XState asked for into the next rest. */
export function settle(settling: Settling): Step {
  const { machine, cast, next, before, changed, nowMs } = settling
  const born = cast.born(machine)
  const stand = new Map<unknown, Address>(born.map(({ made, actor }) => [made, actor.address]))
  const fold = new Fold(before, cast, stand, nowMs)
  if (settling.fired?.everyMs) fold.repeat(settling.fired)
  for (const asked of cast.asked) fold.take(asked)
  const active = next.status === 'active'
  const arrived = born.map(({ actor }) => actor)
  const stays = fold.actors.filter(({ address }) => !fold.stopped.has(address))
  const rest: Rest = {
    value: next.value,
    context: fold.told(next.context),
    ...orderOf(next),
    ...historyOf(next),
    status: next.status,
    ...(next.output === undefined ? {} : { output: fold.told(next.output) }),
    timers: active ? [...fold.timers.values()] : [],
    actors: active ? [...stays, ...arrived] : [],
  }
  const isTask = ({ kind, ended }: Actor) => kind === 'task' && !ended
  return {
    rest,
    changed,
    acts: fold.acts,
    emitted: fold.emitted,
    logged: fold.logged,
    sent: fold.sent,
    born: active ? arrived.filter(isTask) : [],
    left: fold.actors.filter((actor) => isTask(actor) && !rest.actors.includes(actor)),
    ...(next.status === 'error' ? { error: next.error } : {}),
  }
}

class Fold {
  readonly timers: Map<string, Timer>
  readonly actors: readonly Actor[]
  readonly stopped = new Set<Address>()
  readonly acts: Act[] = []
  readonly emitted: MachineEvent[] = []
  readonly logged: Logged[] = []
  readonly sent: Sent[] = []
  readonly #cast: Cast
  readonly #stand: ReadonlyMap<unknown, Address>
  readonly #nowMs: number

  constructor(
    { timers, actors }: Pick<Rest, 'timers' | 'actors'>,
    cast: Cast,
    stand: ReadonlyMap<unknown, Address>,
    nowMs: number,
  ) {
    this.timers = new Map(timers.map((timer) => [timer.id, timer]))
    this.actors = actors
    this.#cast = cast
    this.#stand = stand
    this.#nowMs = nowMs
  }

  /** The next beat of a cadence. Leaving its state will take it away. */
  repeat(timer: Timer): void {
    this.timers.set(timer.id, repeated(timer, this.#nowMs))
  }

  /** A value as it can be kept: addresses for the actors that were made in the step. */
  told(value: unknown): any {
    const stand = this.#stand
    return stand.size === 0 ? value : translated(value, (object) => stand.get(object))
  }

  take({ type, params, info, exec, policy }: Asked): void {
    switch (type) {
      case 'xstate.raise':
        if (typeof params.delay === 'number') this.#arm(params, policy)
        return
      case 'xstate.sendTo':
        this.#send(params, policy)
        return
      case 'xstate.cancel':
        this.timers.delete(params.sendId)
        return
      case 'xstate.stopChild':
        this.#stop(params)
        return
      case 'xstate.emit':
        this.emitted.push(this.told(params.event))
        return
      case 'xstate.log':
        this.logged.push({ label: params.label ?? null, value: params.value })
        return
      case 'xstate.spawnChild':
        // The cast has noted whom it made; without a logic XState makes nobody, and says nothing.
        if (!params.actorRef) throw new Error(`there is no actor "${String(params.src)}" to spawn`)
        return
      default:
        this.acts.push(custom(type, params, info, exec))
    }
  }

  #send({ to, event, id, delay }: any, policy: Timer['policy']): void {
    const address = to === this.#cast.self ? this.#cast.self : (this.#stand.get(to) ?? to)
    // An actor that was made and stopped within the step has no address: XState drops what it is sent.
    if (!(address instanceof Address)) return
    const told = this.told(escalated(event, this.#cast.self.id))
    if (typeof delay === 'number') this.#arm({ event: told, id, delay, to: address }, policy)
    else this.sent.push({ to: address, event: told })
  }

  #stop(params: unknown): void {
    if (!(params instanceof Address)) return
    for (const { address } of this.actors) if (address.equals(params)) this.stopped.add(address)
  }

  #arm({ event, id, delay, to }: any, policy: Timer['policy']): void {
    const elsewhere = to !== undefined && !this.#cast.self.equals(to) ? { to } : {}
    arm(this.timers, { event: this.told(event), id, delay, policy, ...elsewhere }, this.#nowMs)
  }
}

/** An event that is to come later; without an id it gets one. */
export interface Later {
  readonly event: MachineEvent
  readonly id: string | undefined
  /** Milliseconds, as far as the machine got it right. */
  readonly delay: number
  readonly policy: Timer['policy']
  readonly to?: Address
}

/** @throws when the delay is no length of time */
export function arm(timers: Map<string, Timer>, later: Later, nowMs: number): void {
  const { event, delay, policy, to } = later
  if (!Number.isFinite(delay)) {
    throw new Error(`the delay of "${event.type}" is ${delay}, not a number of milliseconds`)
  }
  const id = later.id ?? unused(timers, event.type)
  const delayMs = Math.max(0, delay)
  const everyMs = everyMsOf(id)
  // Armed last, so that among equals it fires last.
  timers.delete(id)
  timers.set(id, {
    id,
    event,
    dueAt: nowMs + delayMs,
    ...(policy !== undefined && policy !== 'deadline' && { policy, delayMs }),
    ...(everyMs !== null && { everyMs }),
    ...(to !== undefined && { to }),
  })
}

/** The next beat of a cadence: those that were missed are one. */
export function repeated({ everyMs = 0, ...timer }: Timer, nowMs: number): Timer {
  const missed = Math.floor(Math.max(0, nowMs - timer.dueAt) / everyMs)
  return { ...timer, everyMs, dueAt: timer.dueAt + (missed + 1) * everyMs }
}

/** The id of the timer that beats for a state with `meta.tick`. */
export const cadenceId = (stateId: string, everyMs: number): string =>
  `__tick__${everyMs}.${stateId}`

const everyMsOf = (id: string): number | null => {
  const found = /^__tick__(\d+)\./.exec(id)
  return found ? Number(found[1]) : null
}

/** XState's old way to fail towards the parent. */
const escalated = (event: MachineEvent, id: string): MachineEvent =>
  event.type === 'xstate.error'
    ? { type: `xstate.error.actor.${id}`, error: event.data, actorId: id }
    : event

/** A delayed event without an id is one of its own, even beside others of its name. */
function unused(timers: Map<string, Timer>, name: string): string {
  for (let count = 1; ; count++) if (!timers.has(`${name}#${count}`)) return `${name}#${count}`
}

function custom(type: string, params: unknown, info: Asked['info'], exec: Asked['exec']): Act {
  if (type.startsWith('xstate.')) throw new Error(`the action ${type} is not durable here`)
  if (typeof exec !== 'function') throw new Error(`the action "${type}" has no implementation`)
  return { type, params, info, exec }
}

/** A column keeps no order of keys, and without parallel states there is none to keep. */
function orderOf({ _nodes: nodes }: any): Pick<Rest, 'order'> {
  return nodes.some(({ type }: any) => type === 'parallel')
    ? { order: nodes.map(({ id }: any) => id) }
    : {}
}

function historyOf(next: any): Pick<Rest, 'history'> {
  const entries = Object.entries(next.historyValue as Record<string, { id: string }[]>)
  if (entries.length === 0) return {}
  return {
    history: Object.fromEntries(entries.map(([key, nodes]) => [key, nodes.map(({ id }) => id)])),
  }
}
