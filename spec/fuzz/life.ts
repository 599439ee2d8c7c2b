// One case through the engine: a resource with one task, reloaded from the database between happenings.
// Promise: each happening is met by a process of its own: a machine compiled anew, a new registry, desk,
// bus and ticker; what it does not find in the database it does not know.
import { setMaxListeners } from 'node:events'
import type { Lease } from '../../lib/contract.ts'
import { Events } from '../../lib/events.ts'
import type { AnyStateMachine, Rest } from '../../lib/machine.ts'
import { effectsOf } from '../../lib/rest.ts'
import { turn } from '../../lib/time.ts'
import { Desk } from '../../models/desk.ts'
import { Resource } from '../../models/handle.ts'
import { Joiner } from '../../models/joiner.ts'
import type { Kind } from '../../models/kind.ts'
import { Lookout } from '../../models/lookout.ts'
import { fromSnapshot } from '../../models/memory.ts'
import { Opener } from '../../models/opener.ts'
import type { TickParts } from '../../models/parts.ts'
import { Registry } from '../../models/registry.ts'
import { ResourceTicker } from '../../models/resource.ts'
import { compile, type World } from '../support/charts/compile.ts'
import { chainOfTask } from '../support/charts/deeds.ts'
import { byActor, marksOf, pending, type Seen, saidBy } from '../support/charts/live.ts'
import { type Case, type Happening, valueAt } from '../support/charts/shape.ts'
import { ALONE } from '../support/drive.ts'
import type { Ground, TaskRow } from './ground.ts'
import { Watched } from './watched.ts'

/** What the database answers to an event nobody can take any more, or ever could. */
const DEAF: ReadonlySet<unknown> = new Set(['EVENT_UNKNOWN', 'TASK_NOT_RUNNING'])
/** More rounds than any chart needs: what is due after so many will always be due. */
const MOST_ROUNDS = 200
const TASK = 'run'
const OWNER = 'fuzz'

/** One look for the start and one for each happening, and what was told of troubles on the way. */
export interface Endured {
  readonly seen: readonly Seen[]
  readonly troubles: readonly string[]
}

/** What the engine makes of a case. */
export function endured(ground: Ground, drawn: Case): Promise<Endured> {
  return ground.moments.live(async () => {
    const life = new Life(ground, drawn)
    return { seen: await life.whole(), troubles: life.troubles }
  })
}

class Life implements World {
  readonly log: unknown[] = []
  readonly troubles: string[] = []
  readonly #emitted: unknown[] = []
  readonly #said: unknown[] = []
  readonly #ground: Ground
  readonly #case: Case
  #resourceId = ''
  /** What the promise that is to be settled now will say. */
  #settling: { readonly id: string; readonly say: () => unknown } | null = null

  constructor(ground: Ground, drawn: Case) {
    this.#ground = ground
    this.#case = drawn
  }

  async whole(): Promise<Seen[]> {
    const { input, what } = this.#case
    const first = this.#process()
    this.#resourceId = (await first.desk.create(first.kind, {}, null, {})).id
    await first.desk.start(first.target(this.#resourceId), valueAt(input), {})
    const seen = [await this.#settle(first)]
    for (const one of what) seen.push(await this.#meet(one, seen.at(-1) as Seen))
    return seen
  }

  /** An effect runs in every process that comes to it, and is cut off unless it is to be settled. */
  async wait(id: string, signal: AbortSignal): Promise<unknown> {
    const settling = this.#settling
    if (settling?.id === id) {
      this.#settling = null
      return settling.say()
    }
    return new Promise((_, refuse) => signal.addEventListener('abort', () => refuse(signal.reason)))
  }

  async #meet(one: Happening, before: Seen): Promise<Seen> {
    if ('pass' in one) return this.#pass(one.pass, before)
    if (before.status !== 'active') return before
    const process = this.#process()
    if ('send' in one) {
      const event = { type: one.send, v: valueAt(one.v) }
      await process.desk.send(process.target(this.#resourceId), event, {}).catch((thrown) => {
        if (!DEAF.has(thrown?.code)) throw thrown
      })
    } else await this.#promise(one)
    return this.#settle(process)
  }

  async #promise({ n, settle, v }: Extract<Happening, { settle: string }>): Promise<void> {
    const rests = await this.#rests()
    const id = pending(
      rests.flatMap(({ task, rest }) =>
        effectsOf(rest).map(({ id }) => `${chainOfTask(task)}/${id}`),
      ),
      n,
    )
    const say = () => {
      if (settle === 'resolve') return valueAt(v)
      throw new Error(`refused ${v}`)
    }
    this.#settling = id === undefined ? null : { id, say }
  }

  /** Time stops wherever something falls due, and a process of its own takes it. */
  async #pass(ms: number, before: Seen): Promise<Seen> {
    const { moments } = this.#ground
    const until = moments.time.now() + ms
    let seen = before
    for (;;) {
      const next = seen.status === 'active' ? await this.#nextDueAt() : Number.POSITIVE_INFINITY
      await moments.until(Math.min(until, next))
      if (next > until) return seen
      seen = await this.#settle(this.#process())
    }
  }

  async #nextDueAt(): Promise<number> {
    const now = this.#ground.moments.time.now()
    const tasks = await this.#ground.tasks(this.#resourceId)
    const timers = (await this.#rests(tasks)).flatMap(({ rest }) => rest.timers)
    const moments = [...timers.map(({ dueAt }) => dueAt), ...tasks.map(({ dueAt }) => dueAt ?? now)]
    return Math.min(...moments.filter((at) => at > now), Number.POSITIVE_INFINITY)
  }

  /** Ticks until nothing is due, or only what waits for a promise that is not settled yet. */
  async #settle(process: Process): Promise<Seen> {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const tasks = await this.#ground.tasks(this.#resourceId)
      const now = this.#ground.moments.time.now()
      const isDue = tasks.some(({ dueAt }) => dueAt !== null && dueAt <= now)
      if (!isDue) return this.#look(tasks, process)
      if (await process.tick(this.#resourceId)) continue
      this.#settling = null
      return this.#look(await this.#ground.tasks(this.#resourceId), process)
    }
    throw new Error(`something was still due after ${MOST_ROUNDS} rounds`)
  }

  #look(tasks: readonly TaskRow[], { machine }: Process): Seen {
    const row = tasks.find(({ name }) => name === TASK) as TaskRow
    if (row.status === 'panicked' && !this.#hasRested(row))
      throw new Error(`it did not even start: ${this.troubles.join('; ')}`)
    const rest = this.#rest(row)
    const { value, context, output } = rest
    const marks = marksOf(machine.resolveState({ value, context, status: rest.status } as never))
    const status = STATUS[row.status] ?? row.status
    const told = { log: byActor(this.log), emitted: [...this.#emitted], said: saidBy(this.#said) }
    return { value, context, output, status, ...marks, ...told }
  }

  /** Before its first step a task has arguments in the place of a snapshot. */
  #hasRested({ snapshot }: TaskRow): boolean {
    return typeof snapshot === 'object' && snapshot !== null && 'value' in snapshot
  }

  async #rests(tasks?: readonly TaskRow[]): Promise<{ task: string; rest: Rest }[]> {
    const rows = tasks ?? (await this.#ground.tasks(this.#resourceId))
    return rows
      .filter((row) => row.status === 'running' && this.#hasRested(row))
      .map((row) => ({ task: row.name, rest: this.#rest(row) }))
  }

  #rest({ snapshot, name }: TaskRow): Rest {
    return fromSnapshot(snapshot, this.#ground.sealer, name)
  }

  #process(): Process {
    const events = new Events()
    const isRoot = ({ task }: { task: string }) => task === TASK
    events.on('task.emitted', (told) => isRoot(told) && this.#emitted.push(told.event))
    events.on('task.logged', ({ label, value }) => this.#said.push([label, value]))
    events.on('task.panicked', ({ task, error }) => this.troubles.push(`${task}: ${error.message}`))
    return new Process(this.#ground, compile(this.#case.chart, this), events)
  }
}

const STATUS: Readonly<Record<string, string>> = { running: 'active', panicked: 'error' }

/** All that a process knows beside the database. */
class Process {
  readonly machine: AnyStateMachine
  readonly kind: Kind
  readonly desk: Desk
  readonly #ticker: ResourceTicker
  readonly #store: Watched

  constructor(
    { house, moments: { time }, store, sealer }: Ground,
    machine: AnyStateMachine,
    events: Events,
  ) {
    this.machine = machine
    class Fuzzed extends Resource {
      static override tasks = { [TASK]: machine }
    }
    const registry = new Registry([Fuzzed])
    const requests = { time, sealer, actor: OWNER }
    const push = async () => {}
    this.kind = registry.of(Fuzzed)
    this.#store = new Watched(store)
    const { database } = house.app.rooms
    const { knex } = database
    const lookout = new Lookout({ knex, events, time, sealer })
    const joiner = new Joiner({ database, time, alarms: house.app.store.alarms })
    const opener = new Opener({ time, sealer, events, nearMs: 0 })
    this.desk = new Desk({
      ...{ store, knex, requests, events, registry },
      lookout,
      joiner,
      push,
      opener,
    })
    const parts: TickParts = {
      ...{ store: this.#store, time, events, registry, sealer, requests, desk: this.desk, push },
      ...{
        owner: OWNER,
        quota: { steps: 200, ms: 60_000 },
        lookMs: 60_000,
        soon: () => {},
        presence: ALONE,
      },
      children: () => {
        throw new Error('a chart has no resources beneath its own')
      },
      offspring: async () => [],
    }
    this.#ticker = new ResourceTicker(parts)
  }

  target(resourceId: string) {
    return { kind: this.kind, resourceId, task: TASK }
  }

  /** @returns false when the tick could only wait for a promise, and was cut off like a process that dies */
  async tick(resourceId: string): Promise<boolean> {
    const death = new AbortController()
    // A chart may have more effects under way than Node expects listeners.
    setMaxListeners(0, death.signal)
    const lease: Lease = {
      signal: death.signal,
      remainingMs: () => (death.signal.aborted ? 0 : Number.POSITIVE_INFINITY),
    }
    let isOver = false
    const ticked = this.#ticker.tick(resourceId, lease).finally(() => {
      isOver = true
      this.#store.forget()
    })
    await Promise.race([ticked, this.#store.quiet()])
    await turn()
    const wasOver = isOver
    death.abort()
    const verdict = await ticked
    if (verdict.kind === 'failed') throw verdict.error
    return wasOver
  }
}
