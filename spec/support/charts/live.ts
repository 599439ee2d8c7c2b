// The oracle: a live actor of XState, on a clock that is moved grain by grain.
// Promise: one look for each happening and one for the start; nothing of ours takes part.
import { type AnyStateMachine, createActor, SimulatedClock } from 'xstate'
import { compile, type World } from './compile.ts'
import { type Case, GRAIN_MS, type Happening, valueAt } from './shape.ts'

/** What can be seen of a machine from outside. */
export interface Seen {
  readonly value: unknown
  readonly context: unknown
  readonly output: unknown
  readonly status: string
  readonly tags: readonly string[]
  readonly meta: unknown
  /** What custom actions wrote, by actor: no order is promised between actors. */
  readonly log: Readonly<Record<string, readonly unknown[]>>
  readonly emitted: readonly unknown[]
  /** What the action `log` said, each with its label. */
  readonly said: readonly unknown[]
}

interface Gate {
  open(value: unknown): void
  refuse(error: unknown): void
}

/** What XState makes of a case. */
export async function lived({ chart, input, what }: Case): Promise<Seen[]> {
  const world = new LiveWorld()
  const clock = new SimulatedClock()
  const logger = (...said: unknown[]) =>
    world.said.push([said.length > 1 ? said[0] : null, said.at(-1)])
  const given = { clock, logger, input: valueAt(input) }
  const actor = createActor(compile(chart, world), given as never)
  // Somebody must hear of an error, or XState throws it at the process.
  actor.subscribe({ error: () => {} })
  actor.on('*', (event) => world.emitted.push(event))
  actor.start()
  const seen: Seen[] = []
  const look = async () => {
    await settled(clock)
    seen.push(world.look(actor.getSnapshot()))
  }
  await look()
  for (const one of what) {
    if ('send' in one) {
      // An event a machine has no name for is refused at the door of a task; a guard never hears of it.
      const event = { type: one.send, v: valueAt(one.v) }
      if (isNamed(actor.logic as AnyStateMachine, one.send)) actor.send(event as never)
    } else if ('settle' in one) world.settle(actor.getSnapshot(), one)
    else
      for (let ms = 0; ms < one.pass; ms += GRAIN_MS) {
        clock.increment(GRAIN_MS)
        await settled(clock)
      }
    await look()
  }
  actor.stop()
  return seen
}

/** Does a machine name this event, if only by a wildcard? */
export const isNamed = ({ events }: AnyStateMachine, type: string) =>
  events.some((name: string) =>
    name.endsWith('*') ? `${type}.`.startsWith(name.slice(0, -1)) : name === type,
  )

/** Promises have their say, and delays of nothing are over at once, until nothing moves. */
async function settled(clock: SimulatedClock): Promise<void> {
  do {
    clock.increment(0)
    for (let turn = 0; turn < 6; turn++) await null
  } while ([...(clock as any).timeouts.values()].some((one: any) => endOf(one) <= clock.now()))
}

const endOf = ({ start, timeout }: { start: number; timeout: number }) => start + timeout

class LiveWorld implements World {
  readonly log: unknown[] = []
  readonly emitted: unknown[] = []
  readonly said: unknown[] = []
  readonly #gates = new Map<string, Gate>()

  wait(id: string): Promise<unknown> {
    return new Promise((open, refuse) => this.#gates.set(id, { open, refuse }))
  }

  settle({ children }: any, { settle, n, v }: Extract<Happening, { settle: string }>): void {
    const active = Object.values<any>(children).filter(
      (child) => child.getSnapshot().status === 'active',
    )
    const id = pending(
      active.map((child) => child.id),
      n,
    )
    const gate = this.#gates.get(id ?? '')
    if (!gate) return
    if (settle === 'resolve') gate.open(valueAt(v))
    else gate.refuse(new Error(`refused ${v}`))
  }

  look(snapshot: any): Seen {
    const { value, context, output, status } = snapshot
    const told = { log: byActor(this.log), emitted: [...this.emitted], said: [...this.said] }
    return { value, context, output, status, ...marksOf(snapshot), ...told }
  }
}

/** Of the pending promises of a number, the one that is settled. */
export const pending = (ids: readonly string[], n: number): string | undefined =>
  ids.filter((id) => id.startsWith(`p${n}_`)).sort()[0]

/** Tags and meta, in an order that does not depend on how a state was reached. */
export const marksOf = (snapshot: any): Pick<Seen, 'tags' | 'meta'> => ({
  tags: [...snapshot.tags].sort(),
  meta: snapshot.getMeta(),
})

/** The lines of each actor, in their order. */
export function byActor(log: readonly unknown[]): Record<string, unknown[]> {
  const lines: Record<string, unknown[]> = {}
  for (const [path, ...line] of log as [string, ...unknown[]][]) {
    lines[path] ??= []
    lines[path].push(line)
  }
  return lines
}
