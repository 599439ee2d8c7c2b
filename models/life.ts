// The life of a resource, as a machine a subclass can replace: starting, running, stopping, restarting, deleting.
// Promise: a resource is `__new__` until somebody starts it and `__stop__` when it has stopped; while it
// stops its tasks are stopped with it, in the same commit, and their exit machines are waited for; when it is
// deleted its row is gone with the last step of its life.
import { assign, setup } from 'xstate'
import { action, effect, type Work } from '../lib/effect.ts'
import { fault } from '../lib/errors.ts'
import { type StateValue, stateName } from '../lib/machine.ts'

/** The state of a resource that is being deleted. */
export const DELETING = 'deleting'
/** The state of a resource, by where its life is: the outermost, or all of it where regions lie side by side. */
export function lifeState(value: StateValue): string {
  const names = typeof value === 'string' ? [value] : Object.keys(value)
  return names.length === 1 ? (names[0] as string) : stateName(value)
}

/** How long an effect waits before it looks again whether what it waits for is gone. */
const LOOK_AGAIN = '1s'

/** Why and how far a resource is to be deleted. */
export interface Deletion {
  readonly cascade: boolean
  readonly actor: string
  readonly reason: string | null
}

const rise = effect(async ({ resource }) => {
  await resource.onStart()
})

const rest = effect(async ({ resource, input }: Work<any, { reason?: string } | undefined>) => {
  await resource.onStop()
  await resource.stopTasks({ reason: input?.reason ?? 'the resource stops' })
})

/** Until the exit machines of its tasks are done. */
const drain = effect(async ({ resource, again }) => {
  if ((await resource.remains()).runs > 0) return again(LOOK_AGAIN)
})

/** Until no resource belongs to this one. */
const empty = effect(async ({ resource, input, again }: Work<any, Deletion>) => {
  const { children } = await resource.remains()
  if (children === 0) return
  if (!input.cascade) throw hasChildren(resource, children)
  await resource.deleteChildren({ actor: input.actor, reason: input.reason })
  return again(LOOK_AGAIN)
})

const vanish = effect(async ({ resource, input }: Work<any, Deletion>) => {
  // One that was made meanwhile would keep the row from going.
  const { children } = await resource.remains()
  if (children > 0) throw hasChildren(resource, children)
  await resource.remove({ actor: input.actor, reason: input.reason })
})

function hasChildren({ kind, id }: { kind: string; id: string }, count: number): Error {
  return fault('RESOURCE_HAS_CHILDREN', { kind, id, count })
}

/** A class without an exit machine has this one, which is never run. */
const exit = setup({}).createMachine({ initial: 'done', states: { done: { type: 'final' } } })

const wanted = ({ context }: { context: { delete: Deletion | null } }) => context.delete as Deletion

/** The default life. Its state is the resource's state; `{ stop: true }` and `{ delete: … }` begin with the end. */
export const life = setup({
  types: {} as {
    input: { stop?: boolean; delete?: Deletion } | undefined
    context: { stop: boolean; delete: Deletion | null; isBack: boolean }
    events: { type: 'STOP' } | { type: 'RESTART' }
  },
  actors: { rise, rest, drain, empty, exit, vanish },
  actions: {
    sayRestarting: action(({ resource }) =>
      resource.report('restarting', { reason: 'the resource restarts' }),
    ),
    sayBack: action(({ resource }) =>
      resource.report('unknown', { reason: 'the resource has restarted' }),
    ),
  },
  guards: {
    toStop: ({ context }) => context.stop,
    toDelete: ({ context }) => context.delete !== null,
    isBack: ({ context }) => context.isBack,
    /** Has some task an exit machine? The class says so. */
    hasExits: () => false,
    /** Has the class one? */
    hasExit: () => false,
  },
}).createMachine({
  id: 'life',
  // What the methods of a resource throw panics its life; there is no better state to be in.
  meta: { allows: 'failure-unhandled' },
  context: ({ input }) => ({
    stop: input?.stop ?? false,
    delete: input?.delete ?? null,
    isBack: false,
  }),
  initial: 'starting',
  states: {
    starting: {
      always: [
        { guard: 'toDelete', target: DELETING },
        { guard: 'toStop', target: 'stopping' },
      ],
      invoke: {
        id: 'rise',
        src: 'rise',
        onDone: [
          {
            guard: 'isBack',
            target: 'running',
            actions: ['sayBack', assign({ isBack: false })],
          },
          { target: 'running' },
        ],
      },
      on: { STOP: 'stopping' },
    },
    running: { on: { STOP: 'stopping', RESTART: 'restarting' } },
    restarting: {
      entry: ['sayRestarting', assign({ isBack: true })],
      initial: 'resting',
      states: {
        resting: {
          invoke: {
            id: 'rest',
            src: 'rest',
            onDone: [{ guard: 'hasExits', target: 'draining' }, '#life.starting'],
          },
        },
        draining: { invoke: { id: 'drain', src: 'drain', onDone: '#life.starting' } },
      },
      on: { STOP: 'stopping' },
    },
    stopping: {
      initial: 'resting',
      states: {
        resting: {
          invoke: {
            id: 'rest',
            src: 'rest',
            onDone: [{ guard: 'hasExits', target: 'draining' }, '#life.__stop__'],
          },
        },
        draining: { invoke: { id: 'drain', src: 'drain', onDone: '#life.__stop__' } },
      },
    },
    [DELETING]: {
      initial: 'emptying',
      states: {
        emptying: { invoke: { id: 'empty', src: 'empty', input: wanted, onDone: 'resting' } },
        resting: {
          invoke: {
            id: 'rest',
            src: 'rest',
            input: ({ context }) => ({
              reason: context.delete?.reason ?? 'the resource is deleted',
            }),
            onDone: [
              { guard: 'hasExits', target: 'draining' },
              { guard: 'hasExit', target: 'exiting' },
              'vanishing',
            ],
          },
        },
        draining: {
          invoke: {
            id: 'drain',
            src: 'drain',
            onDone: [{ guard: 'hasExit', target: 'exiting' }, 'vanishing'],
          },
        },
        exiting: {
          invoke: {
            id: 'exit',
            src: 'exit',
            input: ({ context }) => ({ state: DELETING, reason: context.delete?.reason ?? null }),
            onDone: 'vanishing',
          },
        },
        vanishing: {
          invoke: { id: 'vanish', src: 'vanish', input: wanted, onDone: '#life.__gone__' },
        },
      },
    },
    __stop__: { type: 'final' },
    __gone__: { type: 'final' },
  },
})
