// Secrets go everywhere a user may put them, and are readable nowhere afterwards.
// timeout: 180s
import { format, inspect } from 'node:util'
import { assign, setup } from 'xstate'
import * as z from 'zod'
import {
  action,
  alarm,
  effect,
  field,
  HttpError,
  log,
  metrics,
  notifications,
  type Plugin,
  Resource,
  Secret,
  secret,
  steps,
  task,
  webhook,
} from '../../bin/index.ts'
import { json, sentence } from '../../bin/print.ts'
import { Query } from '../../models/query.ts'
import { Canaries } from '../support/canary.ts'
import { type House, openHouse } from '../support/house.ts'
import { receiver } from '../support/notices.ts'
import { type Setting, settings } from '../support/services.ts'
import { assert, suite } from '../support/suite.ts'
import { until } from '../support/wait.ts'

const test = suite('canaries')

let canaries = new Canaries()
/** What user code gets by revealing a Secret. */
const revealed = (name: string) => new Secret(canaries.bird(name)).reveal()

/** As an HTTP client would throw it: the request hangs on it, headers and all. */
function clientError(name: string): Error {
  const bird = revealed(name)
  const basic = Buffer.from(`me:${bird}`).toString('base64')
  const error = new Error(`PUT https://me:${encodeURIComponent(bird)}@cloud/ refused: ${bird}`)
  return Object.assign(error, {
    code: 'ERR_BAD_REQUEST',
    config: { headers: { Authorization: `Basic ${basic}` }, data: JSON.stringify({ bird }) },
    response: { data: bird },
    context: { sent: { body: `{"it":${JSON.stringify(bird)}}`, auth: basic }, [bird]: 1 },
    cause: new AggregateError(
      [new Error(`header: Basic ${basic}`), bird],
      `caused by ${JSON.stringify(bird)}`,
    ),
    playbook: `Ask for ${bird}`,
    stack: `Error: at ${bird}\n    at hex ${Buffer.from(bird).toString('hex')}`,
  })
}

const once = { retry: { attempts: 2, backoff: '1ms..1ms' } } as const
const failing = effect(async ({ input }: any) => {
  throw Object.assign(clientError('an effect'), { input: input.pass.reveal() })
}, once)
const calling = effect(async () => {
  const token = revealed('a call')
  const url = `https://me:x@cloud/v1/${token}?token=${token}`
  throw new HttpError(403, { method: 'PUT', url, headers: { authorization: token } })
}, once)
const noting = effect(
  async ({ note, resource, input }: any) => {
    note(`got ${resource.token} and ${input.pass.reveal()}`)
    return { pass: new Secret(canaries.bird('an output')) }
  },
  { retry: { attempts: 1 } },
)
const input = () => ({ pass: new Secret(canaries.bird('an input')) })
const child = setup({ actors: { failing } }).createMachine({
  invoke: { id: 'failing', src: 'failing', input },
})

class Cage extends Resource {
  static override fields = {
    token: secret(z.string()),
    plain: field(z.string().default('plain')),
  }
  static override alarms = {
    watched: alarm({ when: (s) => s.state === 'running', message: () => telling() }),
  }
  static override tasks = {
    failed: setup({ actors: { failing } }).createMachine({
      invoke: { id: 'failing', src: 'failing', input },
    }),
    called: setup({ actors: { calling } }).createMachine({
      invoke: { id: 'calling', src: 'calling' },
    }),
    caught: setup({ actors: { failing } }).createMachine({
      context: { error: null as unknown },
      initial: 'trying',
      states: {
        trying: {
          invoke: {
            src: 'failing',
            input,
            onError: { target: 'caught', actions: assign({ error: ({ event }) => event.error }) },
          },
        },
        caught: {},
      },
    }),
    above: setup({ actors: { child } }).createMachine({
      initial: 'waiting',
      states: {
        waiting: { invoke: { id: 'child', src: 'child', onError: 'told' } },
        told: { type: 'final' },
      },
    }),
    noted: setup({ actors: { noting } }).createMachine({
      initial: 'noting',
      states: {
        noting: { invoke: { src: 'noting', input, onDone: 'noted' } },
        noted: { type: 'final' },
      },
    }),
    told: setup({
      actions: {
        tell: action(async ({ event }: any) => {
          throw new Error(`could not use ${JSON.stringify(event.pass.reveal())}`)
        }),
      },
    }).createMachine({ on: { TELL: { actions: 'tell' } } }),
    begun: task(steps({ never: async ({ stop }) => stop() }), {
      new: ({ input }: any) => {
        throw new Error(`began with ${input.pass.reveal()}`)
      },
    }),
  }
}

/** What a rule says when it opens its alarm. */
const telling = () => `it says ${revealed('a rule')}`

/** A plugin that fails with what it has heard. */
const clumsy: Plugin = {
  name: 'clumsy',
  on: {
    'effect.failed': ({ error }) => {
      throw new Error(`${error.message}!`)
    },
  },
}

async function live(setting: Setting, lines: string[]): Promise<House> {
  const write = (line: string) => void lines.push(line)
  const hook = await receiver()
  const key = `whsec_${Buffer.from(canaries.bird('a signing key')).toString('base64')}`
  const authorization = `Bearer ${Buffer.from(revealed('a header')).toString('base64')}`
  const to = webhook({
    url: hook.url,
    secret: key,
    headers: { authorization },
  })
  const told = notifications({
    routes: [{ name: 'hub', to, groupWait: '1ms', groupInterval: '1ms' }],
    allowPrivate: ['127.0.0.1'],
  })
  const meter = metrics({ port: 0 })
  const plugins = [log({ level: 'debug', write }), clumsy, told, meter]
  const house = await openHouse({ resources: [Cage], plugins, setting })
  const { app } = house
  const cage = await app.create(Cage, { token: canaries.bird('a field') })
  await app.start()
  for (const name of ['failed', 'called', 'caught', 'above', 'noted', 'told'] as const) {
    await cage[name].start()
  }
  await cage.begun.start({ pass: new Secret(canaries.bird('an argument')) } as never)
  await cage.told.send({ type: 'TELL', pass: new Secret(canaries.bird('a payload')) } as never)
  await cage.told.send({ type: 'TELL', pass: new Secret(canaries.bird('waiting mail')) } as never)
  const parked = async () => {
    const runs = await house.sql(`SELECT name FROM tasks WHERE status = 'panicked' ORDER BY name`)
    const states = await house.sql(
      `SELECT state FROM tasks WHERE name IN ('caught', 'above', 'noted')`,
    )
    const isDone = states.every(({ state }) => ['caught', 'told', 'noted'].includes(state))
    return isDone && runs.length === 4
  }
  await until(parked, { what: 'all had failed', deadlineMs: 30_000 })
  await cage.start()
  await cage.raise('raised', {
    message: `raised by ${revealed('an alarm')}`,
    playbook: revealed('a playbook'),
    labels: { team: revealed('a label').slice(0, 100) },
  })
  await cage.notify('cage.told', {
    message: `told ${revealed('a notice')}`,
    data: { it: revealed('its data'), sealed: new Secret(canaries.bird('a sealed part')) },
  })
  await app.alarms.note(`${cage.id}/raised`, { note: `see ${revealed('a note')}` })
  const heard = () => {
    const all = hook.received.map(({ text }) => text).join()
    return ['raised by', 'told ', 'it says', 'panic'].every((word) => all.includes(word))
  }
  await until(heard, { what: 'all was told', deadlineMs: 30_000 })
  for (const { text } of hook.received) canaries.in('a webhook', text)
  canaries.in('the metrics', await meter.text())
  canaries.in('the alarms', json(await app.alarms.list({ state: 'all' })))
  canaries.in('explain', json(await app.explain(Cage, cage.id)))
  await canaries.inRedis(house)
  await hook.close()
  await app.stopWorker()
  canaries.in('toJSON', cage)
  canaries.in('inspect', inspect(cage, { depth: 9 }) + format('%s %o', cage, cage))
  return house
}

for (const setting of settings()) {
  test(`are readable nowhere (${setting})`, { deadlineMs: 90_000 }, async () => {
    canaries = new Canaries()
    const lines: string[] = []
    const house = await live(setting, lines)
    const { app } = house
    const { knex } = app.rooms.database
    const { keyring } = app.rooms
    const query = new Query({
      knex,
      keyring,
      time: { now: () => 0 } as never,
      registry: app.registry,
    })
    const [{ id }] = await house.sql('SELECT id FROM resources')
    const history = await app.history.lines(id, { limit: 1_000 })
    const failures = await query.failures()
    canaries.in('history', json(history))
    canaries.in('failures', json([failures, await app.failures(), await query.runs()]))
    for (const run of await query.runs({ status: 'running' })) {
      canaries.in('waiting', json(await query.waiting(run.taskId, run.task)))
    }
    for (const { message } of failures) canaries.in('a sentence', sentence(message))
    for (const line of lines)
      canaries.in(`the line ${line.slice(0, 300)}`, `${line}\n${JSON.parse(line).error?.message}`)
    await canaries.inTables(house)
    await canaries.inRedis(house)
    const { sung, searched } = canaries.findings
    assert.equal(sung, [])
    assert.ok(searched > 100, `${searched} places were searched`)
    // It was all there to be found.
    assert.ok(failures.length === 9, `${failures.length} failures`)
    assert.ok(failures.some(({ causes }) => causes.length === 3))
    assert.ok(history.some(({ message }) => message === 'got [secret] and [secret]'))
    assert.ok(
      lines.some((line) => line.includes('plugin.failed') || line.includes('listener.failed')),
    )
    await house.close()
  })
}

test('sing when something shows them, however it is written', async () => {
  const own = new Canaries()
  const bird = own.bird('one')
  for (const [place, text] of Object.entries({
    plain: `see ${bird}`,
    json: JSON.stringify({ bird }),
    url: `https://x/?a=${encodeURIComponent(bird)}`,
    form: new URLSearchParams({ bird }).toString(),
    hex: Buffer.from(bird).toString('hex'),
    base64: Buffer.from(`ab:${bird}!`).toString('base64'),
    base64url: Buffer.from(`a:${bird}`).toString('base64url'),
    deep: { a: [{ bird }] },
  })) {
    const before = own.findings.sung.length
    own.in(place, text)
    assert.ok(own.findings.sung.length > before, place)
    assert.match(own.findings.sung.at(-1)!, `${place} shows the secret "one"`)
  }
  const house = await openHouse({ resources: [Cage] })
  await house.app.create(Cage, { token: 'x', plain: bird })
  await own.inTables(house)
  assert.ok(own.findings.sung.some((one) => one.startsWith('resources.fields shows')))
  await house.close()
})

test.run()
