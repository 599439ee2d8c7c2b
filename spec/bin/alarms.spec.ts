// Alarms on the command line: found, acknowledged, silenced, closed, and what is refused.
// timeout: 600s
import { assert, suite } from '../support/suite.ts'
import { Place } from './shell.ts'

const LONG = { deadlineMs: 240_000 }
const test = suite('alarms on the command line')
const place = await Place.quickest()
const because = ['--reason', 'a reason', '--actor', 'me']
let id = ''
let key = ''

test.before(async () => {
  id = (await place.json(['create', 'Server'])).id
  key = `${id}/bad/panic`
  await place.json(['start', `Server/${id}`, 'bad'])
  await place.run(['dev', '--until-idle'])
})
test.after(() => place.remove())

const alarms = (...words: string[]) => place.json(['alarms', ...words])
const refused = async (...words: string[]) => {
  const { code, err } = await place.run(['alarms', ...words])
  return `${code} ${/\[(\w+)\]/.exec(err)?.[1]}`
}

test(
  'an alarm is listed, acknowledged, noted, silenced, closed and opened again',
  LONG,
  async () => {
    const [listed] = await alarms('list', '--kind', 'Server', '--severity', 'error')
    assert.equal([listed.key, listed.state, listed.count], [key, 'open', 1])
    assert.is(listed.message, 'it broke at postgres://[secret]@db/x \x1b[31m')
    const counted = await alarms('ack', '--name', 'panic', '--dry-run')
    assert.equal([counted.matched, counted.changed, counted.dryRun], [1, 0, true])
    const many = await place.run(['alarms', 'ack', '--resource', `Server/${id}`, ...because])
    assert.equal(
      [many.out, many.err],
      ['acknowledged 1 of 1 alarms\n', '1 alarms to acknowledge\n'],
    )
    const noted = await alarms('note', key, '--text', 'look at the disk', '--owner', 'ada')
    assert.equal(
      [noted.note, noted.owner, noted.state],
      ['look at the disk', 'ada', 'acknowledged'],
    )
    const silenced = await alarms('silence', listed.id, '--until', '2999-01-01T00:00Z')
    assert.equal([silenced.state, silenced.silencedUntil], ['silenced', '2999-01-01T00:00:00.000Z'])
    const closed = await alarms('close', key, ...because)
    assert.equal([closed.state, closed.changed], ['closed', true])
    assert.equal(await alarms('list'), [])
    assert.is((await alarms('list', '--state', 'closed')).length, 1)

    assert.is(await refused('ack', key), '4 ALARM_CLOSED')
    assert.is(await refused('silence', key, '--for', '1h'), '4 ALARM_CLOSED')
    await alarms('reopen', key)
    assert.is(await refused('reopen', key), '4 ALARM_ACTIVE')
    const lines = await alarms('history', key)
    const said = lines.map(({ event, actor }: any) => `${event} ${actor}`)
    assert.equal(said.slice(1, 2), ['ACKNOWLEDGE me'])
    assert.equal([lines.at(-1).event, lines.at(-1).to], ['REOPEN', 'reopened'])
    const { out } = await place.run(['alarms', 'get', key])
    for (const part of [/^severity +error$/m, /^note +look at the disk$/m, /^episode +2$/m])
      assert.match(out, part)
  },
)

test('what cannot be is refused with a sentence, and changes nothing', LONG, async () => {
  const before = await alarms('list', '--state', 'all')
  assert.is(await refused('ack', 'none'), '3 ALARM_UNKNOWN')
  assert.is(await refused('ack', key, 'none'), '3 ALARM_UNKNOWN')
  assert.is(await refused('silence', key, '--until', '2020-01-01T00:00Z'), '2 ARGUMENT_INVALID')
  assert.is(await refused('silence', key, '--until', '2999-02-30T00:00Z'), '2 ARGUMENT_INVALID')
  assert.is(await refused('silence', key), '2 ARGUMENT_INVALID')
  assert.is(await refused('list', '--severity', 'loud'), '2 ARGUMENT_INVALID')
  assert.is(await refused('close'), '2 ARGUMENT_INVALID')
  assert.is(await refused('close', key, '--all'), '2 ARGUMENT_INVALID')
  assert.equal(await alarms('list', '--state', 'all'), before)
})

test('a maintenance is planned with a reason and an end, listed, and ended', LONG, async () => {
  const add = ['maintenance', 'add', '--resource', `Server/${id}`, '--name', 'panic']
  assert.is((await place.run([...add, '--for', '2h'])).code, 2, 'it has no reason')
  const made = await place.json([...add, '--for', '2h', ...because])
  assert.equal(
    [made.resourceId, made.name, made.actor, made.reason],
    [id, 'panic', 'me', 'a reason'],
  )
  assert.is(Date.parse(made.untilAt) - Date.parse(made.fromAt), 7_200_000)
  assert.equal(await place.json(['maintenance', 'list']), [made])
  await place.json(['maintenance', 'end', made.id])
  const again = await place.run(['maintenance', 'end', made.id])
  assert.is(again.code, 3)
  assert.match(again.err, 'MAINTENANCE_UNKNOWN')
})

test.run()
