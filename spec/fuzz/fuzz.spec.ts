// A sample of the differential fuzz through the whole engine, and what it found before.
import { lived } from '../support/charts/live.ts'
import { full } from '../support/charts/sparse.ts'
import { assert, suite } from '../support/suite.ts'
import { between, difference } from './compare.ts'
import { crowd } from './crowd.ts'
import { DURABLE } from './features.ts'
import { Ground } from './ground.ts'
import { endured } from './life.ts'
import { shrink } from './shrink.ts'

const test = suite('fuzz')
let ground: Ground

test.before(async () => {
  ground = await Ground.open('embedded')
})
test.after(() => ground?.close())

const same = async (drawn: unknown) => assert.is(await difference(ground, full(drawn)), null)
const leaf = { type: 'leaf' }
const record = [{ kind: 'record', n: 1 }]

test('charts live in the engine as they live in XState', async () => {
  const failures = await crowd({ ground, features: DURABLE, cases: 20, seed: 1, lanes: 20 })
  assert.is(failures.map(({ what }) => what).join('\n\n'), '')
})

// ---- found before -------------------------------------------------------------------------------

test('parallel regions act in the order of the machine, whatever order a column gives its keys', () =>
  same({
    chart: {
      root: {
        type: 'parallel',
        children: [
          { type: 'parallel', children: [leaf, leaf], rules: [{ event: 1, target: 0 }] },
          { type: 'leaf', rules: [{ event: 1, target: 0, deeds: record }] },
        ],
      },
    },
    what: [{ send: 'B', v: 0 }],
  }))

test('a partial wildcard hears the event of its own name', () =>
  same({
    chart: { root: { type: 'compound', rules: [{ event: 5, deeds: record }] } },
    what: [{ send: 'a', v: 0 }],
  }))

test('a region that is a leaf is a state to rest in', () =>
  same({
    chart: {
      root: { type: 'parallel', children: [leaf], rules: [{ event: 0, deeds: record }] },
    },
    what: [{ send: 'A', v: 0 }],
  }))

test('a timer nobody makes anything of is no reason to be stranded', () =>
  same({
    chart: {
      root: {
        type: 'compound',
        after: [{ delay: 'slow', rule: { event: 0 } }],
        rules: [{ event: 0, deeds: record }],
      },
    },
    what: [{ send: 'A', v: 0 }, { pass: 20 }],
  }))

test('what a machine sends itself comes before a delay of nothing', () =>
  same({
    chart: {
      root: {
        type: 'compound',
        children: [
          {
            type: 'leaf',
            rules: [{ event: 9, target: 0, reenter: true }],
            exit: [{ kind: 'mark', n: 0 }],
            entry: [
              { kind: 'selfLater', n: 0 },
              { kind: 'self', n: 7 },
            ],
          },
        ],
      },
    },
  }))

const mark = [{ kind: 'mark', n: 0 }]
const child = (n: number, heard = {}) => ({ kind: 'child', n, ...heard })

test('what a child says as it begins comes before a delay of nothing', () =>
  same({
    chart: {
      root: {
        type: 'compound',
        after: [{ delay: 0, rule: { deeds: mark } }],
        invokes: [child(0)],
        rules: [{ event: 9, deeds: mark }],
      },
      machines: [{ root: { entry: [{ kind: 'parent', n: 0 }] } }],
    },
  }))

test('a parent hears of a snapshot even when its child made nothing of an event', () =>
  same({
    chart: {
      root: { type: 'compound', invokes: [child(0, { snapshot: { deeds: mark } })] },
      machines: [{ root: { entry: [{ kind: 'self', n: 0 }] } }],
    },
  }))

// ---- the fuzz itself ----------------------------------------------------------------------------

test('says what differs, and when', async () => {
  const root = { type: 'compound', rules: [{ event: 0, deeds: record }] }
  const whole = full({ chart: { root }, what: [{ pass: 10 }, { send: 'A', v: 0 }] })
  const deaf = full({ chart: { root }, what: [{ pass: 10 }, { send: 'NOBODY', v: 0 }] })
  const expected = await lived(whole)
  assert.is(between(whole, expected, await endured(ground, whole)), null)
  const told = between(whole, expected, await endured(ground, deaf)) ?? ''
  assert.match(told, 'after [{"pass":10},{"send":"A","v":0}]\n  log\n')
  assert.not.match(told, 'value')
})

test('shrinks to what matters', async () => {
  const root = {
    type: 'parallel',
    children: [leaf, { type: 'compound', children: [leaf, leaf], entry: record }],
    rules: [
      {
        event: 3,
        target: 4,
        deeds: [
          { kind: 'emit', n: 80 },
          { kind: 'keep', n: 3 },
        ],
      },
    ],
  }
  const drawn = full({ chart: { root }, what: [{ pass: 30 }, { send: 'a.x', v: 4 }] })
  const hasEmit = async (one: unknown) => (JSON.stringify(one).includes('emit') ? 'it emits' : null)
  const small = await shrink(drawn, hasEmit, () => false)
  const expected = { chart: { root: { rules: [{ event: 0, deeds: [{ kind: 'emit' }] }] } } }
  assert.equal(small, full(expected))
})

test.run()
