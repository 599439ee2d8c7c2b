// The climber: the house's own task beside a resource with `onPanic`, which is told of panics one after another.
// Promise: a panic is told to the resource, then to the one it belongs to, then its alarm opens; a handler that fails or
// dies keeps no alarm from opening, for that waits no longer than a minute for any of them.
import { assign, setup } from 'xstate'
import { effect } from '../lib/effect.ts'
import type { AnyStateMachine } from '../lib/machine.ts'
import type { PanicTold } from './panic.ts'

/** The name of the task. No task of a user can have it. */
export const CLIMBER = 'house.panics'
/** What tells it of a panic. */
export const PANIC = 'PANIC'
/** Panics that wait for their handler; of more than these the alarms open by themselves. */
const MOST_WAITING = 100

interface Context {
  readonly waiting: readonly PanicTold[]
}

const policy = { retry: { attempts: 3, backoff: '1s..5s' }, timeout: '30s' } as const

const ask = effect(async ({ resource, input }) => resource.handlePanic(input), policy)
const climb = effect(async ({ resource, input }) => resource.passOn(input), policy)

/** The machine; the same for every kind. */
export const climber = setup({
  types: {} as { context: Context; events: { type: typeof PANIC; panic: PanicTold } },
  actors: { ask, climb },
  guards: {
    isHandled: ({ event }) => (event as any).output === true,
    isMore: ({ context }) => context.waiting.length > 0,
  },
  actions: {
    wait: assign(({ context, event }) => ({
      waiting: [...context.waiting, event.panic].slice(0, MOST_WAITING),
    })),
    next: assign(({ context }) => ({ waiting: context.waiting.slice(1) })),
  },
}).createMachine({
  id: 'panics',
  context: { waiting: [] },
  initial: 'idle',
  on: { [PANIC]: { actions: 'wait' } },
  states: {
    idle: { always: { guard: 'isMore', target: 'asking' } },
    asking: {
      invoke: {
        src: 'ask',
        input: ({ context }: { context: Context }) => context.waiting[0],
        onDone: [{ guard: 'isHandled', target: 'idle', actions: 'next' }, { target: 'climbing' }],
        onError: 'climbing',
      },
    },
    climbing: {
      invoke: {
        src: 'climb',
        input: ({ context }: { context: Context }) => context.waiting[0],
        onDone: { target: 'idle', actions: 'next' },
        onError: { target: 'idle', actions: 'next' },
      },
    },
  },
}) as unknown as AnyStateMachine
