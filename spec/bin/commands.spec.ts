// Commands as a user runs them: child processes on an embedded folder, one after the other.
// timeout: 300s
import { assert, suite } from '../support/suite.ts'
import { type Ended, escapement, Place } from './shell.ts'

const LONG = { deadlineMs: 90_000 }
const test = suite('commands')
const place = new Place()
let first: Ended

/** Runs everything that is due; the status tells whether something is parked. */
const untilIdle = () => place.run(['dev', '--until-idle'])

test.before(async () => {
  first = await untilIdle()
})
test.after(() => place.remove())

const create = (...words: string[]) => place.json(['create', 'Server', ...words])

test('dev seeds an empty database, tells what happens, and ends when nothing is left', async () => {
  assert.is(first.code, 0, first.err)
  for (const said of [
    /^Escapement, embedded/,
    /seeding/,
    /one -> two/,
    /echo {2}done in 3 steps/,
  ]) {
    assert.match(first.out, said)
  }
  assert.match(first.out, 'Nothing is left to do.')
  assert.not.match(first.out, '\x1b', 'there is no colour in a pipe')
  assert.not.match(first.out, 'from the seed')
  const seeds = await place.json(['get', 'Server', '--where', 'plan=small', '--limit', '1'])
  assert.is(seeds[0].fields.password, '[secret]')
})

test('create, get and set show a resource, its secrets masked', LONG, async () => {
  const input = '{"password": "hunter2", "size": 1}'
  const { id } = await place.json(['create', 'Server', '--data', '-', '--field', 'size=3'], {
    input,
  })
  const one = await place.json(['get', 'Server', id])
  const fields = { plan: 'small', size: 3, password: '[secret]' }
  assert.equal(one, { id, kind: 'Server', state: '__new__', parentId: null, fields })
  const set = ['set', `Server/${id}`, 'size=4', 'plan=large', '--unset', 'password']
  const { fields: changed } = await place.json(set)
  assert.equal(changed, { plan: 'large', size: 4 })
  const child = await create('--parent', `Server/${id}`)
  assert.is(child.parentId, id)
  const listed = await place.json(['get', 'resources', '--where', `parent=Server/${id}`])
  assert.equal(
    listed.map((found: any) => found.id),
    [child.id],
  )
})

test(
  'start, send and stop tell what they changed, and the history keeps who and why',
  LONG,
  async () => {
    const { id } = await create()
    const server = `Server/${id}`
    const started = await place.json([
      'start',
      server,
      'wait',
      '--reason',
      'a reason',
      '--actor',
      'me',
    ])
    assert.equal(
      { ...started, taskId: '' },
      { kind: 'Server', id, task: 'wait', taskId: '', changed: true },
    )
    const again = await place.json(['start', server, 'wait'])
    assert.equal(again, { ...started, changed: false })
    await untilIdle()
    await place.json(['send', server, 'wait', 'GO', '--data', '{"a":1}', '--expires-in', '5m'])
    const [run] = await place.json(['get', 'tasks', '--where', `resource=${server}`])
    assert.is(run.state, 'here')
    assert.ok(run.dueAt, 'the event made it due')
    const stopped = await place.json(['stop', server, 'wait'])
    assert.is(stopped.changed, true)
    const lines = await place.json(['history', server, 'wait'])
    assert.equal(
      lines.map((line: any) => line.to),
      ['__new__', 'here', '__stop__'],
    )
    assert.is(lines[0].actor, 'me')
    assert.is(lines[0].reason, 'a reason')
    assert.match(lines[2].actor, /^cli:/)
    const table = await place.run(['history', server])
    assert.match(table.out, /^AT +TASK +STEP +FROM/)
  },
)

test(
  'a panic makes dev end with 1; describe explains it, retry and rewind move it',
  LONG,
  async () => {
    const { id } = await create()
    const server = `Server/${id}`
    await place.json(['start', server, 'bad'])
    const { code, out, err } = await untilIdle()
    assert.is(code, 1)
    assert.match(err, /TASKS_PANICKED/)
    assert.match(err, `${server} bad`)
    assert.match(out, 'panicked: it broke at postgres://[secret]@db/x \\u001b[31m')
    const described = await place.json(['describe', server])
    assert.is(described.tasks[0].status, 'panicked')
    assert.is(described.failures[0].message, 'it broke at postgres://[secret]@db/x \x1b[31m')
    const shown = await place.run(['describe', server])
    for (const part of ['Fields', 'Tasks', 'Failures', 'panicked']) assert.match(shown.out, part)
    assert.not.match(shown.out, '\x1b')
    assert.not.match(shown.out, 'hunter2')
    await place.json(['retry', server, 'bad', '--reason', 'mended'])
    const rewound = await place.run(['rewind', server, 'bad', '--steps', '1'])
    assert.is(rewound.code, 2, 'its first state is its last')
    assert.match(rewound.err, 'STEP_UNKNOWN')
    await place.json(['stop', server, 'bad'])
  },
)

test('a resource lives: started, restarted, stopped; and life is a task', LONG, async () => {
  const { id } = await create()
  const server = `Server/${id}`
  await place.json(['start', server])
  await untilIdle()
  await place.json(['restart', server])
  await place.json(['send', server, 'life', 'STOP'])
  await untilIdle()
  assert.is((await place.json(['get', 'Server', id])).state, '__stop__')
  const refused = await place.run(['start', server, 'echo'])
  assert.is(refused.code, 4)
  assert.match(refused.err, 'RESOURCE_STOPPED')
})

test('get watches until it is interrupted, one list a line', LONG, async () => {
  const watch = ['get', 'tasks', '--watch', '-o', 'json']
  const { code, out } = await place.run(watch, {
    hear: (child, said) => void (said.includes('\n') && child.kill('SIGINT')),
  })
  assert.is(code, 130)
  for (const line of out.trim().split('\n')) assert.ok(Array.isArray(JSON.parse(line)))
})

test('console runs lines in order, awaits them, and shows no secret', LONG, async () => {
  const lines = [
    'const made = await app.create(Server, { password: "hunter2" })',
    'made',
    'throw new Error("a line that fails")',
    '(await get("Server/" + made.id)).password.length',
    'await find(Server).where({ plan: "large" }).count() >= 0',
  ]
  const { code, out } = await place.run(['console'], { input: `${lines.join('\n')}\n` })
  assert.is(code, 0)
  assert.match(out, /\[secret\][\s\S]*a line that fails[\s\S]*> 7\n[\s\S]*true/)
})

test('help and version are no errors, and nothing is opened for them', async () => {
  const bare = await escapement([])
  assert.is(bare.code, 0)
  assert.match(bare.out, 'Usage: escapement')
  const help = await escapement(['get', '--help'], { env: { DATABASE_URL: 'nonsense' } })
  assert.is(help.code, 0)
  assert.match(help.out, '--app <file>')
  assert.match((await escapement(['--version'])).out, /^\d+\.\d+\.\d+\n$/)
})

test('the nearest package.json names the app where nothing else does', async () => {
  const { code, out } = await escapement(['get', 'Fleet', '-o', 'json'], {
    env: { ESCAPEMENT_DATA: place.data },
    folder: 'examples/server',
  })
  assert.is(code, 0)
  assert.is(out, '[]\n')
})

test.run()
