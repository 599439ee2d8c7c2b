// The log: which lines are written, and what is never in them.
import { readFileSync } from 'node:fs'
import { type EventName, Events } from '../../lib/events.ts'
import { attach } from '../../models/plugin.ts'
import { type LogOptions, log } from '../../plugins/log.ts'
import { eventsIn } from '../support/documents.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const test = suite('log')

function listening(level: LogOptions['level'] = 'debug') {
  const events = new Events()
  const lines: any[] = []
  const write = (line: string) => void lines.push(JSON.parse(line))
  const detach = attach([log({ level, write, time: new FakeTime(0) })], events)
  return { events, lines, detach }
}

const STEPPED = {
  kind: 'Box',
  resourceId: 'r',
  taskId: 't',
  task: 'open',
  step: 3,
  from: 'a',
  to: 'b',
  event: 'GO',
  lateMs: 7,
}

test('writes an event as a line: severity, time, name and what is listed of it', () => {
  const { events, lines } = listening()
  events.emit('task.stepped', STEPPED)
  assert.equal(lines, [
    { level: 'info', time: '1970-01-01T00:00:00.000Z', ...STEPPED, msg: 'task.stepped' },
  ])
})

test('writes nothing that is not listed', () => {
  const { events, lines } = listening()
  events.emit('task.stepped', { ...STEPPED, password: 'canary' } as never)
  assert.not.match(JSON.stringify(lines), 'canary')
})

test('writes of an error its name, code and message, without its cause, its stack and logins', () => {
  const { events, lines } = listening()
  const cause = new Error('canary')
  const error = Object.assign(new Error('postgres://me:secret@db/x refused', { cause }), {
    code: 'ECONN',
    detail: 'canary',
  })
  events.emit('clock.failed', { error })
  assert.equal(lines[0].error, {
    name: 'Error',
    code: 'ECONN',
    message: 'postgres://[secret]@db/x refused',
  })
})

/** What listeners are told and no line says: it is the user's own, or may be. */
const WITHHELD: Readonly<Record<string, readonly string[]>> = {
  'task.emitted': ['event'],
  'task.logged': ['value'],
  'resource.deleted': ['reason'],
}

/** A value of its type that says where it was, and hides more in all its corners. */
function planted(type: string, mark: string): unknown {
  if (/number/.test(type)) return 7
  if (/boolean/.test(type)) return true
  if (!/Error/.test(type)) return mark
  const cause = new AggregateError([new Error('canary-inner')], 'canary-cause')
  const hidden = {
    detail: 'canary-detail',
    config: { headers: 'canary-header' },
    sql: 'canary-sql',
  }
  const toJSON = () => 'canary-json'
  return Object.assign(new Error(mark, { cause }), hidden, { code: 'CODE', toJSON })
}

test('writes of every event what is declared and not withheld, whatever else is in it', () => {
  const { events, lines } = listening()
  for (const { name, payload } of eventsIn(readFileSync('lib/events.ts', 'utf8'))) {
    const members = [...payload.matchAll(/(\w+): ([^;}]+)/g)].map(
      ([, key, type]) => [key as string, type as string] as const,
    )
    const told = members.map(([key, type]) => [key, planted(type, `said-${key}`)])
    const more = {
      password: 'canary-extra',
      error2: new Error('canary-error'),
      [`canary-${name}`]: 1,
    }
    lines.length = 0
    events.emit(name as EventName, { ...Object.fromEntries(told), ...more } as never)
    assert.is(lines.length, 1, name)
    const { level: _, time: __, msg, ...said } = lines[0]
    assert.is(msg, name)
    assert.not.match(JSON.stringify(lines[0]), 'canary', name)
    const shown = members.map(([key]) => key).filter((key) => !WITHHELD[name]?.includes(key))
    assert.equal(Object.keys(said).sort(), shown.sort(), name)
    for (const [key, type] of members.filter(([, type]) => /Error/.test(type))) {
      assert.equal(said[key], { name: 'Error', code: 'CODE', message: `said-${key}` }, type)
    }
  }
})

test('that cannot be written is one failure told, not a loop of them', () => {
  const events = new Events()
  const failures: string[] = []
  events.on('listener.failed', ({ event }) => failures.push(event))
  const write = () => {
    throw new Error('the pipe is closed')
  }
  attach([log({ level: 'debug', write })], events)
  events.emit('lease.lost', { resourceId: 'r' })
  events.emit('plugin.failed', { plugin: 'p', error: new Error('x') })
  assert.equal(failures, ['lease.lost', 'plugin.failed'])
})

test('keeps to its level, and is silent when told to be', () => {
  const quiet = listening('warn')
  quiet.events.emit('task.stepped', STEPPED)
  quiet.events.emit('lease.lost', { resourceId: 'r' })
  assert.equal(
    quiet.lines.map(({ msg }) => msg),
    ['lease.lost'],
  )
  const silent = listening('silent')
  silent.events.emit('clock.failed', { error: new Error('x') })
  assert.equal(silent.lines, [])
})

test('stops when it is detached', () => {
  const { events, lines, detach } = listening()
  detach()
  events.emit('lease.lost', { resourceId: 'r' })
  assert.equal(lines, [])
})

test.run()
