// A machine stepped both ways: by its chart, and by XState.
// Promise: the two are compared at every step, to the last key; what a chart leaves to XState is counted.
import { inspect, isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import {
  type AnyStateMachine,
  advance,
  begin,
  type MachineEvent,
  type Rest,
  type Step,
  type Timer,
} from '../../../lib/machine.ts'
import { charted, chartedStart, uncharted } from '../../../lib/machine-chart.ts'
import { strayed } from '../../../lib/wake.ts'
import { assert } from '../suite.ts'

/** What is to happen: an event, the timer or the actor of a number, or as much as time. */
export type Happening =
  | { readonly send: string; readonly v: number }
  | { readonly fire: number }
  | { readonly settle: number; readonly isError: boolean; readonly v: number }

/** What happened to a machine, in the order it is drawn. */
export const happeningsOf = (types: readonly string[]): fc.Arbitrary<Happening[]> =>
  fc.array(
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({ send: fc.constantFrom(...types, 'NOBODY'), v: fc.nat(3) }),
      },
      { weight: 1, arbitrary: fc.record({ fire: fc.nat(3) }) },
      {
        weight: 2,
        arbitrary: fc.record({ settle: fc.nat(2), isError: fc.boolean(), v: fc.nat(3) }),
      },
    ) as fc.Arbitrary<Happening>,
    { minLength: 4, maxLength: 16, size: 'max' },
  )

const PLACE = { task: 'spec', id: 'spec', parent: null, system: new Map() }
const START_MS = 1_000_000

export interface Tally {
  /** Steps in all, and those the chart could tell. */
  steps: number
  told: number
  /** Of those it could tell. */
  changed: number
  armed: number
  spawned: number
  ended: number
  performed: number
}

export const newTally = (): Tally => ({
  steps: 0,
  told: 0,
  changed: 0,
  armed: 0,
  spawned: 0,
  ended: 0,
  performed: 0,
})

/** Steps a machine through all that happens, both ways. `make` is asked twice, for two machines that are alike. */
export function compare(
  make: () => AnyStateMachine,
  input: unknown,
  what: readonly Happening[],
  tally: Tally,
): void {
  const machine = make()
  const plain = uncharted(make())
  const moment = { step: 1, nowMs: START_MS, place: PLACE }
  const opened = chartedStart(machine, input, moment)
  const first = attempt(() => begin(plain, input, 1, START_MS, PLACE))
  agree(opened, first, machine, tally)
  let rest = first.step?.rest
  let step = 2
  for (const one of what) {
    if (rest?.status !== 'active') return
    const nowMs = START_MS + step * 7
    const found = brought(one, rest)
    if (found === null) continue
    const { event, fired } = found
    const before: Rest = found.rest
    const seen = shown(before)
    const told = charted(machine, before, event, { step, nowMs, place: PLACE }, fired)
    assert.is(shown(before), seen, 'the chart has changed what it was given')
    const wanted = attempt(() => advance(plain, before, event, step, nowMs, PLACE, fired))
    agree(told, wanted, machine, tally)
    rest = wanted.step?.rest
    if (rest) assert.is(strayed(machine, rest), strayed(plain, rest))
    step += 1
  }
}

interface Attempt {
  readonly step?: Step
  readonly thrown?: unknown
}

function attempt(take: () => Step): Attempt {
  try {
    return { step: take() }
  } catch (thrown) {
    return { thrown }
  }
}

function agree(told: Step | null, { step, thrown }: Attempt, machine: AnyStateMachine, t: Tally) {
  t.steps += 1
  if (told === null) return
  assert.ok(step, `${machine.id} threw with XState and not with its chart: ${thrown}`)
  const [left, right] = [bareOf(told), bareOf(step)]
  assert.equal(left, right)
  // uvu takes undefined for absent.
  assert.ok(isDeepStrictEqual(left, right), 'they differ in a key without a value')
  assert.is(shown(told.rest), shown(step.rest), 'they differ in the order of keys')
  t.told += 1
  if (told.changed) t.changed += 1
  if (told.rest.timers.length > 0) t.armed += 1
  if (told.rest.actors.length > 0) t.spawned += 1
  if (told.rest.status === 'done') t.ended += 1
  if (told.acts.length > 0) t.performed += 1
}

/** A step without the live parts of XState's system. */
const bareOf = ({ acts, ...step }: Step) => ({
  ...step,
  acts: acts.map(({ info, ...act }) => {
    const { self, system, ...plain } = info as any
    const parts = [self.id, self.sessionId, Object.keys(info), Object.keys(system).sort()]
    return { ...act, info: plain, parts }
  }),
})

const shown = (value: unknown) => inspect(value, { depth: 8 })

/** The event that comes of it, and the rest as the task has it by then; null when there is nobody to bring it. */
function brought(
  one: Happening,
  rest: Rest,
): { event: MachineEvent; rest: Rest; fired?: Timer } | null {
  if ('send' in one) return { event: { type: one.send, v: one.v }, rest }
  if ('fire' in one) {
    const fired = rest.timers[one.fire % Math.max(1, rest.timers.length)]
    if (!fired) return null
    const timers = rest.timers.filter((timer) => timer !== fired)
    return { event: fired.event, rest: { ...rest, timers }, fired }
  }
  const actor = rest.actors[one.settle % Math.max(1, rest.actors.length)]
  if (actor?.kind !== 'effect') return null
  const actors = rest.actors.map((other) =>
    other === actor ? { ...other, ended: true as const } : other,
  )
  const { id } = actor
  const to = one.v === 3 ? '__stop__' : `step${one.v}`
  const event = one.isError
    ? { type: `xstate.error.actor.${id}`, error: new Error(`no ${one.v}`), actorId: id }
    : { type: `xstate.done.actor.${id}`, output: { v: one.v, to }, actorId: id }
  return { event, rest: { ...rest, actors } }
}
