// A form of two regions: one checks what is written, the other saves it, and each looks at the other.
// Promise: plain XState. A save that was overtaken by a keystroke is told to stop, and not believed.
import { and, assign, fromPromise, setup, stateIn } from 'xstate'

type Values = Record<string, string>

/** Answers what is wrong, by field. */
const check = fromPromise<Values, Values>(async ({ input }) => {
  const wrong = Object.entries(input).filter(([, value]) => value.trim() === '')
  return Object.fromEntries(wrong.map(([name]) => [name, 'is empty']))
})

/** Answers the number of the version it has kept. */
const save = fromPromise<number, { values: Values; version: number }>(
  async ({ input }) => input.version + 1,
)

export const form = setup({
  types: {} as {
    context: { values: Values; problems: Values; version: number; failures: number }
    events: { type: 'CHANGE'; name: string; value: string } | { type: 'SAVE' } | { type: 'CLOSE' }
    output: { version: number }
    tags: 'busy' | 'wrong' | 'dirty'
  },
  actors: { check, save },
  actions: {
    write: assign({
      values: ({ context, event }) =>
        event.type === 'CHANGE' ? { ...context.values, [event.name]: event.value } : context.values,
    }),
    countFailure: assign({ failures: ({ context }) => context.failures + 1 }),
  },
  guards: {
    isFilledIn: ({ context }) => Object.keys(context.values).length > 0,
  },
  delays: { pause: 300 },
}).createMachine({
  id: 'form',
  type: 'parallel',
  context: { values: {}, problems: {}, version: 0, failures: 0 },
  states: {
    checking: {
      initial: 'idle',
      on: {
        CHANGE: { target: '.typing', actions: 'write' },
        // Both regions look at the same moment, so they close together or not at all.
        CLOSE: { guard: stateIn({ saving: 'clean' }), target: '.closed' },
      },
      states: {
        idle: {},
        typing: { after: { pause: 'checking' } },
        checking: {
          tags: 'busy',
          invoke: {
            src: 'check',
            input: ({ context }) => context.values,
            onDone: [
              {
                guard: ({ event }) => Object.keys(event.output).length === 0,
                target: 'right',
                actions: assign({ problems: {} }),
              },
              { target: 'wrong', actions: assign({ problems: ({ event }) => event.output }) },
            ],
            onError: { target: 'typing', actions: 'countFailure' },
          },
        },
        right: {},
        wrong: { tags: 'wrong' },
        closed: { type: 'final' },
      },
    },
    saving: {
      initial: 'clean',
      states: {
        clean: { on: { CHANGE: 'dirty', CLOSE: 'closed' } },
        dirty: {
          tags: 'dirty',
          on: {
            SAVE: {
              guard: and(['isFilledIn', stateIn({ checking: 'right' })]),
              target: 'saving',
            },
          },
        },
        saving: {
          tags: ['busy', 'dirty'],
          invoke: {
            src: 'save',
            input: ({ context: { values, version } }) => ({ values, version }),
            onDone: { target: 'clean', actions: assign({ version: ({ event }) => event.output }) },
            onError: { target: 'dirty', actions: 'countFailure' },
          },
          on: { CHANGE: 'dirty' },
        },
        closed: { type: 'final' },
      },
    },
  },
  output: ({ context }) => ({ version: context.version }),
})
