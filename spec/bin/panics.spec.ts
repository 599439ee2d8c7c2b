// Panics and their alarms on the command line: listed, acted on, one by one and many at once.
// timeout: 400s
import { assert, suite } from '../support/suite.ts'
import { Place } from './shell.ts'

const LONG = { deadlineMs: 240_000 }
const test = suite('panics on the command line')
const place = await Place.quickest()
const untilIdle = () => place.run(['dev', '--until-idle'])
const because = ['--reason', 'a reason', '--actor', 'me']
const none = { skipped: 0, refused: {}, dryRun: false, interrupted: false }

async function park(): Promise<string> {
  const { id } = await place.json(['create', 'Server'])
  await place.json(['start', `Server/${id}`, 'bad'])
  return id
}
test.before(async () => {
  await untilIdle() // the seed
})
test.after(() => place.remove())

test('panics are listed, counted and retried, one or many, and no empty filter', LONG, async () => {
  const id = await park()
  const other = await park()
  await untilIdle()
  const listed = await place.json(['panics', 'list', 'Server'])
  assert.equal(listed.map((one: any) => one.resourceId).sort(), [id, other].sort())
  const [one] = await place.json(['panics', 'list', `Server/${id}`])
  assert.equal(
    [one.task, one.status, one.state, one.name, one.alarm.state, one.error.class, one.attempts],
    ['bad', 'panicked', 'trying', 'panic', 'open', 'Error', 1],
  )
  const wide = await place.run(['panics', 'list', '-o', 'wide'])
  for (const part of ['PLAYBOOK', `Server/${id}`, 'trying', '[secret]'])
    assert.match(wide.out, part)
  assert.not.match(wide.out, 'hunter2')

  const empty = await place.run(['panics', 'retry'])
  assert.is(empty.code, 2)
  assert.match(empty.err, /would choose all 2 panics.*--all/)
  const counted = await place.json(['panics', 'retry', '--task', 'bad', '--dry-run'])
  assert.equal(counted, { verb: 'retry', matched: 2, changed: 0, ...none, dryRun: true })
  const nowhere = ['panics', 'goto', 'nowhere', '--kind', 'Server', '--task', 'bad']
  assert.is((await place.run(nowhere)).code, 2)
  assert.is((await place.json(['panics', 'list'])).length, 2, 'nothing was changed')

  const first = await place.json(['panics', 'retry', `Server/${id}`, 'bad', ...because])
  assert.equal(first, { kind: 'Server', id, task: 'bad', verb: 'retry', changed: true })
  const again = await place.run(['panics', 'retry', `Server/${id}`, 'bad'])
  assert.equal([again.code, again.out], [0, `not parked: bad of Server/${id}\n`])
  const rest = await place.run(['panics', 'stop', '--all', ...because])
  assert.equal([rest.out, rest.err], ['stopped 1 of 1 panics\n', '1 panics to stop\n'])
  const lines = await place.json(['history', `Server/${other}`, 'bad'])
  assert.equal([lines.at(-1).to, lines.at(-1).actor], ['__stop__', 'me'])
  assert.equal(await place.json(['panics', 'list']), [])
})

test.run()
