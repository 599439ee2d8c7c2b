// What XState asked for in one step, as data of ours: timers kept, effects armed, actions to perform.
// Promise: nothing is dropped in silence; what cannot be durable here is an error that names it.
import type { Act, MachineEvent, Rest, Step, Timer } from './rest.ts'

/** One action as XState hands it over: asked for, not done. */
export interface Asked {
  readonly type: string
  readonly params: any
  readonly info: Readonly<Record<string, unknown>>
  readonly exec?: Act['exec']
}

/** Folds what XState asked for into the next rest. */
export function settle(
  next: any,
  asked: readonly Asked[],
  before: Pick<Rest, 'timers' | 'effects'>,
  changed: boolean,
  step: number,
  nowMs: number,
): Step {
  const timers = new Map(before.timers.map((timer) => [timer.id, timer]))
  const effects = new Map(before.effects.map((effect) => [effect.id, effect]))
  const acts: Act[] = []
  const emitted: MachineEvent[] = []
  for (const { type, params, info, exec } of asked) {
    switch (type) {
      case 'xstate.raise':
        if (typeof params.delay !== 'number') break
        arm(timers, params, nowMs)
        break
      case 'xstate.cancel':
        timers.delete(params.sendId)
        break
      case 'xstate.spawnChild':
        effects.set(params.id, {
          id: params.id,
          src: params.src,
          input: params.input,
          armedAt: step,
        })
        break
      case 'xstate.stopChild':
        if (params) effects.delete(params.id)
        break
      case 'xstate.emit':
        emitted.push(params.event)
        break
      case 'xstate.log':
        break
      default:
        acts.push(custom(type, params, info, exec))
    }
  }
  const active = next.status === 'active'
  const rest: Rest = {
    value: next.value,
    context: next.context,
    ...historyOf(next),
    status: next.status,
    ...(next.output === undefined ? {} : { output: next.output }),
    timers: active ? [...timers.values()] : [],
    effects: active ? [...effects.values()] : [],
  }
  return { rest, changed, acts, emitted, ...(next.status === 'error' ? { error: next.error } : {}) }
}

function arm(timers: Map<string, Timer>, raised: any, nowMs: number): void {
  if (!Number.isFinite(raised.delay)) {
    throw new Error(
      `the delay of "${raised.event.type}" is ${raised.delay}, not a number of milliseconds`,
    )
  }
  const id = raised.id ?? unused(timers, raised.event.type)
  timers.set(id, { id, event: raised.event, dueAt: nowMs + Math.max(0, raised.delay) })
}

/** A delayed event without an id is one of its own, even beside others of its name. */
function unused(timers: Map<string, Timer>, name: string): string {
  for (let count = 1; ; count++) if (!timers.has(`${name}#${count}`)) return `${name}#${count}`
}

function custom(type: string, params: unknown, info: Asked['info'], exec: Asked['exec']): Act {
  if (type.startsWith('xstate.')) throw new Error(`the action ${type} is not durable here`)
  if (typeof exec !== 'function') throw new Error(`the action "${type}" has no implementation`)
  return { type, params, info, exec }
}

function historyOf(next: any): Pick<Rest, 'history'> {
  const entries = Object.entries(next.historyValue as Record<string, { id: string }[]>)
  if (entries.length === 0) return {}
  return {
    history: Object.fromEntries(entries.map(([key, nodes]) => [key, nodes.map(({ id }) => id)])),
  }
}
