// Pauses and breakers by hand, as a user does it.
// timeout: 240s
import { assert, suite } from '../support/suite.ts'
import { Place } from './shell.ts'

const LONG = { deadlineMs: 90_000 }
const test = suite('commands about holds')
const place = await Place.quickest()
let server = ''

test.before(async () => {
  const { id } = await place.json(['create', 'Server'])
  server = `Server/${id}`
})
test.after(() => place.remove())

test('a resource is paused and resumed, with a reason and an end', LONG, async () => {
  const paused = await place.run(['pause', server, '--for', '1h', '--reason', 'moved'])
  assert.match(paused.out, new RegExp(`^${server} is paused until 20.*Z\n$`))
  const again = await place.json(['pause', server])
  assert.equal([again.isNew, again.until], [false, null])
  assert.is((await place.json(['resume', server])).changed, true)
  assert.is((await place.run(['resume', server])).out, `${server} is not paused\n`)
})

test('so are a task of a kind and the queue', LONG, async () => {
  const task = await place.json(
    ['pause', '--task', 'Server.wait', '--until', '2999-01-01'].slice(0, 3),
  )
  assert.equal([task.scope, task.isNew], ['task:Server.wait', true])
  assert.is(
    (await place.run(['resume', '--task', 'Server.wait'])).out,
    'task Server.wait goes on\n',
  )
  assert.is((await place.json(['pause', '--queue'])).scope, 'queue:ticks')
  assert.is((await place.run(['resume', '--queue'])).out, 'the queue goes on\n')
  assert.is((await place.json(['pause', '--queue', 'slow'])).scope, 'queue:slow')
  assert.is((await place.run(['resume', '--queue', 'slow'])).out, 'queue slow goes on\n')
})

test('breakers are listed, shut, opened, and have a history', LONG, async () => {
  const [shelf] = await place.json(['breakers'])
  assert.equal([shelf.name, shelf.state, shelf.failed, shelf.of], ['shelf', 'open', 0, 0])
  await place.run(['breakers', 'shut', 'shelf', '--for', '5m', '--reason', 'leaks'])
  const listed = await place.run(['breakers', 'list'])
  assert.match(listed.out, /shelf +shut .*leaks/)
  assert.is((await place.json(['breakers', 'open', 'shelf'])).changed, true)
  const lines = await place.json(['breakers', 'history', 'shelf'])
  assert.equal(
    lines.map(({ event, reason }: any) => [event, reason]),
    [
      ['open', null],
      ['shut', 'leaks'],
    ],
  )
})

test('what cannot be held is refused', LONG, async () => {
  const refused: [string[], number, RegExp][] = [
    [['pause'], 2, /name exactly one/],
    [['pause', server, '--queue'], 2, /name exactly one/],
    [['pause', '--queue', 'Slow one'], 2, /small letters/],
    [['pause', server, 'wait', '--for', '1h'], 2, /until it is resumed/],
    [['pause', server, '--until', '2001-01-01'], 2, /has passed/],
    [['pause', '--task', 'Server.nap'], 3, /nap/],
    [['breakers', 'shut', 'sky'], 3, /Known: shelf/],
  ]
  for (const [words, code, sentence] of refused) {
    const { code: status, err } = await place.run(words)
    assert.match(err, sentence)
    assert.is(status, code, `${words.join(' ')}: ${err}`)
  }
})

test.run()
