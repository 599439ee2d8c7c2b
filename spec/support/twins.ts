// Twins: one script played to an actor of XState and to a task of the house.
// Promise: both see the same events and the same time; what can be seen of them from outside is written
// down after each. The task is taken up by another process's rooms for every single event.
import { type AnyStateMachine, createActor, SimulatedClock } from 'xstate'
import type { MachineEvent, Rest } from '../../lib/rest.ts'
import { taskOf } from '../../models/dress.ts'
import type { ResourceClass } from '../../models/handle.ts'
import { fromSnapshot } from '../../models/memory.ts'
import { type Driver, drive } from './drive.ts'
import type { Stage } from './stage.ts'
import { FakeTime } from './time.ts'
import { sealer } from './values.ts'

/** An event to send, or milliseconds to let pass. */
export type Happening = MachineEvent | string | number

/** What can be seen of a machine from outside. */
export interface Seen {
  readonly value: unknown
  readonly context: unknown
  readonly status: string
  readonly output: unknown
  readonly tags: readonly string[]
}

export interface Script {
  readonly machine: AnyStateMachine
  readonly input?: unknown
  readonly happenings: readonly Happening[]
}

/** Every delay of a script is a multiple of this, so that promises settle between any two timers. */
const GRAIN_MS = 100

const eventOf = (happening: MachineEvent | string): MachineEvent =>
  typeof happening === 'string' ? { type: happening } : happening

/** What an actor of XState makes of a script: once at its start, and once after each happening. */
export async function lived({ machine, input, happenings }: Script): Promise<Seen[]> {
  const turns = new FakeTime()
  const clock = new SimulatedClock()
  const actor = createActor(machine, { clock, input } as never)
  // Without somebody who listens, an error of the actor would be one of the process.
  actor.subscribe({ error: () => {} })
  actor.start()
  await turns.settle()
  const seen = [look(machine, actor.getSnapshot() as never)]
  for (const happening of happenings) {
    if (typeof happening !== 'number') actor.send(eventOf(happening))
    else {
      for (let ms = 0; ms < happening; ms += GRAIN_MS) {
        clock.increment(GRAIN_MS)
        await turns.settle()
      }
    }
    await turns.settle()
    seen.push(look(machine, actor.getSnapshot() as never))
  }
  return seen
}

export interface Run {
  readonly resourceId: string
  readonly taskId: string
  /** What was seen, as of `lived`. */
  readonly seen: readonly Seen[]
}

/** What a task makes of it, run by a process of its own for every happening. */
export async function run(
  on: Stage,
  shape: ResourceClass,
  task: string,
  { machine, input, happenings }: Script,
): Promise<Run> {
  const { id } = await on.app.create(shape, {})
  const handle = async () => taskOf((await on.app.get(shape, id)) as never, task)
  const { taskId } = await (await handle()).start(input as never)
  await afresh(on, ({ settle }) => settle())
  const seen = [look(machine, await restOf(on, taskId))]
  for (const happening of happenings) {
    if (typeof happening !== 'number') {
      // An actor that is done hears nothing; a task that is done says so.
      await (await handle()).send(eventOf(happening) as never).catch(unlessEnded)
    }
    const byMs = typeof happening === 'number' ? happening : 0
    await afresh(on, ({ advance, settle }) => (byMs > 0 ? advance(byMs) : settle()))
    seen.push(look(machine, await restOf(on, taskId)))
  }
  await (await handle()).stop()
  return { resourceId: id, taskId, seen }
}

/** Another process, as far as memory goes: rooms of its own on the same database, closed afterwards. */
export async function afresh<T>(on: Stage, work: (driver: Driver) => Promise<T>): Promise<T> {
  const app = await on.house.neighbour()
  try {
    return await work(drive({ app, time: on.time }))
  } finally {
    await app.close()
  }
}

/** Where a task rests, as it is stored. */
export async function restOf(on: Stage, taskId: string): Promise<Rest> {
  const sql = `SELECT snapshot FROM tasks JOIN transitions ON task_id = id AND transitions.step = rest_step
               WHERE id = $1`
  const [row] = await on.house.sql(sql, [taskId])
  return fromSnapshot(row.snapshot, sealer, 'spec')
}

function look(
  machine: AnyStateMachine,
  { value, context, status, output }: Pick<Rest, 'value' | 'context' | 'status' | 'output'>,
): Seen {
  const { tags } = machine.resolveState({ value, context } as never)
  const seen = { value, context, status, output, tags: [...tags].sort() }
  return structuredClone(plain(seen)) as Seen
}

/** Errors are told apart by name and message; uvu would take any two for equal. */
function plain(value: unknown): unknown {
  if (value instanceof Error) return { name: value.name, message: value.message }
  if (Array.isArray(value)) return value.map(plain)
  if (Object.getPrototypeOf(value ?? 0) !== Object.prototype) return value
  return Object.fromEntries(
    Object.entries(value as object).map(([key, part]) => [key, plain(part)]),
  )
}

function unlessEnded(thrown: unknown): void {
  if ((thrown as { code?: unknown }).code !== 'TASK_FINISHED') throw thrown
}
