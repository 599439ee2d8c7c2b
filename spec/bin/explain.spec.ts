// `explain`, `due` and `workers`: a sentence, lists, and one shape as JSON.
// timeout: 240s
import { assert, suite } from '../support/suite.ts'
import { inside, Place } from './shell.ts'

const LONG = { deadlineMs: 90_000 }
const test = suite('explain on the command line')
const place = await Place.quickest()
let id = ''

test.before(async () => {
  id = (await place.json(['create', 'Server'])).id
  // What is held when it is started has its first step left to a worker, and there is none.
  await place.json(['pause', `Server/${id}`])
  await place.json(['start', `Server/${id}`, 'wait'])
  await place.json(['resume', `Server/${id}`])
})
test.after(() => place.remove())

test('says it in a sentence, with the evidence and what to do', LONG, async () => {
  const { code, out } = await place.run(['explain', `Server/${id}`, 'wait'])
  assert.is(code, 0)
  const [sentence = '', , head = ''] = out.split('\n')
  assert.match(sentence, `wait of Server/${id} is due since`)
  assert.match(sentence, 'and no worker of queue ticks is alive.')
  assert.match(head, /^EVIDENCE +IT$/)
  assert.match(out, /^resting +is running in state __new__ at step 0 since/m)
  assert.match(out, /^ {2}escapement worker$/m)
})

test('has one shape as JSON', LONG, async () => {
  const told = await place.json(['explain', `Server/${id}`])
  assert.equal([told.kind, told.id, told.task, told.code], ['Server', id, 'wait', 'no_worker'])
  assert.equal(told.actions, ['escapement worker'])
  const [{ code, text, at }] = told.evidence
  assert.is(code, 'no_worker')
  assert.type(text, 'string')
  assert.is(new Date(at).toISOString(), at)
})

test('refuses what there is not, with the status of that', LONG, async () => {
  const nobody = '00000000-0000-7000-8000-000000000000'
  const { code, err } = await place.run(['explain', `Server/${nobody}`])
  assert.is(code, 3)
  assert.match(err, nobody)
  assert.is((await place.run(['explain', 'Server'])).code, 2)
  assert.is((await place.run(['due', '--within', 'soon'])).code, 2)
})

test('lists what is due, and by how much it is late', LONG, async () => {
  const [line, ...others] = await place.json(['due'])
  assert.equal(others, [])
  assert.equal([line.kind, line.resourceId, line.task], ['Server', id, 'wait'])
  assert.equal([line.status, line.state, line.reason], ['running', '__new__', 'start'])
  assert.ok(line.lateMs >= 0)
  assert.match((await place.run(['due'])).out, /late by (less than a second|\d+ )/)
  assert.equal(await place.json(['due', '--kind', 'Leaky']), [])
})

test('lists who is at work', LONG, async () => {
  const other = await Place.blank(inside)
  try {
    await listsStaff(other)
  } finally {
    await other.remove()
  }
})

async function listsStaff(place: Place): Promise<void> {
  assert.equal(await place.json(['workers']), [])
  const words = ['solo', '--concurrency', '3']
  // A second signal would end it at once, without a goodbye.
  let isAsked = false
  await place.run(words, {
    hear: (child, out) => {
      if (isAsked || !out.includes('"clock.started"')) return
      isAsked = true
      child.kill('SIGTERM')
    },
  })
  const staff = await place.json(['workers'])
  assert.equal(staff.map(({ role }: any) => role).sort(), ['clock', 'worker'])
  for (const { status, stoppedAt, queue } of staff) {
    assert.equal([status, queue], ['stopped', 'ticks'])
    assert.is(new Date(stoppedAt).toISOString(), stoppedAt)
  }
  const worker = staff.find(({ role }: any) => role === 'worker')
  assert.equal([worker.concurrency, worker.queues], [3, { ticks: 3 }])
  assert.match((await place.run(['workers'])).out, /ticks=3 +3 /)
}

test.run()
