// Commands for many, for keys, for schemas, and for whoever wonders whether all is well.
// timeout: 240s
import { existsSync, mkdtempSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../support/suite.ts'
import { escapement, inside, Place } from './shell.ts'

const LONG = { deadlineMs: 90_000 }
const test = suite('commands for many')
const place = await Place.blank(inside)
let id = ''

test.before(async () => {
  await place.json(['create', 'Server', '--field', 'plan=large', 'password=one'])
  id = (await place.json(['create', 'Server', '--field', 'plan=large', 'password=two'])).id
})
test.after(() => place.remove())

test('verbs for many count what they chose, changed and were refused', LONG, async () => {
  const many = ['Server', 'wait', '--where', 'plan=large']
  const counted = await place.json(['start', ...many, '--dry-run'])
  const what = { kind: 'Server', task: 'wait', matched: 2, refused: {} }
  assert.equal(counted, { ...what, changed: 0, dryRun: true })
  const started = await place.run(['start', ...many])
  assert.is(started.out, 'changed 2 of 2 Server\n')
  await place.json(['stop', `Server/${id}`, 'wait'])
  const sent = await place.json(['send', 'Server', 'wait', 'GO', '--where', 'plan=large'])
  assert.equal(sent, { ...what, changed: 1, refused: { TASK_FINISHED: 1 }, dryRun: false })
})

test('an empty filter chooses nothing, and a filter is not for one', LONG, async () => {
  const all = await place.run(['start', 'Server', 'echo'])
  assert.is(all.code, 2)
  assert.match(all.err, /would choose all 2 of Server.* --all\.\n.*\[ARGUMENT_INVALID\]/)
  const one = await place.run(['start', `Server/${id}`, 'echo', '--dry-run'])
  assert.is(one.code, 2)
})

test('keys are rotated, everything is sealed again, and old ones show nothing', LONG, async () => {
  const status = async () => (await place.json(['keys', 'status'])).keys
  const { newest, file } = await place.json(['keys', 'rotate'])
  assert.is(newest, 1)
  assert.is(statSync(file).mode & 0o777, 0o600)
  const [fresh, old] = await status()
  assert.equal([fresh.seals, fresh.sealed, old.seals], [true, 0, false])
  assert.ok(old.sealed >= 2)
  const done = await place.json(['keys', 'reencrypt'])
  assert.equal(done, { done: old.sealed, left: 0, newest })
  const after = await status()
  assert.equal([after[0].sealed, after[1].sealed], [old.sealed, 0])
})

test('keys are made for the environment or a file, which is never replaced', LONG, async () => {
  const { out } = await escapement(['keys', 'generate'])
  assert.match(out, /^0:[\w-]{43}\n$/)
  const folder = mkdtempSync(join(place.folder, 'keys-'))
  const generate = ['keys', 'generate', '--file', 'ring']
  assert.is((await escapement(generate, { folder })).code, 0)
  const again = await escapement(generate, { folder })
  assert.is(again.code, 4)
  assert.match(again.err, 'KEYS_FILE_EXISTS')
  const env = { ESCAPEMENT_KEYS: out.trim(), DATABASE_URL: 'postgres://127.0.0.1:1/x' }
  const rotated = await inside(['keys', 'rotate'], { env })
  assert.match(rotated.out, /^ESCAPEMENT_KEYS=0:[\w-]+,1:[\w-]+\n1\. /)
})

test('setup makes, migrate tells, teardown drops what somebody confirmed', LONG, async () => {
  const env = { ...place.env, ESCAPEMENT_DATA: join(place.folder, 'other') }
  const run = (...words: string[]) => inside(words, { env })
  assert.match((await run('migrate', '--status')).out, /0001_house +no/)
  assert.not.ok(existsSync(env.ESCAPEMENT_DATA), 'a question makes nothing')
  assert.match((await run('setup')).out, /is up to date: ran 0001_house.* Keys are in/)
  const refused = await run('teardown')
  assert.is(refused.code, 2)
  assert.match(refused.err, 'CONFIRMATION_MISSING')
  assert.match((await run('teardown', '--yes')).out, 'Dropped "escapement" and "escapement_queue".')
  assert.match((await run('migrate', '--status')).out, /0001_house +no/)
})

test('doctor finds nothing wrong, shows the configuration, and makes nothing', LONG, async () => {
  const { configuration, checks } = await place.json(['doctor'])
  assert.is(configuration.setting, 'embedded')
  const bad = checks.filter((check: any) => check.status === 'fail')
  assert.equal(bad, [])
  const names = checks.map((check: any) => check.name).join(' ')
  assert.is(names, 'node keys database durability clock migrations seals due queue')
  const env = { ESCAPEMENT_DATA: join(place.folder, 'none') }
  assert.is((await inside(['doctor'], { env })).code, 0)
  assert.not.ok(existsSync(env.ESCAPEMENT_DATA))
})

test.run()
