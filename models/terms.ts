// The terms of a task: its options, checked when the app loads.
// Promise: an option that could fail later for a reason visible now is refused now.
import { toMs } from '../lib/duration.ts'
import { type Cadence, cadenceOf } from './cadence.ts'
import type { EndedRun, TaskOptions } from './declared.ts'

/** What the options of a task come to. */
export interface Terms {
  readonly cadence: Cadence | null
  readonly gc: {
    readonly afterMs: number
    readonly each: ((run: EndedRun) => void | Promise<void>) | null
  } | null
}

/**
 * Checks the options.
 * @param states the names of the machine's states
 * @throws an error whose message says what is wrong
 */
export function termsOf(options: TaskOptions, states: readonly string[]): Terms {
  for (const name of ['shouldStart', 'shouldStop', 'new'] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'function')
      throw new Error(`"${name}" is not a function`)
  }
  for (const [old, name] of Object.entries(options.states ?? {})) {
    if (states.includes(old)) throw new Error(`"states" renames "${old}", which is still a state`)
    if (!states.includes(name)) throw new Error(`"states" names "${name}", which is no state`)
  }
  const { gc } = options
  const each = gc?.each ?? null
  if (each !== null && typeof each !== 'function') throw new Error('"gc.each" is not a function')
  return {
    cadence: cadenceOf(options),
    gc: gc ? { afterMs: toMs(gc.after, 'gc.after'), each } : null,
  }
}
