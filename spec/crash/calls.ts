// Scenarios of what a machine does to the world: effects, steps, and tasks started from inside a step.
import { assign, fromPromise, setup } from 'xstate'
import * as z from 'zod'
import { effect, field, NonRetryableError, Resource, steps } from '../../bin/index.ts'
import type { Scenario, World } from './scenario.ts'

export function calls(world: World): Scenario[] {
  return [promises(world), short(world), starter(world)]
}

function promises(world: World): Scenario {
  const retry = { attempts: 3, backoff: '1s..1s' } as const
  const machine = setup({
    types: {} as { context: any; events: any },
    actors: {
      plain: fromPromise((work: any) => world.deed(work, () => work.input.n * 2)),
      flaky: effect(
        (work) =>
          world.deed(work, () => {
            if (work.attempt < 3) throw new Error('not yet')
            work.resource.calls += 1
            return work.attempt
          }),
        { retry },
      ),
      poll: effect((work) =>
        world.deed(work, () => (work.key.endsWith(':2') ? 'ready' : work.again('2s'))),
      ),
      deaf: effect((work) => world.deed(work, () => new Promise(() => {})).then((never) => never), {
        retry: { attempts: 2, backoff: '1s..1s' },
        timeout: '3s',
      }),
      broken: effect((work) =>
        world.deed(work, () => {
          throw new NonRetryableError('no')
        }),
      ),
    },
  }).createMachine({
    id: 'promises',
    initial: 'two',
    context: { got: [] },
    states: {
      two: {
        type: 'parallel',
        onDone: 'polling',
        states: {
          plain: region({ id: 'plain', src: 'plain', input: { n: 21 } }),
          flaky: region({ id: 'flaky', src: 'flaky' }),
        },
      },
      polling: { invoke: { id: 'poll', src: 'poll', onDone: to('deaf') } },
      deaf: { invoke: { id: 'deaf', src: 'deaf', onDone: 'wrong', onError: 'broken' } },
      broken: { invoke: { id: 'broken', src: 'broken', onDone: 'wrong', onError: 'over' } },
      wrong: {},
      over: { type: 'final' },
    },
    output: ({ context }: any) => context.got.length,
  } as never)
  class Promises extends Resource {
    static override fields = { calls: field(z.number().default(0)) }
    static override tasks = { main: machine as any }
  }
  return {
    name: 'promises',
    covers: ['promise', 'retry', 'again', 'timeout', 'onDone', 'onError', 'fields'],
    shape: Promises,
    script: [4_000, 5_000, 10_000],
    ends: { main: 'done over' },
    context: { got: [42, 3, 'ready'] },
  }
}

/** On to a state, with what the effect answered. */
function to(target: string) {
  return {
    target,
    actions: assign({ got: ({ context, event }: any) => [...context.got, event.output] }),
  }
}

/** A region that is done when its effect is. */
function region(invoke: object) {
  const on = { invoke: { ...invoke, onDone: to('off') } }
  return { initial: 'on', states: { on, off: { type: 'final' } } }
}

function short(world: World): Scenario {
  class Short extends Resource {
    static override fields = { rungs: field(z.number().default(0)) }
    static override tasks = {
      main: steps({
        one: (work: any) =>
          world.deed(work, () => {
            work.resource.rungs += 1
            return 'two' as const
          }),
        two: (work: any) =>
          world.deed(work, () => {
            work.resource.rungs += 1
            return work.key.endsWith(':1') ? ('three' as const) : work.again('1s')
          }),
        three: (work: any) => world.deed(work, () => work.stop('top')),
      }) as any,
    }
  }
  return {
    name: 'steps',
    covers: ['steps', 'again', 'fields'],
    shape: Short,
    script: [2_000],
    ends: { main: 'done __stop__' },
  }
}

class Part extends Resource {
  static override kind = 'CrashPart'
  static override fields = { name: field(z.string()) }
  static override tasks = {
    fit: setup({ types: {} as { events: { type: 'FIT' } } }).createMachine({
      id: 'fit',
      initial: 'loose',
      states: { loose: { on: { FIT: 'fitted' } }, fitted: { type: 'final' } },
    }),
  }
}

function starter(world: World): Scenario {
  const make = effect(async (work) => {
    await world.deed(work, () => {})
    const part: any = await work.resource.createChild(Part, { name: 'wheel' })
    await part.fit.start()
    await part.fit.send('FIT')
    await work.resource.side.start({ from: 'make' })
    await work.resource.side.send('GO')
  })
  const side = setup({ types: {} as { context: any; events: any } }).createMachine({
    id: 'side',
    initial: 'waiting',
    context: ({ input }: any) => ({ from: input.from }),
    states: { waiting: { on: { GO: 'gone' } }, gone: { type: 'final' } },
  })
  const machine = setup({ actors: { make } }).createMachine({
    id: 'starter',
    initial: 'making',
    states: {
      making: { invoke: { id: 'make', src: 'make', onDone: 'made' } },
      made: { type: 'final' },
    },
  })
  class Starter extends Resource {
    static override tasks = { main: machine, side }
  }
  return {
    name: 'starter',
    covers: ['starts others', 'child resource'],
    shape: Starter,
    script: [],
    ends: { main: 'done made', side: 'done gone', fit: 'done fitted' },
  }
}

export const PARTS = [Part]
