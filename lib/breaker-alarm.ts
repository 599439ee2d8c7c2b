// The alarm of a breaker: what is told when it shuts, and when it opens.
// Promise: one alarm a scope; figures and names only.
import type { AlarmSignal } from './alarm.ts'
import type { HoldSignal } from './hold.ts'

export interface Figures {
  readonly ok: number
  readonly failed: number
  readonly round: number
}

const PLAYBOOK =
  'See `escapement breakers` and the failures behind it. It tries again by itself; `escapement breakers open` does at once.'

export function breakerRaised(
  { scope, actor, reason, until }: HoldSignal,
  figures: Figures,
): AlarmSignal {
  const [what, name = ''] = split(scope)
  const [kind = null, task = null] = what === 'task' ? name.split('.') : []
  const about = {
    ...{ name: 'breaker', kind, resourceId: null, taskId: null, task, closes: 'told' as const },
    ...{ severity: 'error' as const, playbook: PLAYBOOK, labels: { scope } },
    message: `The breaker of ${what} ${name} is shut: ${reason ?? 'no reason was given'}.`,
    detail: { ...figures, until },
    ...{ forMs: 0, clearForMs: 0, flap: null },
  }
  return { key: `breaker/${scope}`, event: { type: 'RAISE', about }, actor, reason }
}

export function breakerCleared({ scope, actor, reason }: HoldSignal): AlarmSignal {
  return { key: `breaker/${scope}`, event: { type: 'CLEAR' }, actor, reason }
}

function split(scope: string): [string, string] {
  const at = scope.indexOf(':')
  return [scope.slice(0, at), scope.slice(at + 1)]
}
