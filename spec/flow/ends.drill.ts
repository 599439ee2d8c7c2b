// timeout: 180s
// Crash in the middle of an end: a process that dies at any call of any port while a resource and what belongs to it
// are deleted leaves a house that another brings to the same end: every exit machine was run, and the rows are gone.
import { setup } from 'xstate'
import * as z from 'zod'
import { effect, field, Resource, steps, task } from '../../bin/index.ts'
import { type House, openHouse } from '../support/house.ts'
import { quickest } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { bequeath } from './perils.ts'

const done: string[] = []
const exitOf = (what: string) =>
  setup({
    actors: {
      clean: effect(async ({ resource }: any) => {
        done.push(`${what} ${resource.name}`)
      }),
    },
  }).createMachine({
    initial: 'cleaning',
    states: { cleaning: { invoke: { src: 'clean', onDone: 'clean' } }, clean: { type: 'final' } },
  })

class Box extends Resource {
  static override fields = { name: field(z.string()) }
  static override tasks = {
    serve: task(steps({ on: async (t) => t.again('1h') }), { exit: exitOf('task of') }),
  }
  static override exit = exitOf('box')
}

const test = suite('a crash in the middle of an end')
const MOST_CALLS = 300
const setting = quickest()
const time = new FakeTime()
let house: House

test.before(async () => {
  house = await openHouse({ resources: [Box], setting, time })
})
test.after(() => house?.close())

/** A box in a box, deleted while it comes under a peril; answers the port that was hit. */
async function suffer(n: number, at: number, when: 'before' | 'after'): Promise<string | null> {
  const outer = await house.app.create(Box, { name: `${n}` })
  const inner = await house.app.create(Box, { name: `${n}.inner` }, { parent: outer })
  for (const box of [outer, inner]) await box.serve.start()
  await outer.delete({ cascade: true, reason: 'a test' })
  const hit = await bequeath(house, time, { at, when })
  for (const name of [`${n}`, `${n}.inner`]) {
    assert.ok(done.includes(`task of ${name}`), `the task of ${name} cleaned up (${at} ${when})`)
    assert.ok(done.includes(`box ${name}`), `${name} cleaned up (${at} ${when})`)
  }
  const order = (name: string) => done.lastIndexOf(name)
  assert.ok(order(`box ${n}.inner`) < order(`box ${n}`), 'what belongs to it goes first')
  for (const { id } of [outer, inner]) {
    const stones = await house.sql('SELECT reason FROM tombstones WHERE resource_id = $1', [id])
    assert.equal(
      stones.map(({ reason }) => reason),
      ['a test'],
      `gone once (${at} ${when})`,
    )
  }
  return hit
}

test('brings the house to the same end', { deadlineMs: 150_000 }, async () => {
  let n = 0
  let at = 0
  for (let hit: string | null = 'none yet'; hit !== null && at < MOST_CALLS; ) {
    // Between its looks the house only waits, and a clock that waits is as good dead at one beat as at the next.
    at += hit === 'due' ? 25 : 1
    // What was not yet asked, and what was done but not heard of, take turns.
    hit = await suffer(++n, at, at % 2 === 0 ? 'before' : 'after')
  }
  assert.ok(at > 20, `there is more to it than ${at} calls`)
  for (const table of ['resources', 'tasks', 'dues', 'events', 'leases'])
    assert.equal(await house.sql(`SELECT 1 FROM ${table}`), [], table)
  console.log(`note: ${n} deaths at up to ${at} calls on ${setting}`)
})

test.run()
