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
}

/** Moves a machine makes of itself are limited by a count in its context. */
export const MOST_OWN_MOVES = 6

const counter = (n: number): string => COUNTERS[n % COUNTERS.length] as string
const raised = ({ context, event }: any) => ({ type: 'R', n: context.a, was: event.type })
const slow = ({ context }: any) => GRAIN_MS * (1 + (context.a % 3))
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
  later: (n) => [
    cancel(lateId(n)),
    raise({ type: 'R', late: n } as never, { delay: (n % 5) * GRAIN_MS, id: lateId(n) }),
  ],
  laterSlow: (n) => [raise(raised, { delay: n % 2 ? slow : ('slow' as never) })],
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
    log(({ context, event }) => [n, context.a, event.type], ...(n % 2 ? [`label ${n}`] : [])),
  ],
  choose: (_, plan, deed) => [choice(plan, deed)],
  self: (n) => [sendTo(({ self }) => self, { type: 'S', n } as never)],
  selfLater: (n) => [
    sendTo(({ self }) => self, (({ context }: any) => ({ type: 'S', a: context.a })) as never, {
      delay: (n % 4) * GRAIN_MS,
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
  tellLater: (n) => [
    whenThere(spawnedId(n), () =>
      sendTo(spawnedId(n), { type: 'B', n } as never, { delay: (n % 4) * GRAIN_MS }),
    ),
  ],
  forward: (n) => [whenThere(spawnedId(n), () => forwardTo(spawnedId(n)))],
  parent: (n) => [sendParent({ type: 'S', told: n } as never)],
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

const here = (id: string, isHere: boolean) => assign({ [id]: isHere } as never)

function choice(plan: Plan, { deeds = [], guard }: Deed): any {
  const [first = [], ...rest] = deeds.map((deed) => act(plan, deed))
  return enqueueActions(({ enqueue, check, context }: any) => {
    if (guard && check(guardOf(plan, guard))) for (const one of first) enqueue(one)
    enqueue.assign({ chosen: ({ context }: any) => (context.chosen ?? 0) + 1 })
    for (const one of rest.flat()) enqueue(one)
    for (const id of [`moving${context.b}`, `moving${context.b - 1}`]) enqueue.cancel(id)
    enqueue.raise({ type: 'R', id: context.b }, { delay: GRAIN_MS, id: `moving${context.b}` })
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
export const parts = (writes: unknown[], path: string) => ({
  actions: {
    record: (_: unknown, params: any) => void writes.push([path, params]),
    see: ({ context, event }: any) => void writes.push([path, context.a, event.type]),
    count: assign(({ context }: any, { key }: any) => ({ [key]: (context[key] ?? 0) + 1 })),
    stash: assign({ last: ({ event }: any) => event.v }),
    keep: assign((_: any, { n }: any) => ({ kept: valueAt(n) })),
  },
  guards: {
    below: ({ context }: any, { key, below }: any) => (context[key] ?? 0) < below,
    even: ({ event }: any) => JSON.stringify(event.type).length % 2 === 0,
  },
  delays: { short: GRAIN_MS, slow },
})
