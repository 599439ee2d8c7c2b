// Effects that take long: how far they are, whether they live, how long they may take in all, why they are told
// to stop; and that nothing else of their resource waits for them.
import { setup } from 'xstate'
import { effect, Resource, Secret, steps, type Work } from '../../bin/index.ts'
import type { EscapementError } from '../../lib/errors.ts'
import { Query } from '../../models/query.ts'
import { drive } from '../support/drive.ts'
import { codeOf, type Gate, gate, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

let works: Work<any, any>[] = []
let does: (work: Work<any, any>, count: number) => unknown = () => 'fine'
const noted = (work: Work<any, any>): any => {
  works.push(work)
  return does(work, works.length)
}
const retry = { attempts: 3, backoff: '1s' }
const sail = effect(async (work) => noted(work), { retry, heartbeat: '30s' })
const rush = effect(async (work) => noted(work), {
  retry: { attempts: 100, backoff: '10s' },
  within: '1m',
})
const states = {
  sailing: {
    invoke: { id: 'sail', src: 'work' as const, onDone: 'arrived', onError: 'lost' },
    on: { LEAVE: 'left', HAIL: { guard: () => false, target: 'left' } },
  },
  ...{ arrived: {}, lost: {}, left: {} },
}
const sailing = (work: typeof sail) =>
  setup({
    types: {} as { events: { type: 'LEAVE' } | { type: 'HAIL' } },
    actors: { work },
  }).createMachine({ initial: 'sailing', states })

class Ship extends Resource {
  static override tasks = {
    sail: sailing(sail),
    rush: sailing(rush),
    bare: setup({ actors: { sail } }).createMachine({
      initial: 'sailing',
      states: { sailing: { invoke: { id: 'sail', src: 'sail', onDone: 'arrived' } }, arrived: {} },
    }),
    pair: setup({ actors: { sail } }).createMachine({
      initial: 'both',
      states: {
        both: {
          invoke: [
            { id: 'one', src: 'sail', onDone: 'over' },
            { id: 'two', src: 'sail' },
          ],
        },
        over: { type: 'final' },
      },
    }),
    pump: steps({ up: async () => stroke('down'), down: async () => stroke('up') }),
  }
}
let strokes = 0
const STROKES = 30
async function stroke<N extends string>(next: N) {
  strokes += 1
  if (strokes >= STROKES) await pumped.passed
  return next
}
let pumped: Gate<void> = gate()

const test = suite('long effects')
// A round that lasts looks less often here: time is moved by minutes.
const on = stage(test, { resources: [Ship], config: { ESCAPEMENT_TOLD_MS: '5000' } })
const make = () => on.app.create(Ship, {})
const told: number[] = []
test.before(() => void on.app.events.on('effect.progressed', () => told.push(on.time.now())))
test.before.each(() => {
  works = []
  told.length = 0
  strokes = 0
  pumped = gate()
  does = () => 'fine'
})

const codeIn = ({ signal }: Work) => (signal.reason as EscapementError).code
const called = (count: number) =>
  until(() => works.length >= count, { what: `the effect was called ${count} times` })
const toldTimes = (count: number) =>
  until(() => told.length >= count, { what: `progress was written ${count} times` })
const effortsOf = async (taskId: string) => {
  const { database, keyring } = on.app.rooms
  const query = new Query({
    ...{ knex: database.knex, keyring },
    time: on.time,
    registry: on.app.registry,
  })
  return (await query.waiting(taskId, 'sail')).effects
}
const lease = () => {
  const controller = new AbortController()
  const held = {
    signal: controller.signal,
    remainingMs: () => (controller.signal.aborted ? 0 : 1e9),
  }
  return { ...held, lose: (why: Error) => controller.abort(why) }
}
/** What an effect does that heeds its signal. */
const obey = ({ signal }: Work) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

// ---- progress -----------------------------------------------------------------------------------

test('tell how far they are: the latest, written at once and then every two seconds at most', async () => {
  const ship = await make()
  const over = gate<void>()
  does = () => over.passed
  const { taskId } = await ship.sail.start()
  const ticking = on.tick(ship.id)
  await called(1)
  const [work] = works
  const startAt = on.time.now()
  work!.progress({ miles: 1 })
  await toldTimes(1)
  const { step, movedAt } = (await ship.sail.status())!
  for (let miles = 2; miles <= 90; miles++) {
    work!.progress({ miles })
    await on.time.advance(100)
  }
  await toldTimes(5)
  assert.equal(
    told.map((at) => at - startAt),
    [0, 2_000, 4_000, 6_000, 8_000],
  )
  assert.is((await ship.sail.status())!.step, step, 'it is no step')
  assert.ok((await ship.sail.status())!.movedAt > movedAt)
  const { miles } = (await effortsOf(taskId))[0]!.progress as any
  assert.ok(miles >= 80 && miles < 90, `${miles}`)
  over.open()
  await ticking
  await on.time.advance(10_000)
  assert.is(told.length, 5, 'what was left to say nobody needs any more')
  assert.is((await ship.sail.status())!.state, 'arrived')
  assert.equal(await effortsOf(taskId), [])
})

test('go on from where the last attempt was, whether it failed or wanted another turn', async () => {
  const ship = await make()
  const date = new Date(5)
  does = (work, count) => {
    const last = work.lastProgress as any
    if (last) last.seen.push('changed in place')
    if (count === 1) work.progress({ date, seen: ['port'] })
    if (count === 1) throw new Error('a storm')
    return count === 3 ? work.again('1s') : count === 4 ? 'fine' : Promise.reject(new Error('fog'))
  }
  const { taskId } = await ship.sail.start()
  await on.settle()
  const [effort] = await effortsOf(taskId)
  assert.equal([effort!.attempt, effort!.effect], [2, 'sail'])
  assert.ok(effort!.notBefore! > on.time.now())
  assert.equal((effort!.progress as any).seen, ['port'], 'written with the failure')
  await on.advance('1m')
  assert.is(works.length, 4)
  assert.is(works[0]!.lastProgress, undefined)
  for (const { lastProgress } of works.slice(1)) {
    assert.equal(lastProgress, { date, seen: ['port', 'changed in place'] })
  }
  assert.is((await ship.sail.status())!.state, 'arrived')
})

test('go on from where they were when their process died', async () => {
  const ship = await make()
  does = ({ lastProgress }) => (lastProgress === undefined ? new Promise(() => {}) : 'fine')
  await ship.sail.start()
  const first = lease()
  const ticking = on.tick(ship.id, first)
  await called(1)
  works[0]!.progress(7)
  await toldTimes(1)
  first.lose(new Error('gone'))
  await ticking
  works[0]!.progress(8)
  await on.settle()
  assert.is(works.length, 2)
  assert.equal([works[1]!.lastProgress, works[1]!.attempt], [7, 1])
  assert.is(works[1]!.key, works[0]!.key)
  assert.is((await ship.sail.status())!.state, 'arrived')
})

test('go on from where they were after a panic, with the key they had', async () => {
  const ship = await make()
  does = ({ again, progress }, count) => {
    if (count === 1) return again(0)
    if (count === 5) return 'fine'
    progress(count)
    throw new Error('a storm')
  }
  await ship.bare.start()
  await on.advance('1m')
  assert.is((await ship.bare.status())!.status, 'panicked')
  await ship.bare.retry()
  await on.settle()
  assert.is((await ship.bare.status())!.state, 'arrived')
  const [, second, third, fourth, fifth] = works
  assert.equal([third!.lastProgress, fourth!.lastProgress, fifth!.lastProgress], [2, 3, 4])
  assert.is(fifth!.key, second!.key)
  assert.match(second!.key, /:1$/)
  assert.is(fifth!.attempt, 1)
})

test('are not heard once they have ended, nor when their state was left', async () => {
  const ship = await make()
  const gates: Gate<void>[] = []
  does = () => {
    gates.push(gate())
    return gates.at(-1)!.passed
  }
  const { taskId } = await ship.sail.start()
  const ticking = on.tick(ship.id)
  await called(1)
  await ship.sail.send('LEAVE')
  on.ticker.nudge(ship.id)
  await ticking
  assert.is(codeIn(works[0]!), 'STATE_LEFT')
  works[0]!.progress(1)
  works[0]!.heartbeat()
  await on.time.settle()
  assert.equal([told, await effortsOf(taskId)], [[], []])
  assert.is(on.time.sleeping, 0, 'no timer is left')
})

test('may tell what is plain, small and no secret', async () => {
  const ship = await make()
  const codes: unknown[] = []
  does = async ({ progress }) => {
    for (const value of ['x'.repeat(8_190), 'x'.repeat(8_191), new Secret('hush'), () => {}]) {
      codes.push(await codeOf(() => progress(value)))
    }
  }
  await ship.sail.start()
  await on.settle()
  const no = 'VALUE_NOT_STORABLE'
  assert.equal(codes, ['it did not fail', no, no, no])
})

test('have their progress kept while mail comes and goes', async () => {
  const ship = await make()
  const over = gate<void>()
  does = () => over.passed
  const { taskId } = await ship.sail.start()
  const ticking = on.tick(ship.id)
  await called(1)
  works[0]!.progress('here')
  await toldTimes(1)
  await ship.sail.send('HAIL')
  on.ticker.nudge(ship.id)
  const isTaken = async () =>
    (
      await on.house.sql('SELECT 1 FROM events WHERE task_id = $1 AND consumed_at IS NULL', [
        taskId,
      ])
    ).length === 0
  await until(isTaken, { what: 'the mail was taken' })
  assert.is((await effortsOf(taskId))[0]!.progress, 'here')
  over.open()
  await ticking
})

// ---- time ---------------------------------------------------------------------------------------

test('that are silent for too long are told so, and tried again', async () => {
  const ship = await make()
  does = (_, count) => (count === 1 ? new Promise(() => {}) : 'fine')
  await ship.sail.start()
  const ticking = on.tick(ship.id)
  await called(1)
  await on.time.advance(29_000)
  works[0]!.heartbeat()
  await on.time.advance(29_000)
  works[0]!.progress(1)
  await on.time.advance(29_999)
  assert.is(works[0]!.signal.aborted, false)
  await on.time.advance(1)
  await ticking
  assert.is(codeIn(works[0]!), 'EFFECT_SILENT')
  const [failure] = await on.app.history.failures(ship.id)
  assert.is(failure!.code, 'EFFECT_SILENT')
  await on.advance('1m')
  assert.equal([works.length, works[1]!.lastProgress], [2, 1])
})

test('that give signs of life may take as long as they like, and write nothing for it', async () => {
  const ship = await make()
  const over = gate<void>()
  does = () => over.passed
  await ship.sail.start()
  const ticking = on.tick(ship.id)
  await called(1)
  const { movedAt } = (await ship.sail.status())!
  for (let minutes = 0; minutes < 10; minutes += 0.25) {
    works[0]!.heartbeat()
    await on.time.advance(15_000)
  }
  assert.is(works[0]!.signal.aborted, false)
  assert.is((await ship.sail.status())!.movedAt, movedAt)
  over.open()
  await ticking
  assert.is((await ship.sail.status())!.state, 'arrived')
})

test('have so much time in all, and are told when it is up', async () => {
  const ship = await make()
  does = (work, count) => (count < 3 ? Promise.reject(new Error('a storm')) : obey(work))
  await ship.rush.start()
  await on.settle()
  await on.time.advance(10_000)
  await on.settle()
  await on.time.advance(10_000)
  const ticking = on.tick(ship.id)
  await called(3)
  await on.time.advance(39_999)
  assert.is(works[2]!.signal.aborted, false)
  await on.time.advance(1)
  await ticking
  assert.is(codeIn(works[2]!), 'EFFECT_OVERDUE')
  assert.is((await ship.rush.status())!.state, 'lost', 'there is no time for another attempt')
})

test('are not tried again when their time is up before', async () => {
  const ship = await make()
  const startAt = on.time.now()
  const at: number[] = []
  does = () => {
    at.push(on.time.now() - startAt)
    throw new Error('a storm')
  }
  await ship.rush.start()
  await on.advance('50s')
  assert.is((await ship.rush.status())!.status, 'running')
  await on.advance('1m')
  assert.is((await ship.rush.status())!.state, 'lost')
  assert.ok(at.length < 15 && at.at(-1)! < 60_000, at.join())
  does = () => Promise.reject(Object.assign(new Error('later'), { retryAfter: 61 }))
  const other = await make()
  await other.rush.start()
  await on.settle()
  assert.is((await other.rush.status())!.state, 'lost')
})

test('have used up their time even if no process lived to see it', async () => {
  const ship = await make()
  does = () => new Promise(() => {})
  await ship.rush.start()
  const first = lease()
  const ticking = on.tick(ship.id, first)
  await called(1)
  first.lose(new Error('gone'))
  await ticking
  await on.time.advance(60_000)
  await on.settle()
  assert.is(works.length, 1, 'it was not run for nothing')
  assert.is((await ship.rush.status())!.state, 'lost')
  const [failure] = await on.app.history.failures(ship.id)
  assert.is(failure!.code, 'EFFECT_OVERDUE')
})

test('have all their time in every turn they asked for', async () => {
  const ship = await make()
  does = ({ again }, count) => (count < 4 ? again('50s') : 'fine')
  await ship.rush.start()
  await on.advance('3m')
  assert.equal([works.length, (await ship.rush.status())!.state], [4, 'arrived'])
})

// ---- told to stop -------------------------------------------------------------------------------

test('of a run that ends beside them are told so', async () => {
  const ship = await make()
  does = (work) => (work.key.endsWith(':one') ? 'fine' : obey(work))
  await ship.pair.start()
  await on.settle()
  assert.is((await ship.pair.status())!.status, 'done')
  assert.is(codeIn(works.find(({ key }) => key.endsWith(':two'))!), 'TASK_STOPPED')
})

test('under a fence that was raised are told so, by the first that wants to write', async () => {
  const ship = await make()
  does = obey
  await ship.sail.start()
  await ship.bare.start()
  const ticking = on.tick(ship.id)
  await called(2)
  await on.app.store.claim(ship.id, 'a thief')
  works[0]!.progress(1)
  await ticking
  assert.equal(works.map(codeIn), ['LEASE_LOST', 'LEASE_LOST'])
  assert.equal(told, [])
  does = () => 'fine'
  await on.settle()
})

test('are told why the lease ended', async () => {
  const ship = await make()
  does = obey
  await ship.sail.start()
  const held = lease()
  const ticking = on.tick(ship.id, held)
  await called(1)
  const why = new Error('whatever it was')
  held.lose(why)
  await ticking
  assert.is(works[0]!.signal.reason, why)
  does = () => 'fine'
  await on.settle()
})

test('hear what another process did when the round looks again, and not before', async () => {
  const ship = await make()
  does = obey
  await ship.sail.start()
  await ship.bare.start()
  const ticking = on.tick(ship.id)
  await called(2)
  const lookMs = on.app.rooms.config.toldMs
  // Nobody nudges: as far as this process knows, nothing happened.
  await ship.sail.send('LEAVE')
  await ship.bare.stop()
  await on.time.advance(lookMs - 1)
  assert.equal(
    works.map(({ signal }) => signal.aborted),
    [false, false],
  )
  await on.time.advance(1)
  await ticking
  assert.equal(works.map(codeIn).sort(), ['STATE_LEFT', 'TASK_STOPPED'])
  assert.is((await ship.sail.status())!.state, 'left')
})

// ---- holding up nobody --------------------------------------------------------------------------

test('go on when another run of their resource was stopped from outside', async () => {
  const ship = await make()
  const over = gate<void>()
  does = () => over.passed
  await ship.sail.start()
  await ship.bare.start()
  const ticking = on.tick(ship.id)
  await called(2)
  const { taskId } = (await ship.bare.status())!
  await ship.bare.stop()
  const [stopped, other] = works.toSorted(({ key }) => (key.startsWith(taskId) ? -1 : 1))
  // It wants to write before anybody could tell it.
  stopped!.progress(1)
  await until(() => stopped!.signal.aborted, { what: 'it was told' })
  assert.is(codeIn(stopped!), 'TASK_STOPPED')
  assert.is(other!.signal.aborted, false)
  over.open()
  await ticking
  assert.is(works.length, 2, 'no work was done anew')
  assert.is((await ship.sail.status())!.state, 'arrived')
})

test('leave the other tasks of their resource all their steps, share after share', async () => {
  const { time, app } = on
  const frugal = drive({ app, time, quota: { steps: 5, ms: 60_000 } })
  const ship = await make()
  const over = gate<void>()
  does = () => over.passed
  await ship.sail.start()
  const ticking = frugal.tick(ship.id)
  await called(1)
  await ship.pump.start()
  frugal.ticker.nudge(ship.id)
  // Time stands still: nothing but the end of its share makes the round go on.
  await until(() => strokes === STROKES, { what: 'the pump made all its strokes' })
  assert.is(works[0]!.signal.aborted, false)
  await ship.pump.stop()
  frugal.ticker.nudge(ship.id)
  over.open()
  pumped.open()
  await ticking
  assert.is(works.length, 1)
})

test.run()
