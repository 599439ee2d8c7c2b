// A house at work with its metrics: steps, an effect that is tried again, one that fails for good, and rows of
// every kind that metrics ask for.
// Promise: whatever metric there is has a series here.

import { setup } from 'xstate'
import { effect, Resource, steps } from '../../bin/index.ts'
import { newId } from '../../lib/id.ts'
import { SystemTime } from '../../lib/time.ts'
import { type Metrics, metrics } from '../../plugins/index.ts'
import { type Exposition, readExposition } from './exposition.ts'
import { type House, openHouse } from './house.ts'
import { premisesOf } from './premises.ts'
import type { Setting } from './services.ts'
import { until } from './wait.ts'

export interface Plant {
  readonly house: House
  readonly metrics: Metrics
  readonly url: string
  scrape(): Promise<Exposition>
  close(): Promise<void>
}

const pump = effect(() => Promise.reject(new Error('dry: canary-message')), {
  retry: { attempts: 2, backoff: '10ms..10ms' },
})

class Pump extends Resource {
  static override tasks = {
    run: steps({ first: async (t) => t.stop() }),
    lift: setup({ actors: { pump } }).createMachine({
      initial: 'lifting',
      states: { lifting: { invoke: { id: 'canary-id', src: 'pump' } } },
    }),
  }
}

/** Opens the house, lets it work, and begins the duty of the plugin. */
export async function openPlant(setting: Setting = 'embedded'): Promise<Plant> {
  const plugin = metrics({ port: 0 })
  const house = await openHouse({ setting, resources: [Pump], plugins: [plugin] })
  const { app } = house
  await app.start()
  const box = await app.create(Pump, {})
  await box.run.start()
  await box.lift.start()
  const isOver = async () =>
    (await box.run.status())?.status === 'done' && (await box.lift.status())?.status === 'panicked'
  await until(isOver, { what: 'one task is done and one is parked' })
  await app.stopWorker()
  await rows(house)
  speak(house)
  const duty = plugin.duty?.(premisesOf(app, new SystemTime()), 'worker')
  const url = await until(() => plugin.url, { what: 'the metrics are served' })
  return {
    house,
    metrics: plugin,
    url,
    scrape: async () => readExposition(await (await fetch(`${url}/metrics`)).text()),
    close: async () => {
      await duty?.stop()
      await house.close()
    },
  }
}

async function rows({ sql }: House): Promise<void> {
  const id = () => newId(new SystemTime())
  // The task that was parked has an alarm and a notice of its own; what follows is counted.
  await sql('DELETE FROM notices')
  await sql('DELETE FROM alarms')
  for (const [state, severity] of ALARMS) {
    await sql(
      `INSERT INTO alarms (id, key, name, closes, severity, state, message, count, episode, first_seen_at, last_seen_at, rest, version)
       VALUES ($1, $2, 'dry', 'told', $3, $4, 'canary-alarm', 1, 1, now(), now(), '{}', 1)`,
      [id(), `canary-${id()}`, severity, state],
    )
  }
  for (const [scope, by] of HOLDS) {
    await sql(
      `INSERT INTO holds (scope, by, state, actor, reason, since) VALUES ($1, $2, 'shut', 'canary-actor', 'canary-reason', now())`,
      [scope, by],
    )
  }
  for (const status of NOTICES) {
    await sql(
      `INSERT INTO notices (id, type, severity, message, payload, status, unit_id, at)
       VALUES ($1, 'alarm.opened', 'error', 'canary-notice', '{}', $2, $1, now() - interval '1 minute')`,
      [id(), status],
    )
  }
}

const ALARMS = [
  ...['open', 'open'].map((state) => [state, 'critical']),
  ['acknowledged', 'error'],
  ['closed', 'critical'],
] as const
const HOLDS = [
  ['task:Pump.lift', 'breaker'],
  ['dependency:canary', 'breaker'],
  ['queue:ticks', 'pause'],
] as const
const NOTICES = ['waiting', 'waiting', 'held', 'handed', 'dropped']

/** What a quiet house has no reason to say. */
function speak({ app: { events } }: House): void {
  const resourceId = 'canary-resource'
  const route = 'pager'
  const error = new Error('canary-error')
  const about = { alarmId: 'canary-alarm', key: 'canary-key', name: 'dry', kind: null, resourceId }
  events.emit('notice.delivered', { deliveryId: 'canary', route, notices: 3, attempt: 1 })
  events.emit('notice.failed', { deliveryId: 'canary', route, attempt: 1, isLast: true, error })
  events.emit('alarm.changed', {
    ...about,
    severity: 'critical',
    ...{ from: 'closed', to: 'open', event: 'RAISE' },
  })
  events.emit('steward.failed', { error })
  events.emit('tick.busy', { resourceId })
}
