// The chart: a machine of simple shape as it was compiled, and the steps that can be read off it.
// Promise: a step is exactly what XState would have made of it, or none at all; then XState is asked.
import type { MachineEvent, Rest, Step, Timer } from './rest.ts'
import { type Deed, type Moment, Stride } from './stride.ts'

/** May this transition be taken? `at` is the active state, as XState keeps it. */
export type Guard = (context: unknown, event: MachineEvent, at: unknown) => unknown

/** What taking a transition comes to. */
export interface Way {
  /** Says whether the event was taken notice of: a transition that forbids an event does nothing. */
  readonly isTaken: boolean
  /** All that is done, on the way out, on the way and on the way in. */
  readonly deeds: readonly Deed[]
  /** The state it leads to. */
  readonly to: string
}

/** A transition. Where guard or way are null, only XState can tell. */
export interface Rule {
  readonly guard: Guard | null | undefined
  readonly way: Way | null
}

/** Rules of one descriptor with a wildcard. */
export interface Wild {
  readonly descriptor: string
  /** The start of all types it stands for; null when it stands for itself alone. */
  readonly prefix: string | null
  readonly rules: readonly Rule[]
}

export interface ChartState {
  readonly node: unknown
  readonly isFinal: boolean
  /** For every event type that is named anywhere in reach, the rules to be asked in order. */
  readonly rules: ReadonlyMap<string, readonly Rule[]>
  /** For all other types: those of the state, then those of the machine, the longest first. */
  readonly wild: readonly Wild[]
}

export interface Chart {
  readonly states: ReadonlyMap<string, ChartState>
  readonly opening: Way | null
  /** The context a machine begins with, or what makes one of its input. */
  readonly context: unknown
  /** Every event type that is named in it. */
  readonly types: ReadonlySet<string>
  readonly actors: ReadonlySet<string>
}

/** The first step, if the chart can tell. */
export function opened(chart: Chart, input: unknown, moment: Moment): Step | null {
  const { opening, context } = chart
  if (opening === null) return null
  const stride = new Stride(
    moment,
    { timers: [], actors: [] },
    { type: 'xstate.init', input },
    context || {},
  )
  try {
    if (typeof context === 'function')
      stride.context = Object.assign({}, context(stride.opening(input)))
    for (const deed of opening.deeds) deed(stride)
  } catch {
    return null
  }
  return stride.end(opening.to, true)
}

/**
 * One event from rest to rest, if the chart can tell. What throws is left to XState, which says it in its own words.
 * @param fired the timer the event comes from
 */
export function stepped(
  chart: Chart,
  rest: Rest,
  event: MachineEvent,
  moment: Moment,
  fired?: Timer,
): Step | null {
  const state = isSimple(rest) ? chart.states.get(rest.value as string) : undefined
  if (state === undefined || state.isFinal || isOfXState(event.type)) return null
  const stride = new Stride(moment, rest, event, rest.context)
  try {
    const rule = chosen(state, rest.context, event)
    const way = rule === undefined ? null : rule.way
    // An error nobody handles is the end of a machine.
    if (rule === undefined ? event.type.startsWith('xstate.error.actor') : way === null) return null
    if (fired?.everyMs) stride.repeat(fired)
    if (way === null) return stride.end(rest.value as string, false)
    for (const deed of way.deeds) deed(stride)
    return stride.end(way.to, way.isTaken)
  } catch {
    return null
  }
}

/** Does the machine still know all that this rest speaks of? Only a yes is an answer. */
export function holds(chart: Chart, rest: Rest): boolean {
  return (
    isSimple(rest) &&
    chart.states.has(rest.value as string) &&
    rest.actors.every(({ src, ended }) => ended || chart.actors.has(src)) &&
    rest.timers.every(({ event, to }) => to || isKept(chart, event.type))
  )
}

const isKept = ({ types }: Chart, type: string) =>
  !type.startsWith('xstate.after.') || types.has(type)

/** Can a flat machine rest so? */
function isSimple({ value, context, status, order, history, actors }: Rest): boolean {
  return (
    status === 'active' &&
    typeof value === 'string' &&
    typeof context === 'object' &&
    context !== null &&
    order === undefined &&
    history === undefined &&
    actors.every(({ kind }) => kind === 'effect')
  )
}

const isOfXState = (type: unknown) =>
  type === 'xstate.stop' || type === 'xstate.init' || typeof type !== 'string'

const UNTOLD: Rule = { guard: undefined, way: null }

/** The first transition that may be taken, asked in XState's order; undefined for none. */
function chosen(state: ChartState, context: unknown, event: MachineEvent): Rule | undefined {
  for (const rule of state.rules.get(event.type) ?? wildFor(state, event.type)) {
    if (rule.guard === undefined) return rule
    if (rule.guard === null) return UNTOLD
    if (rule.guard(context, event, state.node)) return rule
  }
  return undefined
}

function wildFor({ wild }: ChartState, type: string): readonly Rule[] {
  return wild.flatMap((one) => (isMeant(one, type) ? one.rules : []))
}

/** Does a descriptor with a wildcard stand for this type? */
export function isMeant({ prefix }: Pick<Wild, 'prefix'>, type: string): boolean {
  return prefix !== null && `${type}.`.startsWith(prefix)
}
