// Poison: a task that takes processes down is parked after three, and nobody else is.
// timeout: 240s
import { setup } from 'xstate'
import { effect, Resource } from '../../bin/index.ts'
import { claim } from '../../lib/claim.ts'
import type { Sequence } from '../../lib/database.ts'
import { Roster } from '../../models/roster.ts'
import { type Driver, drive } from '../support/drive.ts'
import { openHouse } from '../support/house.ts'
import { settings } from '../support/services.ts'
import { type Gate, gate } from '../support/stage.ts'
import { assert, suite } from '../support/suite.ts'
import { FakeTime } from '../support/time.ts'
import { until } from '../support/wait.ts'

/** Effects that a process can die in: each says that it has begun, and ends when it is let go. */
class World {
  begun: string[] = []
  #gate: Gate<void> = gate()
  readonly #open = new Set<string>()
  readonly #failing = new Set<string>()

  async work(name: string, signal: AbortSignal): Promise<string> {
    this.begun.push(name)
    if (this.#open.has(name)) return 'done'
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    await Promise.race([this.#gate.passed, aborted])
    if (this.#failing.has(name)) throw new Error(`${name} failed`)
    return 'done'
  }

  /** From now on these end at once. */
  open(...names: string[]): void {
    for (const name of names) this.#open.add(name)
  }

  /** Those under way fail. */
  fail(name: string): void {
    this.#failing.add(name)
    this.bury()
  }

  /** The processes that died have nothing more to say: what they began ends, too late. */
  bury(): void {
    this.#gate.open()
    this.#gate = gate()
  }
}

let world = new World()

const slow = (name: string) =>
  setup({
    actors: {
      work: effect(({ signal }) => world.work(name, signal), {
        timeout: '1h',
        retry: { attempts: 9, backoff: '1s' },
      }),
    },
  }).createMachine({
    id: name,
    initial: 'working',
    states: {
      working: {
        on: { PING: { actions: () => {} }, GO: 'elsewhere' },
        invoke: { src: 'work', onDone: 'done' },
      },
      elsewhere: { invoke: { src: 'work', onDone: 'done' } },
      done: { type: 'final' },
    },
  })

class Reactor extends Resource {
  static override tasks = { bad: slow('bad'), good: slow('good'), idle: slow('idle') }
}

/** A process: a driver whose worker has a row among those at work. */
interface Process extends Driver {
  /** It is gone without a word, whatever it had in hand. */
  die(): Promise<void>
  /** It ends in good order. */
  leave(): Promise<void>
}

type Setting = ReturnType<typeof settings>[number]
const PULSE_MS = 1_000
const SILENT_MS = 3 * PULSE_MS + 1
const PACE = { ESCAPEMENT_BEAT_MS: '1000', ESCAPEMENT_LOCK_TTL_MS: '5000' }

async function opened(setting: Setting) {
  world = new World()
  const time = new FakeTime()
  const house = await openHouse({ resources: [Reactor], time, setting, config: PACE })
  const { app } = house
  const { config, database } = app.rooms
  const hire = async (): Promise<Process> => {
    const roster = new Roster({ database, config, time, events: app.events }, 'worker')
    await roster.enter()
    let isDead = false
    const presence = {
      quarantine: roster.quarantine,
      get isJudge() {
        return roster.isJudge
      },
      release: async (id: string, fence: number) => {
        if (!isDead) await roster.release(id, fence)
      },
    }
    const die = async () => {
      isDead = true
      await roster.leave()
      await house.sql('UPDATE workers SET stopped_at = NULL WHERE id = $1', [roster.id])
    }
    return { ...drive({ app, time, owner: roster.id, presence }), die, leave: () => roster.leave() }
  }
  const row = async (held: Resource, task: string) => {
    const text = 'SELECT * FROM tasks WHERE resource_id = $1 AND name = $2'
    return (await house.sql(text, [held.id, task]))[0]
  }
  return { house, app, time, hire, row }
}
type Scene = Awaited<ReturnType<typeof opened>>

/** A process takes resources up, gets as far as these effects, and dies in them. */
function death(at: Scene, resources: readonly Resource[], ...names: string[]): Promise<void> {
  const hasBegun = async () => names.every((name) => world.begun.includes(name))
  return deathAt(at, resources, hasBegun)
}

async function deathAt(
  { hire, time }: Scene,
  resources: readonly Resource[],
  isThere: () => Promise<boolean>,
): Promise<void> {
  const victim = await hire()
  world.begun = []
  // Nobody sees the end of these ticks.
  for (const { id } of resources) void victim.tick(id).catch(() => {})
  await until(isThere, { what: 'the process was where it is to die' })
  await victim.die()
  await time.advance(SILENT_MS)
}

for (const setting of settings()) {
  const test = suite(`poison, ${setting}`)
  let at: Scene

  test.before.each(async () => {
    at = await opened(setting)
  })
  test.after.each(async () => {
    world.bury()
    await at.time.settle()
    await at.house.close()
  })

  test('is parked after three processes, with their names; retry gives it three more', async () => {
    const reactor = await at.app.create(Reactor, {})
    await reactor.bad.start()
    for (let deaths = 0; deaths < 3; deaths++) {
      assert.is((await at.row(reactor, 'bad')).status, 'running')
      await death(at, [reactor], 'bad')
    }
    const heir = await at.hire()
    world.begun = []
    await heir.tick(reactor.id)
    assert.equal(world.begun, [], 'it was not run once more')
    const { status, strikes, struck_by: who } = await at.row(reactor, 'bad')
    assert.equal([status, strikes, who.length], ['panicked', 3, 3])
    const [failure] = (await at.app.history.failures(reactor.id)).slice(-1)
    assert.equal([failure?.class, failure?.code], ['PoisonError', 'TASK_POISONOUS'])
    assert.match(failure?.message ?? '', 'Task bad took down 3 processes')
    for (const name of who) assert.match(failure?.message ?? '', name)
    const [line] = (await at.app.history.lines(reactor.id, { task: 'bad' })).slice(-1)
    assert.equal([line?.to, line?.event], ['__panic__', '__poison__'])

    await reactor.bad.retry()
    assert.is((await at.row(reactor, 'bad')).strikes, 0)
    await heir.leave()
    for (let deaths = 0; deaths < 2; deaths++) await death(at, [reactor], 'bad')
    world.open('bad')
    const last = await at.hire()
    await last.settle()
    assert.is((await reactor.bad.status())?.status, 'done', 'two deaths are not three')
    assert.is((await at.row(reactor, 'bad')).strikes, 0, 'a step clears it')
    await last.leave()
  })

  test('leaves the other tasks of its resource and of its process alone', async () => {
    const [one, two] = [await at.app.create(Reactor, {}), await at.app.create(Reactor, {})]
    await one.bad.start()
    await one.good.start()
    await two.idle.start()
    await death(at, [one, two], 'bad', 'good', 'idle')
    // Whoever is suspected is run apart: the first of them to be taken up.
    for (let deaths = 1; deaths < 3; deaths++) {
      await death(at, [one], 'bad')
      assert.not.ok(world.begun.includes('good'), 'a suspect ran beside another')
    }
    assert.is((await at.row(one, 'bad')).strikes, 2)
    const heir = await at.hire()
    world.open('good', 'idle')
    await heir.advance('15s')
    assert.is((await one.bad.status())?.status, 'panicked')
    assert.is((await one.good.status())?.status, 'done')
    assert.is((await two.idle.status())?.status, 'done')
    await heir.leave()
  })

  test('is not what a process dies of later, or leaves with a word', async () => {
    const reactor = await at.app.create(Reactor, {})
    await reactor.bad.start()
    // Drained: its lease ends, it says so, and only then it dies.
    const drained = await at.hire()
    const lease = new AbortController()
    const left = { signal: lease.signal, remainingMs: () => (lease.signal.aborted ? 0 : 1_000) }
    const ticking = drained.tick(reactor.id, left)
    await until(() => world.begun.length === 1, { what: 'it began' })
    lease.abort(new Error('drained'))
    await ticking
    await drained.die()
    await at.time.advance(SILENT_MS)
    // Gone in good order in the middle of it.
    const second = await at.hire()
    void second.tick(reactor.id).catch(() => {})
    await until(() => world.begun.length === 2, { what: 'it began again' })
    await second.leave()
    await at.time.advance(SILENT_MS)
    assert.is((await at.row(reactor, 'bad')).strikes, 0)
    // Alive, and merely robbed of it.
    const robbed = await at.hire()
    void robbed.tick(reactor.id).catch(() => {})
    await until(() => world.begun.length === 3, { what: 'it began once more' })
    const robber = await at.hire()
    void robber.tick(reactor.id).catch(() => {})
    await until(() => world.begun.length === 4, { what: 'the robber began' })
    assert.is((await at.row(reactor, 'bad')).strikes, 0)
    world.bury()
    await robbed.leave()
    await robber.leave()
  })

  test('is not cleared by mail beside its effect, but by the end of an attempt', async () => {
    const reactor = await at.app.create(Reactor, {})
    await reactor.bad.start()
    await death(at, [reactor], 'bad')
    await reactor.bad.send('PING')
    const hasRead = async () =>
      world.begun.includes('bad') && (await at.row(reactor, 'bad')).step === 2
    await deathAt(at, [reactor], hasRead)
    const third = await at.hire()
    void third.tick(reactor.id).catch(() => {})
    await until(() => world.begun.length === 2, { what: 'it began' })
    assert.is((await at.row(reactor, 'bad')).strikes, 2)
    world.fail('bad')
    await until(async () => (await at.row(reactor, 'bad')).strikes === 0, {
      what: 'it was cleared',
    })
    await third.leave()
  })

  test('is looked for only when the one before has died', async () => {
    const reactor = await at.app.create(Reactor, {})
    await reactor.idle.start()
    const asked: string[] = []
    const { database } = at.app.rooms
    const runner: Sequence = {
      query: (text, params) => {
        asked.push(text)
        return database.query(text, params)
      },
      inTurn: (statements) => {
        asked.push(...statements.map(([text]) => text))
        return database.inTurn(statements)
      },
    }
    const claims = async (owner: string) => {
      asked.length = 0
      await claim(runner, [{ resourceId: reactor.id, owner, isJudge: true }], at.time.now())
      return asked.length
    }
    assert.is(await claims('somebody'), 2)
    assert.is(await claims('somebody else'), 2)
    const victim = await at.hire()
    void victim.tick(reactor.id).catch(() => {})
    await until(() => world.begun.includes('idle'), { what: 'it began' })
    await victim.die()
    await at.time.advance(SILENT_MS)
    assert.is(await claims('the heir'), 4, 'it counts the death, and reads again')
    assert.is((await at.row(reactor, 'idle')).strikes, 1)
  })

  test.run()
}
