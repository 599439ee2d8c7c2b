// The machine adapter against XState itself: whatever an actor does in one life, a task does that is
// written down and read back between every two events.
import { inspect, isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { type AnyStateMachine, assign, createActor, raise, SimulatedClock, setup } from 'xstate'
import { accepts, advance, begin, type Rest, type Step, stateName } from '../../lib/machine.ts'
import { fromSnapshot, toSnapshot } from '../../models/memory.ts'
import {
  type Chart,
  chart,
  compile,
  GRAIN_MS,
  type Happening,
  happenings,
} from '../support/machines.ts'
import { assert, suite } from '../support/suite.ts'
import { sealer } from '../support/values.ts'

/** What can be seen of a machine from outside. */
interface Seen {
  readonly value: unknown
  readonly context: unknown
  readonly output: unknown
  readonly status: string
  readonly log: unknown[]
  readonly emitted: unknown[]
}

/** The oracle: a live actor on a clock that is moved grain by grain. */
function lived(drawn: Chart, input: unknown, what: readonly Happening[]): Seen[] {
  const log: unknown[] = []
  const emitted: unknown[] = []
  const clock = new SimulatedClock()
  const actor = createActor(compile(drawn, log), { clock, input } as never)
  actor.on('*', (event) => emitted.push(event))
  const look = (): Seen => {
    const { value, context, output, status } = actor.getSnapshot() as any
    return structuredClone({ value, context, output, status, log, emitted })
  }
  actor.start()
  const seen = [look()]
  for (const one of what) {
    if ('send' in one) actor.send({ type: one.send })
    else for (let ms = 0; ms < one.pass; ms += GRAIN_MS) clock.increment(GRAIN_MS)
    seen.push(look())
  }
  return seen
}

/** Ours: nothing survives from one event to the next but text. */
class Life {
  readonly log: unknown[] = []
  readonly emitted: unknown[] = []
  nowMs = 1_000_000
  #text = ''
  #step = 0
  readonly #make: (log: unknown[]) => AnyStateMachine

  constructor(make: (log: unknown[]) => AnyStateMachine, input: unknown) {
    this.#make = make
    this.#keep((machine) => begin(machine, input, 1, this.nowMs))
  }

  get rest(): Rest {
    return fromSnapshot(JSON.parse(this.#text), sealer, 'life')
  }

  send(type: string): void {
    const { rest } = this
    if (rest.status !== 'active') return
    this.#keep((machine) => advance(machine, rest, { type }, this.#step + 1, this.nowMs))
  }

  pass(ms: number): void {
    const until = this.nowMs + ms
    for (;;) {
      const { rest } = this
      const [first] = [...rest.timers].sort((a, b) => a.dueAt - b.dueAt)
      if (!first || first.dueAt > until) break
      this.nowMs = first.dueAt
      const timers = rest.timers.filter((timer) => timer !== first)
      this.#keep((machine) =>
        advance(machine, { ...rest, timers }, first.event, this.#step + 1, this.nowMs),
      )
    }
    this.nowMs = until
  }

  look(): Seen {
    const { value, context, output, status } = this.rest
    const { log, emitted } = this
    return structuredClone({ value, context, output, status, log, emitted })
  }

  /** A machine made anew for every event, as a process that was restarted would have it. */
  #keep(take: (machine: AnyStateMachine) => Step): void {
    const { rest, acts, emitted } = take(this.#make(this.log))
    for (const { exec, info, params } of acts) exec(info, params)
    this.emitted.push(...emitted)
    this.#text = JSON.stringify(toSnapshot(rest, sealer))
    this.#step += 1
  }
}

function durable(drawn: Chart, input: unknown, what: readonly Happening[]): Seen[] {
  const life = new Life((log) => compile(drawn, log), input)
  const seen = [life.look()]
  for (const one of what) {
    if ('send' in one) life.send(one.send)
    else life.pass(one.pass)
    seen.push(life.look())
  }
  return seen
}

const test = suite('machine')

test('a task lives as an actor of XState lives', () => {
  let moves = 0
  fc.assert(
    fc.property(chart, fc.constantFrom(undefined, { x: 1 }), happenings, (drawn, input, what) => {
      const expected = lived(drawn, input, what)
      const actual = durable(drawn, input, what)
      for (const [index, one] of expected.entries()) {
        if (isDeepStrictEqual(actual[index], one)) continue
        const [ours, xstate] = [actual[index], one].map((seen) => inspect(seen, { depth: 9 }))
        throw new Error(`after ${JSON.stringify(what.slice(0, index))}\n${ours}\n${xstate}`)
      }
      moves += new Set(expected.map(({ value }) => JSON.stringify(value))).size - 1
    }),
    { numRuns: 8000, includeErrorInReport: true },
  )
  assert.ok(moves > 100, `the charts hardly moved: ${moves}`)
})

test.run()
