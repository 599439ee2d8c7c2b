// Rules about context: can the first one be stored at all?
// Promise: nothing is refused that might be storable; a factory is tried without input, and if that is
// too little for it, it is left to its first run.
import { encode } from '../codec.ts'
import { asError } from '../errors.ts'
import type { AnyStateMachine } from '../machine-type.ts'
import type { Found } from './rule.ts'

/** A secret may be in a context; it is sealed when the time comes. */
const ANY_SEALER = { seal: () => 'sealed', open: () => 'opened' }

/** A first context that cannot be stored; only a warning where a factory made it of no input. */
export function unstorable(machine: AnyStateMachine): Found[] {
  const { context } = machine.config as { context?: unknown }
  const isMade = typeof context === 'function'
  const first = isMade ? made(context as (args: object) => unknown) : context
  const reason = first === undefined ? null : refusal(first)
  if (reason === null) return []
  const wayOut =
    'keep plain data in it; make the rest of it where it is needed, in an effect or an action'
  if (!isMade) return [{ at: machine.root, problem: `its context: ${reason}`, wayOut }]
  const problem = `its context, made without input: ${reason}`
  return [{ at: machine.root, severity: 'warning', problem, wayOut }]
}

function made(factory: (args: object) => unknown): unknown {
  const spawn = () => {
    throw new Error('nothing is spawned while a machine is only looked at')
  }
  try {
    return factory({ input: undefined, spawn, self: {} })
  } catch {
    return undefined
  }
}

function refusal(value: unknown): string | null {
  try {
    encode(value, ANY_SEALER)
    return null
  } catch (thrown) {
    const { message } = asError(thrown)
    return message.charAt(0).toLowerCase() + message.slice(1).replace(/\.$/, '')
  }
}
