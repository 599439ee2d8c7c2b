// A login, as somebody else's child: asks for credentials until they are right, and tells its parent of
// each refusal. It ends with the user, or breaks when it was wrong too often.
// Promise: plain XState; it knows its parent only by the events it sends.
import { assign, fromPromise, sendParent, setup } from 'xstate'

const MOST_REFUSALS = 3

export interface User {
  readonly name: string
}

/** Refuses everybody whose password is not their name backwards. */
const verify = fromPromise<User, { name: string; password: string }>(async ({ input }) => {
  if (input.password !== [...input.name].reverse().join('')) throw new Error('wrong password')
  return { name: input.name }
})

export const login = setup({
  types: {} as {
    input: { greeting: string }
    context: { greeting: string; name: string; password: string; refusals: number }
    events: { type: 'CREDENTIALS'; name: string; password: string }
    output: User
  },
  actors: { verify },
  actions: {
    take: assign(({ event }) => ({ name: event.name, password: event.password })),
    countRefusal: assign({ refusals: ({ context }) => context.refusals + 1, password: '' }),
    tellRefusal: sendParent(({ context }) => ({ type: 'REFUSED', refusals: context.refusals })),
    tellChecking: sendParent({ type: 'CHECKING' }),
  },
  guards: { mayTryAgain: ({ context }) => context.refusals + 1 < MOST_REFUSALS },
}).createMachine({
  id: 'login',
  context: ({ input }) => ({ greeting: input.greeting, name: '', password: '', refusals: 0 }),
  initial: 'asking',
  states: {
    asking: { on: { CREDENTIALS: { target: 'checking', actions: 'take' } } },
    checking: {
      entry: 'tellChecking',
      invoke: {
        src: 'verify',
        input: ({ context: { name, password } }) => ({ name, password }),
        onDone: 'known',
        // The third refusal is handled by nobody here: the machine breaks, and its parent hears of it.
        onError: {
          guard: 'mayTryAgain',
          target: 'asking',
          actions: ['countRefusal', 'tellRefusal'],
        },
      },
    },
    known: { type: 'final' },
  },
  output: ({ context }) => ({ name: context.name }),
})
