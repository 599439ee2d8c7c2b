// A case through the adapter alone: no engine, no database, nothing that survives between events but text.
// Promise: the text has its keys in another order, as a column of a database would have them.
import {
  type AnyStateMachine,
  advance,
  begin,
  type MachineEvent,
  type Rest,
  type Step,
  type Timer,
} from '../../../lib/machine.ts'
import { fromSnapshot, toSnapshot } from '../../../models/memory.ts'
import { sealer } from '../values.ts'
import { compile, type World } from './compile.ts'
import { byActor, isNamed, marksOf, type Seen, saidBy } from './live.ts'
import { type Case, valueAt } from './shape.ts'

/** What the adapter makes of a case without promises and children. */
export function stored({ chart, input, what }: Case): Seen[] {
  const life = new Life((world) => compile(chart, world), valueAt(input))
  const seen = [life.look()]
  for (const one of what) {
    if ('send' in one) life.send({ type: one.send, v: valueAt(one.v) })
    else if ('pass' in one) life.pass(one.pass)
    seen.push(life.look())
  }
  return seen
}

class Life implements World {
  readonly log: unknown[] = []
  readonly #emitted: unknown[] = []
  readonly #said: unknown[] = []
  readonly #make: (world: World) => AnyStateMachine
  #nowMs = 1_000_000
  #text = ''
  #step = 0

  constructor(make: (world: World) => AnyStateMachine, input: unknown) {
    this.#make = make
    this.#keep((machine) => begin(machine, input, 1, this.#nowMs))
    this.pass(0)
  }

  wait(): Promise<unknown> {
    throw new Error('there is nobody here to wait')
  }

  send(event: MachineEvent): void {
    if (!isNamed(this.#make(this), event.type)) return
    this.#take(event)
    this.pass(0)
  }

  pass(ms: number): void {
    const until = this.#nowMs + ms
    for (;;) {
      const [first] = [...this.#rest.timers].sort((a, b) => a.dueAt - b.dueAt)
      if (!first || first.dueAt > until) break
      this.#nowMs = first.dueAt
      this.#take(first.event, first)
    }
    this.#nowMs = until
  }

  look(): Seen {
    const { value, context, output, status } = this.#rest
    const awake = this.#make(this).resolveState({ value, context, status } as never)
    const told = { log: byActor(this.log), emitted: [...this.#emitted], said: saidBy(this.#said) }
    return { value, context, output, status, ...marksOf(awake), ...told }
  }

  get #rest(): Rest {
    return fromSnapshot(JSON.parse(this.#text), sealer, 'life')
  }

  #take(event: MachineEvent, fired?: Timer): void {
    const rest = this.#rest
    if (rest.status !== 'active') return
    const timers = rest.timers.filter(({ id }) => id !== fired?.id)
    const left = { ...rest, timers }
    this.#keep((machine) => advance(machine, left, event, this.#step + 1, this.#nowMs))
  }

  /** A machine made anew for every event, as a process that was restarted would have it. */
  #keep(take: (machine: AnyStateMachine) => Step): void {
    const { rest, acts, emitted, logged } = take(this.#make(this))
    for (const { exec, info, params } of acts) exec(info, params)
    this.#emitted.push(...emitted)
    this.#said.push(...logged.map(({ label, value }) => [label, value]))
    this.#text = JSON.stringify(shuffled(toSnapshot(rest, sealer)))
    this.#step += 1
  }
}

/** Shorter keys first, as jsonb has them. */
function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => a.length - b.length || (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, part]) => [key, shuffled(part)]))
}
