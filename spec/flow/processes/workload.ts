// The workload of all flows: a vessel with two tasks of five steps each, secrets in every corner.
// Promise: each of its effects tells the world, each of its steps counts itself in a field, and the
// word CANARY is in every secret and nowhere else.
import { setup } from 'xstate'
import * as z from 'zod'
import {
  type App,
  action,
  effect,
  field,
  Resource,
  Secret,
  secret,
  steps,
} from '../../../bin/index.ts'
import type { StepWork } from '../../../models/steps.ts'
import type { Tell } from '../../support/sink.ts'

/** What no log, no queue and no column may show. */
export const CANARY = 'canary-in-the-mine'
/** Steps each task takes that count themselves in a field. */
export const COUNTED_STEPS = 5

/** How long a pulse rests: `after` in a state machine, so a durable timer. */
const REST_MS = 150

/** Five steps of the short form; the second sends the pulse its event. */
function climbTelling(tell: Tell) {
  /** A rung of the climb: tell, count, answer the next. */
  const rung = async ({ resource, key, attempt, signal, input }: StepWork) => {
    await tell({ key, attempt, resourceId: resource.id }, signal)
    resource.climbs += 1
    resource.token = `${input.pass.reveal()} at ${key}`
  }
  return steps<'one' | 'two' | 'three' | 'four' | 'five'>(
    {
      one: async (t) => rung(t).then(() => 'two'),
      two: async (t) => {
        await rung(t)
        await t.resource.pulse.send({ type: 'GO', pass: new Secret(`${CANARY} in a payload`) })
        return 'three'
      },
      three: async (t) => {
        await rung(t)
        if (t.resource.isFrail && t.attempt === 1) throw new Error('the rung broke')
        return 'four'
      },
      four: async (t) => rung(t).then(() => 'five'),
      five: async (t) => rung(t).then(() => t.stop(new Secret(`${CANARY} in an output`))),
    },
    { retry: { attempts: 50, backoff: '50ms..500ms' }, timeout: '1m' },
  )
}

/** A statechart with two effects, a timer and an event, side by side where they can be. */
function pulseTelling(tell: Tell) {
  const beat = effect(
    async ({ resource, key, attempt, signal }) => {
      await tell({ key, attempt, resourceId: resource.id }, signal)
      return { pass: new Secret(`${CANARY} in an effect's output`) }
    },
    { retry: { attempts: 50, backoff: '50ms..500ms' } },
  )
  return setup({
    types: {} as { events: { type: 'GO'; pass: Secret } },
    actors: { knock: beat, ring: beat },
    actions: {
      count: action(({ resource }) => {
        resource.pulses += 1
      }),
    },
  }).createMachine({
    id: 'pulse',
    initial: 'both',
    states: {
      both: {
        type: 'parallel',
        states: {
          work: {
            initial: 'knocking',
            states: {
              knocking: {
                invoke: { src: 'knock', onDone: { target: 'resting', actions: 'count' } },
              },
              resting: { after: { [REST_MS]: { target: 'rested', actions: 'count' } } },
              rested: { type: 'final' },
            },
          },
          gate: {
            initial: 'closed',
            states: {
              closed: { on: { GO: { target: 'open', actions: 'count' } } },
              open: { type: 'final' },
            },
          },
        },
        onDone: { target: 'ringing', actions: 'count' },
      },
      ringing: { invoke: { src: 'ring', onDone: { target: 'done', actions: 'count' } } },
      done: { type: 'final' },
    },
  })
}

/** The class, whose effects tell this world. */
export function vesselTelling(tell: Tell) {
  return class Vessel extends Resource {
    static override kind = 'Vessel'
    static override fields = {
      label: field(z.string()),
      token: secret(z.string()),
      isFrail: field(z.boolean().default(false)),
      climbs: field(z.number().int().default(0)),
      pulses: field(z.number().int().default(0)),
    }
    static override tasks = { climb: climbTelling(tell), pulse: pulseTelling(tell) }
  }
}

export type Vessel = ReturnType<typeof vesselTelling>

/** One vessel in this many has a rung that breaks once. */
const FRAIL_EACH = 10

/** Makes a vessel and starts its tasks: the pulse first, for the climb sends it an event. */
export async function launch(app: App, shape: Vessel, number: number): Promise<string> {
  const isFrail = number % FRAIL_EACH === 0
  const fields = { label: `vessel ${number}`, token: `${CANARY} in a field`, isFrail }
  const vessel = await app.create(shape, fields)
  await vessel.pulse.start()
  await vessel.climb.start({ pass: new Secret(`${CANARY} in an argument`) } as never)
  return vessel.id
}
