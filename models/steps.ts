// The short form: one function per state, compiled to the machine one would have written.
// Promise: `steps` adds no meaning of its own; each state invokes its function as an effect, and the
// name it answers is the next state. What is true of effects is true of steps.
import { type AnyStateMachine, setup } from 'xstate'
import { Again, type EffectOptions, effect, type Work } from '../lib/effect.ts'
import { fault } from '../lib/errors.ts'
import { modest } from '../lib/stride.ts'

/** What a step function is handed: the work of an effect, and the way out. */
export interface StepWork<R = any, I = any> extends Work<R, I> {
  /** Answer with this to end the task; `output` is what the run leaves behind. */
  stop(output?: unknown): Stop
}

type StepAnswer<Name extends string> = Name | Stop | Again
/** Asynchronous always: a promise lets the compiler hold each answer against the names of the steps. */
export type StepFunction<R, I, Name extends string> = (
  work: StepWork<R, I>,
) => Promise<StepAnswer<Name>>

/** "The task is done", as a step's answer. */
export class Stop {
  readonly output: unknown
  constructor(output: unknown) {
    this.output = output
  }
}

const STOP = '__stop__'

/**
 * Compiles functions to a machine. The first is the first state; the task's arguments are `work.input`.
 * @param functions an async function for each state; it answers the next state's name, `work.stop()`,
 *   `work.again('5s')` to be run again in the same state, or throws
 * @param options the retry policy and timeout of every step
 */
export function steps<N extends string, R = any, I = any>(
  functions: { readonly [K in N]: StepFunction<R, I, NoInfer<N>> },
  options: EffectOptions = {},
): AnyStateMachine {
  const names = Object.keys(functions)
  const [first] = names
  if (first === undefined)
    throw fault('ARGUMENT_INVALID', { what: 'steps', reason: 'it has no states' })
  const actors = Object.fromEntries(
    names.map((name) => [name, stepEffect(name, functions, options)]),
  )
  const ways = [...names, STOP].map((target) => ({
    guard: { type: 'to' as const, params: { target } },
    target,
    reenter: true,
  }))
  const states = Object.fromEntries(
    names.map((name, index) => {
      // The state after it is the likeliest, and asked for first.
      const onDone = [...ways.slice(index + 1), ...ways.slice(0, index + 1)]
      return [name, { invoke: { id: name, src: name, input: argsOf, onDone } }]
    }),
  )
  return setup({
    actors: actors as Record<string, any>,
    guards: {
      to: ({ event }, { target }: { target: string }) => (event as any).output.to === target,
    },
  }).createMachine({
    id: 'steps',
    // A step that throws panics: that is what the short form means.
    meta: { allows: 'failure-unhandled' },
    context: ({ input }: { input: unknown }) => ({ args: input }),
    initial: first,
    states: {
      ...states,
      [STOP]: { type: 'final', output: answerOf },
    },
    output: outputOf,
  } as never) as unknown as AnyStateMachine
}

const argsOf = modest(({ context }) => context.args)
const answerOf = modest(({ event }) => event.output.output)
const outputOf = modest(({ event }) => event.output)

/** Runs a function and checks its answer, so that a wrong name is an error and not a silent rest. */
function stepEffect(
  name: string,
  functions: Record<string, StepFunction<any, any, string>>,
  options: EffectOptions,
) {
  return effect(async (work) => {
    // Put on what was handed, not into a copy: whoever copies asks for all of it.
    const stop = (output?: unknown) => new Stop(output)
    const answer = await functions[name]?.(Object.assign(work, { stop }))
    if (answer instanceof Again) return answer
    if (answer instanceof Stop)
      return { to: STOP, ...(answer.output === undefined ? {} : { output: answer.output }) }
    if (typeof answer === 'string' && Object.hasOwn(functions, answer)) return { to: answer }
    const known = [...Object.keys(functions), 'stop()', "again('5s')"].join(', ')
    const shown = JSON.stringify(answer) ?? 'nothing'
    throw Object.assign(fault('STATE_UNKNOWN', { step: name, answer: shown, known }), {
      retryable: false,
    })
  }, options)
}
