// Renames: rows an older program wrote, under the names of a newer one.
import { assign, setup } from 'xstate'
import * as z from 'zod'
import { effect, field, Resource, secret, steps, task } from '../../bin/index.ts'
import { Query } from '../../models/query.ts'
import { drive, openHouse } from '../support/house.ts'
import { codeOf } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'

const keys: string[] = []
let answer = async (): Promise<any> => null

const call = effect(async ({ key }) => {
  keys.push(key)
  return answer()
})
const child = setup({}).createMachine({
  initial: 'on',
  states: { on: { on: { END: 'off' } }, off: { type: 'final' } },
})

/** One machine, under the names of two days. */
const machine = (name: {
  door: string
  ajar: string
  held: string
  calling: string
  asking: string
}) =>
  setup({ actors: { call, child }, types: {} as { events: any } }).createMachine({
    id: 'door',
    context: { seen: 0 },
    initial: name.door,
    on: { SEE: { actions: assign({ seen: ({ context }: any) => context.seen + 1 }) } },
    states: {
      [name.door]: {
        initial: name.ajar,
        states: {
          [name.ajar]: { after: { 60000: 'shut' } },
          shut: { on: { HOLD: `#door.${name.held}` } },
          was: { type: 'history' },
        },
        on: {
          CALL: `#door.${name.calling}`,
          ASK: `#door.${name.asking}`,
          HOLD: `#door.${name.held}`,
        },
      },
      [name.held]: {
        type: 'parallel',
        states: {
          light: { initial: 'on', states: { on: { on: { DARK: 'off' } }, off: {} } },
          sign: {},
        },
        on: { BACK: `#door.${name.door}.was` },
      },
      [name.calling]: { invoke: { src: 'call', onDone: name.held } },
      [name.asking]: { invoke: { src: 'child', onDone: name.held } },
    },
  } as never) as any

const OLD = { door: 'gate', ajar: 'open', held: 'stuck', calling: 'ringing', asking: 'begging' }
const NEW = { door: 'door', ajar: 'ajar', held: 'held', calling: 'calling', asking: 'asking' }

class Gate extends Resource {
  static override fields = {
    colour: field(z.string().optional()),
    pin: secret(z.string().optional()),
    size: field(z.number().default(1)),
  }
  static override tasks = {
    swing: machine(OLD),
    ring: steps({ ringing: async () => answer() }),
    pulse: task(steps({ up: async ({ stop }) => stop() }), { every: '1h' }),
  }
}
class Door extends Resource {
  static override was = ['Gate']
  static override fields = {
    paint: field(z.string().optional(), { was: ['colour'] }),
    code: secret(z.string().optional(), { was: ['pin'] }),
    size: field(z.number().default(1)),
  }
  static override tasks = {
    move: task(machine(NEW), {
      was: ['swing'],
      states: {
        gate: 'door',
        'gate.open': 'door.ajar',
        stuck: 'held',
        ringing: 'calling',
        begging: 'asking',
      },
    }),
    call: task(
      steps({
        calling: async ({ key }) => {
          keys.push(key)
          return answer()
        },
      }),
      { was: ['ring'], states: { ringing: 'calling' } },
    ),
    beat: task(steps({ up: async ({ stop }) => stop() }), { every: '1h', was: ['pulse'] }),
  }
}

const test = suite('renames')

/** An old app's house and resource, and a new app beside it. */
async function both(given: object = {}) {
  const time = new FakeTime()
  const house = await openHouse({ resources: [Gate], time })
  const before = drive({ app: house.app, time })
  const gate = await house.app.create(Gate, given)
  const app = await house.neighbour({ resources: [Door] })
  return { time, house, gate, before, app, ...drive({ app, time }) }
}
test.before.each(() => {
  keys.length = 0
  answer = async () => null
})

test('rows of an old type and old fields are found, read and asked for', async () => {
  const { house, gate, app, time } = await both({ colour: 'red', pin: '1234' })
  const door = await app.get(Door, gate.id)
  assert.is(door.kind, 'Door')
  assert.equal([door.paint, door.code, door.size], ['red', '1234', 1])
  assert.is(await app.find(Door).where({ paint: 'red' }).count(), 1)
  assert.is(await app.find(Door).where({ paint: 'blue' }).count(), 0)
  assert.is((await app.getByName('Gate', gate.id)).kind, 'Door')
  const parts = { knex: app.rooms.database.knex, keyring: app.rooms.keyring, time }
  const query = new Query({ ...parts, registry: app.registry })
  for (const kind of ['Door', 'Gate'])
    assert.equal(
      (await query.resources({ kind })).map((row) => row.kind),
      ['Door'],
    )
  await house.close()
})

test('they are written under the new names with the next write', async () => {
  const { house, gate, app } = await both({ colour: 'red', pin: '1234' })
  const door = await app.get(Door, gate.id)
  door.size = 2
  await door.save()
  const stored = () => house.sql('SELECT kind, fields, lost_and_found FROM resources')
  const [row] = await stored()
  assert.is(row.kind, 'Door')
  assert.equal(Object.keys(row.fields).sort(), ['code', 'paint', 'size'])
  assert.is(row.lost_and_found, null)
  door.paint = undefined
  await door.save()
  assert.is((await app.get(Door, gate.id)).paint, undefined)
  assert.is(await app.find(Door).where({ size: 2 }).count(), 1)
  await house.close()
})

test('an old field that is set first, or taken away, does not come back', async () => {
  const { house, gate, app } = await both({ colour: 'red', pin: '1234' })
  const door = await app.get(Door, gate.id)
  door.paint = 'blue'
  ;(door as any).code = undefined
  await door.save()
  const fresh = await app.get(Door, gate.id)
  assert.equal([fresh.paint, fresh.code], ['blue', undefined])
  const [row] = await house.sql('SELECT fields FROM resources')
  assert.equal(Object.keys(row.fields).sort(), ['paint', 'size'])
  await house.close()
})

test('a run goes on under the new names of its task, its states and its timers', async () => {
  const { house, gate, before, app, advance, settle } = await both()
  await gate.swing.start()
  await before.settle()
  const door = await app.get(Door, gate.id)
  assert.equal((await door.move.start()).isNew, false, 'the old run lives')
  assert.is(await door.move.running(), true)
  await door.move.send('SEE')
  await settle()
  assert.is((await door.move.status())!.state, 'door.ajar')
  const [row] = await house.sql(`SELECT name FROM tasks WHERE resource_id = $1`, [gate.id])
  assert.is(row.name, 'move')
  await advance('60s')
  assert.is((await door.move.status())!.state, 'door.shut')
  const lines = await app.history.lines(gate.id, { task: 'move' })
  assert.equal([...new Set(lines.map((line) => line.task))], ['move'])
  assert.is(await door.move.stop(), true)
  assert.equal((await door.move.start()).isNew, true)
  await door.move.stop()
  await house.close()
})

test('history states and parallel ones are understood', async () => {
  const { house, gate, before, app, advance, settle } = await both()
  await gate.swing.start()
  await before.settle()
  await gate.swing.send('HOLD')
  await gate.swing.send('DARK')
  await before.settle()
  const door = await app.get(Door, gate.id)
  await door.move.send('SEE')
  await settle()
  assert.is((await door.move.status())!.state, 'held.{"light":"off","sign":{}}')
  await door.move.send('BACK')
  await settle()
  assert.is((await door.move.status())!.state, 'door.ajar')
  await advance('60s')
  assert.is((await door.move.status())!.state, 'door.shut')
  await door.move.stop()
  await house.close()
})

test('an effect that is tried again keeps its key and its count', async () => {
  const { house, gate, before, app, advance } = await both()
  answer = async () => {
    throw new Error('busy')
  }
  const started: string[] = []
  const listen = (on: typeof app) =>
    on.events.on('effect.started', ({ key, attempt }) => started.push(`${attempt} ${key}`))
  listen(house.app)
  listen(app)
  await gate.ring.start()
  await gate.swing.start()
  await before.settle()
  await gate.swing.send('CALL')
  await before.settle()
  answer = async () => null
  await advance('5s').catch(() => {})
  const door = await app.get(Door, gate.id)
  assert.is((await door.move.status())!.state, 'held.{"light":"on","sign":{}}')
  const ofSwing = started.filter((line) => line.endsWith('door.ringing'))
  assert.is(ofSwing.length, 2)
  assert.equal(ofSwing[1], ofSwing[0]!.replace('1 ', '2 '))
  const ofRing = started.filter((line) => line.endsWith(':ringing'))
  assert.equal(ofRing[1], ofRing[0]!.replace('1 ', '2 '))
  await door.move.stop()
  await door.call.stop()
  await house.close()
})

test('a child that was invoked by an old state tells its parent', async () => {
  const { house, gate, before, app, settle } = await both()
  await gate.swing.start()
  await before.settle()
  await gate.swing.send('ASK')
  await before.settle()
  const [kid] = await house.sql(`SELECT name FROM tasks WHERE name LIKE 'swing/%'`)
  await house.sql(
    `INSERT INTO events (event_id, task_id, type, actor, unit_id, sent_at)
     SELECT gen_random_uuid(), id, 'END', 'x', gen_random_uuid(), to_timestamp(1) FROM tasks WHERE name = $1`,
    [kid.name],
  )
  await house.sql(
    `UPDATE dues SET due_at = to_timestamp(1), look_at = to_timestamp(1), wakes = wakes + 1`,
  )
  await settle()
  const door = await app.get(Door, gate.id)
  assert.is((await door.move.status())!.state, 'held.{"light":"on","sign":{}}')
  await door.move.stop()
  await house.close()
})

test('a schedule goes on under its new name', async () => {
  const { house, gate, before, app, advance } = await both()
  await gate.start()
  await before.settle()
  await advance('2h')
  const rows = await house.sql(
    `SELECT name, status FROM tasks WHERE name IN ('pulse', 'beat', 'beat.every', 'pulse.every') ORDER BY id`,
  )
  assert.equal(rows.map(({ name, status }) => `${name} ${status}`).sort(), [
    'beat done',
    'beat done',
    'beat.every running',
    'pulse done',
  ])
  const door = await app.get(Door, gate.id)
  await door.stop()
  await advance(1)
  await house.close()
})

test('names that clash are refused when the app loads', async () => {
  const { house } = await both()
  const one = steps({ a: async ({ stop }) => stop() })
  const refused = (shape: object) =>
    codeOf(() =>
      house.neighbour({ resources: [Object.assign(class Odd extends Resource {}, shape)] }),
    )
  assert.is(await refused({ tasks: { a: one, b: task(one, { was: ['a'] }) } }), 'NAME_TAKEN')
  const twice = { was: ['x'] }
  assert.is(await refused({ tasks: { a: task(one, twice), b: task(one, twice) } }), 'NAME_TAKEN')
  const fields = { a: field(z.string()), b: field(z.string(), { was: ['a'] }) }
  assert.is(await refused({ fields }), 'NAME_TAKEN')
  for (const states of [{ a: 'a' }, { b: 'c' }])
    assert.is(await refused({ tasks: { a: task(one, { states }) } }), 'MACHINE_INVALID')
  class Other extends Resource {
    static override was = ['Door']
  }
  assert.is(await codeOf(() => house.neighbour({ resources: [Door, Other] })), 'RESOURCE_DUPLICATE')
  class Heir extends Door {}
  await house.neighbour({ resources: [Door, Heir] })
  await house.close()
})

test.run()
