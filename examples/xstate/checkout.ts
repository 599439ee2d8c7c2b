// A checkout one can leave and come back to: steps back and forth, shallow and deep history, an output
// that climbs from the innermost state to the outside.
// Promise: XState as it is, but for `effect`, which brings a policy of retries and a key for the bank;
// under `createActor` it is a promise like any other.
import { effect } from 'escapement'
import { assign, setup } from 'xstate'

export interface Receipt {
  readonly number: string
  readonly amount: number
}

/** Here one would call the bank, and hand it `key`: the same on every attempt of this step. */
const charge = effect<Receipt, { amount: number }>(
  async ({ input }) => ({ number: `R${input.amount}`, amount: input.amount }),
  { retry: { attempts: 4, backoff: '1s..8s' }, timeout: '20s' },
)

export const checkout = setup({
  types: {} as {
    context: {
      items: readonly { name: string; price: number }[]
      address: string | null
      express: boolean
      receipt: Receipt | null
      refusal: string | null
    }
    events:
      | { type: 'ADD'; name: string; price: number }
      | { type: 'ADDRESS'; address: string }
      | { type: 'SPEED'; express: boolean }
      | { type: 'NEXT' | 'BACK' | 'ASK' | 'RESUME' | 'RESUME_STEP' | 'PAY' | 'LEAVE' }
    output: { bought: number; receipt: Receipt | null }
    tags: 'form' | 'paying'
  },
  actors: { charge },
  actions: {
    put: assign({
      items: ({ context, event }) =>
        event.type === 'ADD'
          ? [...context.items, { name: event.name, price: event.price }]
          : context.items,
    }),
    setAddress: assign({
      address: ({ context, event }) => (event.type === 'ADDRESS' ? event.address : context.address),
    }),
    setSpeed: assign({
      express: ({ context, event }) => (event.type === 'SPEED' ? event.express : context.express),
    }),
  },
  guards: {
    hasItems: ({ context }) => context.items.length > 0,
    hasAddress: ({ context }) => context.address !== null,
  },
  delays: { patience: 60_000 },
}).createMachine({
  id: 'checkout',
  context: { items: [], address: null, express: false, receipt: null, refusal: null },
  initial: 'shopping',
  states: {
    shopping: {
      on: {
        ADD: { actions: 'put' },
        NEXT: { guard: 'hasItems', target: 'paying.last step' },
        LEAVE: 'gone',
      },
    },
    paying: {
      initial: 'delivery',
      on: { ASK: 'asking' },
      onDone: {
        target: 'bought',
        actions: assign({ receipt: ({ event }) => event.output as Receipt }),
      },
      states: {
        delivery: {
          tags: 'form',
          initial: 'address',
          on: { BACK: '#checkout.shopping' },
          states: {
            address: {
              on: {
                ADDRESS: { actions: 'setAddress' },
                NEXT: { guard: 'hasAddress', target: 'speed' },
              },
            },
            speed: {
              on: {
                SPEED: { actions: 'setSpeed' },
                NEXT: '#checkout.paying.review',
                BACK: 'address',
              },
            },
          },
        },
        review: {
          on: { PAY: 'charging', BACK: 'delivery.speed' },
        },
        charging: {
          tags: 'paying',
          invoke: {
            src: 'charge',
            input: ({ context: { items, express } }) => ({
              amount: items.reduce((sum, { price }) => sum + price, express ? 5 : 0),
            }),
            onDone: 'paid',
            onError: {
              target: 'review',
              actions: assign({ refusal: ({ event }) => String((event.error as Error).message) }),
            },
          },
        },
        paid: { type: 'final', output: ({ event }) => (event as { output?: unknown }).output },
        'last step': { type: 'history', target: 'delivery' },
        'last place': { type: 'history', history: 'deep', target: 'delivery' },
      },
    },
    // A question to the shop: back to the very place, or to the beginning of the step.
    asking: {
      on: { RESUME: 'paying.last place', RESUME_STEP: 'paying.last step' },
      after: { patience: 'gone' },
    },
    bought: { type: 'final' },
    gone: { type: 'final' },
  },
  output: ({ context: { items, receipt } }) => ({ bought: items.length, receipt }),
})
