// Exit machines as they are declared: which runs have one, and whether it can ever be done.
import { invokesOf, isMachine } from '../lib/blueprint.ts'
import type { AnyStateMachine } from '../lib/machine.ts'
import type { ExitRule } from '../lib/unit.ts'
import type { TaskOptions } from './declared.ts'

/** What a class says of its end. */
interface Ends {
  readonly life: AnyStateMachine
  readonly exit?: AnyStateMachine
}

/** The exit machines of a task, and where they are declared. */
export function exitsIn({ exit, actors = {} }: TaskOptions): {
  path: string
  machine: AnyStateMachine
}[] {
  const others = Object.entries(actors).map(([src, options]) => ({
    path: `actors.${src}.exit`,
    machine: options.exit,
  }))
  return [{ path: 'exit', machine: exit }, ...others].flatMap(({ path, machine }) =>
    machine === undefined ? [] : [{ path, machine }],
  )
}

/** The runs of a task, and of the actors it spawns, that have an exit machine. */
export function exitRules(task: string, { exit, actors = {} }: TaskOptions): ExitRule[] {
  const rule = (src: string | null, machine: AnyStateMachine | undefined): ExitRule[] =>
    machine ? [{ task, src, version: machine.version ?? '1' }] : []
  return [
    ...rule(null, exit),
    ...Object.entries(actors).flatMap(([src, options]) => rule(src, options.exit)),
  ]
}

/** Why this cannot be an exit machine; null when it can. */
export function exitFault(exit: unknown): string | null {
  if (!isMachine(exit))
    return 'it is not an XState machine; use setup(…).createMachine(…) or steps({…})'
  const { type, states } = exit.root
  const canEnd =
    type === 'parallel' || Object.values(states).some((state: any) => state.type === 'final')
  return canEnd ? null : 'it has no final state, so what it cleans up after could never be gone'
}

/** The life of a class: the machine, with what the class gives it. */
export function lifeOf({ life, exit }: Ends, exits: readonly ExitRule[]): AnyStateMachine {
  if (!isMachine(life)) return life
  return life.provide({
    ...(exit && { actors: { exit } }),
    guards: { hasExit: () => exit !== undefined, hasExits: () => exits.length > 0 },
  } as never)
}

/** What is wrong with the exit machine of a class, if anything. */
export function lifeFault({ exit, life }: Ends): string | null {
  if (exit === undefined) return null
  const why = exitFault(exit)
  if (why) return `the exit machine of the class: ${why}`
  return invokesOf(life).some(({ src }) => src === 'exit')
    ? null
    : 'the class has an exit machine, but its life never invokes the actor "exit"'
}
