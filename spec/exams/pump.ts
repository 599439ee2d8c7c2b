// A pump, with a task for each way of not moving; and those who work on it, die of it or never come.
// Promise: whatever a scene leaves behind is cleared away by `over`.
import { setup } from 'xstate'
import { effect, NonRetryableError, Resource, steps, task } from '../../bin/index.ts'
import { Roster } from '../../models/roster.ts'
import { drive } from '../support/drive.ts'
import { type Gate, gate, type Stage } from '../support/stage.ts'
import { until } from '../support/wait.ts'

let held: Gate<void> = gate()
let begun = 0

/** Goes on until the gate opens. */
const hang = effect(
  async ({ progress, signal }) => {
    begun += 1
    progress({ parts: 2 })
    const aborted = new Promise((_, no) =>
      signal.addEventListener('abort', () => no(signal.reason)),
    )
    await Promise.race([held.passed, aborted])
  },
  { timeout: '1d', retry: { attempts: 9, backoff: '1m' } },
)
const fail = (attempts: number): typeof hang =>
  effect(
    (): void => {
      if (attempts === 1) throw new NonRetryableError('the valve is stuck')
      throw new Error('the valve is stuck')
    },
    { retry: { attempts, backoff: '2m' } },
  )
const one = (src: typeof hang) =>
  setup({ actors: { src } }).createMachine({
    initial: 'on',
    states: { on: { invoke: { id: 'turn', src: 'src', onDone: 'off' } }, off: { type: 'final' } },
  })
const listen = setup({ guards: { isMine: () => true } }).createMachine({
  initial: 'ear',
  states: {
    ear: { on: { GO: 'done', KNOCK: { guard: 'isMine', target: 'done' } } },
    done: { type: 'final' },
  },
})
const clean = setup({ actors: { hang } }).createMachine({
  initial: 'off',
  states: { off: { invoke: { src: 'hang', onDone: 'gone' } }, gone: { type: 'final' } },
})

export class Pump extends Resource {
  static override kind = 'Pump'
  static override tasks = {
    listen,
    sleep: setup({}).createMachine({
      initial: 'bed',
      states: { bed: { after: { 7500000: 'up' }, on: { CALL: 'up' } }, up: { type: 'final' } },
    }),
    flaky: one(fail(4)),
    bad: one(fail(1)),
    poll: steps({ look: async ({ again }) => again('10m') }),
    hang: one(hang),
    twin: one(hang),
    stuck: setup({}).createMachine({
      initial: 'end',
      states: { end: { meta: { allows: ['state-stuck', 'dead-end'] } } },
    }),
    family: setup({ actors: { child: listen } }).createMachine({
      initial: 'asking',
      states: {
        asking: { invoke: { id: 'kid', src: 'child', onDone: 'done' } },
        done: { type: 'final' },
      },
    }),
    brood: setup({ actors: { chick: one(fail(1)) } }).createMachine({
      initial: 'warm',
      states: {
        warm: { invoke: { src: 'chick', onDone: 'cold', onError: 'cold' } },
        cold: { type: 'final' },
      },
    }),
    careful: task(listen, { exit: clean }),
    hourly: task(steps({ run: async ({ stop }) => stop() }), { every: '1h' }),
    quick: steps({ run: async ({ stop }) => stop() }),
    rare: task(steps({ run: async ({ stop }) => stop() }), {
      limit: { rate: { count: 1, per: '1h' } },
    }),
  }
}

/** What a deploy made of it: some tasks are gone, and a state. */
export class Other extends Resource {
  static override kind = 'Pump'
  static override tasks = {
    listen: setup({}).createMachine({ initial: 'nose', states: { nose: { on: { GO: 'nose' } } } }),
  }
}

/** One whose resources may not do much. */
export class Thrifty extends Resource {
  static override kind = 'Pump'
  static override quota = { steps: 1, per: '1h' }
  static override tasks = { quick: Pump.tasks.quick }
}

/** The stage, and those who work on it. */
export class Scene {
  readonly on: Stage
  readonly #ticking: Promise<unknown>[] = []
  readonly #staff: Roster[] = []

  constructor(on: Stage) {
    this.on = on
    begun = 0
  }

  make = () => this.on.app.create(Pump, {})

  async hire(role: 'clock' | 'worker' = 'worker'): Promise<Roster> {
    const { app, time } = this.on
    const { config, database } = app.rooms
    const roster = new Roster({ database, config, time, events: app.events }, role)
    this.#staff.push(roster)
    await roster.enter()
    return roster
  }

  /** One tick that is not waited for: it is in the middle of an effect when this resolves. */
  async busy(id: string, roster?: Roster): Promise<void> {
    const { app, time } = this.on
    const before = begun
    const owner = roster ? { owner: roster.id, presence: roster } : {}
    this.#ticking.push(drive({ app, time, ...owner }).tick(id))
    await until(() => begun > before, { what: 'the effect began' })
  }

  /** A process that dies in the middle of it. */
  async death(id: string): Promise<void> {
    const roster = await this.hire()
    await this.busy(id, roster)
    await this.silence(roster)
  }

  async silence(roster: Roster): Promise<void> {
    await roster.leave()
    await this.on.house.sql('UPDATE workers SET stopped_at = NULL WHERE id = $1', [roster.id])
    await this.on.time.advance(10_000)
  }

  hold = (scope: string, by: string, until: number | null) =>
    this.on.house.sql(
      `INSERT INTO holds (scope, by, state, actor, reason, since, until)
       VALUES ($1, $2, 'shut', 'cli:ann', 'the river is high', to_timestamp($3 / 1000.0), to_timestamp($4 / 1000.0))`,
      [scope, by, this.on.time.now() - 60_000, until],
    )

  async over(): Promise<void> {
    held.open()
    await Promise.allSettled(this.#ticking)
    held = gate()
    for (const roster of this.#staff) await roster.leave()
    await this.on.house.sql('DELETE FROM holds')
    await this.on.house.sql('DELETE FROM workers')
    await this.on.house.sql('UPDATE dues SET due_at = NULL, look_at = NULL')
  }
}
