// Types of resources, checked by the compiler alone: what is wrong must not compile, what is right must.
// Nothing here is ever run.
import { setup } from 'xstate'
import * as z from 'zod'
import {
  type App,
  createApp,
  effect,
  field,
  type Held,
  Resource,
  type Self,
  secret,
  steps,
  type Work,
} from '../../bin/index.ts'

const fields = {
  plan: field(z.enum(['small', 'large'])),
  size: field(z.number().default(1)),
  ip: field(z.string().optional()),
  password: secret(z.string().optional()),
}

const boot = effect(
  async ({
    resource,
    input,
    key,
    attempt,
    signal,
  }: Work<Self<typeof fields, 'ping'>, { at: string }>) => {
    resource.ip = `${input.at}:${key}:${attempt}:${signal.aborted}`
    await resource.ping.start()
    await resource.save()
    // @ts-expect-error there is no such field
    resource.ipp = 'x'
    // @ts-expect-error a field of another type
    resource.size = 'x'
    return 7
  },
)

class Server extends Resource {
  static override fields = fields
  static override tasks = {
    ping: setup({
      types: {} as {
        input: { every: number }
        events: { type: 'PING'; from: string } | { type: 'STOP' }
      },
      actors: { boot },
    }).createMachine({ initial: 'a', states: { a: { on: { PING: 'a', STOP: 'a' } } } }),
    short: steps({
      one: async (t) => (t.attempt > 1 ? t.again('5s') : 'two'),
      two: async (t) => t.stop(),
    }),
  }
}

class BigServer extends Server {
  static override fields = { ...fields, racks: field(z.number()) }
  static override tasks = { ...Server.tasks, grow: Server.tasks.ping }
  weight(): number {
    return 1
  }
}

declare const app: App
declare const server: Held<typeof Server>
declare const big: Held<typeof BigServer>

/** Creating: what has a default or may be absent may be left out. */
export async function creating(): Promise<void> {
  await app.create(Server, { plan: 'small' })
  await app.create(
    Server,
    { plan: 'large', size: 2, ip: undefined, password: 'x' },
    { parent: big },
  )
  // @ts-expect-error the plan is missing
  await app.create(Server, {})
  // @ts-expect-error no such plan
  await app.create(Server, { plan: 'medium' })
  // @ts-expect-error no such field
  await app.create(Server, { plan: 'small', sise: 1 })
  // @ts-expect-error a number is wanted
  await app.create(Server, { plan: 'small', size: '1' })
  // @ts-expect-error not a resource class
  await app.create(Date, {})
  await server.createChild(BigServer, { plan: 'small', racks: 1 })
  // @ts-expect-error the racks are missing
  await server.createChild(BigServer, { plan: 'small' })
}

/** Fields: read and written as their schemas say. */
export function reading(): void {
  const plan: 'small' | 'large' = server.plan
  const size: number = server.size
  const ip: string | undefined = server.ip
  server.ip = undefined
  server.password = `${plan}${size}${ip}`
  // @ts-expect-error it may be absent
  const sure: string = server.ip
  // @ts-expect-error no such plan
  server.plan = 'medium'
  // @ts-expect-error no such field
  server.nothing = sure
  // @ts-expect-error an id is given once
  server.id = 'x'
  // @ts-expect-error a state is the machine's business
  server.state = 'x'
}

/** Tasks: started and told as their machines say. */
export async function telling(): Promise<void> {
  await server.ping.start({ every: 5 }, { actor: 'me', reason: 'why not' })
  await server.ping.send({ type: 'PING', from: 'me' }, { dedupKey: 'k', expiresIn: '5m' })
  await server.ping.send('STOP')
  await server.short.start()
  const info = await server.ping.status()
  const step: number | undefined = info?.step
  await server.ping.rewind(step ?? 1)
  // @ts-expect-error no such task
  await server.pong.start()
  // @ts-expect-error a number is wanted
  await server.ping.start({ every: 'day' })
  // @ts-expect-error no such argument
  await server.ping.start({ evry: 5 })
  // @ts-expect-error no such event
  await server.ping.send({ type: 'PONG' })
  // @ts-expect-error no such event, in short
  await server.ping.send('PONG')
  // @ts-expect-error it must say from whom
  await server.ping.send({ type: 'PING' })
  // @ts-expect-error from whom is a text
  await server.ping.send({ type: 'PING', from: 7 })
  // @ts-expect-error steps are counted
  await server.ping.rewind('one')
  // @ts-expect-error no such reason to give
  await server.ping.stop({ because: 'x' })
}

/** Subclasses have what the classes above have. */
export async function inheriting(): Promise<void> {
  const sum: number = big.racks + big.size + big.weight()
  await big.ping.start({ every: sum })
  await big.grow.send('STOP')
  const seen: Held<typeof BigServer> = await app.get(BigServer, 'id')
  // @ts-expect-error that is the subclass's alone
  server.racks = seen.racks
  // @ts-expect-error that is the subclass's alone
  await server.grow.start()
}

/** Collections ask for fields of the class, and have its tasks. */
export async function asking(): Promise<void> {
  const few = app.find(Server).where({ plan: 'small', state: 'running' })
  const count: number = await few.where({ size: await few.count() }).ping.start({ every: 5 })
  for await (const one of few) one.size = count
  // @ts-expect-error no such field
  app.find(Server).where({ sise: 1 })
  // @ts-expect-error no such plan
  app.find(Server).where({ plan: 'medium' })
  // @ts-expect-error no such task
  await app.find(Server).pong.start()
  // @ts-expect-error no such task of one of them
  await (await few.first())?.pong.start()
}

/** Steps name one another. */
export const stepping = [
  // @ts-expect-error there is no step of that name
  steps({ one: async () => 'too', two: async (t) => t.stop() }),
  // @ts-expect-error an answer is a promise, so that it can be checked
  steps({ one: () => 'one' }),
  // @ts-expect-error a step must answer
  steps({ one: async () => {} }),
  // @ts-expect-error no such option
  steps({ one: async (t) => t.stop() }, { retries: 3 }),
  effect(async (t) => t.again('5s'), { retry: { attempts: 3, backoff: '1s..1m' }, timeout: '2m' }),
  // @ts-expect-error no such option
  effect(async () => 1, { attempts: 3 }),
]

/** An app is made of resource classes. */
export const opening = [
  createApp({ resources: [Server, BigServer] }),
  // @ts-expect-error not a resource class
  createApp({ resources: [Date] }),
  // @ts-expect-error the resources are missing
  createApp({}),
]
