// Deeds and guards of a chart, as XState writes them.
// Promise: what a deed does depends on the context and the event alone, and is seen in the log, the
// context, the timers or what is emitted.
import {
  and,
  assign,
  cancel,
  emit,
  enqueueActions,
  forwardTo,
  log,
  not,
  or,
  raise,
  sendParent,
  sendTo,
  spawnChild,
  stateIn,
  stopChild,
} from 'xstate'
import { COUNTERS, type Deed, type DeedKind, GRAIN_MS, type Guard, valueAt } from './shape.ts'

/** What deeds must know of the chart they are part of. */
export interface Plan {
  /** Ids of the nodes a guard may ask about. */
  readonly ids: readonly string[]
  /** How many machines there are to spawn. */
  readonly machines: number
  /** How deep beneath the root of the tree. */
  readonly depth: number
}

/** Moves a machine makes of itself are limited by a count in its context: of a tree, each multiplies the next. */
export const mostOwnMoves = ({ machines, depth }: Plan): number =>
  machines === 0 && depth === 0 ? 6 : depth === 0 ? 4 : 1

/** Whom an actor descends from, itself the last, by their ids; the same for a live actor and an address. */
export function chainOf(self: any): string {
  if (typeof self.task === 'string') return chainOfTask(self.task)
  const ids: string[] = []
  for (let one = self; one._parent; one = one._parent) ids.unshift(one.id)
  return ids.join('/')
}

/** The same of a task's name, which tells incarnations apart. */
export const chainOfTask = (name: string): string =>
  name
    .split('/')
    .slice(1)
    .map((part) => part.replace(/:[\d.]+$/, ''))
    .join('/')

/** Moments of a child are never those of its parent: nobody promises which of the two goes first. */
export const delayOf = ({ depth }: Pick<Plan, 'depth'>, grains: number): number =>
  depth === 0 ? grains * GRAIN_MS : (1 + grains) * GRAIN_MS + depth

const counter = (n: number): string => COUNTERS[n % COUNTERS.length] as string
const raised = ({ context, event }: any) => ({ type: 'R', n: context.a, was: event.type })
const slow =
  (plan: Pick<Plan, 'depth'>) =>
  ({ context }: any) =>
    delayOf(plan, 1 + (context.a % 3))
/** A few ids, so that deeds meet. */
const lateId = (n: number) => `late${n % 2}`
const movingId = ({ context }: any) => `late${context.a % 2}`
const spawnedId = (n: number) => `spawned${n % 2}`

/** One deed. Delayed events with an id are cancelled first: XState loses sight of one armed over another. */
export function act(plan: Plan, deed: Deed): any[] {
  return ACTS[deed.kind](deed.n, plan, deed)
}

const ACTS: Record<DeedKind, (n: number, plan: Plan, deed: Deed) => any[]> = {
  record: (n) => [{ type: 'record', params: { n } }],
  mark: (n) => [{ type: 'record', params: markOf(n) }],
  inline: () => [{ type: 'see' }],
  count: (n) => [{ type: 'count', params: { key: counter(n) } }],
  stash: () => ['stash'],
  keep: (n) => [{ type: 'keep', params: { n } }],
  raise: () => [raise({ type: 'R' })],
  raiseMore: () => [raise(raised)],
  later: (n, plan) => [
    cancel(lateId(n)),
    raise({ type: 'R', late: n } as never, { delay: delayOf(plan, n % 5), id: lateId(n) }),
  ],
  laterSlow: (n, plan) => [raise(raised, { delay: n % 2 ? slow(plan) : ('slow' as never) })],
  cancel: (n) => [cancel(lateId(n))],
  cancelMore: () => [cancel(movingId)],
  emit: (n) => [emit({ type: 'out', n } as never)],
  emitMore: (n) => [
    emit(({ context, event }: any) => ({
      type: 'out',
      a: context.a,
      of: event.type,
      n: valueAt(n),
    })),
  ],
  log: (n) => [
    log(
      ({ context, event, self }) => [chainOf(self), n, context.a, event.type],
      ...(n % 2 ? [`label ${n}`] : []),
    ),
  ],
  choose: (_, plan, deed) => [choice(plan, deed)],
  self: (n) => [sendTo(({ self }) => self, { type: 'S', n } as never)],
  selfLater: (n, plan) => [
    sendTo(({ self }) => self, (({ context }: any) => ({ type: 'S', a: context.a })) as never, {
      delay: delayOf(plan, n % 4),
    }),
  ],
  spawn: (n, { machines }) =>
    machines === 0
      ? []
      : [
          stopChild(spawnedId(n)),
          here(spawnedId(n), true),
          spawnChild(
            `child${n % machines}` as never,
            {
              id: spawnedId(n),
              input: ({ context }: any) => ({ from: context.a }),
            } as never,
          ),
        ],
  stop: (n) => [stopChild(spawnedId(n)), here(spawnedId(n), false)],
  tell: (n) => [whenThere(spawnedId(n), () => sendTo(spawnedId(n), { type: 'A', n } as never))],
  tellLater: (n, plan) => [
    whenThere(spawnedId(n), () =>
      sendTo(spawnedId(n), { type: 'B', n } as never, { delay: delayOf(plan, n % 4) }),
    ),
  ],
  forward: (n) => [whenThere(spawnedId(n), () => forwardTo(spawnedId(n)))],
  parent: (n) => [n % 4 === 3 ? toKin(n) : sendParent({ type: 'S', told: n } as never)],
}

const markOf =
  (n: number) =>
  ({ context, event }: any) => ({
    n,
    a: context.a,
    on: event.type,
    payload: event.v ?? event.output ?? event.n ?? null,
  })

/** To nobody, XState sends nothing but an error; so only to a child the context knows of. */
function whenThere(id: string, make: () => any): any {
  return enqueueActions(({ enqueue, context }: any) => {
    if (context[id]) enqueue(make())
  })
}

/** The system id of an actor of the root. */
export const KIN = 'kin'

const toKin = (n: number) =>
  enqueueActions(({ enqueue, system }: any) => {
    const kin = system.get(KIN)
    if (kin) enqueue.sendTo(kin, { type: 'S', n })
  })

const here = (id: string, isHere: boolean) => assign({ [id]: isHere } as never)

function choice(plan: Plan, { deeds = [], guard }: Deed): any {
  const [first = [], ...rest] = deeds.map((deed) => act(plan, deed))
  return enqueueActions(({ enqueue, check, context }: any) => {
    if (guard && check(guardOf(plan, guard))) for (const one of first) enqueue(one)
    enqueue.assign({ chosen: ({ context }: any) => (context.chosen ?? 0) + 1 })
    for (const one of rest.flat()) enqueue(one)
    for (const id of [`moving${context.b}`, `moving${context.b - 1}`]) enqueue.cancel(id)
    enqueue.raise(
      { type: 'R', id: context.b },
      { delay: delayOf(plan, 1), id: `moving${context.b}` },
    )
  })
}

/** A guard, all of its parts named or composed. */
export function guardOf(plan: Plan, guard: Guard): any {
  switch (guard.kind) {
    case 'below':
      return below(counter(guard.key), guard.limit)
    case 'computed': {
      const { key, limit } = guard
      const params = ({ context }: any) => ({ key: counter(key), below: limit + (context.b % 2) })
      return { type: 'below', params }
    }
    case 'even':
      return 'even'
    case 'in':
      return stateIn(`#${plan.ids[guard.node % plan.ids.length]}` as never)
    case 'not':
      return not(guardOf(plan, guard.of))
    case 'and':
      return and(guard.all.map((one) => guardOf(plan, one)))
    case 'or':
      return or(guard.all.map((one) => guardOf(plan, one)))
  }
}

export const below = (key: string, limit: number) => ({
  type: 'below',
  params: { key, below: limit },
})

/** What deeds and guards are made of, for `setup`. Custom actions write to `log`. */
export const parts = (writes: unknown[], depth: number) => ({
  actions: {
    record: ({ self }: any, params: any) => void writes.push([chainOf(self), params]),
    see: ({ self, context, event }: any) =>
      void writes.push([chainOf(self), context.a, event.type]),
    count: assign(({ context }: any, { key }: any) => ({ [key]: (context[key] ?? 0) + 1 })),
    stash: assign({ last: ({ event }: any) => event.v }),
    keep: assign((_: any, { n }: any) => ({ kept: valueAt(n) })),
  },
  guards: {
    below: ({ context }: any, { key, below }: any) => (context[key] ?? 0) < below,
    even: ({ event }: any) => JSON.stringify(event.type).length % 2 === 0,
  },
  delays: { short: delayOf({ depth }, 1), slow: slow({ depth }) },
})
