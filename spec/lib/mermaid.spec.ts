// Graphs as Mermaid: valid whatever the names are, and the same machine that went in.
import fc from 'fast-check'
import { createMachine } from 'xstate'
import { graphOf } from '../../lib/graph.ts'
import { mermaidOf } from '../../lib/mermaid.ts'
import { compile, STILL } from '../support/charts/compile.ts'
import { charts } from '../support/charts/draw.ts'
import { type Diagram, readMermaid } from '../support/mermaid.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('mermaid')
const drawn = (machine: any): Diagram => readMermaid(mermaidOf(graphOf(machine)))

test('draws states, arrows and notes', () => {
  const machine = createMachine({
    id: 'm',
    initial: 'off',
    states: {
      off: {
        entry: 'dim',
        tags: ['dark'],
        on: { SWITCH: { target: 'on', guard: 'may' }, N: { actions: 'n' } },
      },
      on: {
        type: 'parallel',
        invoke: { src: 'hum', id: 'one', onError: 'off' },
        states: {
          a: { initial: 'x', states: { x: { after: { 5: 'y' } }, y: { type: 'final' } } },
          b: {},
        },
      },
    },
  } as never)
  assert.is(
    mermaidOf(graphOf(machine)),
    `stateDiagram-v2
  [*] --> s0
  state "m" as s0 {
    [*] --> s1
    state "off" as s1
    state "on" as s2 {
      state "a" as s3 {
        [*] --> s4
        state "x" as s4
        state "y" as s5
        s5 --> [*]
      }
      --
      state "b" as s6
    }
  }
  s1 --> s2 : SWITCH [may]
  s2 --> s1 : error one
  s4 --> s5 : after 5
  note right of s1
    entry / dim
    N / n
    tag dark
  end note
  note right of s2
    invoke hum as one
  end note
`,
  )
})

const EVERYTHING = { mail: true, promises: true, children: true }

test('is valid for every random chart, with its states in their places', () => {
  fc.assert(
    fc.property(charts(EVERYTHING), (shape) => {
      const graph = graphOf(compile(shape, STILL))
      const { states, arrows } = readMermaid(mermaidOf(graph))
      const marks = new Map(graph.nodes.map(({ id }, index) => [id, `s${index}`]))
      assert.equal(
        [...states].map(([mark, { parent }]) => [mark, parent]).sort(),
        graph.nodes.map(({ id, parent }) => [marks.get(id), marks.get(parent!) ?? null]).sort(),
      )
      const outside = graph.edges.filter(({ kind }) => kind !== 'initial').flatMap(({ to }) => to)
      assert.is(arrows.filter((arrow) => !arrow.includes('[*]')).length, outside.length)
    }),
    { numRuns: 150 },
  )
})

/** What would mean something to Mermaid if it were written as it is. */
const WICKED = [
  'end note',
  '-->',
  '[*]',
  '--',
  'state',
  '"',
  '}',
  '{',
  ':',
  ';',
  '%%',
  '#35;',
  '\n',
  '\r',
]
const name = fc
  .oneof(
    fc.constantFrom(...WICKED, '__proto__', '\ud800'),
    fc.string({ unit: 'binary', minLength: 1 }),
  )
  .filter((text) => !text.includes('.') && !text.startsWith('#'))

test('is valid whatever the names are, and loses none', () => {
  fc.assert(
    fc.property(fc.uniqueArray(name, { minLength: 8, maxLength: 8 }), (names) => {
      const [id, a, b, event, guard, action, src, tag] = names as [string, ...string[]] as any
      const on = { [event]: { target: '#b', guard, actions: action } }
      const away = { id: 'a', on, entry: action, tags: [tag], invoke: { src, id: src } }
      const machine = createMachine({
        ...{ id, initial: 'first' },
        states: Object.fromEntries([
          [
            'first',
            {
              initial: 'z',
              states: Object.fromEntries([
                [`${a}!`, away],
                ['z', {}],
              ]),
            },
          ],
          [`${b}?`, { id: 'b' }],
        ]),
      } as never)
      const { states, arrows, notes } = drawn(machine)
      const titles = [...states.values()].map(({ title }) => title)
      for (const wanted of [id, `${a}!`, `${b}?`]) assert.ok(titles.includes(wanted))
      assert.ok(
        arrows.some((arrow) =>
          arrow.endsWith(` : ${`${event} [${guard}] / ${action}`.trimStart()}`),
        ),
      )
      assert.equal(notes.get('s2'), [`entry / ${action}`, `invoke ${src}`, `tag ${tag}`])
    }),
    { numRuns: 300, examples: [[WICKED.slice(0, 8)], [WICKED.slice(6)]] },
  )
})

test('cuts a name that is too long', () => {
  const { states } = drawn(createMachine({ id: 'é'.repeat(500) }))
  assert.is(states.get('s0')?.title, `${'é'.repeat(120)}…`)
})

test('is read by a grammar that refuses what is not of it', () => {
  const good = mermaidOf(graphOf(createMachine({ initial: 'a', states: { a: { entry: 'x' } } })))
  readMermaid(good)
  const spoilt = [
    ['-->', '-> '],
    ['"a"', '"a"b"'],
    ['"a"', '"a:b"'],
    ['  }\n', ''],
    ['end note', 'end'],
    ['entry /', 'end note'],
    ['[*] --> s1', 's0 --> s1'],
    ['[*] --> s1', '[*] --> s7'],
    ['right of', 'below'],
    ['stateDiagram-v2', 'stateDiagram'],
  ]
  for (const [from, to] of spoilt) {
    assert.ok(good.includes(from!), from)
    assert.throws(() => readMermaid(good.replace(from!, to!)), undefined, `${from} to ${to}`)
  }
})

test.run()
