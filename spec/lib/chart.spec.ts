// Charts against XState: what a chart tells of a step is what XState makes of it, to the last key.
import fc from 'fast-check'
import { auth } from '../../examples/xstate/auth.ts'
import { checkout } from '../../examples/xstate/checkout.ts'
import { fetchWithRetry } from '../../examples/xstate/fetch.ts'
import { form } from '../../examples/xstate/form.ts'
import { login } from '../../examples/xstate/login.ts'
import { trafficLight } from '../../examples/xstate/traffic-light.ts'
import { eventNames } from '../../lib/blueprint.ts'
import type { AnyStateMachine } from '../../lib/machine.ts'
import { climber } from '../../models/climber.ts'
import { life } from '../../models/life.ts'
import { steps } from '../../models/steps.ts'
import { compare, happeningsOf, newTally, type Tally } from '../support/charts/both.ts'
import { compile, STILL } from '../support/charts/compile.ts'
import { charts } from '../support/charts/draw.ts'
import { flatMachine, flats, SENT } from '../support/charts/flat.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('chart')

const shareOf = ({ told, steps: all }: Tally) => told / all
const shown = (tally: Tally) => JSON.stringify(tally)

test('a flat machine steps by its chart as by XState', () => {
  const tally = newTally()
  const property = fc.property(flats, happeningsOf(SENT), fc.nat(3), (drawn, what, v) =>
    compare(() => flatMachine(drawn), v === 0 ? undefined : { v }, what, tally),
  )
  fc.assert(property, { numRuns: 600, includeErrorInReport: true })
  console.log(`note: flat machines: ${shown(tally)}`)
  assert.ok(shareOf(tally) > 0.6, `the charts could tell little: ${shown(tally)}`)
  for (const [what, count] of Object.entries(tally)) assert.ok(count > 20, `few ${what}: ${count}`)
})

test('any other machine does not change by having been charted', () => {
  const tally = newTally()
  const any = charts({ mail: true, promises: true, children: true })
  const property = fc.property(
    any,
    happeningsOf(['A', 'B', 'C', 'a.x', 'R', 'S']),
    (drawn, what) => {
      const machine = compile(drawn, STILL)
      compare(() => machine.provide({}), { x: 1 }, what, tally)
    },
  )
  fc.assert(property, { numRuns: 100, includeErrorInReport: true })
})

const tenSteps = () => {
  const names = Array.from({ length: 10 }, (_, n) => `step${n}`)
  return steps(Object.fromEntries(names.map((name) => [name, async () => name])))
}

/** Machines people have written, and how many of their steps at least are told by their charts. */
const known: readonly [string, () => AnyStateMachine, number][] = [
  ['ten steps', tenSteps, 0.7],
  ...([
    [trafficLight, 0],
    [fetchWithRetry, 0.5],
    [form, 0],
    [checkout, 0],
    [login, 0],
    [auth, 0],
    [climber, 0],
    [life, 0],
  ].map(([machine, least]) => [
    (machine as AnyStateMachine).id,
    () => (machine as AnyStateMachine).provide({}),
    least,
  ]) as [string, () => AnyStateMachine, number][]),
]

for (const [name, make, least] of known) {
  test(`${name} steps by its chart as by XState`, () => {
    const tally = newTally()
    const property = fc.property(happeningsOf(eventNames(make())), (what) =>
      compare(make, { url: 'https://example.com' }, what, tally),
    )
    fc.assert(property, { numRuns: 60, includeErrorInReport: true })
    console.log(`note: ${name}: ${shown(tally)}`)
    assert.ok(shareOf(tally) >= least, `its chart could tell little: ${shown(tally)}`)
  })
}

test.run()
