// Signing in, as a parent: a login machine is its child while somebody signs in.
// Promise: plain XState. What is for the child is passed on; what the child leaves behind, or breaks of, comes back.
import { assign, sendTo, setup } from 'xstate'
import { login, type User } from './login.ts'

export const auth = setup({
  types: {} as {
    context: { user: User | null; refusals: number; checks: number; reason: string | null }
    events:
      | { type: 'SIGN_IN' | 'SIGN_OUT' | 'CANCEL' }
      | { type: 'CREDENTIALS'; name: string; password: string }
      | { type: 'CHECKING' }
      | { type: 'REFUSED'; refusals: number }
    tags: 'open' | 'shut'
  },
  actors: { login },
  actions: {
    passOn: sendTo('login', ({ event }) => event),
    countCheck: assign({ checks: ({ context }) => context.checks + 1 }),
    noteRefusal: assign({
      refusals: ({ context, event }) =>
        event.type === 'REFUSED' ? event.refusals : context.refusals,
    }),
    forget: assign({ user: null, refusals: 0, reason: null }),
  },
  delays: { lockedFor: 30_000, patience: 120_000 },
}).createMachine({
  id: 'auth',
  context: { user: null, refusals: 0, checks: 0, reason: null },
  initial: 'signed out',
  states: {
    'signed out': { tags: 'shut', on: { SIGN_IN: 'signing in' } },
    'signing in': {
      entry: 'forget',
      invoke: {
        id: 'login',
        src: 'login',
        input: { greeting: 'Who are you?' },
        onDone: { target: 'signed in', actions: assign({ user: ({ event }) => event.output }) },
        onError: {
          target: 'locked',
          actions: assign({ reason: ({ event }) => (event.error as Error).message }),
        },
      },
      on: {
        CREDENTIALS: { actions: 'passOn' },
        CHECKING: { actions: 'countCheck' },
        REFUSED: { actions: 'noteRefusal' },
        CANCEL: 'signed out',
      },
      after: { patience: 'signed out' },
    },
    'signed in': {
      tags: 'open',
      on: { SIGN_OUT: { target: 'signed out', actions: 'forget' } },
    },
    locked: { tags: 'shut', after: { lockedFor: 'signed out' } },
  },
})
