// A request that is tried again: a promise invoked, attempts counted in the context, a delay that grows.
// Promise: plain XState. The machine itself decides when to try again, so its promise needs no policy;
// see checkout.ts for an effect that brings one.
import { assign, fromPromise, setup } from 'xstate'

const MOST_ATTEMPTS = 3

/** `data:` addresses need no network: `data:application/json,{"a":1}`. */
const request = fromPromise<unknown, { url: string }>(async ({ input, signal }) => {
  const answer = await fetch(input.url, { signal })
  if (!answer.ok) throw new Error(`the answer was ${answer.status}`)
  return answer.json()
})

export const fetchWithRetry = setup({
  types: {} as {
    input: { url: string }
    context: { url: string; attempts: number; error: unknown; data: unknown }
    events: { type: 'CANCEL' } | { type: 'RETRY' } | { type: 'GIVE_UP' }
    output: { data: unknown; attempts: number }
  },
  actors: { request },
  actions: {
    countAttempt: assign({ attempts: ({ context }) => context.attempts + 1 }),
    startOver: assign({ attempts: 0, error: null }),
  },
  guards: { mayTryAgain: ({ context }) => context.attempts < MOST_ATTEMPTS },
  delays: { backoff: ({ context }) => 1_000 * 2 ** (context.attempts - 1) },
}).createMachine({
  id: 'fetch',
  context: ({ input }) => ({ url: input.url, attempts: 0, error: null, data: null }),
  initial: 'loading',
  states: {
    loading: {
      tags: 'pending',
      entry: 'countAttempt',
      invoke: {
        src: 'request',
        input: ({ context }) => ({ url: context.url }),
        onDone: { target: 'loaded', actions: assign({ data: ({ event }) => event.output }) },
        onError: [
          {
            guard: 'mayTryAgain',
            target: 'waiting',
            actions: assign({ error: ({ event }) => event.error }),
          },
          { target: 'failed', actions: assign({ error: ({ event }) => event.error }) },
        ],
      },
      on: { CANCEL: 'idle' },
    },
    waiting: {
      tags: 'pending',
      after: { backoff: 'loading' },
      on: { RETRY: 'loading', CANCEL: 'idle' },
    },
    idle: { on: { RETRY: { target: 'loading', actions: 'startOver' }, GIVE_UP: 'given up' } },
    failed: {
      tags: 'trouble',
      on: { RETRY: { target: 'loading', actions: 'startOver' }, GIVE_UP: 'given up' },
    },
    loaded: { type: 'final' },
    'given up': { type: 'final' },
  },
  output: ({ context: { data, attempts } }) => ({ data, attempts }),
})
