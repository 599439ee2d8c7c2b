// The life of a resource, as a machine a subclass can replace: starting, running, stopping, restarting.
// Promise: a resource is `__new__` until somebody starts it and `__stop__` when it has stopped; while it
// stops its tasks are stopped with it, in the same commit.
import { setup } from 'xstate'
import { effect } from '../lib/effect.ts'

const rise = effect(async ({ resource }) => {
  await resource.onStart()
})

const rest = effect(async ({ resource }) => {
  await resource.onStop()
  await resource.stopTasks({ reason: 'the resource stops' })
})

/** The default life. Its state is the resource's state; `{ stop: true }` begins with the end. */
export const life = setup({
  types: {} as {
    input: { stop?: boolean } | undefined
    context: { stop: boolean }
    events: { type: 'STOP' } | { type: 'RESTART' }
  },
  actors: { rise, rest },
  guards: { toStop: ({ context }) => context.stop },
}).createMachine({
  id: 'life',
  // What the methods of a resource throw panics its life; there is no better state to be in.
  meta: { allows: 'failure-unhandled' },
  context: ({ input }) => ({ stop: input?.stop ?? false }),
  initial: 'starting',
  states: {
    starting: {
      always: { guard: 'toStop', target: 'stopping' },
      invoke: { id: 'rise', src: 'rise', onDone: 'running' },
      on: { STOP: 'stopping' },
    },
    running: { on: { STOP: 'stopping', RESTART: 'restarting' } },
    restarting: {
      invoke: { id: 'rest', src: 'rest', onDone: 'starting' },
      on: { STOP: 'stopping' },
    },
    stopping: { invoke: { id: 'rest', src: 'rest', onDone: '__stop__' } },
    __stop__: { type: 'final' },
  },
})
