// What ours is asked beyond working and probing: herds, backlogs, fans and long histories.
// Promise: what is measured here is measured between the call that starts something and the word that it is durable.
import type * as Escapement from '../../bin/index.ts'
import type { Figures, Ground, Laid } from '../protocol.ts'
import { median, quantile } from '../sums.ts'
import { Course } from './course.ts'
import { lay } from './laying.ts'
import { openApp, Walker } from './walker.ts'

/** Steps of a short history, and steps that warm up. */
const SHORT = 10
const WATCH_MS = 20
const LEFT = 'SELECT 1 FROM tasks WHERE finished_at IS NULL LIMIT 1'
/**
 * Do they end in the order in which they fell due? Their ids are in that order. The newest tenth is told apart: a tenth
 * of the places of each look is for the newest, lest newcomers starve.
 */
const ORDER = `SELECT corr(due, ended)::float8 AS "all", corr(due, ended) FILTER (WHERE share < 0.9)::float8 AS oldest
  FROM (SELECT row_number() OVER (ORDER BY id) AS due, row_number() OVER (ORDER BY finished_at) AS ended,
      percent_rank() OVER (ORDER BY id) AS share
    FROM tasks WHERE name = 'chain') ranks`

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

interface Striding {
  send(event: 'STEP'): Promise<void>
}

export class Feats {
  readonly #ground: Ground
  readonly #stepped = new Map<string, () => void>()
  #app: Escapement.App | null = null

  constructor(ground: Ground) {
    this.#ground = ground
  }

  get app(): Escapement.App {
    return this.#app!
  }

  async open(): Promise<void> {
    this.#app = await openApp(this.#ground)
    this.app.events.on('task.stepped', ({ taskId }) => this.#stepped.get(taskId)?.())
  }

  async lay(what: Laid, count: number): Promise<void> {
    await this.open()
    const walker = await this.app.create(Walker, {})
    const name = ({ herd: 'nap', backlog: 'chain', history: 'stride' } as const)[what]
    const { taskId } = await walker[name].start()
    if (what !== 'backlog') {
      await this.app.start()
      await walker[name].waitFor(({ step }) => step > 0)
    }
    if (what === 'history') await this.#walk(walker.stride, taskId, SHORT)
    await this.app.stopWorker()
    const { schema } = this.app.rooms.config
    await lay(this.#ground.databaseUrl, { schema, resourceId: walker.id, taskId }, what, count)
  }

  /** Resolves when no task is left that has not ended. */
  async watch(): Promise<void> {
    for (;;) {
      const { rows } = await this.app.rooms.database.query(LEFT)
      if (rows.length === 0) return
      await pause(WATCH_MS)
    }
  }

  async drain(perSecond: number): Promise<Figures> {
    const { instances } = this.#ground
    const course = new Course(instances)
    const newcomers = new Map<string, number>()
    const latenciesMs: number[] = []
    this.app.events.on('task.finished', ({ task, resourceId }) => {
      if (task === 'chain') return course.arrived()
      latenciesMs.push(performance.now() - newcomers.get(resourceId)!)
      newcomers.delete(resourceId)
    })
    this.app.events.on('task.panicked', ({ error }) => course.failed(error))
    let isOver = false
    const coming = async () => {
      while (!isOver) {
        const walker = await this.app.create(Walker, {})
        newcomers.set(walker.id, performance.now())
        await walker.once.start()
        await pause(1_000 / perSecond)
      }
    }
    const startedAt = performance.now()
    await this.app.start()
    const come = coming()
    await course.done
    const drainedMs = performance.now() - startedAt
    isOver = true
    await come
    const waitedMs = [...newcomers.values()].map((at) => performance.now() - at)
    const sorted = [...latenciesMs, ...waitedMs].sort((a, b) => a - b)
    const { rows } = await this.app.rooms.database.query(ORDER)
    return {
      drainedMs,
      oldestFirst: rows[0].oldest,
      orderOfAll: rows[0].all,
      newcomers: sorted.length,
      newcomerP50Ms: quantile(sorted, 0.5),
      newcomerP99Ms: quantile(sorted, 0.99),
      newcomerMostMs: sorted.at(-1)!,
    }
  }

  async fan(count: number): Promise<Figures> {
    const course = new Course(count)
    let spreadMs = 0
    const startedAt = performance.now()
    this.app.events.on('task.finished', ({ task }) => {
      if (task === 'once') course.arrived()
      else spreadMs = performance.now() - startedAt
    })
    this.app.events.on('task.panicked', ({ error }) => course.failed(error))
    await this.app.start()
    const parent = await this.app.create(Walker, {})
    await parent.fan.start(count)
    await course.done
    return { spreadMs }
  }

  /** By turns, so that whatever else the machine does befalls both alike. */
  async stride(count: number): Promise<Figures> {
    await this.app.start()
    const long = (await this.app.find(Walker).first())!
    const longId = (await long.stride.status())!.taskId
    const short = await this.app.create(Walker, {})
    const { taskId: shortId } = await short.stride.start()
    await short.stride.waitFor(({ step }) => step > 0)
    await this.#walk(short.stride, shortId, SHORT)
    await this.#walk(long.stride, longId, SHORT)
    const times = { short: [] as number[], long: [] as number[] }
    for (let turn = 0; turn < count; turn += 1) {
      times.short.push(...(await this.#walk(short.stride, shortId, 1)))
      times.long.push(...(await this.#walk(long.stride, longId, 1)))
    }
    const [shortMs, longMs] = [median(times.short), median(times.long)]
    return { shortMs, longMs, longToShort: longMs / shortMs }
  }

  /** Sends one event after another. @returns milliseconds of each until its step was durable */
  async #walk(task: Striding, taskId: string, count: number): Promise<number[]> {
    const times: number[] = []
    for (let index = 0; index < count; index += 1) {
      const startedAt = performance.now()
      const stepped = new Promise<void>((resolve) => this.#stepped.set(taskId, resolve))
      await task.send('STEP')
      await stepped
      times.push(performance.now() - startedAt)
    }
    return times
  }
}
