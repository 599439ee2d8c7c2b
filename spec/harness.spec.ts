// The harness itself: that a run goes red when it must, and that time and waiting keep their word.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cpus } from 'node:os'
import { join, resolve } from 'node:path'
import { Events } from '../lib/events.ts'
import { SystemTime, type Time } from '../lib/time.ts'
import { timeoutMs } from './support/child.ts'
import { asCompiled, compiled, sourceOf } from './support/compiled.ts'
import { livingGroupOf } from './support/group.ts'
import { Idleness } from './support/idle.ts'
import { Players } from './support/players.ts'
import { settings, startPrivatePostgres, startPrivateRedis } from './support/services.ts'
import { shuffled } from './support/shuffle.ts'
import { assert, suite } from './support/suite.ts'
import { FakeTime } from './support/time.ts'
import { signalOf, until } from './support/wait.ts'

interface Run {
  readonly code: number | null
  readonly output: string
  /** The last line that is not empty. */
  readonly last: string
}

/** Starts the runner on the fixtures that match; see spec/support/fixtures. */
function start(...args: string[]): { child: ChildProcess; finished: Promise<Run> } {
  const runner = ['--import', 'tsx', 'spec/run.ts', '--ending', '.fixture.ts', '--no-services']
  const env = { ...process.env, SPEC_GRACE_MS: '300', NO_COLOR: '1' }
  const child = spawn(process.execPath, [...runner, ...args], { env })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  const finished = once(child, 'close').then(([code]) => {
    const last = output.trimEnd().split('\n').at(-1) ?? ''
    return { code, output, last }
  })
  return { child, finished }
}

const run = (...args: string[]) => start(...args).finished

const runner = suite('the runner')
/** How files are run: after others in their process, or each in one of its own. */
const WAYS = { 'after others': [], alone: ['--alone'] } as const
type Way = keyof typeof WAYS
const ways = Object.keys(WAYS) as Way[]
const bad = {} as Record<Way, Run>

runner.before(async () => {
  const names = 'failing leaking hung endless empty bare forgotten crashing quitting hook orphaning'
  const fixtures = names.split(' ').map((name) => `fixtures/${name}`)
  for (const way of ways) bad[way] = await run(...fixtures, ...WAYS[way])
})

const goesRed = (name: string, ...lines: (string | RegExp)[]) => {
  for (const way of ways) {
    runner(`goes red on a file that is ${name}, ${way}`, () => {
      const file = `spec/support/fixtures/${name}.fixture.ts`
      assert.match(bad[way].output, `FAIL ${file}`)
      for (const line of lines) assert.match(bad[way].output, line)
    })
  }
}

goesRed('failing', 'FAIL spec/support/fixtures/failing.fixture.ts  1 ok, 1 failed', 'failing: bad')
goesRed('leaking', 'leaking.fixture.ts: leaks a handle', /leaks a handle: .*TCPServerWrap/)
goesRed(
  'hung',
  'hung.fixture.ts  1 ok, 1 failed',
  'for 50 ms until the test "waits for ever" ended',
)
goesRed('endless', 'endless.fixture.ts: took longer than 1 s')
goesRed('empty', /empty\.fixture\.ts: (ended without a report|ran no test)/)
goesRed('bare', 'bare.fixture.ts: bare (has no tests)')
goesRed('forgotten', 'forgotten (never run: call test.run())')
goesRed('crashing', 'crashing.fixture.ts: ended without a report', 'nobody catches this')
goesRed('quitting', 'quitting.fixture.ts: ended without a report')
goesRed('hook', 'hook.fixture.ts  3 ok, 4 failed', 'a before hook of before failed')
goesRed('orphaning', 'orphaning.fixture.ts: left processes running')

for (const way of ways) {
  runner(`counts what went red, names the seed and exits 1, ${way}`, () => {
    assert.is(bad[way].code, 1)
    assert.is(bad[way].last, '8 passed, 14 failed')
    assert.match(bad[way].output, /failed \(seed \d+\):/)
    assert.match(bad[way].output, /again: npm test -- .*failing.fixture.ts --seed \d+/)
  })

  runner(`ends the children of a file that left them, ${way}`, () => {
    const pid = Number(/the child is (\d+)/.exec(bad[way].output)?.[1])
    assert.ok(pid > 0)
    assert.is(livingGroupOf(pid), null)
  })
}

runner.run()

const company = suite('files that follow one another')
const fixture = (name: string) => `spec/support/fixtures/${name}.fixture.ts`
const TOLD: Readonly<Record<string, RegExp>> = {
  failing: /^failing: bad$/,
  leaking: /^leaks a handle$/,
  lasting: /^leaks a handle/,
  hung: /^hung: waits for ever$/,
  endless: /^took longer than 1 s, or one before it does$/,
  empty: /^ran no test/,
  bare: /^bare \(has no tests\)$/,
  forgotten: /^forgotten \(never run/,
  crashing: /^ended without a report \(exit 1\)/,
  quitting: /^ended without a report/,
  hook: /^a before hook/,
  orphaning: /^left processes running$/,
}
const players = () =>
  new Players(new AbortController().signal, {
    leaveMs: 1_000,
    environment: { SPEC_GRACE_MS: '300', NO_COLOR: '1' },
  })

for (const [name, told] of Object.entries(TOLD)) {
  company(`are judged each by itself: ${name}`, async () => {
    const some = players()
    const first = await some.play(fixture('passing'), 60_000)
    assert.equal([first.passed, first.failures], [2, []])
    const { failures, output } = await some.play(fixture(name), name === 'endless' ? 1_000 : 60_000)
    assert.ok(failures.length > 0)
    assert.match(failures[0]!, told)
    assert.match(output, `its process had played: ${fixture('passing')}`)
    const next = await some.play(fixture('passing'), 60_000)
    assert.equal([next.passed, next.failures], [2, []])
    assert.not.match(next.output, 'had played')
    assert.equal(await some.close(), [])
  })
}

company('are not blamed for one that dies after its report', async () => {
  const some = players()
  const late = await some.play(fixture('late'), 60_000)
  assert.equal([late.passed, late.failures], [1, []])
  const pid = Number(/the late one is (\d+)/.exec(late.output)?.[1])
  await until(() => livingGroupOf(pid) === null, { what: 'it was dead' })
  const next = await some.play(fixture('passing'), 60_000)
  assert.equal([next.passed, next.failures], [2, []])
  const [blamed] = await some.close()
  assert.equal([blamed?.file, blamed?.failures], [fixture('late'), ['ended badly (exit 1)']])
  assert.match(blamed?.output ?? '', 'too late for the report')
})

company('are ended when they do not go', async () => {
  const some = players()
  const stubborn = await some.play(fixture('stubborn'), 60_000)
  assert.equal([stubborn.passed, stubborn.failures], [1, []])
  const [blamed] = await some.close()
  assert.equal([blamed?.file, blamed?.failures], [fixture('stubborn'), ['took longer than 1 s']])
})

company.run()

const outcome = suite('a run')

outcome('is green and quiet when all is well', async () => {
  const { code, output, last } = await run('fixtures/passing', '--seed', '7')
  assert.is(code, 0)
  assert.match(output, /seed 7, 1 files/)
  assert.match(output, /ok {3}spec\/support\/fixtures\/passing\.fixture\.ts {2}2 {2}\d+ ms/)
  assert.is(last, '2 passed, 0 failed')
})

for (const way of ways) {
  outcome(`goes red on a process that ends badly when all is over, ${way}`, async () => {
    const { code, output, last } = await run('fixtures/passing', 'fixtures/parting', ...WAYS[way])
    assert.is(code, 1)
    assert.match(output, 'parting.fixture.ts: ended badly (exit 3)')
    assert.is(last, '3 passed, 1 failed')
  })
}

outcome('goes red when no test ran', async () => {
  const { code, last } = await run('no file has this name')
  assert.is(code, 1)
  assert.is(last, '0 passed, 1 failed')
})

outcome('ends everything when interrupted', async () => {
  const { child, finished } = start('fixtures/orphaning', 'fixtures/hung')
  await once(child.stdout!, 'data')
  child.kill('SIGINT')
  const { code, output } = await finished
  assert.is(code, 1)
  assert.match(output, 'the run was interrupted')
})

outcome('gives a file the time it asks for', () => {
  assert.is(timeoutMs('// A spec.'), 120_000)
  assert.is(timeoutMs('// A spec.\n// timeout: 240s\n'), 240_000)
  assert.is(timeoutMs(`${'\n'.repeat(5)}// timeout: 240s\n`), 120_000)
})

outcome('sees that a processor is busy', () => {
  const time = new SystemTime()
  const idleness = new Idleness()
  const begun = time.monotonic()
  while (time.monotonic() - begun < 400); // one processor has no rest
  assert.ok(idleness.sinceMs >= 400)
  const share = idleness.look()
  assert.ok(share >= 0 && share <= 1 - 0.5 / cpus().length, `${share} of the time was idle`)
})

outcome('draws the same order from the same seed', () => {
  const names = [...'abcdefgh']
  const order = (seed: number) => shuffled(names, seed, (name) => name).join('')
  assert.is(order(1), order(1))
  assert.is.not(order(1), order(2))
  assert.equal([...order(1)].sort(), names)
})

outcome('runs what was compiled of the sources as they are, and names the source', async () => {
  const tree = process.env.SPEC_COMPILED ?? (await compiled())
  assert.is(
    await compiled(),
    tree,
    'a source changed during the run, or the tree is not named by it',
  )
  const made = await asCompiled('spec/support/suite.ts')
  assert.is(made, join(tree, 'dist/spec/support/suite.js'))
  assert.ok(existsSync(made))
  assert.is(sourceOf(resolve('spec/harness.spec.ts')), 'spec/harness.spec.ts')
  if (process.env.SPEC_COMPILED) assert.is(sourceOf(made), 'spec/support/suite.ts')
})

outcome.run()

const services = suite('the services')

for (const [setting, begin] of [
  ['postgres', startPrivatePostgres],
  ['full', startPrivateRedis],
] as const) {
  if (!settings().includes(setting)) continue
  services(`for ${setting} can be killed, revived and stopped`, async () => {
    const server = await begin()
    const first = server.pid
    await server.kill()
    assert.is(livingGroupOf(first), null)
    await server.restart()
    assert.is.not(server.pid, first)
    await server.stop()
    assert.is(livingGroupOf(server.pid), null)
  })
}

services('offer the embedded setting everywhere', () => {
  assert.is(settings()[0], 'embedded')
})

services.run()

const clocks = suite('time')
// What holds for the fake clock must hold for the real one, or the fake proves nothing.
const kinds: [name: string, make: () => { time: Time; pass: (ms: number) => Promise<void> }][] = [
  ['fake', () => withPass(new FakeTime(), (time, ms) => time.advance(ms))],
  ['real', () => withPass(new SystemTime(), (time, ms) => time.sleep(ms))],
]

function withPass<T extends Time>(time: T, pass: (time: T, ms: number) => Promise<void>) {
  return { time, pass: (ms: number) => pass(time, ms) }
}

for (const [name, make] of kinds) {
  clocks(`${name}: wakes sleepers in the order of their moments`, async () => {
    const { time, pass } = make()
    const woken: string[] = []
    const first = time.sleep(5).then(async () => {
      woken.push('five')
      await time.sleep(30)
      woken.push('five and thirty')
    })
    time.after(20, () => woken.push('twenty'))
    time.after(10, () => woken.push('never'))()
    await pass(60)
    await first
    assert.equal(woken, ['five', 'twenty', 'five and thirty'])
  })

  clocks(`${name}: a sleeper wakes at once when its signal aborts`, async () => {
    const { time } = make()
    const waking = new AbortController()
    const sleep = time.sleep(3_600_000, waking.signal)
    waking.abort()
    await sleep
    await time.sleep(3_600_000, waking.signal)
  })

  clocks(`${name}: both counts move on together`, async () => {
    const { time, pass } = make()
    const [now, monotonic] = [time.now(), time.monotonic()]
    await pass(25)
    assert.ok(time.now() - now >= 24)
    assert.ok(time.monotonic() - monotonic >= 24)
  })
}

clocks('fake: stands still until it is told to move', async () => {
  const time = new FakeTime(1_000)
  let woken = false
  time.after(10, () => (woken = true))
  await time.advance(9)
  assert.is(woken, false)
  assert.is(time.nextInMs, 1)
  await time.advance(1)
  assert.is(woken, true)
  assert.is(time.sleeping, 0)
  assert.is(time.now(), 1_010)
  time.jump(-500)
  assert.is(time.now(), 510)
  assert.is(time.monotonic(), 10)
})

clocks.run()

const waiting = suite('waiting')

waiting('returns what it waited for', async () => {
  let asked = 0
  assert.is(await until(() => ++asked === 3 && 'there', { what: 'asked thrice' }), 'there')
})

waiting('says what it waited for in vain, and why', async () => {
  const never = () => Promise.reject(new Error('the door is closed'))
  const failure = await until(never, { what: 'the door opened', deadlineMs: 20 }).catch(String)
  assert.match(failure as string, 'until the door opened (last error: the door is closed)')
  const hung = () => new Promise<boolean>(() => {})
  const silence = await until(hung, { what: 'it answered', deadlineMs: 20 }).catch(String)
  assert.match(silence as string, 'until it answered')
})

waiting('hears the event it waits for and no other', async () => {
  const events = new Events()
  const heard = signalOf(events, 'unit.fenced', ({ fence }) => fence === 2)
  for (const fence of [1, 2, 3])
    events.emit('unit.fenced', { resourceId: 'a', taskId: null, fence })
  assert.is((await heard).fence, 2)
  const silence = await signalOf(events, 'clock.stopped', undefined, 20).catch(String)
  assert.match(String(silence), 'the event clock.stopped was heard')
})

waiting.run()
