// Plugins: what they bring, what they hear, what they wrap, and what their troubles cost.
import type { Plugin } from '../../bin/index.ts'
import { Resource, steps } from '../../bin/index.ts'
import { openHouse } from '../support/house.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

class Box extends Resource {
  static override tasks = { open: steps({ first: async (t) => t.stop() }) }
}

class Guest extends Resource {
  static override tasks = { visit: steps({ first: async (t) => t.stop() }) }
}

const test = suite('plugins')

/** A house with these plugins, in which one task of one Box ran to its end. */
async function ran(plugins: readonly Plugin[]) {
  const house = await openHouse({ resources: [Box], plugins })
  const failures: string[] = []
  house.app.events.on('plugin.failed', ({ plugin }) => failures.push(plugin))
  house.app.events.on('listener.failed', ({ event }) => failures.push(event))
  await house.app.start()
  const box = await house.app.create(Box, {})
  await box.open.start()
  const isDone = async () => (await box.open.status())?.status === 'done'
  await until(isDone, { what: 'the box is open', deadlineMs: 10_000 })
  return { house, failures }
}

test('bring resources and tables', async () => {
  const tables: Plugin = {
    name: 'guests',
    resources: [Guest],
    migrations: [
      {
        name: 'guests_0001',
        up: (knex) => knex.raw('CREATE TABLE guests (id uuid PRIMARY KEY)'),
        down: (knex) => knex.raw('DROP TABLE guests'),
      },
    ],
  }
  const { house } = await ran([tables])
  const guest = await house.app.create(Guest, {})
  assert.is(guest.kind, 'Guest')
  assert.equal(await house.sql('SELECT * FROM guests'), [])
  await house.close()
})

test('hear events, and are deaf once the app is closed', async () => {
  const heard: string[] = []
  const all: string[] = []
  const { house } = await ran([
    {
      name: 'ears',
      on: { 'task.finished': ({ task }) => heard.push(task), '*': (_, name) => all.push(name) },
    },
  ])
  assert.equal(heard, ['open'])
  assert.ok(all.includes('tick.started'))
  await house.close()
  const before = all.length
  house.app.events.emit('clock.stopped', { beats: 0 })
  assert.is(all.length, before)
})

test('wrap every tick, the first outermost', async () => {
  const order: string[] = []
  const wrapper = (name: string): Plugin => ({
    name,
    around: async (_, next) => {
      order.push(`${name} in`)
      const verdict = await next()
      order.push(`${name} out`)
      return verdict
    },
  })
  const { house } = await ran([wrapper('outer'), wrapper('inner')])
  assert.equal(order.slice(0, 4), ['outer in', 'inner in', 'inner out', 'outer out'])
  await house.close()
})

test('cost no tick when they throw, before it, after it or instead of it', async () => {
  const { house, failures } = await ran([
    { name: 'early', around: () => Promise.reject(new Error('early')) },
    {
      name: 'late',
      around: async (_, next) => (await next()) && Promise.reject(new Error('late')),
    },
    { name: 'lazy', around: async () => ({ kind: 'done' }) },
    {
      name: 'deaf',
      on: {
        'task.stepped': () => {
          throw new Error('deaf')
        },
      },
    },
  ])
  assert.ok(failures.includes('early'))
  assert.ok(failures.includes('late'))
  assert.ok(failures.includes('task.stepped'))
  await house.close()
})

test.run()
