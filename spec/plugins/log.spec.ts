// The log: which lines are written, and what is never in them.
import { Events } from '../../lib/events.ts'
import { attach } from '../../models/plugin.ts'
import { type LogOptions, log } from '../../plugins/log.ts'
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
