// A storm: thousands of runs panic at once, among resources whose machines only want to keep their time.
// Promise: everything is asked of a real house with a real receiver; it answers with figures and judges nothing.
import { createMachine } from 'xstate'
import {
  type EventTable,
  effect,
  NonRetryableError,
  notifications,
  Resource,
  SystemTime,
  webhook,
} from '../../bin/index.ts'
import { type House, openHouse } from '../support/house.ts'
import { receiver } from '../support/notices.ts'
import type { Setting } from '../support/services.ts'
import { until } from '../support/wait.ts'

export interface StormOptions {
  readonly panics: number
  readonly setting: Setting
  /** Resources in good health. */
  readonly healthy?: number
  /** How often each of them is to take a step. */
  readonly everyMs?: number
  readonly deadlineMs?: number
}

/** What a storm left behind, and what it cost. */
export interface Figures {
  readonly seconds: number
  readonly panicsPerSecond: number
  /** Steps each healthy resource had taken when the last panic was committed: the least of them. */
  readonly leastSteps: number
  /** How late steps of healthy resources were. */
  readonly lateMs: { readonly p50: number; readonly p99: number; readonly max: number }
  /** How late the oldest entry was that a clock found. */
  readonly backlogLateMs: number
  /** Tickets in the queue before anybody worked, and the most that were seen in it. */
  readonly tickets: number
  readonly deepest: number
  readonly beats: number
  readonly failedBeats: number
  /** Notices in each delivery that was answered, and how often each notice was told: the most. */
  readonly deliveries: readonly number[]
  readonly notices: number
  readonly mostOften: number
  readonly rssMb: { readonly before: number; readonly after: number }
  readonly rows: Readonly<Record<'alarms' | 'failures' | 'notices', number>>
  /** Panics that do not have one open alarm, one failure and one notice each. */
  readonly odd: number
}

/** Notices of one delivery at most. */
export const MOST = 1_000
const SECRET = `whsec_${Buffer.alloc(32, 'storm').toString('base64')}`
/** Resources made, or started, at the same time. */
const HANDS = 8
const time = new SystemTime()

/** Its one task fails, and no retry would mend it. */
class Doomed extends Resource {
  static override kind = 'Doomed'
  static override tasks = {
    burn: createMachine({
      initial: 'burning',
      states: { burning: { invoke: { src: 'burn', onDone: 'cold' } }, cold: { type: 'final' } },
    }).provide({
      actors: {
        burn: effect(async () => {
          throw new NonRetryableError('the cloud is gone')
        }),
      },
    } as never),
  }
}

/** Takes a step each time its timer fires. */
const healthyEvery = (everyMs: number) =>
  class Healthy extends Resource {
    static override kind = 'Healthy'
    static override tasks = {
      pace: createMachine({
        initial: 'left',
        states: {
          left: { after: { [everyMs]: 'right' } },
          right: { after: { [everyMs]: 'left' } },
        },
      }),
    }
  }

/** Plays one, from nothing to the last notice that was told. */
export async function storm(options: StormOptions): Promise<Figures> {
  const { panics, setting } = options
  const heard = await receiver()
  const to = webhook({ url: heard.url, secret: SECRET })
  const route = {
    ...{ name: 'hook', to, groupWait: '20s', groupInterval: '1s', show: MOST },
    // What is full goes at once.
    ...{ most: Math.min(MOST, panics), when: { type: 'alarm.opened', kind: 'Doomed' } },
  }
  const Healthy = healthyEvery(options.everyMs ?? 1_500)
  const house = await openHouse({
    ...{ setting, resources: [Doomed, Healthy] },
    plugins: [notifications({ routes: [route], allowPrivate: ['127.0.0.1'] })],
    config: {
      ...{ ESCAPEMENT_BEAT_MS: '200', ESCAPEMENT_TOLD_MS: '5000', ESCAPEMENT_CONCURRENCY: '50' },
      ...{ ESCAPEMENT_POOL: '10', ESCAPEMENT_LOCK_TTL_MS: '15000' },
    },
  })
  try {
    // Those in good health were there before, as in life: their first tickets stand before the storm's.
    await launch(house, Healthy, 'pace', options.healthy ?? 20)
    await launch(house, Doomed, 'burn', panics)
    const watch = new Watch(house, panics)
    const tickets = await house.app.rooms.queue.depth()
    await house.app.start()
    const { deadlineMs = 600_000 } = options
    await until(() => watch.isOver, { what: `all ${panics} had panicked`, deadlineMs })
    const told = () => heard.received.reduce((sum, { json }) => sum + json.data.count, 0)
    await until(() => told() >= panics, { what: 'all notices were told', deadlineMs })
    const sent = async () => (await house.sql(UNSENT))[0].count === 0
    await until(sent, { what: 'all deliveries were over', deadlineMs })
    await house.app.stopWorker()
    const bodies = heard.received.map(({ json }) => json.data)
    return { ...watch.figures, tickets, ...deliveredIn(bodies), ...(await left(house)) }
  } finally {
    await house.close()
    await heard.close()
  }
}

/** Makes resources and starts a task of each. */
async function launch(house: House, shape: any, task: string, count: number): Promise<void> {
  let begun = 0
  const hand = async () => {
    while (begun++ < count) await ((await house.app.create(shape, {})) as any)[task].start()
  }
  await Promise.all(Array.from({ length: HANDS }, hand))
}

/** What is seen from outside while it lasts. */
class Watch {
  readonly #panics: number
  readonly #house: House
  readonly #startedAt = time.monotonic()
  readonly #rssBefore = rssMb()
  readonly #late: number[] = []
  readonly #steps = new Map<string, number>()
  #panicked = 0
  #endedAt = 0
  #leastSteps = 0
  #beats = 0
  #failedBeats = 0
  #backlogLateMs = 0
  #deepest = 0

  constructor(house: House, panics: number) {
    this.#house = house
    this.#panics = panics
    const { events } = house.app
    events.on('task.stepped', (step) => this.#stepped(step))
    events.on('clock.beat', ({ lateMs }) => this.#beat(lateMs))
    events.on('clock.failed', () => {
      this.#failedBeats += 1
    })
    events.on('task.panicked', () => this.#panic())
  }

  get isOver(): boolean {
    return this.#panicked >= this.#panics
  }

  get figures() {
    const seconds = (this.#endedAt - this.#startedAt) / 1_000
    const late = [...this.#late].sort((a, b) => a - b)
    const at = (share: number) => late[Math.min(late.length - 1, Math.floor(late.length * share))]!
    return {
      seconds: Math.round(seconds * 10) / 10,
      panicsPerSecond: Math.round(this.#panics / seconds),
      leastSteps: this.#leastSteps,
      lateMs: { p50: at(0.5), p99: at(0.99), max: at(1) },
      backlogLateMs: this.#backlogLateMs,
      deepest: this.#deepest,
      beats: this.#beats,
      failedBeats: this.#failedBeats,
      rssMb: { before: this.#rssBefore, after: rssMb() },
    }
  }

  #stepped({ kind, resourceId, lateMs }: EventTable['task.stepped']): void {
    if (kind !== 'Healthy' || this.isOver) return
    // The first is the start, which no timer was set for.
    const steps = this.#steps.get(resourceId)
    this.#steps.set(resourceId, steps === undefined ? 0 : steps + 1)
    if (steps !== undefined) this.#late.push(lateMs)
  }

  #panic(): void {
    this.#panicked += 1
    if (!this.isOver || this.#endedAt > 0) return
    this.#endedAt = time.monotonic()
    this.#leastSteps = this.#steps.size === 0 ? 0 : Math.min(...this.#steps.values())
  }

  #beat(lateMs: number): void {
    this.#beats += 1
    this.#backlogLateMs = Math.max(this.#backlogLateMs, lateMs)
    void this.#house.app.rooms.queue.depth().then(
      (depth) => {
        this.#deepest = Math.max(this.#deepest, depth)
      },
      // The house is being closed.
      () => {},
    )
  }
}

function deliveredIn(bodies: readonly any[]) {
  const often = new Map<string, number>()
  for (const { notices } of bodies) {
    for (const { id } of notices) often.set(id, (often.get(id) ?? 0) + 1)
  }
  const deliveries = bodies.map(({ count }) => count as number)
  return { deliveries, notices: often.size, mostOften: Math.max(...often.values()) }
}

async function left({ sql }: House) {
  const [{ odd, ...rows }] = await sql(LEFT)
  return { odd, rows }
}

const rssMb = () => Math.round(process.memoryUsage().rss / 1_048_576)

const UNSENT = `SELECT count(*) AS count FROM deliveries WHERE status IN ('gathering', 'sending')`

/** Counted in one pass each: ten thousand small questions take longer than a statement may. */
const LEFT = `
  WITH a AS (SELECT task_id, count(*) AS n FROM alarms WHERE state = 'open' GROUP BY 1),
    f AS (SELECT task_id, count(*) AS n FROM failures GROUP BY 1),
    n AS (SELECT resource_id, count(*) AS n FROM notices GROUP BY 1)
  SELECT (SELECT count(*) FROM alarms) AS alarms, (SELECT count(*) FROM failures) AS failures,
    (SELECT count(*) FROM notices) AS notices, (
      SELECT count(*) FROM tasks t JOIN resources r ON r.id = t.resource_id
      LEFT JOIN a ON a.task_id = t.id LEFT JOIN f ON f.task_id = t.id LEFT JOIN n ON n.resource_id = r.id
      WHERE r.kind = 'Doomed'
        AND (t.status = 'panicked' AND a.n = 1 AND f.n = 1 AND n.n = 1) IS NOT TRUE) AS odd`
