// What a state says of a panic in it: `meta: { playbook, severity }`.
// Promise: the innermost state that says something counts; what is no text and no severity is not heard.
import type { StateNode } from './blueprint.ts'
import type { AnyStateMachine } from './machine-type.ts'
import { SEVERITIES, type Severity } from './notice.ts'
import type { StateValue } from './rest.ts'

export interface Advice {
  readonly severity: Severity | null
  readonly playbook: string | null
}

/** @param value where the task rests; null before its first step */
export function adviceOf(machine: AnyStateMachine, value: StateValue | null): Advice {
  const metas = active(machine.root, value ?? {}).map(({ meta }) => meta)
  const severity = metas.map((meta) => meta?.severity).find((one) => SEVERITIES.includes(one))
  const playbook = metas.map((meta) => meta?.playbook).find((one) => typeof one === 'string' && one)
  return { severity: severity ?? null, playbook: playbook ?? null }
}

/** The states of a value, innermost first; those the machine does not have are passed over. */
function active(node: StateNode, value: StateValue | undefined): StateNode[] {
  const entries = typeof value === 'string' ? [[value, {}] as const] : Object.entries(value ?? {})
  const within = entries.flatMap(([key, part]) =>
    Object.hasOwn(node.states, key) ? active(node.states[key], part) : [],
  )
  return [...within, node]
}
