// Notices outlive everybody: who is to deliver them is killed, who is to hear of them is gone, hangs or lies.
// timeout: 180s
import { Redis } from 'ioredis'
import { App } from '../../bin/index.ts'
import { readConfig } from '../../lib/config.ts'
import { newToken } from '../../lib/id.ts'
import { Keyring } from '../../lib/keyring.ts'
import { asCompiled } from '../support/compiled.ts'
import { type Answer, type Received, receiver } from '../support/notices.ts'
import { Processes } from '../support/processes.ts'
import { databaseUrl, redisUrl } from '../support/services.ts'
import { assert } from '../support/suite.ts'
import { until } from '../support/wait.ts'
import { Fan, Pump, tellingAt } from './processes/teller.ts'
import { scenes } from './scenes.ts'

const test = scenes('a notice')
const LONG = { deadlineMs: 90_000 }
const MET = { deadlineMs: 45_000 }
const APP = await asCompiled('spec/flow/processes/teller.ts')
/** As the outbox takes it; see models/notices.ts. */
const LATCH = 'SELECT pg_advisory_xact_lock(730631, hashtext($1))'

/** A house whose processes tell a receiver in this one. */
class Scene {
  readonly app: App
  readonly processes: Processes
  readonly schema: string
  /** Every request, of all receivers there were. */
  readonly received: Received[] = []
  answer: Answer = () => ({})
  readonly #port: number
  #there: Awaited<ReturnType<typeof receiver>> | null

  private constructor(parts: {
    app: App
    environment: Record<string, string>
    there: Awaited<ReturnType<typeof receiver>>
  }) {
    this.app = parts.app
    this.schema = parts.app.rooms.config.schema
    this.#there = parts.there
    this.#port = parts.there.port
    this.processes = new Processes({
      ...parts.environment,
      ESCAPEMENT_APP: APP,
      FLOW_HOOK: parts.there.url,
    })
    this.#listen()
  }

  static async play(act: (scene: Scene) => Promise<void>): Promise<void> {
    const there = await receiver()
    const environment = {
      ESCAPEMENT_BEAT_MS: '200',
      ESCAPEMENT_TOLD_MS: '1000',
      ESCAPEMENT_LOCK_TTL_MS: '1500',
      DATABASE_URL: databaseUrl()!,
      REDIS_URL: redisUrl()!,
      ESCAPEMENT_SCHEMA: `flow_${newToken().slice(0, 8)}`,
      ESCAPEMENT_KEYS: Keyring.generate(),
    }
    const config = readConfig(environment)
    const app = await App.open({ ...tellingAt(there.url), config, migrate: true })
    const scene = new Scene({ app, environment, there })
    await act(scene).finally(() => scene.close())
  }

  sql = async (text: string, params: readonly unknown[] = []): Promise<any[]> =>
    (await this.app.rooms.database.query(text, params)).rows

  /** Starts tasks that panic. */
  async launch(shape: typeof Pump | typeof Fan, count = 1): Promise<void> {
    for (let made = 0; made < count; made++) await (await this.app.create(shape, {})).run.start()
  }

  /** When so many panics are committed, each with the notice of its alarm. */
  async panicked(count: number): Promise<void> {
    const notices = async () => (await this.sql('SELECT count(*) AS count FROM notices'))[0].count
    await until(async () => (await notices()) === count, { what: 'all had panicked', ...MET })
  }

  /** When all notices there are were delivered, and that is written down. */
  async told(): Promise<void> {
    const open = `
      SELECT 1 FROM notices n LEFT JOIN delivery_notices l ON l.notice_id = n.id
      LEFT JOIN deliveries d ON d.id = l.delivery_id WHERE d.status IS DISTINCT FROM 'sent' LIMIT 1`
    const isTold = async () => (await this.sql(open)).length === 0
    await until(isTold, { what: 'all notices were delivered', ...MET })
  }

  /** The receiver goes away, with whatever it has in hand, and comes back at its address. */
  async leave(): Promise<void> {
    await this.#there?.close()
    this.#there = null
  }
  async comeBack(): Promise<void> {
    this.#there = await receiver(undefined, this.#port)
    this.#listen()
  }

  /** Each notice that was ever told, and the ids it was told under. */
  get ids(): Map<string, Set<string>> {
    const ids = new Map<string, Set<string>>()
    for (const { json, headers } of this.received) {
      for (const { id } of json.data.notices) {
        ids.set(id, (ids.get(id) ?? new Set()).add(headers['webhook-id']!))
      }
    }
    return ids
  }

  /** All notices were told, each under one id. */
  async check(count: number): Promise<void> {
    const written = (await this.sql('SELECT id FROM notices')).map(({ id }) => id)
    assert.is(written.length, count, 'one notice for each panic')
    assert.equal([...this.ids.keys()].sort(), written.sort(), 'every notice was told')
    for (const [id, under] of this.ids) assert.is(under.size, 1, `${id} was told under one id`)
  }

  async close(): Promise<void> {
    await this.leave()
    await this.processes.stopAll()
    await this.app.rooms.database.query(`DROP SCHEMA IF EXISTS "${this.schema}" CASCADE`)
    await this.app.close()
    const redis = new Redis(redisUrl()!)
    const keys = await redis.keys(`*${this.schema}*`)
    if (keys.length > 0) await redis.del(...keys)
    await redis.quit()
  }

  #listen(): void {
    this.#there!.answers((request, reply, raw) => {
      this.received.push(request)
      return this.answer(request, reply, raw)
    })
  }
}

for (const role of ['solo', 'clock'] as const) {
  test(`outlives a ${role} that is killed before it took it up`, LONG, () =>
    Scene.play(async (scene) => {
      const { processes, app } = scene
      const roles = role === 'solo' ? [role] : [role, 'worker' as const]
      const victims = await Promise.all(roles.map((one) => processes.start(one)))
      // Somebody else is at the outbox, so that the victim does not come to it.
      await app.rooms.database.transaction(async (runner) => {
        await runner.query(LATCH, [scene.schema])
        await scene.launch(Pump)
        await scene.panicked(1)
        await Promise.all(victims.map((one) => one.kill()))
      })
      assert.equal(await scene.sql('SELECT status FROM notices'), [{ status: 'waiting' }])
      assert.is(scene.received.length, 0)
      await processes.start(role)
      await scene.told()
      await scene.check(1)
      assert.is(scene.received.length, 1)
    }),
  )
}

test('outlives who had sent it: not answered, or answered and not yet written down', LONG, () =>
  Scene.play(async (scene) => {
    const { processes } = scene
    const [victim] = await Promise.all([processes.start('clock'), processes.start('worker')])
    const replies = new Map<string, { send(): Promise<void> }>()
    scene.answer = ({ json }, reply) => {
      const send = () =>
        new Promise<void>((resolve) => {
          reply.raw.once('finish', () => resolve())
          void reply.send({})
        })
      replies.set(json.data.notices[0].kind, { send })
      return new Promise(() => {})
    }
    await scene.launch(Pump)
    await scene.launch(Fan)
    await until(() => replies.size === 2, { what: 'both requests were there', ...MET })
    victim.signal('SIGSTOP')
    // It is answered, and cannot write that down any more.
    await replies.get('Pump')!.send()
    await victim.kill()
    const [open] = await scene.sql(
      `SELECT count(*) AS count FROM deliveries WHERE status = 'sending'`,
    )
    assert.is(open.count, 2)
    const before = scene.received.length
    scene.answer = () => ({})
    await processes.start('clock')
    await scene.told()
    await scene.check(2)
    assert.is(scene.received.length, before + 2, 'each was told once more')
    await nothingMore(scene, 2)
  }),
)

test('is not lost by a receiver that refuses, hangs, fails, hangs up and lies', LONG, () =>
  Scene.play(async (scene) => {
    const { processes } = scene
    const [clock] = await Promise.all([processes.start('clock'), processes.start('worker')])
    const failures = () => processes.count('notice.failed')
    const faults: Answer[] = [
      () => new Promise(() => {}),
      (_request, reply) => reply.code(500).send({}),
      (_request, _reply, raw) => raw.raw.socket.destroy(),
      (_request, reply, raw) => {
        reply.hijack()
        raw.raw.socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\nx: ')
      },
    ]
    let panics = 0
    const suffer = async () => {
      await scene.launch(Pump, 3)
      panics += 3
      const seen = failures()
      await until(() => failures() >= seen + 2, { what: 'it had failed twice', ...MET })
    }
    for (const fault of faults) {
      scene.answer = fault
      await suffer()
    }
    // It goes down with what it has in hand, and while it is away it refuses.
    await scene.leave()
    await suffer()
    await scene.comeBack()
    await clock.kill()
    await scene.panicked(panics)
    scene.answer = () => ({})
    await processes.start('clock')
    await scene.told()
    await scene.check(panics)
    assert.is((await scene.sql(`SELECT id FROM deliveries WHERE status = 'dead'`)).length, 0)
  }),
)

/** A restart finds nothing to tell: the next that is told is the next that happens. */
async function nothingMore(scene: Scene, told: number): Promise<void> {
  const before = scene.received.length
  for (const one of scene.processes.all) await one.kill()
  await scene.processes.start('solo')
  await scene.launch(Pump)
  await scene.panicked(told + 1)
  await scene.told()
  await scene.check(told + 1)
  assert.is(scene.received.length, before + 1, 'only what was new was told')
}

test.run()
