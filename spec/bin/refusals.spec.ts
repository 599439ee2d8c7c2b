// Bad input: for each, one sentence, its code, its exit status, and a database that is as it was.
// timeout: 300s
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openDatabase } from '../../bin/database.ts'
import { readConfig } from '../../lib/config.ts'
import { EXIT } from '../../lib/errors.ts'
import { lockFolder } from '../../lib/folder.ts'
import { Keyring } from '../../lib/keyring.ts'
import { freshSchema } from '../support/house.ts'
import {
  databaseUrl,
  freePort,
  hasPostgres,
  redisUrl,
  startPrivatePostgres,
} from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { inside, Place, type Surroundings } from './shell.ts'

const LONG = { deadlineMs: 120_000 }
const test = suite('refusals')
const place = await Place.quickest()
/** An embedded one: it has no keys in its environment. */
const own = new Place(inside)
/** Whoever reads TypeScript is a process of its own. */
const apart = new Place()
let id = ''

interface Refusal extends Surroundings {
  readonly words: readonly string[]
  readonly code: string
  readonly exit: keyof typeof EXIT
  /** What the sentence says. */
  readonly says: string | RegExp
}

/** Runs the command and looks at everything it says. */
async function refused(
  { words, code, exit, says, ...around }: Refusal,
  where = place,
): Promise<void> {
  const ended = await where.run(words, around)
  const what = `${words.join(' ')}: ${ended.out}${ended.err}`
  assert.is(ended.code, EXIT[exit], what)
  assert.match(ended.err, new RegExp(`^error: .+\\.\n {2}.+ \\[${code}\\]\n$`), what)
  assert.match(ended.err, says)
  assert.is(ended.out, '', 'nothing is said where results are')
  assert.not.match(ended.err, /hunter2|^ +at /m, 'no secret, no stack')
}

/** Everything that is stored, as numbers that any change would change. */
async function stored(): Promise<unknown> {
  const { database, close } = await openDatabase(readConfig(place.env))
  const counts = ['resources', 'tasks', 'transitions', 'events', 'changes', 'keys'].map(
    (table) => `(SELECT count(*)::int FROM ${table}) AS ${table}`,
  )
  const { rows } = await database.query(
    `SELECT ${counts.join(', ')}, (SELECT string_agg(fields::text, '' ORDER BY id) FROM resources) AS fields`,
  )
  await close()
  return rows[0]
}

/** A file of the place. */
function written(name: string, text: string): string {
  const path = join(place.folder, name)
  writeFileSync(path, text)
  return path
}

test.before(async () => {
  const input = '{"password":"hunter2"}'
  id = (await place.json(['create', 'Server', '--data', '-'], { input })).id
})
test.after(async () => {
  for (const one of [place, own, apart]) await one.remove()
})

test('of an app file that is not there, exports none, or is broken', LONG, async () => {
  const twins = `import { defineApp, Resource } from 'escapement'
    class A extends Resource {}
    export default defineApp({ resources: [A, class extends Resource { static kind = 'A' }] })`
  const cases: [file: string, code: string, exit: keyof typeof EXIT, says: RegExp][] = [
    ['nowhere.ts', 'APP_NOT_FOUND', 'usage', /no app file at .*nowhere\.ts/],
    [place.folder, 'APP_NOT_FOUND', 'usage', /no app file at/],
    [written('empty.ts', ''), 'APP_NOT_EXPORTED', 'usage', /empty\.ts exports no app/],
    [written('other.mjs', 'export default 1'), 'APP_NOT_EXPORTED', 'usage', /other\.mjs exports/],
    [written('cut.ts', 'export default {'), 'APP_BROKEN', 'failed', /cut\.ts:1:\d+: ERROR: /],
    [written('thrown.ts', '\nthrow new Error("no luck")'), 'APP_BROKEN', 'failed', /luck, at .*:2/],
    [written('lost.mjs', 'import "./none.js"'), 'APP_BROKEN', 'failed', /Cannot find module/],
    [
      written('hole.ts', 'export default { resources: [undefined] }'),
      'APP_BROKEN',
      'failed',
      /\[0\]/,
    ],
    [written('twins.ts', twins), 'RESOURCE_DUPLICATE', 'usage', /both named "A"/],
  ]
  for (const [file, code, exit, says] of cases) {
    await refused({ words: ['get', 'tasks', '--app', file], code, exit, says }, apart)
  }
  const env = { ESCAPEMENT_APP: '' }
  const words = ['get', 'tasks']
  const none = { words, code: 'APP_NOT_NAMED', exit: 'usage', says: 'No app file' } as const
  await refused({ ...none, env, folder: place.folder })
})

test('of queues that cannot be served', LONG, async () => {
  const cases: [queues: string, says: string][] = [
    ['ticks=1,slow=2', 'names "slow", and no class is on it; there is ticks'],
    ['ticks=0', 'gives "ticks" 0 places, which is not between 1 and 1000'],
    ['ticks', 'says "ticks", which is not of the form queue=places'],
  ]
  for (const [ESCAPEMENT_QUEUES, says] of cases)
    await refused({
      ...{ words: ['worker'], env: { ESCAPEMENT_QUEUES }, code: 'CONFIG_INVALID' },
      ...{ exit: 'usage', says: `ESCAPEMENT_QUEUES ${says}` },
    })
})

test('of words that mean nothing', LONG, async () => {
  const usage = { code: 'COMMAND_INVALID', exit: 'usage' } as const
  const wrong = { code: 'ARGUMENT_INVALID', exit: 'usage' } as const
  const server = `Server/${id}`
  const cases: Omit<Refusal, 'env'>[] = [
    { words: ['gett'], ...usage, says: "unknown command 'gett' (did you mean get?)" },
    { words: ['get', 'tasks', '--wathc'], ...usage, says: '(did you mean --watch?)' },
    { words: ['get'], ...usage, says: "missing required argument 'kind'" },
    { words: ['keys'], ...usage, says: 'needs another word' },
    { words: ['get', 'tasks', '-o', 'yaml'], ...usage, says: 'Allowed choices are' },
    { words: ['get', 'tasks', '--limit', 'foo'], ...wrong, says: '--limit is not valid' },
    { words: ['start', 'Server/a/b', 'echo'], ...wrong, says: 'KIND/ID' },
    { words: ['start', server, 'wait', '--data', '{"a":'], ...wrong, says: 'it is not JSON' },
    {
      words: ['send', server, 'wait', 'GO', '--data', '{"__proto__":{}}'],
      ...wrong,
      says: '"__proto__"',
    },
    {
      words: ['send', server, 'wait', 'GO', '--data', '{"type":"X"}'],
      ...wrong,
      says: 'key "type"',
    },
  ]
  for (const one of cases) await refused(one)
})

test('of what the app or the database does not know, changing nothing', LONG, async () => {
  const before = await stored()
  const server = `Server/${id}`
  const absent = '0199a000-0000-7000-8000-000000000000'
  const cases: [words: string[], code: string, exit: keyof typeof EXIT, says: string][] = [
    [['get', 'Servr'], 'RESOURCE_KIND_UNKNOWN', 'notFound', 'no resource type "Servr"'],
    [['describe', `Server/${absent}`], 'RESOURCE_UNKNOWN', 'notFound', absent],
    [['get', 'Server', 'x\x1b[2J'], 'RESOURCE_UNKNOWN', 'notFound', 'x\\u001b[2J'],
    [['get', 'tasks', absent], 'RUN_UNKNOWN', 'notFound', 'no run with id'],
    [['start', server, 'ecko'], 'TASK_UNKNOWN', 'notFound', 'no task "ecko"'],
    [['send', server, 'wait', 'GONE'], 'EVENT_UNKNOWN', 'usage', 'no event "GONE"'],
    [['send', server, 'wait', 'GO'], 'TASK_NOT_RUNNING', 'conflict', 'is not running'],
    [['set', server, 'plan=huge'], 'FIELDS_INVALID', 'usage', 'plan'],
    [['get', 'Server', '--where', 'password=x'], 'ARGUMENT_INVALID', 'usage', 'is secret'],
  ]
  for (const [words, code, exit, says] of cases) await refused({ words, code, exit, says })
  assert.equal(await stored(), before)
})

test('of keys that are wrong or missing', LONG, async () => {
  const before = await stored()
  const words = ['get', 'Server']
  const usage = { words, exit: 'usage' } as const
  const other = { ESCAPEMENT_KEYS: Keyring.generate(0) }
  await refused({ ...usage, env: other, code: 'KEY_MISMATCH', says: 'is not the key 0' })
  const lacking = { ESCAPEMENT_KEYS: Keyring.generate(9) }
  await refused({ ...usage, env: lacking, code: 'KEY_ABSENT', says: 'key 0' })
  const short = { ESCAPEMENT_KEYS: '0:aHVudGVyMg' }
  await refused({ ...usage, env: short, code: 'KEY_INVALID', says: 'bytes, not 32' })
  const none = { DATABASE_URL: 'postgres://127.0.0.1:1/x' }
  await refused({ ...usage, env: none, code: 'KEYS_MISSING', says: 'no encryption keys' }, own)
  const { keys: _, ...after } = (await stored()) as Record<string, unknown>
  const { keys: __, ...was } = before as Record<string, unknown>
  assert.equal(after, was)
})

test('of databases and folders that cannot be had', LONG, async () => {
  const port = await freePort()
  const keys = { ESCAPEMENT_KEYS: Keyring.generate() }
  const closed = { ...keys, DATABASE_URL: `postgres://me:hunter2@127.0.0.1:${port}/x` }
  const words = ['get', 'tasks']
  const away = { code: 'DATABASE_UNREACHABLE', exit: 'unavailable', says: '127.0.0.1' } as const
  await refused({ words, env: closed, ...away })
  const json = await place.run([...words, '-o', 'json'], { env: closed })
  assert.is(JSON.parse(json.err).error.code, 'DATABASE_UNREACHABLE')

  const env = { ...closed, REDIS_URL: `redis://:hunter2@127.0.0.1:${port}` }
  const doctor = await place.run(['doctor', '-o', 'json'], { env })
  assert.is(doctor.code, EXIT.failed)
  const failed = JSON.parse(doctor.out).checks.filter((check: any) => check.status === 'fail')
  assert.equal(
    failed.map((check: any) => check.name),
    ['redis', 'database'],
  )
  assert.not.match(doctor.out + doctor.err, 'hunter2')

  const held = join(place.folder, 'held')
  mkdirSync(held)
  const lock = lockFolder(held)
  const busy = {
    code: 'DATA_FOLDER_IN_USE',
    exit: 'conflict',
    says: `process ${process.pid}`,
  } as const
  await refused({ words: [...words, '--data-folder', held], ...busy }, own)
  lock.release()
})

test('of schemas that were not migrated, and a Redis that is not there', LONG, async () => {
  const words = ['keys', 'status', '--data-folder', join(place.folder, 'none')]
  const usage = { code: 'MIGRATIONS_PENDING', exit: 'usage', says: '0001_house' } as const
  await refused({ words, ...usage }, own)
  // Of its own: that of the run is not durable, and doctor would say so.
  const server = hasPostgres() ? await startPrivatePostgres() : null
  const url = server?.url ?? databaseUrl()
  if (!url) return
  const schema = freshSchema()
  const env = { DATABASE_URL: url, ESCAPEMENT_SCHEMA: schema, ESCAPEMENT_KEYS: Keyring.generate() }
  await refused({ words: ['get', 'tasks'], env, ...usage })
  const port = await freePort()
  const away = { ...env, REDIS_URL: `redis://127.0.0.1:${port}` }
  assert.is((await place.run(['migrate'], { env })).code, 0)
  const gone = {
    code: 'REDIS_UNREACHABLE',
    exit: 'unavailable',
    says: `127.0.0.1:${port}`,
  } as const
  await refused({ words: ['get', 'tasks'], env: away, ...gone })
  if (redisUrl()) await isWell({ ...env, REDIS_URL: redisUrl() as string })
  assert.is((await place.run(['teardown', '--yes'], { env })).code, 0)
  await server?.stop()
})

test.run()

/** Doctor's opinion of a house with PostgreSQL and Redis. */
async function isWell(env: Record<string, string>): Promise<void> {
  const { code, out, err } = await inside(['doctor', '-o', 'json'], { env })
  assert.is(code, 0, out + err)
  const names = JSON.parse(out).checks.map((check: any) => check.name)
  assert.ok(names.includes('redis') && names.includes('queue'))
}
