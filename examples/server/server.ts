// A server: a rented machine that is brought up, watched, replaced when it dies, and given back.
// Promise: an order carries the step's key, so a lost answer rents no second machine; giving back asks
// the cloud what is ours instead of trusting what we remember.
import {
  effect,
  field,
  NonRetryableError,
  Resource,
  type Self,
  type StepWork,
  secret,
  steps,
  type Work,
} from 'escapement'
import { assign, setup } from 'xstate'
import * as z from 'zod'
import { CloudClient } from './client.ts'
import { theCloud } from './cloud.ts'

const cloud = new CloudClient(theCloud)
const patience = { retry: { attempts: 8, backoff: '100ms..5s' }, timeout: '5s' }

type Tasks = 'provision' | 'monitor' | 'replace'
type Me = Self<typeof Server.fields, Tasks>

const order = effect(async ({ resource, key, signal }: Work<Me>) => {
  const { id, plan } = resource
  const machine = await cloud.order({ plan, owner: id }, { key, signal })
  resource.machineId = machine.id
  resource.password = machine.password
}, patience)

/** Is it up? Then it is watched from here on: the monitor starts with the very step that says so. */
const greet = effect(async ({ resource, signal }: Work<Me>) => {
  const machine = await machineOf(resource, signal)
  if (machine?.state === 'booting') return 'booting'
  if (machine?.state !== 'running') throw new NonRetryableError('the machine died in the cradle')
  resource.ip = machine.ip ?? undefined
  resource.health = 'up'
  await resource.monitor.start()
  return 'running'
}, patience)

const provision = setup({
  types: {} as { context: { refusals: number } },
  actors: { order, greet },
  actions: { count: assign({ refusals: ({ context }) => context.refusals + 1 }) },
  guards: {
    isRunning: (_, { answer }: { answer: string }) => answer === 'running',
    isHopeless: ({ context }) => context.refusals >= 5,
  },
  delays: { bootTime: 300, aWhile: 2_000 },
}).createMachine({
  id: 'provision',
  context: { refusals: 0 },
  initial: 'ordering',
  states: {
    ordering: { invoke: { src: 'order', onDone: 'booting', onError: 'refused' } },
    booting: { after: { bootTime: 'greeting' } },
    greeting: {
      invoke: {
        src: 'greet',
        onDone: [
          {
            guard: { type: 'isRunning', params: ({ event }) => ({ answer: event.output }) },
            target: 'online',
          },
          { target: 'booting' },
        ],
        onError: 'refused',
      },
    },
    refused: {
      entry: 'count',
      always: { guard: 'isHopeless', target: 'failed' },
      after: { aWhile: 'ordering' },
    },
    online: { type: 'final' },
    failed: { type: 'final' },
  },
})

/** Looks twice a second; only a change leaves a line in the history. */
const monitor = steps(
  {
    watching: async ({ resource, signal, again, stop }: StepWork<Me>) => {
      const machine = await machineOf(resource, signal)
      if (machine?.state === 'running') return again('500ms')
      resource.health = 'dead'
      await resource.replace.start({}, { reason: 'the machine died' })
      return stop()
    },
  },
  patience,
)

const replace = steps(
  {
    burying: async ({ resource, signal }: StepWork<Me>) => {
      await giveBack(resource, signal)
      return 'ordering'
    },
    ordering: async ({ resource, stop }: StepWork<Me>) => {
      resource.replacements += 1
      await resource.provision.start()
      return stop()
    },
  },
  patience,
)

/** Others stop first. What they were ordering meanwhile is found in the second look. */
const deprovision = steps(
  {
    silencing: async ({ resource }: StepWork<Me>) => {
      for (const task of [resource.monitor, resource.replace, resource.provision]) await task.stop()
      return 'returning'
    },
    returning: async ({ resource, signal, again }: StepWork<Me>) => {
      const wereOurs = await giveBack(resource, signal)
      return wereOurs > 0 ? again('200ms') : 'leaving'
    },
    leaving: async ({ resource, stop }: StepWork<Me>) => {
      resource.health = 'gone'
      await resource.stop({ reason: 'its machine was given back' })
      return stop()
    },
  },
  patience,
)

export class Server extends Resource {
  static override fields = {
    plan: field(z.enum(['small', 'large']).default('small')),
    health: field(z.enum(['new', 'up', 'dead', 'gone']).default('new')),
    replacements: field(z.number().int().default(0)),
    machineId: field(z.string().optional()),
    ip: field(z.ipv4().optional()),
    password: secret(z.string().optional()),
  }
  static override tasks = { provision, monitor, replace, deprovision }
}

const machineOf = async ({ machineId }: Me, signal: AbortSignal) =>
  machineId === undefined ? null : cloud.find(machineId, { signal })

/** Gives back every machine that is ours. Answers how many there were. */
async function giveBack(resource: Me, signal: AbortSignal): Promise<number> {
  const machines = await cloud.ownedBy(resource.id, { signal })
  for (const { id } of machines) await cloud.remove(id, { signal })
  resource.machineId = undefined
  resource.ip = undefined
  resource.password = undefined
  return machines.length
}
