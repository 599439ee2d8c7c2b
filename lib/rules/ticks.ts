// The rules about the time of states: who asks for TICK events has somebody there to hear them; who has an end
// has one that can be.
import { ancestorsOf, beneath, isHeard, nodesOf, type StateNode } from '../blueprint.ts'
import { toMs } from '../duration.ts'
import { asError } from '../errors.ts'
import { CadenceInvalid, withCadence } from '../machine-cadence.ts'
import type { AnyStateMachine } from '../machine-type.ts'
import type { Found } from './rule.ts'

/** States with `meta.tick` that is no duration, or whose TICK no state would accept meanwhile. */
export function deafTicks(machine: AnyStateMachine): Found[] {
  return nodesOf(machine).flatMap((node) => {
    const tick = node.meta?.tick
    if (tick === undefined) return []
    const reason = notDuration(tick)
    if (reason) {
      return [{ at: node, problem: `its meta.tick: ${reason}`, wayOut: "write it as '5s' or '1m'" }]
    }
    if (company(node).some(hearsTick)) return []
    const problem = 'it asks for a TICK, and neither it nor a state around it accepts one'
    return [{ at: node, problem, wayOut: 'give it on: { TICK: … }, or take its meta.tick away' }]
  })
}

/** The states that may be active while this one is: those around it, within it, and in regions beside it. */
function company(node: StateNode): StateNode[] {
  const around = ancestorsOf(node).flatMap((at) => (at.type === 'parallel' ? beneath(at) : [at]))
  return [...beneath(node), ...around]
}

const hearsTick = (node: any): boolean =>
  [...node.transitions].some(
    ([name, transitions]) =>
      isHeard('TICK', name) &&
      transitions.some(({ target, actions }: any) => target || actions.length > 0),
  )

function notDuration(tick: any): string | null {
  try {
    toMs(tick, 'it')
    return null
  } catch (thrown) {
    return asError(thrown).message.replace(/\.$/, '')
  }
}

/** States whose `meta.timeoutMs` is no duration, or leads nowhere. */
export function falseEnds(machine: AnyStateMachine): Found[] {
  try {
    withCadence(machine)
    return []
  } catch (thrown) {
    if (!(thrown instanceof CadenceInvalid)) throw thrown
    const { path: at, message: problem } = thrown
    if (problem.startsWith('meta.tick')) return []
    return [{ at, problem, wayOut: "write meta: { timeoutMs: 60_000, onTimeout: 'state' }" }]
  }
}
