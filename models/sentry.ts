// The sentry: asks the rules of a resource whether an alarm is to be raised or cleared.
// Promise: never throws; a rule that does, or answers with something else than yes or no, is told.
import type { AlarmAbout, AlarmSignal, Watched, WatchedTask } from '../lib/alarm.ts'
import type { Sealer } from '../lib/codec.ts'
import { asError } from '../lib/errors.ts'
import type { Events } from '../lib/events.ts'
import { storable } from '../lib/text.ts'
import type { Rule, Standing, TaskStanding } from './alarm-rule.ts'
import { availabilityOf } from './availability.ts'
import { hold } from './dress.ts'
import type { Kind } from './kind.ts'
import { onlooker } from './onlooker.ts'
import type { Registry } from './registry.ts'
import { Sheet } from './sheet.ts'

/** What the rules say of a resource. */
export function ruled(
  parts: {
    readonly registry: Registry
    readonly events: Events
    readonly requests: { readonly sealer: Sealer; readonly actor: string }
  },
  watched: Watched,
  nowMs: number,
): AlarmSignal[] {
  const { registry, events, requests } = parts
  if (!registry.has(watched.kind)) return []
  const kind = registry.find(watched.kind)
  if (kind.rules.length === 0) return []
  const standing = standingOf(kind, watched, requests.sealer, nowMs)
  return kind.rules.flatMap((rule): AlarmSignal[] => {
    const key = `${watched.resourceId}/${rule.name}`
    const known = watched.active.find((one) => one.key === key)
    const author = { actor: requests.actor, reason: `the rule ${rule.name}` }
    try {
      if (known && !known.isClearing)
        return isOver(rule, standing) ? [{ key, event: { type: 'CLEAR' }, ...author }] : []
      if (!asked(rule.options.when, standing) || (rule.options.until && isOver(rule, standing)))
        return []
      return [{ key, event: { type: 'RAISE', about: aboutOf(kind, rule, standing) }, ...author }]
    } catch (thrown) {
      const { resourceId } = watched
      const told = { kind: kind.name, resourceId, rule: rule.name, error: asError(thrown) }
      events.emit('rule.failed', told)
      return []
    }
  })
}

const isOver = ({ options: { when, until } }: Rule, standing: Standing): boolean =>
  until ? asked(until, standing) : !asked(when, standing)

function asked(question: (standing: Standing) => unknown, standing: Standing): boolean {
  const answer = question(standing)
  if (typeof answer === 'boolean' || answer === undefined || answer === null) return answer === true
  // Nobody waits for a promise, nor for what it may fail with.
  if (answer instanceof Promise) answer.catch(() => {})
  throw new TypeError(`it answered with ${typeof answer}; it answers at once, with true or false`)
}

function aboutOf(kind: Kind, rule: Rule, standing: Standing): AlarmAbout {
  const { name, forMs, clearForMs, flap, options } = rule
  const { severity = 'error', message, playbook = null, labels = {} } = options
  const text = typeof message === 'function' ? message(standing) : message
  return {
    ...{ name, severity, playbook, forMs, clearForMs, flap },
    ...{ kind: kind.name, resourceId: standing.resource.id, taskId: null, task: null },
    closes: 'told',
    message: storable(String(text ?? `${kind.name} is ${name}`), 1_000),
    labels: { ...kind.labels, ...labels },
    detail: null,
  }
}

function standingOf(kind: Kind, watched: Watched, sealer: Sealer, now: number): Standing {
  const { resourceId, parentId, state, fields, availability, tasks } = watched
  const sheet = new Sheet(resourceId, kind.fields, sealer, fields, 0)
  const read = (name: string) => sheet.read(name)
  return {
    resource: hold(onlooker({ kind, resourceId, parentId, state, read })),
    state,
    availability: availabilityOf(availability),
    tasks: Object.fromEntries(tasks.map((task) => [kind.today(task.task), taskStanding(task)])),
    now,
  }
}

const taskStanding = ({ taskId, status, state, step, movedAt }: WatchedTask): TaskStanding => ({
  ...{ taskId, status, state, step },
  since: movedAt,
})
