// The check of definitions: each rule on a machine that breaks it and on one that does not.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { createMachine, spawnChild } from 'xstate'
import { type Finding, lint, RULES, type RuleName } from '../../lib/lint.ts'
import { life } from '../../models/life.ts'
import { steps } from '../../models/steps.ts'
import { compile, STILL } from '../support/charts/compile.ts'
import { charts } from '../support/charts/draw.ts'
import { bare, type Case, type Config, flaws, machineOf } from '../support/flaws.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('lint')
/** What a rule finds, as `path severity problem`. */
const told = (rule: RuleName, config: Config, parts?: Config): string[] =>
  lint(machineOf(config, parts)).flatMap((found) => (found.rule === rule ? [line(found)] : []))
const line = ({ path, severity, problem }: Finding) => `${path} ${severity} ${problem}`

for (const [rule, its] of Object.entries(flaws) as [RuleName, Case[]][]) {
  for (const { what, config, parts, told: expected } of its) {
    test(`${rule}: ${expected.length > 0 ? 'finds' : 'lets pass'} ${what}`, () => {
      const found = told(rule, config, parts)
      const all = found.join('\n')
      assert.is(found.length, expected.length, `it told:\n${all}`)
      for (const [index, pattern] of expected.entries()) assert.match(found[index]!, pattern)
    })
  }
}

test('has a machine that breaks each rule, and one that does not', () => {
  assert.equal(Object.keys(flaws), Object.keys(RULES))
  for (const [rule, its] of Object.entries(flaws)) {
    assert.ok(
      its.some((one) => one.told.length > 0),
      `${rule} is never broken`,
    )
  }
})

// ---- machines within ----------------------------------------------------------------------------

const child = createMachine({ id: 'c', initial: 'x', states: { x: { entry: 'ring' } } })

test('checks machines within, provided or not, and says where they are', () => {
  const parent = machineOf(
    bare({ invoke: { src: 'kid' }, entry: spawnChild('kid' as never), exit: spawnChild(child) }),
    { actors: { kid: child } },
  )
  const inner = (machine: any) =>
    lint(machine)
      .filter(({ rule }) => rule === 'part-missing')
      .map(({ path }) => path)
  assert.equal(inner(parent), ['m.a > c.x'], 'each machine is checked once')
  assert.equal(inner(machineOf(bare({ invoke: { src: child } }))), ['m.a > c.x'])
  assert.equal(inner(machineOf(bare({ entry: spawnChild(child) }))), ['m.a > c.x'])
  const grand = machineOf(bare({}), { actors: { parent } })
  assert.equal(inner(grand), ['actors.parent > m.a > c.x'])
})

test('comes to an end in a machine that holds itself', () => {
  const actors: Config = {}
  const machine = machineOf(bare({ invoke: { src: 'self' }, entry: 'ring' }), { actors })
  machine.implementations.actors.self = machine
  const missing = lint(machine).filter(({ rule }) => rule === 'part-missing')
  assert.equal(missing.map(line), ['m.a error the action "ring" has no implementation'])
})

// ---- warnings that are meant --------------------------------------------------------------------

test('leaves out warnings a state accepts for itself and all within, but no errors', () => {
  const allows = ['dead-end', 'part-missing']
  const config = bare({ initial: 'x', meta: { allows }, states: { x: { entry: 'ring' } } })
  const rules = lint(machineOf(config)).map(({ rule }) => rule)
  assert.equal(rules, ['part-missing', 'state-unreachable'])
  const whole = machineOf({ ...config, meta: { allows: 'state-unreachable' } })
  assert.equal(
    lint(whole).map(({ rule }) => rule),
    ['part-missing'],
  )
})

test('finds nothing in the machines of the house', () => {
  assert.equal(lint(life as never), [])
  assert.equal(lint(steps({ one: async () => 'two', two: async ({ stop }) => stop() })), [])
})

// ---- the whole ----------------------------------------------------------------------------------

const EVERYTHING = { mail: true, promises: true, children: true }

test('finds whatever it finds in random charts without throwing, twice the same', () => {
  fc.assert(
    fc.property(charts(EVERYTHING), (shape) => {
      const machine = compile(shape, STILL)
      const found = lint(machine)
      assert.equal(lint(machine), found)
      for (const { severity } of found) assert.is(severity, 'warning', 'XState runs every chart')
    }),
    { numRuns: 150 },
  )
})

test('has a page that says of each rule what, why, and the way out', () => {
  const page = readFileSync('docs/machines.md', 'utf8')
  const sections = [...page.matchAll(/^### `([\w-]+)`\n\n(\w+)\./gm)]
  assert.equal(
    sections.map(([, rule, severity]) => [rule, severity?.toLowerCase()]),
    Object.entries(RULES).map(([rule, { severity }]) => [rule, severity]),
  )
})

test.run()
