// A task that kills its process, among tasks that do not: real processes, a supervisor that starts them again.
// timeout: 240s
import { Redis } from 'ioredis'
import { App } from '../../bin/index.ts'
import { readConfig } from '../../lib/config.ts'
import { newToken } from '../../lib/id.ts'
import { Keyring } from '../../lib/keyring.ts'
import { asCompiled } from '../support/compiled.ts'
import { Processes } from '../support/processes.ts'
import { databaseUrl, redisUrl } from '../support/services.ts'
import { assert } from '../support/suite.ts'
import { until } from '../support/wait.ts'
import { Reactor } from './processes/poison.ts'
import { scenes } from './scenes.ts'

const test = scenes('poison')
const LONG = { deadlineMs: 110_000 }
const WORKERS = 2
const OTHERS = 12
const APP = await asCompiled('spec/flow/processes/poison.ts')

/** A house with a clock here, worked by processes that a supervisor starts again. */
async function play(act: (scene: Scene) => Promise<void>): Promise<void> {
  const schema = `flow_${newToken().slice(0, 8)}`
  const address = new URL(databaseUrl()!)
  address.searchParams.set('application_name', schema)
  const environment = {
    ESCAPEMENT_BEAT_MS: '200',
    ESCAPEMENT_TOLD_MS: '1000',
    ESCAPEMENT_LOCK_TTL_MS: '3000',
    DATABASE_URL: address.href,
    REDIS_URL: redisUrl()!,
    ESCAPEMENT_SCHEMA: schema,
    ESCAPEMENT_KEYS: Keyring.generate(),
  }
  const config = readConfig(environment)
  const app = await App.open({ resources: [Reactor], config, migrate: true })
  const processes = new Processes({ ...environment, ESCAPEMENT_APP: APP })
  const scene = new Scene(app, processes, schema)
  try {
    app.startClock()
    await scene.supervise()
    await act(scene)
  } finally {
    await scene.close()
    await app.rooms.database.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`)
    await app.close()
    const redis = new Redis(redisUrl()!)
    const keys = await redis.keys(`*${schema}*`)
    if (keys.length > 0) await redis.del(...keys)
    await redis.quit()
  }
}

class Scene {
  readonly app: App
  readonly processes: Processes
  readonly schema: string
  #isOver = false
  readonly #posts: Promise<void>[] = []

  constructor(app: App, processes: Processes, schema: string) {
    this.app = app
    this.processes = processes
    this.schema = schema
  }

  sql = async (text: string, params: readonly unknown[] = []): Promise<any[]> =>
    (await this.app.rooms.database.query(text, params)).rows

  /** Each post is manned again whenever its worker is gone. */
  async supervise(): Promise<void> {
    const man = async () => {
      // One that dies at its first ticket may be gone before it is seen to be there.
      await this.processes.start('worker').catch(() => {})
      return this.processes.all.at(-1)
    }
    const post = async (first: ReturnType<typeof man>) => {
      for (let one = await first; !this.#isOver; one = await man()) await one?.ended
    }
    for (let number = 0; number < WORKERS; number++) {
      const first = man()
      await first
      this.#posts.push(post(first))
    }
  }

  /** How many processes were killed, by whomever. */
  get deaths(): number {
    return this.processes.all.filter(({ isLost }) => isLost).length
  }

  async launch(count: number): Promise<void> {
    for (let made = 0; made < count; made++) await (await this.app.create(Reactor, {})).good.start()
  }

  async close(): Promise<void> {
    this.#isOver = true
    await this.processes.stopAll()
    await Promise.all(this.#posts)
    await this.processes.stopAll()
  }

  countOf = async (where: string): Promise<number> =>
    (await this.sql(`SELECT count(*)::int AS count FROM tasks WHERE ${where}`))[0].count
}

test('is parked after exactly three deaths, and all others come to their end', LONG, () =>
  play(async (scene) => {
    const { app } = scene
    const reactor = await app.create(Reactor, {})
    await reactor.good.start()
    await reactor.bad.start()
    await scene.launch(OTHERS)
    const isParked = async () => (await scene.countOf(`status = 'panicked'`)) > 0
    await until(isParked, { what: 'it was parked', deadlineMs: 90_000 })
    await until(async () => (await scene.countOf('finished_at IS NULL')) === 1, {
      what: 'all others were done',
      deadlineMs: 30_000,
    })
    assert.is(scene.deaths, 3)
    assert.is(await scene.countOf(`status = 'done' AND name = 'good'`), OTHERS + 1)
    const { code, sentence } = await reactor.explain('bad')
    assert.is(code, 'poisonous')
    const dead = await scene.sql('SELECT unnest(struck_by) AS who FROM tasks WHERE status = $1', [
      'panicked',
    ])
    assert.is(new Set(dead.map(({ who }) => who)).size, 3, 'three different processes')
    for (const { who } of dead) assert.ok(sentence.includes(who), `${sentence} names ${who}`)
  }),
)

test('is not seen in a database that dismisses every session, again and again', LONG, () =>
  play(async (scene) => {
    await scene.launch(OTHERS)
    for (let storm = 0; storm < 12; storm++) {
      const before = await until(() => scene.countOf('true').then((count) => ({ count })), {
        what: 'the database answered',
      })
      assert.ok(before.count > 0)
      await scene
        .sql(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE application_name = $1 AND pid <> pg_backend_pid()`,
          [scene.schema],
        )
        .catch(() => {})
      const seen = async () =>
        (await scene.sql('SELECT max(seen_at) AS at FROM workers'))[0].at as number
      const at = await until(seen, { what: 'somebody was seen' })
      await until(async () => (await seen()) > at, { what: 'somebody was seen again' })
    }
    await until(async () => (await scene.countOf('finished_at IS NULL')) === 0, {
      what: 'all came to their end',
      deadlineMs: 60_000,
    })
    assert.is(await scene.countOf(`status <> 'done'`), 0)
    assert.is(scene.deaths, 0, scene.processes.all.map(({ stray }) => stray).join('\n'))
  }),
)

test.run()
