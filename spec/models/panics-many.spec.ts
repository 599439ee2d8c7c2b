// timeout: 300s
// Many parked runs: found by what they have in common, and acted on together, by whoever means it.
import { setup } from 'xstate'
import { effect, Resource, TimeoutError } from '../../bin/index.ts'
import { SystemTime } from '../../lib/time.ts'
import { BACKING } from '../../models/alarming.ts'
import { Panics, type PanicsDone } from '../../models/panics.ts'
import type { Verbs } from '../../models/verbs.ts'
import { copyPanic } from '../support/panics.ts'
import { quickest } from '../support/services.ts'
import { codeOf, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

let failing: Error | null = null
const work = effect(
  async () => {
    if (failing) throw failing
  },
  { retry: false },
)
const machine = setup({ actors: { work } }).createMachine({
  initial: 'waiting',
  states: {
    waiting: { on: { GO: 'working' } },
    working: { invoke: { src: 'work', onDone: 'resting' } },
    resting: {},
  },
})

class Server extends Resource {
  static override tasks = { boot: machine, back: machine }
}
class Disk extends Resource {
  static override tasks = { boot: machine }
}

const test = suite('many panics')
const on = stage(test, { resources: [Server, Disk], setting: quickest() })
test.after.each(async () => {
  failing = null
  await on.app.panics.stop({ all: true })
})

const coded = (code: string, message = `failed with ${code}`) =>
  Object.assign(new Error(message), { code })
const why = { actor: 'ada', reason: 'mended' }
const done = (changed: number, more: Partial<PanicsDone> = {}): PanicsDone => ({
  ...{ matched: changed, changed, skipped: 0, refused: {}, ...more },
})

/** Starts a task of a new resource and lets it panic. */
async function parked(shape: typeof Server | typeof Disk, task: 'boot' | 'back', error: Error) {
  const made: any = await on.app.create(shape, {})
  await made[task].start()
  await on.settle()
  failing = error
  await made[task].send('GO')
  await on.settle()
  failing = null
  return made
}
const statusOf = async (made: any, task = 'boot') => (await made[task].status()).status

test('each line says where the run was, what failed, since when, and who sees to it', async () => {
  const made = await parked(Server, 'boot', coded('E_CLOUD', 'the cloud is away'))
  await on.app.alarms.acknowledge(`${made.id}/boot/panic`, { owner: 'ada' })
  const [line] = await on.app.panics.list({ resourceId: made.id })
  const { taskId, step } = (await made.boot.status())!
  const { alarm, ...rest } = line!
  assert.equal(rest, {
    ...{ kind: 'Server', resourceId: made.id, task: 'boot', taskId, status: 'panicked' },
    ...{ name: 'panic', state: 'working', step, since: on.time.now(), attempts: 1 },
    error: {
      ...{ class: 'Error', code: 'E_CLOUD', message: 'the cloud is away', severity: 'error' },
    },
    playbook: null,
  })
  const { key, state, owner } = alarm!
  assert.equal([key, state, owner], [`${made.id}/boot/panic`, 'acknowledged', 'ada'])
})

test('a question narrows by kind, task, state, code, class, name and resource', async () => {
  const a = await parked(Server, 'boot', coded('E_ONE'))
  await parked(Server, 'back', coded('E_TWO'))
  await parked(Disk, 'boot', new TimeoutError('too slow'))
  const count = (wanted: Parameters<Panics['count']>[0]) => on.app.panics.count(wanted)
  const counts = [
    await count({}),
    await count({ kind: 'Server' }),
    await count({ task: 'boot' }),
    await count({ kind: 'Server', task: 'boot' }),
    await count({ state: 'working' }),
    await count({ state: 'waiting' }),
    await count({ code: 'E_TWO' }),
    await count({ class: 'TimeoutError' }),
    await count({ name: 'timeout' }),
    await count({ name: 'panic' }),
    await count({ resourceId: a.id }),
    await count({ resourceId: 'none' }),
  ]
  assert.equal(counts, [3, 2, 2, 1, 3, 0, 1, 1, 1, 2, 1, 0])
  assert.is(await codeOf(count({ name: 'loud' })), 'ARGUMENT_INVALID')
})

test('retry lets those chosen go on, with who and why, and no others', async () => {
  const a = await parked(Server, 'boot', coded('E_ONE'))
  const b = await parked(Server, 'boot', coded('E_TWO'))
  let told = 0
  const which = { kind: 'Server', task: 'boot', code: 'E_ONE' }
  const onBegin = (matched: number) => {
    told = matched
  }
  assert.equal(await on.app.panics.retry(which, { ...why, onBegin }), done(1))
  assert.is(told, 1)
  await on.settle()
  assert.equal([await statusOf(a), await statusOf(b)], ['running', 'panicked'])
  const lines = await on.app.history.lines(a.id, { limit: 20 })
  const retried = lines.find(({ event }) => event === '__retry__')
  assert.equal([retried?.actor, retried?.reason], ['ada', 'mended'])
})

test('a question that names what no panic has is refused', async () => {
  const misspelt = { kindd: 'Engine' } as never
  assert.is(await codeOf(on.app.panics.retry(misspelt)), 'ARGUMENT_INVALID')
})

test('an empty question chooses nothing unless all of them are meant', async () => {
  const a = await parked(Server, 'boot', coded('E_ONE'))
  for (const which of [{}, { kind: undefined }] as object[]) {
    assert.is(await codeOf(on.app.panics.retry(which)), 'ARGUMENT_INVALID')
    assert.is(await codeOf(on.app.panics.stop(which)), 'ARGUMENT_INVALID')
  }
  assert.is(await statusOf(a), 'panicked')
  assert.equal(await on.app.panics.retry({ all: true }), done(1))
})

test('goto, rewind and stop are for many too, and each that refuses is counted', async () => {
  const a = await parked(Server, 'boot', coded('E_ONE'))
  const b = await parked(Server, 'back', coded('E_ONE'))
  const c = await parked(Disk, 'boot', coded('E_ONE'))
  const { panics } = on.app
  assert.is(await codeOf(panics.goto({ code: 'E_ONE' }, 'nowhere')), 'ARGUMENT_INVALID')
  assert.equal(await panics.goto({ kind: 'Disk' }, 'resting', why), done(1))
  const tooFar = done(0, { matched: 2, refused: { STEP_UNKNOWN: 2 } })
  assert.equal(await panics.rewind({ kind: 'Server' }, 50), tooFar)
  assert.equal(await panics.rewind({ task: 'back' }, 1, why), done(1))
  assert.equal(await panics.stop({ resourceId: a.id }, why), done(1))
  const states = [a.boot, b.back, c.boot].map(async (task) => {
    const { status, state } = (await task.status())!
    return `${status} ${state}`
  })
  const expected = ['stopped __stop__', 'running waiting', 'running resting']
  assert.equal(await Promise.all(states), expected)
})

test('a run that is not parked any more when its turn comes is skipped, and stays as it is', async () => {
  const made = await parked(Server, 'boot', coded('E_ONE'))
  const { app, time } = on
  const { verbs } = made[BACKING]
  // Somebody else helps between the question and the act.
  const unpark: Verbs['unpark'] = async (...asked) => {
    await made.boot.goto('resting')
    return verbs.unpark(...asked)
  }
  const { knex } = app.rooms.database
  const panics = new Panics({ knex, registry: app.registry, time, verbs: { unpark } })
  const result = await panics.retry({ resourceId: made.id }, why)
  assert.equal(result, done(0, { matched: 1, skipped: 1 }))
  assert.is((await made.boot.status())!.state, 'resting')
})

test('what panics again is not taken twice', async () => {
  for (const _ of [1, 2, 3]) await parked(Server, 'boot', coded('E_AGAIN'))
  failing = coded('E_AGAIN')
  // One after another: a drive has no locks, and two at once would take each other's fences for ever.
  let settled = Promise.resolve()
  const onDone = () => {
    settled = settled.then(() => on.settle())
  }
  assert.equal(await on.app.panics.retry({ code: 'E_AGAIN' }, { onDone }), done(3))
  await settled
  await on.settle()
  assert.is(await on.app.panics.count({ code: 'E_AGAIN' }), 3)
})

test('whoever is stopped has finished what was in hand, and leaves the rest', async () => {
  const made = await parked(Server, 'boot', coded('E_ONE'))
  const { taskId } = (await made.boot.status())!
  await copyPanic(on.house, taskId, 499)
  const stop = new AbortController()
  let told = 0
  const onDone = (count: number) => {
    told += count
    if (told === 100) stop.abort()
  }
  const result = await on.app.panics.stop({ all: true }, { signal: stop.signal, onDone })
  assert.is(result.matched, 500)
  assert.ok(result.changed >= 100 && result.changed < 150, `${result.changed} were in hand`)
  assert.is(told, result.changed)
  assert.is(await on.app.panics.count(), 500 - result.changed)
  assert.is((await on.app.panics.stop({ all: true })).changed, 500 - result.changed)
})

test('a thousand go on, a page in memory and no more, their alarms closed', {
  deadlineMs: 240_000,
}, async () => {
  const made = await parked(Server, 'boot', coded('E_ONE'))
  await copyPanic(on.house, (await made.boot.status())!.taskId, 999)
  const wall = new SystemTime()
  const begun = wall.monotonic()
  const result = await on.app.panics.retry({ kind: 'Server', task: 'boot' }, why)
  const tookMs = wall.monotonic() - begun
  console.log(`note: 1,000 panics were retried in ${Math.round(tookMs)} ms`)
  assert.equal(result, done(1_000))
  assert.ok(tookMs < 120_000, `it took ${tookMs} ms`)
  const [{ open }] = await on.house.sql(
    "SELECT count(*) AS open FROM alarms WHERE name = 'panic' AND state <> 'closed'",
  )
  assert.is(open, 0)
  await on.house.sql('DELETE FROM tasks WHERE resource_id <> $1', [made.id])
})

test.run()
