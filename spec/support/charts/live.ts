// The oracle: a live actor of XState, on a clock that is moved from one moment to the next.
// Promise: one look for each happening and one for the start; nothing of ours takes part.
import { type AnyStateMachine, createActor } from 'xstate'
import { WatchedClock } from './clock.ts'
import { compile, type World } from './compile.ts'
import { chainOf } from './deeds.ts'
import { lineUp } from './line.ts'
import { type Case, type Happening, valueAt } from './shape.ts'

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
  /** What the action `log` said, each with its label, by actor. */
  readonly said: Readonly<Record<string, readonly unknown[]>>
}

interface Gate {
  open(value: unknown): void
  refuse(error: unknown): void
}

/** What XState makes of a case. */
export const lived = async (drawn: Case): Promise<Seen[]> => (await life(drawn)).seen

/** A life in XState. */
export interface Lived {
  readonly seen: Seen[]
  /** Were timers of several actors due at one moment? Nobody promises which goes first. */
  readonly isTied: boolean
  /** What ended it, if something was thrown. */
  readonly error: unknown
}

/** @param inLine whether mail waits in one line for the whole tree, see `line.ts` */
export async function life({ chart, input, what }: Case, inLine = false): Promise<Lived> {
  const world = new LiveWorld()
  const clock = new WatchedClock()
  const logger = (...said: unknown[]) =>
    world.said.push([said.length > 1 ? said[0] : null, said.at(-1)])
  const given = { clock, logger, input: valueAt(input) }
  const actor = createActor(compile(chart, world), given as never)
  clock.watch(actor.system)
  const begin = inLine ? lineUp(actor.system) : (start: () => void) => start()
  // Somebody must hear of an error, or XState throws it at the process.
  actor.subscribe({ error: () => {} })
  actor.on('*', (event) => world.emitted.push(event))
  begin(() => actor.start())
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
    } else if ('settle' in one) world.settle(actor, one)
    else await pass(clock, one.pass)
    await look()
  }
  actor.stop()
  const { error } = actor.getSnapshot() as { error: unknown }
  return { seen, isTied: clock.isTied, error }
}

/** From moment to moment: what is armed at one counts from there. */
async function pass(clock: WatchedClock, ms: number): Promise<void> {
  const until = clock.now() + ms
  while (clock.now() < until) {
    clock.increment(Math.min(until, clock.nextAt()) - clock.now())
    await settled(clock)
  }
}

/** Does a machine name this event, if only by a wildcard? */
export const isNamed = ({ events }: AnyStateMachine, type: string) =>
  events.some((name: string) =>
    name.endsWith('*') ? `${type}.`.startsWith(name.slice(0, -1)) : name === type,
  )

/** Promises have their say, and delays of nothing are over at once, until nothing moves. */
async function settled(clock: WatchedClock): Promise<void> {
  do {
    clock.increment(0)
    for (let turn = 0; turn < 6; turn++) await null
  } while (clock.nextAt() <= clock.now())
}

class LiveWorld implements World {
  readonly log: unknown[] = []
  readonly emitted: unknown[] = []
  readonly said: unknown[] = []
  readonly #gates = new Map<string, Gate>()

  wait(id: string): Promise<unknown> {
    return new Promise((open, refuse) => this.#gates.set(id, { open, refuse }))
  }

  settle(root: any, { settle, n, v }: Extract<Happening, { settle: string }>): void {
    const id = pending(promisesOf(root), n)
    const gate = this.#gates.get(id ?? '')
    if (!gate) return
    if (settle === 'resolve') gate.open(valueAt(v))
    else gate.refuse(new Error(`refused ${v}`))
  }

  look(snapshot: any): Seen {
    const { value, context, output, status } = snapshot
    const told = { log: byActor(this.log), emitted: [...this.emitted], said: saidBy(this.said) }
    return { value, context, output, status, ...marksOf(snapshot), ...told }
  }
}

/** The promises a tree waits for, each with whom it descends from. */
const promisesOf = (actor: any): string[] =>
  Object.values<any>(actor.getSnapshot().children ?? {})
    .filter((child) => child.getSnapshot().status === 'active')
    .flatMap((child) =>
      isMachine(child) ? promisesOf(child) : [[chainOf(actor), child.id].join('/')],
    )

const isMachine = ({ logic }: any) => logic.__xstatenode === true || 'states' in logic

/** Of the pending promises of a number, the one that is settled. */
export const pending = (ids: readonly string[], n: number): string | undefined =>
  ids.filter((id) => id.split('/').at(-1)?.startsWith(`p${n}_`)).sort()[0]

/** Tags and meta, in an order that does not depend on how a state was reached. */
export const marksOf = (snapshot: any): Pick<Seen, 'tags' | 'meta'> => ({
  tags: [...snapshot.tags].sort(),
  meta: snapshot.getMeta(),
})

/** What was said, by whoever said it first of all. */
export const saidBy = (said: readonly unknown[]): Record<string, unknown[]> =>
  byActor(
    (said as [unknown, [string, ...unknown[]]][]).map(([label, [who, ...rest]]) => [
      who,
      label,
      ...rest,
    ]),
  )

/** The lines of each actor, in their order. */
export function byActor(log: readonly unknown[]): Record<string, unknown[]> {
  const lines: Record<string, unknown[]> = {}
  for (const [path, ...line] of log as [string, ...unknown[]][]) {
    lines[path] ??= []
    lines[path].push(line)
  }
  return lines
}
