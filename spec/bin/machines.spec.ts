// `escapement machines`: lists, checks and draws what the app file holds, without a database.
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { asCompiled } from '../support/compiled.ts'
import { readMermaid } from '../support/mermaid.ts'
import { assert, suite } from '../support/suite.ts'
import { inside, Place } from './shell.ts'

const test = suite('machines')
const place = new Place(inside)
const FAULTY = await asCompiled('spec/bin/fixtures/faulty.ts')
const LONG = { deadlineMs: 60_000 }
/** Nothing listens there: a command that needs a database would say so. */
const env = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }
const faulty = { env: { ...env, ESCAPEMENT_APP: FAULTY } }

const machines = (words: readonly string[], around: object = { env }) =>
  place.run(['machines', ...words], around)
const asJson = async (words: readonly string[], around: object = { env }) => {
  const { out } = await machines([...words, '-o', 'json'], around)
  return JSON.parse(out)
}

test.after(async () => {
  const wasOpened = existsSync(place.data)
  await place.remove()
  assert.is(wasOpened, false, 'no data folder was made')
})

test('list names kind, task, machine, version, states and events', LONG, async () => {
  const [wait] = await asJson(['list', 'Server.wait'])
  assert.equal(wait, {
    ...{ kind: 'Server', task: 'wait', machine: 'wait', version: '1' },
    ...{ states: ['here', 'there'], events: ['GO'] },
  })
  const { code, out } = await machines(['list'])
  assert.is(code, 0)
  for (const task of ['Server.echo', 'Server.wait', 'Server.bad', 'Server.life', 'Leaky.hang'])
    assert.match(out, task)
  assert.match((await machines(['list', 'Server', '-o', 'wide'])).out, 'here, there')
})

test('a checkout runs its own TypeScript, and an app in TypeScript', LONG, async () => {
  const ESCAPEMENT_APP = resolve('spec/bin/fixtures/shop.ts')
  const around = { program: resolve('bin/escapement.js'), env: { ...env, ESCAPEMENT_APP } }
  const [fromSource, compiled] = [await asJson(['list'], around), await asJson(['list'])]
  assert.ok(fromSource.length > 0)
  assert.equal(fromSource, compiled)
})

test('lint tells all findings, of an app that would not load too', LONG, async () => {
  const found = await asJson(['lint'], faulty)
  assert.equal(
    found.map(({ kind, task, path, rule, severity }: any) =>
      [kind, task, path, rule, severity].join(' '),
    ),
    [
      'Server turn turn.left eventless-cycle error',
      'Server ring ring.on part-missing error',
      'Server ring ring.on dead-end warning',
      'Fleet wait wait.here delay-inlined warning',
    ],
  )
  const { code, out, err } = await machines(['lint'], faulty)
  assert.is(code, 1)
  assert.match(out, /error +part-missing +Server\.ring +ring\.on +the action "bell" .*; provide it/)
  assert.match(out, 'Machines: 5, errors: 2, warnings: 2.\n')
  assert.match(err, '[MACHINES_FAULTY]')
  const refused = await place.run(['get', 'tasks'], { env: { ESCAPEMENT_APP: FAULTY } })
  assert.is(refused.code, 2)
  assert.match(
    refused.err,
    /Server\.turn is not valid at turn\.left: its eventless .*; give one of/,
  )
})

test('lint ends with 0 for warnings, unless it is strict', LONG, async () => {
  assert.is((await machines(['lint', 'Fleet'], faulty)).code, 0)
  assert.is((await machines(['lint', 'Fleet', '--strict'], faulty)).code, 1)
  const clean = await machines(['lint', 'Server.wait', '--strict'])
  assert.equal([clean.code, clean.out], [0, 'Machines: 1, errors: 0, warnings: 0.\n'])
})

test('graph draws Mermaid, or JSON wherever that is asked for', LONG, async () => {
  const { code, out } = await machines(['graph', 'Server.turn'], faulty)
  assert.is(code, 0)
  assert.equal(readMermaid(out).arrows.slice(-2), ['s1 -> s2 : always', 's2 -> s1 : always'])
  const graph = await asJson(['graph', 'Server.turn'], faulty)
  assert.equal(
    graph.nodes.map(({ id }: any) => id),
    ['turn', 'turn.left', 'turn.right'],
  )
})

test('refuses what is no machine', LONG, async () => {
  const refusals: [words: string[], says: string, code: number][] = [
    [['graph', 'Server'], 'a machine is written KIND.TASK', 2],
    [['graph', 'Server.wait.here'], 'a machine is written KIND.TASK', 2],
    [['lint', 'Server.'], 'a machine is written KIND.TASK', 2],
    [['graph', 'Server.nothing'], 'TASK_UNKNOWN', 3],
    [['list', 'Servr'], 'RESOURCE_KIND_UNKNOWN', 3],
  ]
  for (const [words, says, status] of refusals) {
    const { code, out, err } = await machines(words)
    assert.equal([code, out], [status, ''], err)
    assert.match(err, says)
  }
})

test.run()
