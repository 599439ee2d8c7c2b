// Scenarios of what is done to a run from outside: new versions, going back, starting and stopping its resource.
import { assign, sendParent, sendTo, setup } from 'xstate'
import { effect, Resource, task } from '../../bin/index.ts'
import type { Scenario, World } from './scenario.ts'

export function ages(world: World): Scenario[] {
  return [versions(), back(world), life(world)]
}

function versions(): Scenario {
  const kid = (version: string, state: string) =>
    setup({ types: {} as { context: any; events: any } }).createMachine({
      id: 'kid',
      version,
      initial: state,
      context: {},
      states: {
        [state]: { on: { END: 'ended' } },
        ended: { type: 'final' },
      },
    } as any)
  const plan = (version: string, working: string, child: any) =>
    setup({ types: {} as { context: any; events: any }, actors: { kid: child } }).createMachine({
      id: 'plan',
      version,
      initial: working,
      context: { n: 1 },
      states: {
        [working]: {
          invoke: { id: 'kid', src: 'kid', onDone: 'over' },
          on: {
            UP: { actions: assign({ n: ({ context }) => context.n + 1 }) },
            END: { actions: sendTo('kid', { type: 'END' }) },
          },
        },
        over: { type: 'final' },
      },
    } as any)
  class Old extends Resource {
    static override kind = 'Versions'
    static override tasks = { main: plan('1', 'working', kid('1', 'young')) as any }
  }
  class New extends Resource {
    static override kind = 'Versions'
    static override tasks = {
      main: task(plan('2', 'running', kid('2', 'grown')) as any, {
        migrate: {
          1: ({ context }: any) => ({ value: 'running', context: { n: context.n + 100 } }),
        },
        actors: { kid: { migrate: { 1: () => ({ value: 'grown' }) } } },
      }) as any,
    }
  }
  return {
    name: 'versions',
    covers: ['migrate', 'invoked machine', 'sendTo child'],
    shape: Old,
    later: New,
    script: ['UP', 'deploy!', 'UP', 'END'],
    ends: { main: 'done over', 'main/kid': 'done ended' },
    context: { n: 103 },
  }
}

function back(world: World): Scenario {
  const kid = setup({ types: {} as { context: any; events: any } }).createMachine({
    id: 'kid',
    initial: 'young',
    context: { n: 0 },
    states: {
      young: {
        on: {
          UP: {
            actions: [
              assign({ n: ({ context }) => context.n + 1 }),
              sendParent(({ context }) => ({ type: 'COUNTED', n: context.n })),
            ],
          },
        },
      },
    },
  })
  const machine = setup({
    types: {} as { context: any; events: any },
    actors: { kid, knock: effect((work) => world.deed(work, () => 'heard')) },
    delays: { wait: 5_000 },
  }).createMachine({
    id: 'back',
    initial: 'knocking',
    context: { heard: [] },
    on: {
      COUNTED: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.n] }) },
    },
    states: {
      knocking: { invoke: { id: 'knock', src: 'knock', onDone: 'working' } },
      working: {
        invoke: { id: 'kid', src: 'kid' },
        after: { wait: 'waited' },
        on: { UP: { actions: sendTo('kid', { type: 'UP' }) } },
      },
      waited: { on: { END: 'over' } },
      over: { type: 'final' },
    },
  })
  class Back extends Resource {
    static override tasks = { main: machine }
  }
  return {
    name: 'back',
    covers: ['rewind', 'promise', 'invoked machine', 'sendTo parent'],
    shape: Back,
    script: [
      ...['UP', 5_000],
      ({ main }) => main.rewind(1),
      ...['UP', 5_000],
      ({ main }) => main.rewind(4),
      ...['UP', 5_000, 'END'],
    ],
    ends: { main: 'done over', 'main/kid': 'stopped __stop__' },
  }
}

function life(world: World): Scenario {
  const machine = setup({
    actors: { knock: effect((work) => world.deed(work, () => {})) },
  }).createMachine({
    id: 'work',
    initial: 'knocking',
    states: { knocking: { invoke: { id: 'knock', src: 'knock', onDone: 'waiting' } }, waiting: {} },
  })
  class Lived extends Resource {
    static override tasks = { main: machine }
    override async onStart() {
      await (this as any).main.start()
    }
  }
  return {
    name: 'life',
    covers: ['life', 'stop', 'promise', 'starts others'],
    shape: Lived,
    script: [(held) => held.start(), (held) => held.restart(), (held) => held.stop()],
    ends: { main: 'stopped __stop__', life: 'done __stop__' },
  }
}
