// Events: every listener hears, in order; one that throws harms nobody.
import { Events } from '../../lib/events.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('events')
const BUSY = { resourceId: 'r' }

test('tells each listener, in order, and those who listen to everything', () => {
  const events = new Events()
  const heard: unknown[] = []
  events.on('tick.busy', ({ resourceId }) => heard.push(['first', resourceId]))
  events.on('*', (payload, name) => heard.push([name, payload]))
  events.on('tick.busy', (_, name) => heard.push(['second', name]))
  events.emit('tick.busy', BUSY)
  assert.equal(heard, [
    ['first', 'r'],
    ['second', 'tick.busy'],
    ['tick.busy', BUSY],
  ])
})

test('tells nobody who has stopped listening, not even within the telling', () => {
  const events = new Events()
  let count = 0
  const stop = events.on('tick.busy', () => {
    count += 1
    stop()
  })
  events.emit('tick.busy', BUSY)
  events.emit('tick.busy', BUSY)
  assert.is(count, 1)
})

test('tells what a listener throws, and goes on', () => {
  const events = new Events()
  const failures: unknown[] = []
  let last = false
  events.on('tick.busy', () => {
    throw 'a string'
  })
  events.on('tick.busy', () => {
    last = true
  })
  events.on('listener.failed', ({ event, error }) => {
    failures.push([event, error.message])
    throw new Error('and this one too')
  })
  events.emit('tick.busy', BUSY)
  assert.equal(failures, [['tick.busy', 'a string']])
  assert.is(last, true)
})

test('tells a failure once, even where those who hear of it tell something that fails', () => {
  const events = new Events()
  const failures: string[] = []
  events.on('*', () => {
    throw new Error('always')
  })
  events.on('listener.failed', ({ event }) => {
    failures.push(event)
    events.emit('plugin.failed', { plugin: 'p', error: new Error('x') })
  })
  events.emit('tick.busy', BUSY)
  assert.equal(failures, ['tick.busy'])
  events.emit('tick.busy', BUSY)
  assert.equal(failures, ['tick.busy', 'tick.busy'], 'and the next one again')
})

test('tells of an async listener that fails like of any other, and is not told of its own end', async () => {
  const events = new Events()
  const failures: string[] = []
  events.on('*', async (_, name) => Promise.reject(new Error(name)))
  events.on('listener.failed', ({ event, error }) => failures.push(`${event} ${error.message}`))
  events.emit('tick.busy', BUSY)
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
  assert.equal(failures, ['tick.busy tick.busy'])
})

test('warns of no leak, however many listen', () => {
  const warnings: unknown[] = []
  const note = (warning: Error) => warnings.push(warning)
  process.on('warning', note)
  const events = new Events()
  for (let count = 0; count < 100; count++) events.on('tick.busy', () => {})
  process.off('warning', note)
  assert.equal(warnings, [])
})

test.run()
