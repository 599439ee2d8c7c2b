// timeout: 300s
// Named queues: a kind on a queue of its own takes no place of another, has none taken, and is served by whoever says so.
import { setup } from 'xstate'
import { effect, Resource, steps } from '../../bin/index.ts'
import { readConfig } from '../../lib/config.ts'
import { Kind } from '../../models/kind.ts'
import { Registry } from '../../models/registry.ts'
import { KindRouting } from '../../models/routing.ts'
import { type House, type HouseOptions, openHouse } from '../support/house.ts'
import { settings } from '../support/services.ts'
import { type Gate, gate } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

/** Slow effects wait here until they are let go. */
let gates: Gate<void>[] = []
let isOpen = false
let inHand = 0
let most = 0

const crunch = effect(async () => {
  inHand += 1
  most = Math.max(most, inHand)
  if (!isOpen) {
    const one = gate()
    gates.push(one)
    await one.passed
  }
  inHand -= 1
})
const grind = setup({ actors: { crunch } }).createMachine({
  initial: 'crunching',
  states: { crunching: { invoke: { src: 'crunch', onDone: 'done' } }, done: { type: 'final' } },
})
const nap = setup({}).createMachine({
  initial: 'napping',
  states: { napping: { after: { 60: 'done' } }, done: { type: 'final' } },
})

class Video extends Resource {
  static override queue = 'slow'
  static override tasks = { encode: grind, nap, wink: steps({ one: async (t) => t.stop() }) }
}
class Mail extends Resource {
  static override tasks = {
    post: steps({ one: async (t) => t.stop() }),
    rouse: steps({
      one: async (t: any) => {
        await t.resource.children(Video).task('wink').start()
        return t.stop()
      },
    }),
  }
}

const resources = [Mail, Video]
/** A clock that comes by so seldom that only what is told directly is done in time. */
const UNAIDED = { ESCAPEMENT_BEAT_MS: '60000', ESCAPEMENT_TOLD_MS: '60000' }

const reset = () => {
  gates = []
  isOpen = false
  inHand = 0
  most = 0
}
const letGo = () => {
  isOpen = true
  for (const one of gates.splice(0)) one.open()
}
const doneOf = async (house: House, name: string, kind = '') =>
  (
    await house.sql(
      `SELECT 1 FROM tasks t JOIN resources r ON r.id = resource_id
       WHERE name = $1 AND status = 'done' AND kind LIKE $2`,
      [name, `${kind}%`],
    )
  ).length
const all = (house: House, name: string, count: number) =>
  until(async () => (await doneOf(house, name)) === count, {
    what: `${count} of ${name} are done`,
    deadlineMs: 20_000,
  })
/** Begun without a ticket: the clock alone finds it. */
const unseen = (house: House, task: any) =>
  house.app.transaction((trx) => task.start(undefined, { trx }))

for (const setting of settings()) {
  const test = suite(`queues, ${setting}`)
  let house: House
  const open = async (config: HouseOptions['config'] = {}) => {
    house = await openHouse({ resources, setting, config })
  }
  const make = (shape: any, count: number): Promise<any[]> =>
    Promise.all(Array.from({ length: count }, () => house.app.create(shape, {})))
  test.before.each(reset)
  test.after.each(async () => {
    letGo()
    await house.close()
  })

  test('a slow kind with one place has one in hand, and delays no quick one', async () => {
    await open({ ESCAPEMENT_QUEUES: 'ticks=4,slow=1' })
    await house.app.start()
    const videos = await make(Video, 8)
    await Promise.all(videos.map((video) => video.encode.start()))
    await until(() => inHand === 1, { what: 'the one place is occupied' })
    const mails = await make(Mail, 20)
    for (const mail of mails.slice(10)) await unseen(house, mail.post)
    await Promise.all(mails.slice(0, 10).map((mail) => mail.post.start()))
    await all(house, 'post', 20)
    // A ticket that came to the wrong queue takes no place there.
    const { queues } = house.app.rooms
    await queues.get('ticks')!.push(videos.map(({ id }) => ({ resourceId: id })))
    const fences = () =>
      house.sql(
        'SELECT 1 FROM leases JOIN resources ON id = resource_id WHERE kind = $1 AND fence > 0',
        ['Video'],
      )
    await until(async () => (await fences()).length === 8, { what: 'each was looked at' })
    assert.equal([inHand, most, await doneOf(house, 'encode')], [1, 1, 0])
    for (let count = 1; count <= 8; count++) {
      await until(() => gates.length === 1, { what: `the effect of number ${count} runs` })
      for (const one of gates.splice(0)) one.open()
    }
    await all(house, 'encode', 8)
    assert.is(most, 1)
  })

  test('who serves one queue leaves the others, and explain says that nobody is there', async () => {
    await open({ ESCAPEMENT_QUEUES: 'ticks=4' })
    await house.app.start()
    isOpen = true
    const [video] = await make(Video, 1)
    const [mail] = await make(Mail, 1)
    await video.encode.start()
    await mail.post.start()
    await all(house, 'post', 1)
    await until(async () => (await video.explain('encode')).code === 'no_worker', {
      what: 'it is known that nobody serves the queue',
    })
    const { sentence, evidence } = await video.explain('encode')
    assert.match(sentence, /no worker of queue slow is alive; one serves others/)
    const said = evidence.find(({ code }: any) => code === 'queue')
    assert.is(said?.text, 'travels on queue slow, which no worker serves.')
    assert.not.ok((await mail.explain('post')).evidence.some(({ code }: any) => code === 'queue'))
    assert.is(await doneOf(house, 'encode'), 0)
    const other = await house.neighbour({ config: { ESCAPEMENT_QUEUES: 'slow=3' } })
    await other.startWorker()
    await all(house, 'encode', 1)
    const lines = await house.sql(
      'SELECT role, queues, concurrency FROM workers ORDER BY role, concurrency',
    )
    assert.equal(
      lines.map(({ role, queues, concurrency }) => [role, queues, concurrency]),
      [
        ['clock', { ticks: null, slow: null }, null],
        ['worker', { slow: 3 }, 3],
        ['worker', { ticks: 4 }, 4],
      ],
    )
  })

  test('verbs, steps and timers tell the queue of the kind, without any clock', async () => {
    await open({ ...UNAIDED, ESCAPEMENT_QUEUES: 'slow=2' })
    await house.app.startWorker()
    const [parent] = await make(Mail, 1)
    const video = await house.app.create(Video, {}, { parent })
    await video.nap.start()
    await all(house, 'nap', 1)
    const other = await house.neighbour({ config: { ESCAPEMENT_QUEUES: 'ticks=1' } })
    await other.startWorker()
    await parent.rouse.start()
    await all(house, 'wink', 1)
  })

  test('the clock tells each queue, and a full one holds up no other', async () => {
    await open({ ESCAPEMENT_QUEUES: 'ticks=4' })
    const { queues } = house.app.rooms
    const litter = Array.from({ length: 8_000 }, (_, n) => ({ resourceId: `litter-${n}` }))
    await queues.get('slow')!.push(litter)
    const videos = await make(Video, 3)
    for (const video of videos) await unseen(house, video.wink)
    const mails = await make(Mail, 30)
    for (const mail of mails.slice(15)) await unseen(house, mail.post)
    await house.app.start()
    await Promise.all(mails.slice(0, 15).map((mail) => mail.post.start()))
    await all(house, 'post', 30)
    assert.ok((await queues.get('slow')!.depth()) >= 5_000, 'it is full all the while')
    assert.is(await doneOf(house, 'wink'), 0)
  })

  test('a queue that is paused leaves the others running', async () => {
    await open()
    await house.app.start()
    const [video] = await make(Video, 1)
    const [mail] = await make(Mail, 1)
    assert.is(await house.app.pause({ queue: 'slow' }, { reason: 'hot' }), true)
    await video.wink.start()
    await mail.post.start()
    await all(house, 'post', 1)
    const held = await video.explain('wink')
    assert.equal([held.code, held.actions], ['held', ['escapement resume --queue slow']])
    assert.is(await doneOf(house, 'wink'), 0)
    assert.is(await house.app.pause({ queue: true }), true)
    assert.is(await house.app.resume({ queue: 'slow' }), true)
    await all(house, 'wink', 1)
    await mail.post.start()
    await video.wink.start()
    await all(house, 'wink', 2)
    assert.is((await mail.explain('post')).code, 'held')
    assert.equal((await mail.explain('post')).actions, ['escapement resume --queue'])
    await house.app.resume({ queue: true })
    await all(house, 'post', 2)
  })

  test.run()
}

const input = suite('queues, what is refused')

input('a class whose queue has no name fit for one', () => {
  for (const queue of ['', 'Slow', 'a b', '1st', 'a'.repeat(41), 5, null]) {
    class Wrong extends Resource {
      static override queue = queue as string
    }
    let said: any
    try {
      new Kind(Wrong)
    } catch (refused) {
      said = refused
    }
    assert.is(said?.code, 'QUEUE_INVALID', JSON.stringify(queue))
    assert.match(
      said.message,
      /^The queue of Wrong cannot be .*: it is not a name of small letters/,
    )
  }
})

input('a queue to be served that no class is on', () => {
  const registry = new Registry(resources)
  const routed = (ESCAPEMENT_QUEUES?: string) =>
    new KindRouting(readConfig({ ESCAPEMENT_QUEUES, ESCAPEMENT_CONCURRENCY: '7' }), registry)
  assert.equal(
    [...routed().served],
    [
      ['ticks', 7],
      ['slow', 7],
    ],
  )
  assert.equal([...routed('slow=2').served], [['slow', 2]])
  assert.throws(
    () => routed('ticks=1,slwo=2'),
    (refused: any) =>
      refused.code === 'CONFIG_INVALID' &&
      refused.message.includes(
        'ESCAPEMENT_QUEUES names "slwo", and no class is on it; there is slow, ticks',
      ),
  )
})

input('a class has the queue of the one it extends, and of another house none', () => {
  class Film extends Video {}
  class Letter extends Mail {}
  const registry = new Registry([Film, Letter])
  const routing = new KindRouting(readConfig({ ESCAPEMENT_QUEUE: 'main' }), registry)
  assert.equal(routing.names, ['main', 'slow'])
  assert.equal(
    [routing.queueOf('Film'), routing.queueOf('Letter'), routing.queueOf('x')],
    ['slow', 'main', 'main'],
  )
  assert.equal(routing.kindsOf('slow'), ['Film'])
})

input.run()
