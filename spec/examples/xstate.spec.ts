// timeout: 180s
// The well-known machines: what an actor of XState does in one life, a task does that is taken up by
// another process for every event; and what a crash interrupts goes on where it was.
import { fromPromise } from 'xstate'
import { Resource } from '../../bin/index.ts'
import { checkout as checkoutMachine } from '../../examples/xstate/checkout.ts'
import { fetchWithRetry } from '../../examples/xstate/fetch.ts'
import { form as formMachine } from '../../examples/xstate/form.ts'
import { trafficLight } from '../../examples/xstate/traffic-light.ts'
import { drive } from '../support/drive.ts'
import { type Gate, gate, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { afresh, lived, restOf, run, type Script } from '../support/twins.ts'
import { until } from '../support/wait.ts'

/** The world the machines call out to; made anew for each twin, so both meet the same. */
class World {
  calls = 0
  /** How many calls fail before one does not. */
  failing = 0
  readonly inputs: unknown[] = []
  readonly keys: unknown[] = []
  /** While there is a gate, calls wait at it. */
  gate: Gate<void> | null = null

  async call<T>(work: { input: unknown; key?: string }, answer: T): Promise<T> {
    this.calls += 1
    const { calls } = this
    this.inputs.push(work.input)
    this.keys.push(work.key)
    await this.gate?.passed
    if (calls <= this.failing) throw new Error(`call ${calls} failed`)
    return answer
  }
}
let world = new World()

const light = trafficLight
const request = fromPromise<unknown, { url: string }>((work) => world.call(work, { ok: true }))
const fetcher = fetchWithRetry.provide({ actors: { request } })
const check = fromPromise<Record<string, string>, Record<string, string>>((work) => {
  const isWrong = Object.values(work.input).includes('')
  return world.call(work, isWrong ? { name: 'is empty' } : ({} as Record<string, string>))
})
const save = fromPromise<number, { values: Record<string, string>; version: number }>((work) =>
  world.call(work, work.input.version + 1),
)
const form = formMachine.provide({ actors: { check, save } })
const charge = fromPromise<{ number: string; amount: number }, { amount: number }>((work) =>
  world.call(work, { number: 'R1', amount: work.input.amount }),
)
const checkout = checkoutMachine.provide({ actors: { charge } })

class Machines extends Resource {
  static override tasks = { light, fetcher, form, checkout }
}

const test = suite('the xstate example')
const on = stage(test, { resources: [Machines] })
test.before.each(() => {
  world = new World()
})

interface Play extends Script {
  readonly task: keyof typeof Machines.tasks
  readonly failing?: number
  /** States the script must have led through, or it would show little. */
  readonly through: readonly string[]
}

function plays(name: string, { task, failing = 0, through, ...script }: Play): void {
  test(name, async () => {
    const meet = () => {
      world = new World()
      world.failing = failing
    }
    meet()
    const expected = await lived(script)
    const wasCalled = world.inputs
    meet()
    const { seen, taskId } = await run(on, Machines, task, script)
    for (const [index, one] of expected.entries()) {
      const soFar = JSON.stringify(script.happenings.slice(0, index))
      assert.equal(seen[index], one, `after ${soFar}`)
    }
    assert.is(seen.length, expected.length)
    assert.equal(world.inputs, wasCalled, 'the world was called with the same')
    const values = expected.map(({ value }) => JSON.stringify(value)).join()
    for (const state of through) assert.ok(values.includes(`"${state}"`), `never was in ${state}`)
    assert.equal(await holesIn(taskId), [])
  })
}

/** Steps of a task that are not one after the one before. */
const holesIn = async (taskId: string) =>
  on.house.sql(
    `SELECT step FROM (SELECT step, row_number() OVER (ORDER BY step) - 1 AS place
     FROM transitions WHERE task_id = $1) AS line WHERE step <> place`,
    [taskId],
  )

// ---- side by side -------------------------------------------------------------------------------

plays('the traffic light shines as XState has it, for a round, a push and a blackout', {
  task: 'light',
  machine: light,
  happenings: [
    ...[5_000, 'PUSH', 1_900, 100, 'PUSH', 3_000, 5_900, 100, 2_000],
    ...[10_000, 'PUSH', 2_000, 'POWER_LOST', 20_000, 'POWER_BACK', 8_000],
    ...[9_500, 'PUSH', 500, 3_000, 'POWER_LOST', 'POWER_LOST'],
  ],
  through: ['open', 'ending', 'yellow', 'walk', 'hurry', 'dark'],
})

plays('a page is fetched as XState has it', {
  task: 'fetcher',
  machine: fetcher,
  input: { url: 'data:,x' },
  happenings: [1_000, 'RETRY'],
  through: ['loaded'],
})

plays('a page that fails twice is fetched in the end as XState has it', {
  task: 'fetcher',
  machine: fetcher,
  failing: 2,
  input: { url: 'data:,x' },
  happenings: [900, 100, 1_900, 100, 'CANCEL'],
  through: ['waiting', 'loaded'],
})

plays('a page that cannot be had is given up as XState has it', {
  task: 'fetcher',
  machine: fetcher,
  failing: 99,
  input: { url: 'data:,x' },
  happenings: [
    ...[1_000, 2_000, 'CANCEL', 'RETRY', 500, 'RETRY', 'CANCEL', 10_000],
    ...['RETRY', 1_000, 2_000, 'GIVE_UP'],
  ],
  through: ['waiting', 'failed', 'idle', 'given up'],
})

const change = (value: string) => ({ type: 'CHANGE', name: 'name', value })

plays('the form checks and saves as XState has it', {
  task: 'form',
  machine: form,
  happenings: [
    ...['SAVE', change(''), 'SAVE', 100, change('x'), 200, 'SAVE', 100, 'SAVE'],
    ...[change(''), 'SAVE', 300, 'SAVE', 'CLOSE', change('y'), 300, 'SAVE', 'CLOSE', 'SAVE'],
  ],
  through: ['typing', 'right', 'wrong', 'dirty', 'clean', 'closed'],
})

plays('the form takes a world that fails as XState has it', {
  task: 'form',
  machine: form,
  failing: 2,
  happenings: [change('x'), 300, 300, 300, 'SAVE', change('y'), 300, 'SAVE', 'CLOSE'],
  through: ['typing', 'right', 'closed'],
})

const add = { type: 'ADD', name: 'a clock', price: 30 }
const address = { type: 'ADDRESS', address: 'Clock Street 1' }
const express = { type: 'SPEED', express: true }

plays('the checkout goes back and forth and remembers where it was as XState has it', {
  task: 'checkout',
  machine: checkout,
  failing: 1,
  happenings: [
    ...['NEXT', add, 'NEXT', 'NEXT', address, 'NEXT', 'ASK', 'RESUME', 'ASK', 'RESUME_STEP'],
    ...['NEXT', express, 'NEXT', 'BACK', 'BACK', 'BACK', add, 'NEXT', 'NEXT', 'NEXT'],
    ...['ASK', 59_900, 'RESUME', 'PAY', 'ASK', 'RESUME_STEP', 'PAY', 'ADD'],
  ],
  through: ['shopping', 'address', 'speed', 'review', 'asking', 'bought'],
})

plays('the checkout is given up as XState has it', {
  task: 'checkout',
  machine: checkout,
  happenings: [add, 'NEXT', 'ASK', 30_000, 'RESUME', 'ASK', 59_900, 100, 'RESUME'],
  through: ['asking', 'gone'],
})

// ---- interrupted --------------------------------------------------------------------------------

const begin = async (task: keyof typeof Machines.tasks, args?: unknown) => {
  const machines = await on.app.create(Machines, {})
  const { taskId } = await machines[task].start(args as never)
  if (!args) await afresh(on, ({ settle }) => settle())
  const value = async () => (await restOf(on, taskId)).value
  return { machines, taskId, value }
}

/** A process that is in the middle of a call to the world when it is cut off; answers what ends it. */
async function interrupted(resourceId: string): Promise<{ wake(): Promise<void> }> {
  const app = await on.house.neighbour()
  const { calls } = world
  const held = gate()
  world.gate = held
  const lease = new AbortController()
  const tick = drive({ app, time: on.time, owner: 'victim' }).tick(resourceId, {
    signal: lease.signal,
    remainingMs: () => Number.POSITIVE_INFINITY,
  })
  await until(() => world.calls > calls, { what: 'the victim was in the middle of its call' })
  world.gate = null
  const wake = async () => {
    held.open()
    await tick.catch(() => {})
    await app.close()
  }
  return { wake }
}

test('a light whose process is gone waits for the next one, and misses nothing', async () => {
  const { machines, taskId, value } = await begin('light')
  await on.time.advance(9_999)
  await afresh(on, ({ settle }) => settle())
  assert.equal(await value(), { green: 'open' }, 'not before its time')
  await on.time.advance(60_000)
  await afresh(on, ({ settle }) => settle())
  assert.is(await value(), 'yellow', 'one change is late; those after it are counted from there')
  await afresh(on, ({ advance }) => advance('3s'))
  assert.equal(await value(), { red: 'walk' })
  const before = await on.app.history.lines(machines.id, { task: 'light' })
  await afresh(on, ({ settle }) => settle())
  assert.equal(await on.app.history.lines(machines.id, { task: 'light' }), before)
  assert.equal(await holesIn(taskId), [])
  await machines.light.stop()
})

test('a form whose processes are cut off, in each timer and each call, is saved once', async () => {
  const { machines, taskId, value } = await begin('form')
  await machines.form.send(change('x') as never)
  await afresh(on, ({ settle }) => settle())
  await on.time.advance(200)
  await afresh(on, ({ settle }) => settle())
  assert.equal(await value(), { checking: 'typing', saving: 'dirty' })
  await on.time.advance(100)
  const checking = await interrupted(machines.id)
  assert.equal(await value(), { checking: 'checking', saving: 'dirty' })
  await afresh(on, ({ settle }) => settle())
  assert.equal(await value(), { checking: 'right', saving: 'dirty' })
  await machines.form.send('SAVE')
  const saving = await interrupted(machines.id)
  assert.equal(await value(), { checking: 'right', saving: 'saving' })
  await afresh(on, ({ settle }) => settle())
  const saved = await restOf(on, taskId)
  assert.equal(saved.value, { checking: 'right', saving: 'clean' })
  assert.is((saved.context as { version: number }).version, 1)

  // Those cut off come back with their answers, and nobody believes them.
  await checking.wake()
  await saving.wake()
  assert.equal(await restOf(on, taskId), saved)
  assert.is(world.calls, 4, 'each call was made by the one cut off and by the next')
  const [first, second, third, fourth] = world.keys
  assert.is(first, second)
  assert.is(third, fourth)
  assert.is.not(first, third)
  assert.equal(await holesIn(taskId), [])
})

test('a save overtaken by a keystroke is not believed, whoever ran it', async () => {
  const { machines, taskId } = await begin('form')
  const step = async (event: unknown) => {
    await machines.form.send(event as never)
    await afresh(on, ({ advance }) => advance(300))
  }
  await step(change('x'))
  await machines.form.send('SAVE')
  const saving = await interrupted(machines.id)
  await step(change('y'))
  await saving.wake()
  await afresh(on, ({ settle }) => settle())
  const { value, context } = await restOf(on, taskId)
  assert.equal(value, { checking: 'right', saving: 'dirty' })
  assert.equal(context, { values: { name: 'y' }, problems: {}, version: 0, failures: 0 })
})

test('a checkout is charged under one key, however often its process is cut off', async () => {
  const { machines, taskId, value } = await begin('checkout')
  for (const event of [add, 'NEXT', address, 'NEXT', 'NEXT', 'ASK', 'RESUME', 'PAY']) {
    await machines.checkout.send(event as never)
    if (event !== 'PAY') await afresh(on, ({ settle }) => settle())
  }
  const victims = [await interrupted(machines.id), await interrupted(machines.id)]
  await afresh(on, ({ settle }) => settle())
  assert.is(await value(), 'bought')
  for (const victim of victims) await victim.wake()
  assert.is(new Set(world.keys).size, 1)
  const { output } = await restOf(on, taskId)
  assert.equal(output, { bought: 1, receipt: { number: 'R1', amount: 30 } })
  assert.equal(await holesIn(taskId), [])
})

test('a fetch whose processes are cut off, in each attempt and each wait, comes to the same end', async () => {
  world.failing = 3
  const { machines, taskId, value } = await begin('fetcher', { url: 'data:,x' })
  const victims = [await interrupted(machines.id)]
  await afresh(on, ({ settle }) => settle())
  assert.is(await value(), 'waiting')
  const { context } = await restOf(on, taskId)
  const { attempts, error } = context as { attempts: number; error: Error }
  assert.equal([attempts, error.message], [1, 'call 2 failed'])
  await on.time.advance(1_000)
  victims.push(await interrupted(machines.id))
  await afresh(on, ({ settle }) => settle())
  assert.is(await value(), 'loaded', 'the third and fourth calls were of one attempt')
  for (const victim of victims) await victim.wake()
  const { output } = await restOf(on, taskId)
  assert.equal(output, { data: { ok: true }, attempts: 2 })
  assert.is(world.calls, 4)
  assert.is(new Set(world.keys).size, 2, 'one key for each attempt of the machine')
  assert.equal(await holesIn(taskId), [])
})

test.run()
