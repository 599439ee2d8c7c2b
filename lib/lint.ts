// The check of a machine's definition: everything that can be seen to be wrong before anything runs.
// Promise: pure, and never throws whatever the machine; the machines within are checked too, each once.
// docs/machines.md says of each rule what it finds, why, and the way out.
import { actorLogic, ancestorsOf, deedsOf, isMachine, nodesOf } from './blueprint.ts'
import { withCadence } from './machine-cadence.ts'
import type { AnyStateMachine } from './machine-type.ts'
import { failureUnhandled, spawnUnnamed, undurable } from './rules/actors.ts'
import { unstorable } from './rules/context.ts'
import { endless } from './rules/cycles.ts'
import { lostIds, lostTargets, missing } from './rules/names.ts'
import type { Found, Severity } from './rules/rule.ts'
import { deafTicks, falseEnds } from './rules/ticks.ts'
import { inlined, unnamed } from './rules/timers.ts'
import { deadEnds, leftFinals, unreachable } from './rules/ways.ts'

/** Something to correct in a machine. */
export interface Finding {
  /** The state by its id, what holds a machine within before it and ` > `. */
  readonly path: string
  readonly rule: RuleName
  /** An error stops the app from loading; a warning is told by `escapement machines lint`. */
  readonly severity: Severity
  readonly problem: string
  readonly wayOut: string
}

interface Rule {
  readonly severity: Severity
  check(machine: AnyStateMachine): Found[]
}

const error = (check: Rule['check']): Rule => ({ severity: 'error', check })
const warning = (check: Rule['check']): Rule => ({ severity: 'warning', check })

/** Every rule, errors first. A finding may be less severe than its rule. */
export const RULES = {
  'part-missing': error(missing),
  'target-missing': error(lostTargets),
  'id-ambiguous': error(lostIds),
  'actor-undurable': error(undurable),
  'spawn-unnamed': error(spawnUnnamed),
  'context-unstorable': error(unstorable),
  'eventless-cycle': error(endless),
  'tick-unheard': error(deafTicks),
  'timeout-invalid': error(falseEnds),
  'state-unreachable': warning(unreachable),
  'dead-end': warning(deadEnds),
  'final-left': warning(leftFinals),
  'failure-unhandled': warning(failureUnhandled),
  'delay-inlined': warning(inlined),
  'timer-unnamed': warning(unnamed),
} as const satisfies Record<string, Rule>

export type RuleName = keyof typeof RULES

/**
 * Checks a machine and every machine within it.
 * @returns what was found: the machine's own findings first, in the order of the rules, and within a
 *   rule in the order of the states; warnings that a state accepts by `meta.allows` are left out
 */
export function lint(machine: AnyStateMachine): Finding[] {
  const seen = new Set<AnyStateMachine>([machine])
  const waiting = [{ prefix: '', machine }]
  const findings: Finding[] = []
  // The list grows while it is walked.
  for (const { prefix, machine: at } of waiting) {
    findings.push(...checked(at).map((found) => ({ ...found, path: `${prefix}${found.path}` })))
    for (const { place, logic } of within(at)) {
      if (seen.has(logic)) continue
      seen.add(logic)
      waiting.push({ prefix: `${prefix}${place} > `, machine: logic })
    }
  }
  return findings
}

/** What a state asks for in its meta leads on like what it says in words. */
function writtenOut(machine: AnyStateMachine): AnyStateMachine {
  try {
    return withCadence(machine)
  } catch {
    return machine
  }
}

function checked(original: AnyStateMachine): Finding[] {
  const machine = writtenOut(original)
  const rules = Object.entries(RULES) as [RuleName, Rule][]
  return rules.flatMap(([rule, { severity: usual, check }]) =>
    check(machine).flatMap(({ at, severity = usual, problem, wayOut }) => {
      if (severity === 'warning' && isAllowed(machine, at, rule)) return []
      return [{ path: typeof at === 'string' ? at : at.id, rule, severity, problem, wayOut }]
    }),
  )
}

/** A state may accept a warning for itself and all within; the root does so for the whole machine. */
function isAllowed(machine: AnyStateMachine, at: Found['at'], rule: RuleName): boolean {
  const around = typeof at === 'string' ? [machine.root] : [at, ...ancestorsOf(at)]
  return around.some(({ meta }) => [meta?.allows].flat().includes(rule))
}

/** Machines that are invoked, spawned without a name, or only provided. */
function within(machine: AnyStateMachine): { place: string; logic: AnyStateMachine }[] {
  const provided = Object.entries(machine.implementations.actors).map(([name, logic]) => ({
    place: `actors.${name}`,
    logic: logic as unknown,
  }))
  const invoked = nodesOf(machine).flatMap(({ id, invoke }) =>
    invoke.map(({ src }: any) => ({ place: `${id}`, logic: actorLogic(machine, src) })),
  )
  const spawned = deedsOf(machine).map(({ at, action }) => ({
    place: `${typeof at === 'string' ? at : at.id}`,
    logic: action?.type === 'xstate.spawnChild' ? action.src : null,
  }))
  return [...invoked, ...spawned, ...provided].flatMap(({ place, logic }) =>
    isMachine(logic) ? [{ place, logic }] : [],
  )
}
