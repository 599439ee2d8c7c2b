// The configuration: read once, checked whole, every problem named with its variable.
import { describeVariables, type Environment, readConfig } from '../../lib/config.ts'
import { isFault } from '../../lib/errors.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('config')
const DATABASE_URL = 'postgres://localhost/x'
const REDIS_URL = 'redis://localhost'

/** What is wrong with an environment. */
function problems(environment: Environment): string {
  try {
    readConfig(environment)
    return 'none'
  } catch (thrown) {
    assert.ok(isFault(thrown, 'CONFIG_INVALID'), String(thrown))
    return (thrown as Error).message
  }
}

test('needs nothing', () => {
  const config = readConfig({})
  assert.is(config.setting, 'embedded')
  assert.is(config.schema, 'escapement')
  assert.is(config.databaseUrl, null)
  assert.throws(() => Object.assign(config, { schema: 'x' }))
})

test('chooses the setting by the two addresses', () => {
  const settingOf = (environment: Environment) => readConfig(environment).setting
  assert.is(settingOf({ DATABASE_URL }), 'postgres')
  assert.is(settingOf({ DATABASE_URL, REDIS_URL }), 'full')
  assert.is(settingOf({ DATABASE_URL: '', REDIS_URL: '  ' }), 'embedded')
  assert.match(problems({ REDIS_URL }), 'REDIS_URL is set but DATABASE_URL is not')
})

test('reads numbers within their bounds, and nothing that merely looks like one', () => {
  assert.is(readConfig({ ESCAPEMENT_CONCURRENCY: ' 25 ' }).concurrency, 25)
  for (const wrong of ['0', '1001', '-1', '1.5', '1e3', '0x10', 'ten', '1_000']) {
    const said = problems({ ESCAPEMENT_CONCURRENCY: wrong })
    assert.match(said, 'ESCAPEMENT_CONCURRENCY is not', wrong)
  }
})

test('takes only names that need no quoting', () => {
  for (const wrong of ['Upper', '1a', 'a-b', 'a"; DROP', 'a'.repeat(41), 'ä']) {
    assert.match(problems({ ESCAPEMENT_SCHEMA: wrong }), 'ESCAPEMENT_SCHEMA is not a name')
    assert.match(problems({ ESCAPEMENT_QUEUE: wrong }), 'ESCAPEMENT_QUEUE is not a name')
  }
})

test('reads which queues are served, each with its places', () => {
  assert.is(readConfig({}).queues, null)
  const { queues } = readConfig({ ESCAPEMENT_QUEUES: ' ticks=10, slow=2 ' })
  assert.equal(queues, { ticks: 10, slow: 2 })
  const wrong: [text: string, sentence: string][] = [
    ['ticks', 'says "ticks", which is not of the form queue=places'],
    ['ticks=10,', 'says "", which is not of the form queue=places'],
    ['ticks=ten', 'says "ticks=ten"'],
    ['ticks=1.5', 'says "ticks=1.5"'],
    ['Slow=1', 'says "Slow=1"'],
    ['a b=1', 'says "a b=1"'],
    ['=3', 'says "=3"'],
    ['ticks:10', 'says "ticks:10"'],
    ['ticks=0', 'gives "ticks" 0 places, which is not between 1 and 1000'],
    ['ticks=1001', 'gives "ticks" 1001 places'],
    ['ticks=1,slow=2,ticks=3', 'names "ticks" twice'],
  ]
  for (const [text, sentence] of wrong) {
    const said = problems({ ESCAPEMENT_QUEUES: text })
    assert.match(said, `ESCAPEMENT_QUEUES ${sentence}`)
    assert.not.match(said, ';', 'one sentence')
  }
})

test('takes only addresses of the right kind', () => {
  for (const wrong of ['localhost', 'mysql://x', 'http://x', 'postgres']) {
    assert.match(problems({ DATABASE_URL: wrong }), 'DATABASE_URL is not a URL that begins with')
  }
  assert.is(problems({ DATABASE_URL: 'postgresql://u:p@h:1/d?sslmode=require' }), 'none')
  assert.is(problems({ DATABASE_URL, REDIS_URL: 'rediss://:p@h:1/2' }), 'none')
})

test('names every problem at once', () => {
  const said = problems({
    ...{ REDIS_URL, ESCAPEMENT_KEYS: 'x', ESCAPEMENT_KEYS_FILE: 'y' },
    ...{ ESCAPEMENT_POOL: 'x', ESCAPEMENT_LOG: 'loud', ESCAPEMENT_CONCURENCY: '1' },
  })
  const expected = [
    'ESCAPEMENT_POOL is not a whole number',
    'ESCAPEMENT_LOG is not one of debug, info, warn, error, silent',
    'DATABASE_URL is not; Redis never holds the truth',
    'ESCAPEMENT_KEYS and ESCAPEMENT_KEYS_FILE are both set; keep one',
    'ESCAPEMENT_CONCURENCY is not a variable of ours; did you mean ESCAPEMENT_CONCURRENCY?',
  ]
  for (const one of expected) assert.match(said, one)
})

test('repeats no secret', () => {
  const said = problems({
    DATABASE_URL: 'x://u:hush@h',
    ESCAPEMENT_KEYS: 'hush',
    REDIS_URL: 'hush',
  })
  assert.not.match(said, 'hush')
})

test('describes every variable, and every variable it describes is read', () => {
  const described = describeVariables()
  assert.ok(described.length > 15)
  for (const { name, purpose } of described) {
    assert.match(purpose, /\.$/)
    if (name.startsWith('ESCAPEMENT_')) assert.not.match(problems({ [name]: ' ' }), 'of ours')
  }
  const defaults = new Map(described.map(({ name, byDefault }) => [name, byDefault]))
  assert.is(defaults.get('ESCAPEMENT_SCHEMA'), 'escapement')
  assert.is(defaults.get('DATABASE_URL'), '')
})

test.run()
