// A traffic light with its pedestrians: nested states, timers at two levels, a compound state that ends.
// Promise: plain XState; the file knows nothing of the house and runs under `createActor` as well.
import { assign, setup } from 'xstate'

export const trafficLight = setup({
  types: {} as {
    context: { rounds: number }
    events: { type: 'POWER_LOST' } | { type: 'POWER_BACK' } | { type: 'PUSH' }
  },
  actions: { countRound: assign({ rounds: ({ context }) => context.rounds + 1 }) },
  delays: {
    greenTime: 10_000,
    shortGreen: 2_000,
    yellowTime: 3_000,
    walkTime: 6_000,
    hurryTime: 2_000,
  },
}).createMachine({
  id: 'light',
  context: { rounds: 0 },
  initial: 'green',
  on: { POWER_LOST: '.dark' },
  states: {
    green: {
      tags: 'cars',
      initial: 'open',
      states: {
        open: { on: { PUSH: 'ending' } },
        // Somebody waits to cross: green ends soon, and never later than it would have anyway.
        ending: { after: { shortGreen: '#light.yellow' } },
      },
      after: { greenTime: 'yellow' },
    },
    yellow: { after: { yellowTime: 'red' } },
    red: {
      tags: 'people',
      initial: 'walk',
      states: {
        walk: { after: { walkTime: 'hurry' } },
        hurry: { tags: 'blinking', after: { hurryTime: 'stop' } },
        stop: { type: 'final' },
      },
      onDone: { target: 'green', actions: 'countRound' },
    },
    dark: { tags: 'blinking', on: { POWER_BACK: 'red' } },
  },
})
