// Commands as a user runs them, one after the other: those a reader begins with on an embedded folder, the others where a
// house is open soonest. What ends a process, hears a signal, sits at a terminal or begins with nothing is a child
// process; the rest runs in this one.
// timeout: 300s
import { assert, suite } from '../support/suite.ts'
import { type Ended, escapement, inside, Place } from './shell.ts'

const LONG = { deadlineMs: 90_000 }
const test = suite('commands')
const own = new Place(inside)
const place = await Place.quickest()
let first: Ended

/** Runs everything that is due; the status tells whether something is parked. */
const untilIdle = () => place.run(['dev', '--until-idle'])

test.before(async () => {
  first = await escapement(['dev', '--until-idle'], { env: own.env })
})
test.after(async () => {
  for (const one of [own, place]) await one.remove()
})

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
  const seeds = await own.json(['get', 'Server', '--where', 'plan=small', '--limit', '1'])
  assert.is(seeds[0].fields.password, '[secret]')
})

test('create, get and set show a resource, its secrets masked', LONG, async () => {
  const input = '{"password": "hunter2", "size": 1}'
  const { id } = await own.json(['create', 'Server', '--data', '-', '--field', 'size=3'], {
    input,
  })
  const one = await own.json(['get', 'Server', id])
  const fields = { plan: 'small', size: 3, password: '[secret]' }
  const availability = { status: 'unknown', reason: null, since: null, by: null }
  assert.equal(one, { id, kind: 'Server', state: '__new__', parentId: null, fields, availability })
  const set = ['set', `Server/${id}`, 'size=4', 'plan=large', '--unset', 'password']
  const { fields: changed } = await own.json(set)
  assert.equal(changed, { plan: 'large', size: 4 })
  const child = await own.json(['create', 'Server', '--parent', `Server/${id}`])
  assert.is(child.parentId, id)
  const listed = await own.json(['get', 'resources', '--where', `parent=Server/${id}`])
  assert.equal(
    listed.map((found: any) => found.id),
    [child.id],
  )
})

test('tasks start, panic, go on and stop; each change keeps who and why', LONG, async () => {
  const { id } = await create()
  const server = `Server/${id}`
  const because = ['--reason', 'a reason', '--actor', 'me']
  const started = await place.json(['start', server, 'wait', ...because])
  const shape = { kind: 'Server', id, task: 'wait', taskId: started.taskId, changed: true }
  assert.equal(started, shape)
  await place.json(['start', server, 'bad'])
  const { code, out, err } = await untilIdle()
  assert.is(code, 1)
  assert.match(err, /TASKS_PANICKED/)
  assert.match(err, `${server} bad`)
  assert.match(out, 'panicked: it broke at postgres://[secret]@db/x \\u001b[31m')
  await place.json(['send', server, 'wait', 'GO', '--data', '{"a":1}', '--expires-in', '5m'])

  const described = await place.json(['describe', server])
  const [bad, wait] = described.tasks
  assert.equal([bad.task, bad.status, bad.mailbox], ['bad', 'panicked', 0])
  assert.equal([wait.task, wait.state, wait.mailbox], ['wait', 'here', 1])
  assert.is(described.failures[0].message, 'it broke at postgres://[secret]@db/x \x1b[31m')
  const tried = { attempt: 1, notBefore: null, progress: { parts: 2 } }
  assert.equal(bad.effects, [{ effect: '0.(machine).trying', ...tried }])
  const shown = await place.run(['describe', server])
  for (const part of ['Fields', 'Tasks', 'Effects', '{parts:2}', 'Failures', 'panicked'])
    assert.match(shown.out, part)
  for (const hidden of ['\x1b', 'hunter2']) assert.not.match(shown.out, hidden)

  const found = await place.json(['failures', server, '--task', 'bad', '--since', '1h'])
  const [{ at, id: _, taskId, stack, ...failure }] = found
  assert.equal(failure, {
    ...{ kind: 'Server', resourceId: id, task: 'bad', step: 2, attempt: 1 },
    ...{ effect: '0.(machine).trying', class: 'Error', code: null, severity: 'error' },
    message: 'it broke at postgres://[secret]@db/x \x1b[31m',
    ...{ isRetryable: true, playbook: null, dependency: 'shelf', causes: [], context: null },
  })
  assert.ok(found.length === 1 && taskId === bad.taskId && /^\d{4}-.*Z$/.test(at))
  assert.match(stack, /^Error: it broke at postgres:\/\/\[secret\]@db\/x/)
  const wide = await place.run(['failures', 'Server', '-o', 'wide', '--class', 'Error'])
  for (const part of ['RESOURCE', 'PLAYBOOK', server, 'it broke']) assert.match(wide.out, part)
  for (const hidden of ['\x1b', 'hunter2']) assert.not.match(wide.out, hidden)
  const unknown = await place.run(['failures', server, '--task', 'none'])
  assert.match(unknown.err, '[TASK_UNKNOWN]')

  await place.json(['retry', server, 'bad', '--reason', 'mended'])
  const rewound = await place.run(['rewind', server, 'bad', '--steps', '1'])
  assert.is(rewound.code, 2, 'its first state is its last')
  assert.match(rewound.err, 'STEP_UNKNOWN')
  assert.is((await place.json(['stop', server, 'bad'])).changed, true)
  const lines = await place.json(['history', server])
  const ofBad = lines.filter((line: any) => line.task === 'bad').map((line: any) => line.to)
  assert.equal(ofBad, ['__new__', 'trying', '__panic__', 'trying', '__stop__'])
  const begun = lines.find((line: any) => line.task === 'wait')
  assert.equal([begun.actor, begun.reason], ['me', 'a reason'])
  assert.match(lines.at(-1).actor, /^cli:/)
})

test('a resource lives and stops; its life is a task like any other', LONG, async () => {
  const { id } = await create()
  const server = `Server/${id}`
  await place.json(['start', server])
  await place.json(['restart', server])
  await place.json(['send', server, 'life', 'STOP'])
  await untilIdle()
  const refused = await place.run(['start', server, 'echo'])
  assert.is(refused.code, 4)
  assert.match(refused.err, 'RESOURCE_STOPPED')
})

test('wait says by its status whether it is so, may become so, or cannot', LONG, async () => {
  const { id } = await create()
  const wait = ['wait', `Server/${id}`, 'wait']
  const status = async (...words: string[]) => (await place.run([...wait, ...words])).code
  assert.is(await status(), 4, 'it was never started')
  const { taskId } = await place.json(['start', `Server/${id}`, 'wait'])
  await untilIdle()
  const here = await place.json([...wait, '--for', 'state=here'])
  assert.equal([here.taskId, here.status, here.state], [taskId, 'running', 'here'])
  assert.is(await status('--for', 'tag=none', '--timeout', '100ms'), 1)
  assert.is(await status('--for', 'sometime'), 2)
  await place.json(['stop', `Server/${id}`, 'wait'])
  const late = await place.run(wait)
  assert.is(late.code, 4)
  assert.match(late.err, 'TASK_FINISHED')
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
  const { code, out } = await escapement(['console'], {
    env: place.env,
    input: `${lines.join('\n')}\n`,
  })
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
    env: { ESCAPEMENT_DATA: own.data },
    folder: 'examples/server',
  })
  assert.is(code, 0)
  assert.is(out, '[]\n')
})

test.run()
