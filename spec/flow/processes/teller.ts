// The app file of the flow about notices: tasks that panic, and whoever is to hear of it.

import { createMachine } from 'xstate'
import {
  defineApp,
  effect,
  NonRetryableError,
  notifications,
  Resource,
  webhook,
} from '../../../bin/index.ts'

const machine = createMachine({
  initial: 'running',
  states: { running: { invoke: { src: 'run', onDone: 'done' } }, done: { type: 'final' } },
}).provide({
  actors: {
    run: effect(async () => {
      throw new NonRetryableError('it broke')
    }),
  },
} as never)

export class Pump extends Resource {
  static override kind = 'Pump'
  static override tasks = { run: machine }
}
export class Fan extends Resource {
  static override kind = 'Fan'
  static override tasks = { run: machine }
}

/** An app that tells this receiver. */
export const tellingAt = (url: string) =>
  defineApp({
    resources: [Pump, Fan],
    plugins: [
      notifications({
        allowPrivate: ['127.0.0.1'],
        routes: [
          {
            ...{ name: 'hook', timeout: '1s', groupWait: '100ms', groupInterval: 0, show: 1_000 },
            to: webhook({ url, secret: `whsec_${Buffer.alloc(32, 'told').toString('base64')}` }),
            retry: { attempts: 1_000, backoff: '50ms..200ms' },
          },
        ],
      }),
    ],
  })

export default tellingAt(process.env.FLOW_HOOK ?? 'http://127.0.0.1:9')
