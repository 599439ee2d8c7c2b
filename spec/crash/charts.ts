// Scenarios of what one machine does by itself: states, history, guards, actions, delays.
import {
  and,
  assign,
  cancel,
  emit,
  enqueueActions,
  log,
  not,
  or,
  raise,
  sendTo,
  setup,
  stateIn,
} from 'xstate'
import * as z from 'zod'
import { action, field, delay as lasting, Resource } from '../../bin/index.ts'
import type { Scenario, World } from './scenario.ts'

const note = (name: string) =>
  assign({ notes: ({ context }: any) => [...(context.notes ?? []), name] }) as any

export function charts(world: World): Scenario[] {
  return [nested(), parallel(), deeds(world), delays(), policies(), cadence()]
}

function nested(): Scenario {
  const machine = setup({ types: {} as { context: any; events: any } }).createMachine({
    id: 'nested',
    initial: 'shop',
    context: { notes: [] },
    output: ({ context }) => ({ notes: context.notes.length }),
    states: {
      shop: {
        initial: 'cart',
        onDone: { target: 'paid', actions: note('done') },
        on: {
          AWAY: 'away',
          'mouse.*': { actions: note('mouse') },
          AGAIN: { target: 'shop', reenter: true },
        },
        entry: note('in'),
        states: {
          hist: { type: 'history', target: 'cart' },
          deep: { type: 'history', history: 'deep', target: 'cart' },
          cart: { on: { NEXT: 'form' } },
          form: {
            initial: 'name',
            tags: 'typing',
            states: {
              name: { on: { NEXT: 'street' } },
              street: { on: { NEXT: '#nested.shop.sent' } },
            },
          },
          sent: { type: 'final' },
        },
      },
      away: {
        on: {
          SHALLOW: 'shop.hist',
          DEEP: 'shop.deep',
          '*': { actions: note('wild') },
        },
      },
      paid: { type: 'final' },
    },
  })
  class Nested extends Resource {
    static override tasks = { main: machine }
  }
  return {
    name: 'nested',
    covers: [
      ...([
        'nested',
        'final output',
        'onDone of compound',
        'shallow history',
        'deep history',
      ] as const),
      ...(['wildcard', 'partial wildcard', 'reenter', 'assign', 'tags'] as const),
    ],
    shape: Nested,
    script: [
      ...['NEXT', 'NEXT', 'mouse.move', 'AWAY', 'ODD', 'DEEP', 'AWAY', 'SHALLOW', 'AGAIN'],
      ...['NEXT', 'NEXT', 'NEXT'],
    ],
    ends: { main: 'done paid' },
    context: { notes: ['in', 'mouse', 'wild', 'in', 'in', 'in', 'done'] },
  }
}

function parallel(): Scenario {
  const machine = setup({
    types: {} as { context: any; events: any },
    guards: {
      rich: ({ context }) => context.coins >= 2,
      poor: ({ context }) => context.coins === 0,
    },
  }).createMachine({
    id: 'parallel',
    initial: 'both',
    context: { coins: 0, notes: [] },
    states: {
      both: {
        type: 'parallel',
        onDone: 'over',
        states: {
          money: {
            initial: 'low',
            states: {
              low: {
                always: { guard: and(['rich', not('poor')]), target: 'high' },
                on: { COIN: { actions: assign({ coins: ({ context }) => context.coins + 1 }) } },
              },
              high: { on: { SPEND: 'spent' } },
              spent: { type: 'final' },
            },
          },
          door: {
            initial: 'shut',
            states: {
              shut: {
                on: {
                  PUSH: [
                    { guard: stateIn('#parallel.both.money.high'), target: 'open' },
                    { guard: or(['poor', 'rich']), actions: note('no') },
                  ],
                },
              },
              open: { on: { SHUT: 'locked' } },
              locked: { type: 'final' },
            },
          },
        },
      },
      over: { type: 'final' },
    },
  })
  class Parallel extends Resource {
    static override tasks = { main: machine }
  }
  return {
    name: 'parallel',
    covers: ['parallel', 'always', 'guards', 'composite guards'],
    shape: Parallel,
    script: ['PUSH', 'COIN', 'COIN', 'PUSH', 'SPEND', 'SHUT'],
    ends: { main: 'done over' },
    context: { coins: 2, notes: ['no'] },
  }
}

function telling(world: World) {
  return action(async (work) => {
    work.resource.told = (work.resource.told ?? 0) + 1
    await world.deed(work, () => {})
  }) as any
}

function deeds(world: World): Scenario {
  const machine = setup({
    types: {} as { context: any; events: any },
    actions: { tell: telling(world) },
    delays: { soon: 1_000 },
  }).createMachine({
    id: 'deeds',
    initial: 'open',
    context: { count: 0, notes: [] },
    states: {
      open: {
        on: {
          UP: {
            actions: [
              assign({ count: ({ context }) => context.count + 1 }),
              'tell',
              enqueueActions(({ context, enqueue, check }) => {
                if (check(() => context.count > 0)) enqueue.raise({ type: 'RAISED' })
                enqueue.emit({ type: 'loud' } as any)
              }),
              emit({ type: 'rang' } as any),
              log(({ context }) => context.count),
            ],
          },
          RAISED: { actions: note('raised') },
          LATER: {
            actions: [
              raise({ type: 'LATE' }, { delay: 'soon', id: 'late' }),
              raise({ type: 'NEVER' }, { delay: 'soon', id: 'never' }),
              sendTo(({ self }) => self, { type: 'SELF' }),
              sendTo(({ self }) => self, { type: 'SELF' }, { delay: 500 }),
            ],
          },
          DROP: { actions: cancel('never') },
          SELF: { actions: note('self') },
          LATE: { actions: [note('late'), 'tell'] },
          NEVER: { actions: note('never') },
          END: { target: 'shut', actions: 'tell' },
        },
      },
      shut: { type: 'final' },
    },
  })
  class Deeds extends Resource {
    static override fields = { told: field(z.number().default(0)) }
    static override tasks = { main: machine }
  }
  return {
    name: 'deeds',
    covers: [
      ...([
        'enqueueActions',
        'raise',
        'delayed raise',
        'cancel',
        'sendTo self',
        'emit',
        'log',
      ] as const),
      ...(['fields', 'action'] as const),
    ],
    shape: Deeds,
    script: ['UP', 'LATER', 'DROP', 2_000, 'UP', 'END'],
    ends: { main: 'done shut' },
    context: { count: 2, notes: ['raised', 'self', 'self', 'late', 'raised'] },
  }
}

function delays(): Scenario {
  const machine = setup({
    types: {} as { context: any; events: any },
    delays: { brief: 1_000, grown: ({ context }) => 1_000 * context.laps },
  }).createMachine({
    id: 'delays',
    initial: 'run',
    context: { laps: 1 },
    states: {
      run: {
        entry: assign({ laps: ({ context }) => context.laps + 1 }),
        after: { brief: 'rest', grown: 'never' },
        on: { AGAIN: { target: 'run', reenter: true } },
      },
      rest: {
        after: {
          grown: [{ guard: ({ context }) => context.laps < 4, target: 'run' }, { target: 'over' }],
        },
      },
      never: {},
      over: { type: 'final' },
    },
  })
  class Delays extends Resource {
    static override tasks = { main: machine }
  }
  return {
    name: 'delays',
    covers: ['named delays', 'computed delays', 'reenter'],
    shape: Delays,
    script: [500, 'AGAIN', 900, 10_000, 10_000],
    ends: { main: 'done over' },
    context: { laps: 4 },
  }
}

function policies(): Scenario {
  const machine = setup({
    types: {} as { context: any; events: any },
    delays: {
      plain: lasting('5s'),
      cold: lasting('5s', { policy: 'frozen' }),
      anew: lasting('5s', { policy: 'restart' }),
    },
  }).createMachine({
    id: 'policies',
    initial: 'wait',
    context: { notes: [] },
    states: {
      wait: {
        after: {
          plain: { actions: note('deadline') },
          cold: { actions: note('frozen') },
          anew: { actions: note('restart') },
        },
        on: { POKE: { actions: note('poke') }, END: 'over' },
      },
      over: { type: 'final' },
    },
  })
  class Policies extends Resource {
    static override tasks = { main: machine }
  }
  return {
    name: 'policies',
    covers: ['deadline timer', 'frozen timer', 'restart timer', 'pause'],
    shape: Policies,
    script: [
      2_000,
      ({ main }) => main.pause(),
      'POKE',
      20_000,
      ({ main }) => main.resume(),
      ...[3_000, 3_000, 'END'],
    ],
    ends: { main: 'done over' },
    context: { notes: ['poke', 'deadline', 'frozen', 'restart'] },
  }
}

function cadence(): Scenario {
  const machine = setup({ types: {} as { context: any; events: any } }).createMachine({
    id: 'cadence',
    initial: 'look',
    context: { notes: [] },
    states: {
      look: {
        meta: { tick: '1s', timeoutMs: 3_500, onTimeout: 'strict' },
        on: { TICK: { actions: note('tick') } },
      },
      strict: { meta: { timeoutMs: 1_000 }, on: { END: 'over' } },
      over: { type: 'final' },
    },
  })
  class Cadence extends Resource {
    static override tasks = { main: machine }
  }
  return {
    name: 'cadence',
    covers: ['meta.tick', 'meta.timeoutMs', 'retry verb'],
    shape: Cadence,
    script: [4_000, 4_000, ({ main }) => main.retry(), 'END'],
    ends: { main: 'done over' },
    context: { notes: ['tick', 'tick', 'tick'] },
  }
}
