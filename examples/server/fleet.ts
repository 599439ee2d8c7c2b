// A fleet: servers made together, watched over as one, and given back together.
// Promise: its servers are made in one commit, all of them or none; it is gone when the last of them is.
import { effect, field, Resource, type Self, type Work } from 'escapement'
import { setup } from 'xstate'
import * as z from 'zod'
import { Server } from './server.ts'

type Me = Self<typeof Fleet.fields>

const build = effect(async ({ resource }: Work<Me>) => {
  for (let made = 0; made < resource.size; made++) {
    const server = await resource.createChild(Server, { plan: resource.plan })
    await server.start()
    await server.provision.start()
  }
})

const awaitAll = effect(async ({ resource, input, again }: Work<Me, { health: 'up' | 'gone' }>) => {
  const count = await resource.children(Server).where({ health: input.health }).count()
  return count < resource.size ? again('300ms') : count
})

const dissolve = effect(async ({ resource }: Work<Me>) => {
  await resource.children(Server).task('deprovision').start()
})

const close = effect(async ({ resource }: Work<Me>) => {
  await resource.stop({ reason: 'its last server is gone' })
})

const run = setup({
  types: {} as {
    input: { servesMs: number }
    context: { servesMs: number }
    events: { type: 'DISSOLVE' }
  },
  actors: { build, awaitAll, dissolve, close },
  delays: { lifetime: ({ context }) => context.servesMs },
}).createMachine({
  id: 'run',
  context: ({ input }) => ({ servesMs: input.servesMs }),
  initial: 'building',
  states: {
    building: { invoke: { src: 'build', onDone: 'rising' } },
    rising: {
      invoke: { src: 'awaitAll', input: { health: 'up' }, onDone: 'serving' },
      on: { DISSOLVE: 'dissolving' },
    },
    serving: { after: { lifetime: 'dissolving' }, on: { DISSOLVE: 'dissolving' } },
    dissolving: { invoke: { src: 'dissolve', onDone: 'emptying' } },
    emptying: { invoke: { src: 'awaitAll', input: { health: 'gone' }, onDone: 'closing' } },
    closing: { invoke: { src: 'close', onDone: 'gone' } },
    gone: { type: 'final' },
  },
})

export class Fleet extends Resource {
  static override fields = {
    size: field(z.number().int().min(1).max(50).default(5)),
    plan: field(z.enum(['small', 'large']).default('small')),
  }
  static override tasks = { run }
}
