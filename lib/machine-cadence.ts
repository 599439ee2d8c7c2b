// The cadence of states: `meta.tick` and `meta.timeoutMs`, written out as the timers they stand for.
// Promise: the machine is left as it is; what comes back differs only in what its meta asks for, in XState's own words.
import { type AnyStateMachine, assign, cancel, createMachine, raise } from 'xstate'
import { cadenceId } from './asked.ts'
import { delay } from './delay.ts'
import { toMs } from './duration.ts'
import { asError, fault } from './errors.ts'

/** What a state may ask for in its `meta`. */
export interface Cadence {
  /** An event `TICK` at this pace while the state is active; those missed are one. */
  readonly tick?: number | string
  /** How long the state may last. */
  readonly timeoutMs?: number
  /** The state it then leads to, as in `target`; without one the task fails with STATE_TIMEOUT. */
  readonly onTimeout?: string
}

/** What a state asks for that it cannot have, with the state. */
export class CadenceInvalid extends Error {
  override readonly name = 'CadenceInvalid'
  readonly path: string
  constructor(path: string, reason: string) {
    super(reason)
    this.path = path
  }
}

const written = new WeakMap<AnyStateMachine, AnyStateMachine>()

/**
 * The machine with its cadences written out; itself when it has none.
 * @throws CadenceInvalid
 */
export function withCadence(machine: AnyStateMachine): AnyStateMachine {
  const known = written.get(machine)
  if (known) return known
  const writer = new Writer()
  const config = writer.node(machine.config, machine.id)
  const { implementations } = machine
  const delays = { ...implementations.delays, ...writer.delays }
  const twin = writer.isIdle
    ? machine
    : (createMachine(config, { ...implementations, delays } as never) as unknown as AnyStateMachine)
  written.set(machine, twin)
  written.set(twin, twin)
  return twin
}

class Writer {
  isIdle = true
  readonly delays: Record<string, unknown> = {}

  node(config: any, path: string): any {
    const { tick, timeoutMs, onTimeout } = (config.meta ?? {}) as Cadence
    const states = Object.entries(config.states ?? {})
    const own = {
      ...(tick !== undefined && this.#ticking(config, path, tick)),
      ...(timeoutMs !== undefined && this.#limited(config, path, timeoutMs, onTimeout)),
    }
    if (states.length === 0) return { ...config, ...own }
    const beneath = states.map(([key, state]) => [key, this.node(state, `${path}.${key}`)])
    return { ...config, ...own, states: Object.fromEntries(beneath) }
  }

  #ticking({ entry = [], exit = [] }: any, path: string, tick: number | string) {
    const everyMs = this.#length(path, 'meta.tick', tick)
    const id = cadenceId(path, everyMs)
    return {
      entry: [entry, raise({ type: 'TICK' }, { id, delay: everyMs })].flat(),
      exit: [exit, cancel(id)].flat(),
    }
  }

  #limited({ after = {} }: any, path: string, timeoutMs: number, target: string | undefined) {
    const ms = this.#length(path, 'meta.timeoutMs', timeoutMs)
    const name = timeoutName(ms)
    this.delays[name] = delay(ms, { policy: 'frozen' })
    const fail = assign(() => {
      throw fault('STATE_TIMEOUT', { state: path, timeoutMs: ms })
    })
    return { after: { ...after, [name]: target === undefined ? { actions: fail } : target } }
  }

  #length(path: string, what: string, length: number | string): number {
    this.isIdle = false
    let ms: number
    try {
      ms = toMs(length, what)
    } catch (thrown) {
      throw new CadenceInvalid(path, asError(thrown).message)
    }
    if (ms < LEAST_MS) throw new CadenceInvalid(path, `${what} is less than ${LEAST_MS} ms`)
    return ms
  }
}

/** What beats faster keeps a worker busy with nothing else. */
const LEAST_MS = 10

const timeoutName = (ms: number) => `__timeout__${ms}`

/** Is this the timer of a state's timeout? */
export const isTimeout = (timerId: string): boolean =>
  timerId.startsWith('xstate.after.__timeout__')
