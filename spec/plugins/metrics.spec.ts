// Metrics: what is counted, what is asked, what is never shown, and what a server in trouble costs.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Resource, steps } from '../../bin/index.ts'
import { Events } from '../../lib/events.ts'
import { SystemTime } from '../../lib/time.ts'
import { attach } from '../../models/plugin.ts'
import { Look } from '../../plugins/metrics/look.ts'
import { METRICS } from '../../plugins/metrics/table.ts'
import { type MetricsOptions, metrics } from '../../plugins/metrics.ts'
import { eventsIn } from '../support/documents.ts'
import { readExposition } from '../support/exposition.ts'
import { openHouse } from '../support/house.ts'
import { openPlant } from '../support/plant.ts'
import { premisesOf } from '../support/premises.ts'
import { settings } from '../support/services.ts'
import { type Gate, gate, stage } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { signalOf, until } from '../support/wait.ts'

const test = suite('metrics')

function listening(options: MetricsOptions = {}) {
  const events = new Events()
  const plugin = metrics(options)
  attach([plugin], events)
  return { events, plugin, read: async () => readExposition(await plugin.text()) }
}

const RUN = { kind: 'Box', resourceId: 'r', taskId: 't', task: 'open' }
const STEPPED = { ...RUN, step: 1, from: 'a', to: 'b', event: 'GO', lateMs: 1_500 }
const TRIED = { ...RUN, effect: 'id', source: 'rent', key: 'k', attempt: 1 }
const error = new Error('x')

test('count steps, how late they were, and panics from the first step on', async () => {
  const { events, read } = listening()
  const labels = { kind: 'Box', task: 'open' }
  events.emit('task.stepped', STEPPED)
  events.emit('task.stepped', STEPPED)
  const before = await read()
  assert.is(before.value('escapement_steps_total', labels), 2)
  assert.is(before.value('escapement_step_lateness_seconds_sum', labels), 3)
  assert.is(before.value('escapement_step_lateness_seconds_bucket', { ...labels, le: '1' }), 0)
  assert.is(before.value('escapement_step_lateness_seconds_bucket', { ...labels, le: '2.5' }), 2)
  assert.is(before.value('escapement_panics_total', labels), 0)
  events.emit('task.panicked', { ...RUN, step: 2, error })
  assert.is((await read()).value('escapement_panics_total', labels), 1)
})

test('count ticks by how they ended, and those that go on', async () => {
  const { events, read } = listening()
  for (const resourceId of ['a', 'b', 'c']) events.emit('tick.started', { resourceId, kind: 'Box' })
  events.emit('tick.done', { resourceId: 'a', kind: 'Box', steps: 1, elapsedMs: 20 })
  events.emit('tick.failed', { resourceId: 'b', error })
  events.emit('tick.failed', { resourceId: 'never started', error })
  events.emit('tick.busy', { resourceId: 'c' })
  const { value } = await read()
  assert.is(value('escapement_ticks_total', { kind: 'Box', outcome: 'done' }), 1)
  assert.is(value('escapement_ticks_total', { kind: 'Box', outcome: 'failed' }), 1)
  assert.is(value('escapement_ticks_total', { kind: 'unknown', outcome: 'failed' }), 1)
  assert.is(value('escapement_ticks_total', { outcome: 'busy' }), 1)
  assert.is(value('escapement_ticks_in_hand'), 1)
  assert.is(value('escapement_tick_duration_seconds_sum', { kind: 'Box' }), 0.02)
})

test('say how late the clock was for each kind', async () => {
  const { events, read } = listening()
  events.emit('due.taken', { kind: 'Box', count: 3, lateMs: 1_500 })
  const { value } = await read()
  assert.is(value('escapement_clock_kind_lateness_seconds_sum', { kind: 'Box' }), 1.5)
  assert.is(value('escapement_clock_kind_lateness_seconds_count', { kind: 'Box' }), 1)
})

test('count attempts of effects under the name of their code, and runs below a task as that task', async () => {
  const { events, read } = listening()
  events.emit('effect.failed', { ...TRIED, isLast: false, error })
  events.emit('effect.failed', { ...TRIED, task: 'open/order-17', isLast: true, error })
  events.emit('effect.done', { ...TRIED, elapsedMs: 5 })
  const { value } = await read()
  const labels = { kind: 'Box', task: 'open', effect: 'rent' }
  for (const outcome of ['retried', 'failed', 'done']) {
    assert.is(value('escapement_effect_attempts_total', { ...labels, outcome }), 1, outcome)
  }
})

test('count no more label sets of a metric than they are allowed, and lose no count', async () => {
  const { events, read } = listening({ mostSeries: 3 })
  for (let count = 0; count < 10; count++) {
    events.emit('task.stepped', { ...STEPPED, task: `task${count}` })
  }
  const { samples, value } = await read()
  const steps = samples.filter(({ name }) => name === 'escapement_steps_total')
  assert.is(steps.length, 4)
  assert.is(value('escapement_steps_total', { kind: 'other', task: 'other' }), 7)
})

test('take an address, a path and a long text for no name', async () => {
  const { events, read } = listening()
  const routes = ['https://me:pw@hook/x', 'a\nb', 'x'.repeat(121), 'pager', 'on call']
  for (const route of routes) {
    events.emit('notice.delivered', { deliveryId: 'd', route, notices: 1, attempt: 1 })
  }
  const { value } = await read()
  const outcome = 'delivered'
  assert.is(value('escapement_notice_deliveries_total', { route: 'other', outcome }), 3)
  assert.is(value('escapement_notice_deliveries_total', { route: 'pager', outcome }), 1)
  assert.is(value('escapement_notice_deliveries_total', { route: 'on call', outcome }), 1)
})

/** Names that are declared in code: all that may become a label. */
const NAMES = ['kind', 'task', 'source', 'route', 'severity', 'to']

test('show nothing of any event but names, counts and times', async () => {
  const { events, plugin } = listening()
  const declared = eventsIn(readFileSync('lib/events.ts', 'utf8'))
  for (const { name, payload } of declared) {
    const members = [...payload.matchAll(/(\w+): ([^;}]+)/g)].map(([, key, type]) => {
      if (NAMES.includes(key!)) return [key, `${key}Name`]
      if (/number/.test(type!)) return [key, 1]
      if (/boolean/.test(type!)) return [key, true]
      const canary = `canary-${name}-${key}`
      return [key, /Error/.test(type!) ? Object.assign(new Error(canary), { canary }) : canary]
    })
    events.emit(name as never, { ...Object.fromEntries(members), more: 'canary' } as never)
  }
  const text = await plugin.text()
  assert.match(text, 'kindName')
  assert.not.match(text, 'canary')
  assert.is(readExposition(text).value('escapement_room_failures_total', { room: 'listener' }), 1)
})

test('have a registry for each plugin', async () => {
  const [one, other] = [listening(), listening()]
  one.events.emit('unit.fenced', { resourceId: 'r', taskId: null, fence: 1 })
  assert.is((await one.read()).value('escapement_fences_total'), 1)
  assert.is((await other.read()).value('escapement_fences_total'), 0)
})

test('refuse a port that is none', () => {
  for (const port of [-1, 65_536, 1.5, Number.NaN]) {
    assert.throws(() => metrics({ port }), /cannot be served at .*: a port is 0 to 65535/)
  }
})

test.run()

for (const setting of settings()) {
  const served = suite(`metrics served in the setting ${setting}`)
  let plant: Awaited<ReturnType<typeof openPlant>>
  served.before(async () => {
    plant = await openPlant(setting)
  })
  served.after(() => plant?.close())

  served('are in the text format of Prometheus, and nothing else is there', async () => {
    const got = await fetch(`${plant.url}/metrics`)
    assert.is(got.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
    assert.not.match(await got.text(), 'canary')
    const other = await fetch(`${plant.url}/`)
    assert.equal([other.status, await other.text()], [404, 'There is: /metrics, /healthz\n'])
    assert.is((await fetch(`${plant.url}/metrics`, { method: 'POST', body: 'x' })).status, 404)
    const health = await fetch(`${plant.url}/healthz`)
    assert.equal(await health.json(), { status: 'ok', places: ['clock', 'worker'] })
  })

  served('say of a house at work what it did', async () => {
    const { value } = await plant.scrape()
    const sql = `SELECT count(*) FROM transitions JOIN tasks t ON t.id = task_id
                 WHERE t.name = 'run' AND transitions.step > 0`
    const [{ count: steps }] = await plant.house.sql(sql)
    assert.ok(steps > 0)
    assert.is(value('escapement_steps_total', { kind: 'Pump', task: 'run' }), steps)
    assert.is(value('escapement_panics_total', { kind: 'Pump', task: 'lift' }), 1)
    const pump = { kind: 'Pump', task: 'lift', effect: 'pump' }
    assert.is(value('escapement_effect_attempts_total', { ...pump, outcome: 'retried' }), 1)
    assert.is(value('escapement_effect_attempts_total', { ...pump, outcome: 'failed' }), 1)
    assert.ok(value('escapement_ticks_total', { kind: 'Pump', outcome: 'done' })! >= 1)
    assert.is(value('escapement_ticks_in_hand'), 0)
    assert.ok(value('escapement_clock_beats_total')! > 0)
    assert.ok(value('process_resident_memory_bytes')! > 0)
  })

  served(
    'say of alarms, holds and notices what the database knows, and zero of what there is none',
    async () => {
      const { value } = await plant.scrape()
      const alarms = (state: string, severity: string) =>
        value('escapement_alarms', { state, severity })
      assert.is(alarms('open', 'critical'), 2)
      assert.is(alarms('acknowledged', 'error'), 1)
      assert.is(alarms('open', 'info'), 0)
      assert.is(alarms('closed', 'critical'), null)
      const holds = (scope: string, by: string) => value('escapement_holds', { scope, by })
      assert.is(holds('task', 'breaker'), 1)
      assert.is(holds('dependency', 'breaker'), 1)
      assert.is(holds('queue', 'pause'), 1)
      assert.is(holds('resource', 'pause'), 0)
      const notices = ['waiting', 'held', 'handed'].map((status) =>
        value('escapement_notices', { status }),
      )
      assert.equal(notices, [2, 1, 1])
      assert.ok(value('escapement_notice_waiting_seconds')! >= 60)
    },
  )

  served(
    'have a series for whatever is declared, and declare whatever they show of the house',
    async () => {
      const { types, samples } = await plant.scrape()
      const ours = [...types].filter(([name]) => name.startsWith('escapement_'))
      const declared = Object.entries(METRICS).map(([name, { type }]) => [name, type])
      assert.equal(ours.sort(), declared.sort())
      const shown = new Set(samples.map(({ name }) => name.replace(/_(bucket|sum|count)$/, '')))
      const silent = declared.filter(([name]) => !shown.has(name!)).map(([name]) => name)
      // Its queue is paused: the clock takes nothing, but for what it took before.
      const lateness = 'escapement_clock_kind_lateness_seconds'
      const tickets = samples.find(({ name }) => name === 'escapement_clock_tickets_total')
      const hasTaken = shown.has(lateness)
      assert.ok(!hasTaken || tickets!.value > 0, 'a lateness of what nobody took')
      const quiet = [...(hasTaken ? [] : [lateness]), 'escapement_scrape_failures_total']
      assert.equal(silent, quiet)
    },
  )

  served.run()
}

class Box extends Resource {
  static override tasks = {
    open: steps({ first: async (t) => t.again('1h') }),
  }
}

const duty = suite('the duty of metrics')
const on = stage(duty, { resources: [Box] })

duty('counts what is due, told to somebody or not, and not what is due later', async () => {
  const plugin = metrics({ port: 0 })
  const work = plugin.duty!(premisesOf(on.app, on.time), 'clock')!
  const boxes = await Promise.all([1, 2, 3].map(() => on.app.create(Box, {})))
  for (const box of boxes) await box.open.start()
  await on.tick(boxes[0]!.id)
  await on.time.advance(4_000)
  const first = readExposition(await plugin.text())
  assert.is(first.value('escapement_due_tasks'), 2)
  assert.is(first.value('escapement_due_lateness_seconds'), 4)
  await on.time.advance(4_000)
  await on.app.store.due(10) // whoever has been told has some time: the next look is later than now
  const told = readExposition(await plugin.text())
  assert.is(told.value('escapement_due_tasks'), 2)
  assert.is(told.value('escapement_due_lateness_seconds'), 8)
  await on.settle()
  assert.is(readExposition(await plugin.text()).value('escapement_due_tasks'), 2, 'asked anew')
  await on.time.advance(3_000)
  const after = readExposition(await plugin.text())
  assert.is(after.value('escapement_due_tasks'), 0)
  assert.is(after.value('escapement_due_lateness_seconds'), 0)
  await work.stop()
})

duty('is one server for clock and worker, and ends with the last of them', async () => {
  const plugin = metrics({ port: 0 })
  const premises = premisesOf(on.app, on.time)
  const clock = plugin.duty!(premises, 'clock')!
  const worker = plugin.duty!(premises, 'worker')!
  const url = await until(() => plugin.url, { what: 'the metrics are served' })
  const health = async () => (await fetch(`${url}/healthz`)).json()
  assert.equal(await health(), { status: 'ok', places: ['clock', 'worker'] })
  await clock.stop()
  await clock.stop()
  assert.equal(await health(), { status: 'ok', places: ['worker'] })
  await worker.stop()
  assert.is(plugin.url, null)
  assert.is(await fetch(url).catch(() => 'nobody is there'), 'nobody is there')
  const again = plugin.duty!(premises, 'worker')!
  await until(() => plugin.url, { what: 'the metrics are served again' })
  await again.stop()
})

duty('that gets no port says so in one sentence, and goes on counting', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as { port: number }
  const plugin = metrics({ port })
  const told = signalOf(on.app.events, 'plugin.failed')
  const work = plugin.duty!(premisesOf(on.app, on.time), 'worker')!
  const { plugin: name, error } = await told
  const sentence = `The metrics cannot be served at 127.0.0.1:${port}: the port is in use.`
  assert.equal([name, error.message], ['metrics', sentence])
  assert.is((error as { code?: string }).code, 'METRICS_UNBOUND')
  assert.is(readExposition(await plugin.text()).value('escapement_due_tasks') === null, false)
  await work.stop()
  await new Promise((resolve) => other.close(resolve))
})

duty('shows no value where nobody answers, and counts that', async () => {
  const house = await openHouse({ resources: [Box] })
  const plugin = metrics({ port: 0 })
  const work = plugin.duty!(premisesOf(house.app, new SystemTime()), 'worker')!
  await house.close()
  const { value } = readExposition(await plugin.text())
  assert.is(value('escapement_due_tasks'), null)
  assert.is(value('escapement_queue_depth'), null)
  assert.is(value('escapement_alarms', { state: 'open', severity: 'critical' }), null)
  assert.is(value('escapement_scrape_failures_total', { source: 'database' }), 1)
  assert.is(value('escapement_scrape_failures_total', { source: 'queue' }), 1)
  assert.is(value('escapement_worker_concurrency'), 0)
  await work.stop()
})

duty.run()

const look = suite('a look')

/** A look whose answers are given by hand. */
function looking() {
  const time = new FakeTime()
  const asked: Gate<number>[] = []
  const failures: (string | null)[] = []
  const ask = () => {
    asked.push(gate<number>())
    return asked.at(-1)!.passed
  }
  const onFailure = (error: Error | null) => void failures.push(error?.message ?? null)
  const one = new Look({ time, ask, onFailure, freshMs: 3_000, patienceMs: 2_000 })
  return { time, asked, failures, take: () => one.take() }
}

look('asks once for everybody who looks within a while', async () => {
  const { time, asked, take } = looking()
  const all = [take(), take(), take()]
  asked[0]!.open(7)
  assert.equal(await Promise.all(all), [7, 7, 7])
  await time.advance(2_999)
  assert.is(await take(), 7)
  assert.is(asked.length, 1)
  await time.advance(1)
  const later = take()
  asked[1]!.open(8)
  assert.is(await later, 8)
})

look('has no answer where the question failed, and does not ask again at once', async () => {
  const { time, asked, failures, take } = looking()
  const first = take()
  asked[0]!.refuse(new Error('down'))
  assert.is(await first, null)
  assert.is(await take(), null)
  assert.equal([asked.length, failures], [1, ['down']])
  await time.advance(3_000)
  const next = take()
  asked[1]!.open(1)
  assert.is(await next, 1)
})

look(
  'waits for no slow answer, asks nothing more meanwhile, and has it once it is there',
  async () => {
    const { time, asked, failures, take } = looking()
    for (let count = 0; count < 3; count++) {
      const answer = take()
      await time.advance(2_000)
      assert.is(await answer, null)
    }
    assert.equal([asked.length, failures], [1, [null, null, null]])
    asked[0]!.open(5)
    await time.settle()
    assert.is(await take(), 5)
    assert.is(time.sleeping, 0)
  },
)

look.run()
