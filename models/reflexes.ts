// Reflexes: what the house adds to a commit by itself. Conditions that hold, schedules that begin, news for those that wait.
// Promise: what they ask for is part of the commit that brought it about; a condition that throws is told, and costs
// nothing else; a kind without reflexes pays nothing.
import { asError } from '../lib/errors.ts'
import type { Events } from '../lib/events.ts'
import type { NewEvent, Unit } from '../lib/unit.ts'
import { keepsWaiting } from './cadence.ts'
import { hold } from './dress.ts'
import type { Kind, TaskDefinition } from './kind.ts'
import { onlooker, type Seen } from './onlooker.ts'
import { ENDED, repeaterOf } from './repeater.ts'
import { newEvent, newRun, newStop, type RequestParts } from './requests.ts'
import type { Target } from './verbs.ts'

export interface ReflexParts {
  readonly requests: RequestParts
  readonly events: Events
}

type Parts = Pick<Unit, 'step' | 'fields' | 'starts' | 'stops' | 'sends'>

/** Is the life of a resource in `running`, or in a state inside it? */
const isRunning = (state: string): boolean => state === 'running' || state.startsWith('running.')

/** A unit with what the house adds. @param seen the resource with the changes of the unit, in the state before it */
export function withReflexes<U extends Parts>(parts: ReflexParts, seen: Seen, unit: U): U {
  const { kind, resourceId, state: before } = seen
  if (!kind.hasReflexes) return unit
  const { fields, step } = unit
  const state = fields?.state ?? before
  const ended = step?.finished ? kind.today(step.task) : null
  const starts = [...(unit.starts ?? [])]
  const stops = [...(unit.stops ?? [])]
  if (isRunning(state)) {
    const begins = !isRunning(before)
    for (const { name } of kind.schedules) {
      const target = { kind, resourceId, task: repeaterOf(name) }
      if (begins || ended === target.task)
        starts.push(newRun(parts.requests, target, undefined, {}))
    }
    if (begins || ended !== null || (fields && changes(fields))) {
      const wanted = judged(parts, { ...seen, state })
      starts.push(...wanted.starts)
      stops.push(...wanted.stops)
    }
  }
  return withNews(parts.requests, kind, resourceId, { ...unit, starts, stops })
}

/** A unit with news for the schedules that wait for the end of a run. */
export function withNews<U extends Parts>(
  requests: RequestParts,
  kind: Kind,
  resourceId: string,
  unit: U,
): U {
  const { step, stops = [], sends = [] } = unit
  const ended = new Set(
    stops.filter((stop) => stop.resourceId === resourceId).map(({ task }) => task),
  )
  if (step?.finished) ended.add(kind.today(step.task))
  const news: NewEvent[] = []
  for (const { name, terms } of kind.schedules) {
    if (!terms.cadence || !keepsWaiting(terms.cadence) || !ended.has(name)) continue
    news.push(newEvent(requests, { kind, resourceId, task: repeaterOf(name) }, ENDED, {}))
  }
  return news.length === 0 ? unit : { ...unit, sends: [...sends, ...news] }
}

const changes = ({ set, unset }: { set: object; unset: readonly string[] }) =>
  Object.keys(set).length + unset.length > 0

/** What the conditions of a running resource ask for. */
function judged(
  { requests, events }: ReflexParts,
  seen: Seen,
): Required<Pick<Unit, 'starts' | 'stops'>> {
  const { kind, resourceId } = seen
  const starts: NonNullable<Unit['starts']>[number][] = []
  const stops: NonNullable<Unit['stops']>[number][] = []
  for (const definition of kind.conditional) {
    const target: Target = { kind, resourceId, task: definition.name }
    const stop = ask(events, seen, definition, 'shouldStop')
    if (stop !== false) {
      const reason = typeof stop === 'string' ? stop : 'shouldStop holds'
      stops.push(newStop(requests, target.kind, target.resourceId, target.task, { reason }))
    } else if (ask(events, seen, definition, 'shouldStart') !== false)
      starts.push(newRun(requests, target, undefined, { reason: 'shouldStart holds' }))
  }
  return { starts, stops }
}

/** One condition. What it throws, or an answer that is none, counts as "no" and is told. */
function ask(
  events: Events,
  seen: Seen,
  { kind, name: task, options }: TaskDefinition,
  condition: 'shouldStart' | 'shouldStop',
): string | boolean {
  try {
    const answer: unknown = options[condition]?.(hold(onlooker(seen))) ?? false
    // Nobody waits for a promise, nor for what it may fail with.
    if (answer instanceof Promise) answer.catch(() => {})
    const isAnswer =
      typeof answer === 'boolean' || (condition === 'shouldStop' && typeof answer === 'string')
    if (!isAnswer)
      throw new TypeError(
        `it answered with ${typeof answer}; it answers at once, with true or false`,
      )
    return answer as string | boolean
  } catch (thrown) {
    const { resourceId } = seen
    events.emit('condition.failed', { kind, resourceId, task, condition, error: asError(thrown) })
    return false
  }
}
