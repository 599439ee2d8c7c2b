// Mailboxes: who is refused, what is kept and for how long, what is too much.
import { assign, sendTo, setup } from 'xstate'
import { action, Resource, steps } from '../../bin/index.ts'
import { MOST_EVENT_BYTES } from '../../lib/limits.ts'
import { MOST_WAITING } from '../../lib/postman.ts'
import { codeOf, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'

const letters = (count: number) => 'x'.repeat(count)

const tray = setup({
  types: {} as {
    context: { last: number; gaps: number }
    events: { type: 'PUT'; n?: number; text?: string } | { type: 'NEVER' } | { type: 'END' }
  },
  actions: {
    note: assign(({ context, event }) => {
      const { n = 0 } = event as { n?: number }
      return { last: n, gaps: context.gaps + (n === context.last + 1 ? 0 : 1) }
    }),
  },
}).createMachine({
  context: { last: -1, gaps: 0 },
  initial: 'open',
  states: {
    open: { on: { PUT: { actions: 'note' }, END: 'shut' } },
    shut: { type: 'final' },
    away: { on: { NEVER: 'open' } },
  },
})

const child = setup({}).createMachine({ on: { PUT: {} } })

class Desk extends Resource {
  static override tasks = {
    tray,
    other: tray,
    /** A machine that sends its child, and starts another with, whatever it is given. */
    elder: setup({
      types: {} as { events: { type: 'PASS'; size: number } | { type: 'SPAWN'; size: number } },
      actors: { child },
    }).createMachine({
      invoke: { src: 'child', id: 'kid' },
      initial: 'calm',
      on: {
        PASS: {
          actions: sendTo('kid', ({ event }) => ({ type: 'PUT', text: letters(event.size) })),
        },
        SPAWN: '.proud',
      },
      states: {
        calm: {},
        proud: {
          invoke: { src: 'child', id: 'heir', input: ({ event }: any) => letters(event.size) },
        },
      },
    }),
    /** A step that sends too much: awaited, and not. */
    careful: steps({
      send: async ({ resource, stop }: any) => {
        await resource.tray.send({ type: 'PUT', text: letters(MOST_EVENT_BYTES) })
        return stop()
      },
    }),
    careless: setup({
      types: {} as { events: { type: 'GO' } },
      actions: {
        send: action(({ resource }: any) => {
          void resource.tray.send({ type: 'PUT', text: letters(MOST_EVENT_BYTES) })
        }),
      },
    }).createMachine({ on: { GO: { actions: 'send' } } }),
    keen: steps({
      send: async ({ resource, stop }: any) => {
        const refused = resource.tray.send({ type: 'PUT', text: letters(MOST_EVENT_BYTES) })
        return stop(await refused.catch((thrown: any) => thrown.code))
      },
    }),
  }
}

const test = suite('mailbox')
const on = stage(test, { resources: [Desk] })
const make = () => on.app.create(Desk, {})
const ignoredOf = async (id: string) =>
  (await on.app.history.lines(id, { task: 'tray', ignored: true }))
    .filter(({ event }) => event === '__ignored__')
    .map(({ to, reason, actor }) => [to, reason, actor])

// ---- who is refused, and how --------------------------------------------------------------------

test('a run that has ended takes nothing, and says when and how it ended', async () => {
  const desk = await make()
  assert.is(await codeOf(desk.tray.send('END')), 'TASK_NOT_RUNNING')
  await desk.tray.start()
  await desk.tray.send('END')
  await on.settle()
  const error = await desk.tray.send('END').catch((thrown) => thrown)
  assert.is(error.code, 'TASK_FINISHED')
  assert.match(error.message, /^Task tray of Desk\/\S+ finished at \d{4}-\S+Z with status done\.$/)
  await on.time.advance(1)
  await desk.tray.start()
  await desk.tray.stop()
  assert.match((await desk.tray.send('END').catch((thrown) => thrown)).message, 'status stopped')
})

test('a run that is parked takes its mail when it goes on', async () => {
  const desk = await make()
  await desk.careless.start()
  await desk.tray.start()
  await desk.careless.send('GO')
  await on.settle()
  assert.is((await desk.careless.status())!.status, 'panicked')
  await desk.careless.send('GO')
  await on.settle()
  const sql = 'SELECT count(*) FROM events WHERE task_id = $1 AND consumed_at IS NULL'
  const [{ count }] = await on.house.sql(sql, [(await desk.careless.status())!.taskId])
  assert.is(Number(count), 2, 'the one it failed at, and the new one')
  await desk.careless.stop()
  await desk.tray.stop()
})

test('a dedup key holds after its event was taken, and after the run has ended', async () => {
  const desk = await make()
  const once = (type: 'PUT' | 'END') => codeOf(desk.tray.send(type, { dedupKey: type }))
  await desk.tray.start()
  assert.equal([await once('PUT'), await once('PUT')], ['it did not fail', 'DUPLICATE_SEND'])
  await on.settle()
  assert.is(await once('PUT'), 'DUPLICATE_SEND')
  await once('END')
  await on.settle()
  assert.is(await once('END'), 'DUPLICATE_SEND', 'whoever lost the answer learns that it counts')
  assert.is(await codeOf(desk.tray.send('END', { dedupKey: 'new' })), 'TASK_FINISHED')
  await desk.tray.start()
  assert.is(await once('PUT'), 'it did not fail', 'another run')
  await desk.tray.stop()
})

test('names no column could keep are refused', async () => {
  const desk = await make()
  await desk.tray.start()
  for (const dedupKey of ['', 'a\0b', '\ud800', letters(257), 7 as never])
    assert.is(await codeOf(desk.tray.send('PUT', { dedupKey })), 'ARGUMENT_INVALID')
  assert.is(await codeOf(desk.tray.send(letters(257) as never)), 'ARGUMENT_INVALID')
  await desk.tray.stop()
})

// ---- what nobody accepts ------------------------------------------------------------------------

test('mail nobody accepts, and mail that came too late, are in the history with the reason', async () => {
  const desk = await make()
  await desk.tray.start()
  await on.settle()
  await desk.tray.send('NEVER', { actor: 'ann' })
  await desk.tray.send('PUT', { expiresIn: '1s', actor: 'bob', reason: 'lunch' })
  await on.time.advance(2_000)
  await on.settle()
  const expected = [
    ['NEVER', 'no state accepted it', 'ann'],
    ['PUT', 'it had expired; sent because lunch', 'bob'],
  ]
  assert.equal(await ignoredOf(desk.id), expected)
  const all = await on.app.history.lines(desk.id)
  assert.is(all.filter(({ task, event }) => task === 'tray' && event === '__ignored__').length, 2)
  const plain = await on.app.history.lines(desk.id, { task: 'tray' })
  assert.equal(
    plain.map(({ to }) => to),
    ['__new__', 'open'],
  )
})

// ---- limits -------------------------------------------------------------------------------------

test('an event or a start that is too large is refused, with its size and the way out', async () => {
  const desk = await make()
  await desk.tray.start()
  await on.settle()
  // {"text":"…"} around the letters.
  const around = 11
  await desk.tray.send({ type: 'PUT', text: letters(MOST_EVENT_BYTES - around) })
  for (const size of [MOST_EVENT_BYTES - around + 1, 5_000_000]) {
    const error = await desk.tray
      .send({ type: 'PUT', text: letters(size) })
      .catch((thrown) => thrown)
    assert.is(error.code, 'EVENT_TOO_LARGE')
    assert.is(error.message, `The event PUT takes ${size + around} bytes; the most is 262144.`)
    assert.match(error.todo, 'send what names it')
  }
  // Counted in bytes, not in letters.
  const wide = '\u{1f980}'.repeat(MOST_EVENT_BYTES / 4)
  assert.is(await codeOf(desk.tray.send({ type: 'PUT', text: wide })), 'EVENT_TOO_LARGE')
  const start = desk.other.start(letters(MOST_EVENT_BYTES) as never)
  assert.is(await codeOf(start), 'EVENT_TOO_LARGE')
  assert.is(await desk.other.status(), null)
  await desk.tray.stop()
})

test('what machines and steps send is weighed too: the step fails, the task rests where it was', async () => {
  const desk = await make()
  await desk.tray.start()
  const panicsOf = async (task: string) =>
    (await on.app.history.failures(desk.id, { task })).map(({ code }) => code)
  await desk.elder.start()
  await desk.elder.send({ type: 'PASS', size: 1_000 })
  await on.settle()
  for (const type of ['PASS', 'SPAWN'] as const) {
    await desk.elder.send({ type, size: MOST_EVENT_BYTES })
    await on.settle()
    const seen = (await desk.elder.snapshot())!
    assert.equal([seen.status, seen.value], ['panicked', 'calm'], type)
    assert.equal((await panicsOf('elder')).at(-1), 'EVENT_TOO_LARGE')
    await desk.elder.stop()
    await desk.elder.start()
    await on.settle()
  }
  await desk.elder.stop()
  for (const task of ['careful', 'careless', 'keen'] as const) await desk[task].start()
  await desk.careless.send('GO')
  await on.settle()
  assert.equal(await panicsOf('careless'), ['EVENT_TOO_LARGE'], 'though nobody awaited it')
  assert.is((await panicsOf('careful')).at(-1), 'EVENT_TOO_LARGE')
  const kept = (await desk.keen.snapshot())!
  assert.equal(
    [kept.status, kept.output],
    ['done', 'EVENT_TOO_LARGE'],
    'whoever catches it goes on',
  )
  assert.is((await desk.tray.status())!.status, 'running')
  for (const task of ['careful', 'careless', 'tray'] as const) await desk[task].stop()
})

test('a mailbox that is full says so, and takes more once some was taken', async () => {
  const desk = await make()
  const { taskId } = await desk.tray.start()
  await on.house.sql(
    `INSERT INTO events (event_id, task_id, type, actor, unit_id, sent_at)
     SELECT gen_random_uuid(), $1, 'NEVER', 'x', gen_random_uuid(), now() FROM generate_series(1, $2::integer)`,
    [taskId, MOST_WAITING],
  )
  const error = await desk.tray.send('PUT').catch((thrown) => thrown)
  assert.is(error.code, 'MAILBOX_FULL')
  assert.match(error.message, 'is full: 10000 events wait in it')
  await on.house.sql(
    'DELETE FROM events WHERE id IN (SELECT id FROM events WHERE task_id = $1 ORDER BY id LIMIT 9990)',
    [taskId],
  )
  await desk.tray.send('PUT')
  await desk.tray.stop()
})

test('more mail than one look reads is worked off in one go', async () => {
  const desk = await make()
  await desk.tray.start()
  await on.settle()
  for (let n = 0; n < 250; n++) await desk.tray.send({ type: 'PUT', n })
  await on.settle()
  const { context } = (await desk.tray.snapshot())!
  assert.equal(context, { last: 249, gaps: 0 })
  await desk.tray.stop()
})

test.run()
