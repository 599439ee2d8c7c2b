// `escapement notices`: what was told and what could not be, listed; dead letters sent again, never by an empty choice.
// timeout: 240s
import { createApp, readConfig } from '../../bin/index.ts'
import { newId } from '../../lib/id.ts'
import { SystemTime } from '../../lib/time.ts'
import { asCompiled } from '../support/compiled.ts'
import { assert, suite } from '../support/suite.ts'
import teller from './fixtures/teller.ts'
import { Place } from './shell.ts'

const LONG = { deadlineMs: 90_000 }
const test = suite('notices on the command line')
const place = await Place.quickest()
const app = { env: { ESCAPEMENT_APP: await asCompiled('spec/bin/fixtures/teller.ts') } }
const ids = Array.from({ length: 3 }, () => newId(new SystemTime()))

// Each test finds three dead letters, whatever the one before has done with them.
test.before.each(async () => {
  const house = await createApp({ ...teller, config: readConfig(place.env), migrate: true })
  const { database } = house.rooms
  await database.query('DELETE FROM deliveries')
  await database.query('DELETE FROM delivery_notices')
  for (const [at, id] of ids.entries()) {
    await database.query(
      `INSERT INTO deliveries (id, route, group_key, status, attempt, due_at, count, error, created_at, ended_at)
       VALUES ($1, $2, '[]', 'dead', 15, now(), 2, 'Route ops could not deliver: it is gone.', now(), now())`,
      [id, at === 0 ? 'chat' : 'ops'],
    )
  }
  await database.query(
    `INSERT INTO delivery_notices (route, notice_id, delivery_id, type, notice)
     VALUES ('ops', gen_random_uuid(), $1, 'x', '{"message": "the disk\\nis full"}')`,
    [ids[2]],
  )
  await house.close()
})
test.after(() => place.remove())

test(
  'lists deliveries, the latest first, with what they say and why they failed',
  LONG,
  async () => {
    const all = await place.json(['notices', 'list'], app)
    assert.equal(
      all.map(({ id }: any) => id),
      [...ids].reverse(),
    )
    const [{ createdAt, endedAt, ...latest }] = all
    assert.equal(latest, {
      ...{
        id: ids[2],
        route: 'ops',
        group: '[]',
        status: 'dead',
        notices: 2,
        message: 'the disk\nis full',
      },
      ...{
        attempt: 15,
        error: 'Route ops could not deliver: it is gone.',
        actor: null,
        reason: null,
        dueAt: null,
      },
    })
    assert.ok(createdAt <= endedAt)
    const some = await place.json(['notices', 'list', '--route', 'chat', '--status', 'dead'], app)
    assert.equal(
      some.map(({ id }: any) => id),
      [ids[0]],
    )
    const { out } = await place.run(['notices', 'list', '--limit', '1'], app)
    assert.match(out, /the disk\\nis full/)
  },
)

test(
  'an empty choice is refused and counted, and what is no id is refused before anything is opened',
  LONG,
  async () => {
    const empty = await place.run(['notices', 'retry'], app)
    assert.is(empty.code, 2)
    assert.match(empty.err, /would choose all \d dead letters.* --all/)
    const bad = await place.run(['notices', 'retry', 'x'], app)
    assert.is(bad.code, 2)
    assert.match(bad.err, /"x" is not valid: it is no id of a delivery/)
  },
)

test('dead letters are counted, then sent again with who and why', LONG, async () => {
  const retry = ['notices', 'retry', '--route', 'ops', '--reason', 'it is up again']
  const counted = await place.json([...retry, '--dry-run'], app)
  assert.equal(counted, { matched: 2, changed: 0, dryRun: true })
  const done = await place.run(retry, app)
  assert.is(done.out, '2 of 2 dead letters are sent again\n')
  const [{ status, actor, reason }] = await place.json(['notices', 'list', '--route', 'ops'], app)
  assert.equal([status, reason], ['sending', 'it is up again'])
  assert.match(actor, /^cli:/)
  assert.equal(await place.json(['notices', 'retry', ids[1]!], app), {
    matched: 0,
    changed: 0,
    dryRun: false,
  })
})

test('an app that tells nobody says so', LONG, async () => {
  const { code, err } = await place.run(['notices', 'list'])
  assert.is(code, 2)
  assert.match(err, /NOTIFICATIONS_ABSENT/)
})

test.run()
