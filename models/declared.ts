// A declared task: a machine, and how the house is to treat its runs.
// Promise: a bare machine is a task with every option at its default.
import { isMachine } from '../lib/blueprint.ts'
import type { AnyStateMachine, Rest } from '../lib/machine.ts'

/** What a snapshot of the version it is named by becomes in the next. */
export type Migrations = Readonly<Record<string, (rest: Rest) => Partial<Rest>>>

export interface TaskOptions {
  /**
   * Snapshots of older versions, oldest first: each function takes what rests under the version it is named by to the
   * next one named, the last to the machine's own `version`.
   */
  readonly migrate?: Migrations
  /** The same for the machines it invokes or spawns, by the name of the actor. */
  readonly actors?: Readonly<Record<string, Pick<TaskOptions, 'migrate'>>>
}

const DECLARED = Symbol('escapement.task')

/** A machine with options, for `static tasks`. */
export interface DeclaredTask<M extends AnyStateMachine = AnyStateMachine> extends TaskOptions {
  readonly [DECLARED]: true
  readonly machine: M
}

/** A task in `static tasks`: a machine, or one with options. */
export type Declaration = AnyStateMachine | DeclaredTask
export type MachineOf<D> =
  D extends DeclaredTask<infer M> ? M : D extends AnyStateMachine ? D : never

/** Declares a task with options. */
export function task<M extends AnyStateMachine>(
  machine: M,
  options: TaskOptions = {},
): DeclaredTask<M> {
  return { [DECLARED]: true, machine, ...options }
}

/** The machine and the options of a declaration; null for something else. */
export function declared(declaration: unknown): DeclaredTask | null {
  if (isMachine(declaration)) return task(declaration)
  const isDeclared =
    typeof declaration === 'object' && declaration !== null && DECLARED in declaration
  return isDeclared && isMachine((declaration as DeclaredTask).machine)
    ? (declaration as DeclaredTask)
    : null
}
