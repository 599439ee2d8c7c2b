// Captions: guards, actions and events of a machine in few words, for graphs.
// Promise: reads only; code without a name is called `inline`; what was composed is spelled out.

/** Names that JavaScript itself gives to a function written in the place of a part. */
const PLACES = new Set(['', 'guard', 'actions', 'entry', 'exit', 'src', 'anonymous'])

/** A guard: its name, `not(name)`, `and(one, two)`, `stateIn(a.b)`. */
export function guardCaption(guard: any): string {
  if (typeof guard !== 'function') return named(guard)
  const { name, guards, stateValue } = guard
  if (Array.isArray(guards)) return `${name}(${guards.map(guardCaption).join(', ')})`
  if (stateValue !== undefined) return `stateIn(${shown(stateValue)})`
  return inline(name)
}

/** An action: its name, or what XState's own does: `raise(RING after soon)`. */
export function actionCaption(action: any): string {
  if (typeof action !== 'function') return named(action)
  const kind = /^xstate\.(.+)$/.exec(action.type)?.[1]
  if (kind === undefined) return inline(action.name)
  const what = subject(kind, action)
  const later = action.delay === undefined ? '' : ` after ${delayCaption(action.delay)}`
  return what === '' && later === '' ? kind : `${kind}(${what}${later})`
}

function subject(kind: string, action: any): string {
  if (kind === 'raise' || kind === 'sendTo' || kind === 'emit') return typeOf(action.event)
  if (kind === 'spawnChild') return sourceCaption(action.src)
  if (kind === 'cancel') return shown(action.sendId)
  return kind === 'stopChild' && typeof action.actorRef === 'string' ? action.actorRef : ''
}

/** A delay: its name, its milliseconds, or `inline`. */
export const delayCaption = (delay: unknown): string =>
  typeof delay === 'function' ? 'inline' : String(delay)

/** The source of an actor: its name, or `inline`. */
export const sourceCaption = (src: unknown): string =>
  typeof src === 'string' && !src.startsWith('xstate.invoke.') ? src : 'inline'

const named = (part: any): string => (typeof part === 'string' ? part : shown(part?.type))

const inline = (name: string): string => (PLACES.has(name) ? 'inline' : name)

const typeOf = (event: any): string =>
  typeof event === 'function' ? 'inline' : shown(event?.type ?? event)

function shown(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'function') return 'inline'
  return JSON.stringify(value) ?? String(value)
}
