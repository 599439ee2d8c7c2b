// Services: what signals, crashes and closed pipes do to them, and what they log.
// timeout: 240s
import { readFileSync } from 'node:fs'
import { assert, suite } from '../support/suite.ts'
import { type Ended, escapement, inside, Place } from './shell.ts'

const LONG = { deadlineMs: 90_000 }
const test = suite('services')
const place = await Place.blank(inside)

test.before(async () => {
  await place.json(['create', 'Server', '--data', '-'], { input: '{"password":"hunter2"}' })
})
test.after(() => place.remove())

/** A place of its own with a task in it that misbehaves, so that it spoils no other test. */
async function leaking(task: string, work: (other: Place) => Promise<void>): Promise<void> {
  const other = await Place.blank(inside)
  try {
    const { id } = await other.json(['create', 'Leaky'])
    await other.json(['start', `Leaky/${id}`, task])
    await work(other)
  } finally {
    await other.remove()
  }
}

/** Runs a service and signals it once it is at work. */
const signalled = (words: string[], signal: NodeJS.Signals, times = 1): Promise<Ended> => {
  let left = times
  return place.run(words, {
    hear: (child, out) => {
      if (!/"worker.started"|^Escapement/.test(out)) return
      for (; left > 0; left--) child.kill(signal)
    },
  })
}

const events = ({ out }: Ended) =>
  out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

test('drain on a signal, log in JSON, and end well', LONG, async () => {
  await place.json(['start', 'Server', 'echo', '--all'])
  const ended = await signalled(['solo', '--concurrency', '3'], 'SIGTERM')
  assert.is(ended.code, 0)
  assert.is(ended.err, '')
  const told = events(ended)
  const started = told.find(({ msg }) => msg === 'worker.started')
  assert.is(started.concurrency, 3)
  assert.is(told.findLast(({ msg }) => msg.startsWith('worker'))?.msg, 'worker.stopped')
  for (const { level, time } of told) {
    assert.is(level, 'info')
    assert.is(new Date(time).toISOString(), time)
  }
  assert.not.match(ended.out, 'hunter2')
})

test('end dev on Ctrl-C as if nothing had happened', LONG, async () => {
  const { code, out } = await signalled(['dev'], 'SIGINT')
  assert.is(code, 0)
  assert.match(out, /^Escapement, embedded/)
})

test('tell an interruption of dev --until-idle apart from idleness', LONG, async () => {
  await place.json(['start', 'Server', 'wait', '--all'])
  const { code } = await signalled(['dev', '--until-idle'], 'SIGTERM')
  assert.is(code, 130)
})

test('end when an error floats away in code of the app', LONG, () =>
  leaking('leak', async (other) => {
    const { code, err } = await escapement(['solo'], { env: other.env })
    assert.is(code, 1)
    assert.match(err, /^error: nobody listens\.?\n/)
  }),
)

test('end at once on a second signal, whatever is in hand', LONG, () =>
  leaking('hang', async (other) => {
    const awaited = ['effect.started', 'worker.draining']
    const { code, out } = await other.run(['solo'], {
      env: { ESCAPEMENT_LOG: 'debug' },
      hear: (child, said) => {
        if (!said.includes(awaited[0] ?? '\0')) return
        awaited.shift()
        child.kill('SIGTERM')
      },
    })
    assert.is(code, 1)
    assert.not.match(out, 'worker.stopped')
  }),
)

test('end quietly when nobody reads their output any more', LONG, async () => {
  const env = { ESCAPEMENT_LOG: 'debug' }
  const { code, err } = await place.run(['solo'], {
    env,
    hear: (child, out) => void (out.includes('worker.started') && child.stdout?.destroy()),
  })
  assert.is(code, 0)
  assert.is(err, '')
})

test('are programs of their own', () => {
  for (const name of ['clock', 'worker', 'solo', 'console', 'setup', 'teardown']) {
    const text = readFileSync(`bin/${name}.js`, 'utf8')
    assert.match(text, /^#!\/usr\/bin\/env node\n/)
    assert.match(text, `await launch('${name}')`)
  }
})

test.run()
