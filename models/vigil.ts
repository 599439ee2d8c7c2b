// The vigil: what the house itself tells of a unit. A task that was parked raises its alarm in the commit that parks
// it; a state that must not last sets one that waits; resources with rules are named, so that these are asked.
// Promise: a unit nobody watches comes back as it was.
import type { AlarmAbout, AlarmSignal } from '../lib/alarm.ts'
import { stuckAfterMs } from '../lib/patience.ts'
import type { NewFailure, StepChange, Unit } from '../lib/unit.ts'
import { NONE } from './change.ts'
import type { Kind, TaskDefinition } from './kind.ts'
import type { Registry } from './registry.ts'
import { alarmKey } from './signals.ts'

type Parts = Partial<Unit>

/** How long a handler of panics has before the alarm opens all the same. */
export const CLIMB_MS = 60_000

/**
 * A unit of a tick, with the alarms that belong to it.
 * @param isHandled does somebody handle the panics of this resource? Its alarms wait for them
 */
export function withVigil<U extends Parts>(
  registry: Registry,
  isHandled: boolean,
  kind: Kind,
  resourceId: string,
  unit: U,
): U {
  const { step } = unit
  const parked = step?.transition ? parkedAlarm(kind, unit, isHandled) : NONE
  const stuck = step?.transition ? stuckAlarm(kind, step) : NONE
  const watches = registry.hasRules ? watched(registry, kind, resourceId, unit) : NONE
  if (parked.length + stuck.length + watches.length === 0) return unit
  return { ...unit, alarms: [...(unit.alarms ?? []), ...parked, ...stuck], watches }
}

/** The resources whose rules may answer otherwise after this unit. */
export function watched(
  registry: Registry,
  kind: Kind,
  resourceId: string,
  { step, fields, starts = [], stops = [], reports = [], marks = [], creates = [] }: Parts,
): string[] {
  if (!registry.hasRules) return []
  const others = [...starts, ...stops, ...reports, ...marks].map((one) => one.resourceId)
  const ids = new Set([...others, ...creates.map(({ id }) => id)])
  // Of others it is not known here whether they have rules; of this one it is.
  if (step?.transition || fields) ids.add(resourceId)
  if (kind.rules.length === 0) ids.delete(resourceId)
  return [...ids]
}

const TIMEOUTS = ['STATE_TIMEOUT', 'EFFECT_TIMEOUT', 'EFFECT_SILENT', 'EFFECT_OVERDUE']

/** What an alarm about a parked task is called. */
function nameOf(step: StepChange, { code, class: name }: NewFailure): string {
  if (step.status === 'stranded') return 'stranded'
  if (code === 'TASK_POISONOUS') return 'poison'
  return TIMEOUTS.includes(code ?? '') || name === 'TimeoutError' ? 'timeout' : 'panic'
}

/** The alarm of the unit that parks a task; none for any other. */
export function parkedAlarm(
  kind: Kind,
  { step, failures }: Parts,
  isHandled: boolean,
): readonly AlarmSignal[] {
  const failure = failures?.at(-1)
  if (!step?.transition || !failure) return NONE
  if (step.status !== 'panicked' && step.status !== 'stranded') return NONE
  const { severity, message, playbook, id: failureId, code } = failure
  const about: AlarmAbout = {
    ...aboutOf(kind, step, nameOf(step, failure)),
    ...{ closes: 'freed', severity, message, playbook },
    detail: { failureId, step: step.step, state: step.transition.from, code },
    forMs: isHandled ? CLIMB_MS : 0,
  }
  return [raised(step, about)]
}

function stuckAlarm(kind: Kind, step: StepChange): readonly AlarmSignal[] {
  const { transition, status, finished } = step
  if (finished || status !== 'running' || transition?.from === transition?.to) return NONE
  const definition = definitionOf(kind, step.task)
  const forMs = definition && stuckAfterMs(definition.machine, step.state)
  if (!definition || !forMs) return NONE
  const about: AlarmAbout = {
    ...aboutOf(kind, step, 'stuck'),
    ...{ closes: 'moved', severity: 'warning', playbook: null, detail: { state: step.state } },
    message: `Task ${definition.name} of ${kind.name} has been in ${step.state} for longer than it should`,
    forMs,
  }
  return [raised(step, about)]
}

/** Of spawned runs nobody declared how long they may take here. */
const definitionOf = (kind: Kind, task: string): TaskDefinition | null =>
  task.includes('/') || !kind.has(task) ? null : kind.task(task)

function aboutOf(
  kind: Kind,
  { resourceId, taskId, task }: StepChange,
  name: string,
): Omit<AlarmAbout, 'closes' | 'severity' | 'message' | 'playbook' | 'detail' | 'forMs'> {
  const { labels } = kind
  const naming = { kind: kind.name, resourceId, taskId, task: kind.today(task) }
  return { ...naming, name, labels, clearForMs: 0, flap: null }
}

function raised({ resourceId, transition }: StepChange, about: AlarmAbout): AlarmSignal {
  return {
    key: alarmKey(resourceId, about.task, about.name),
    event: { type: 'RAISE', about },
    actor: transition?.actor ?? '',
    reason: transition?.reason ?? null,
  }
}
