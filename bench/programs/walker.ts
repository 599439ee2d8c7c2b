// Our resource, with a task for each workload, and the app it lives in.
// Promise: encryption and locks are on; nothing is set but the concurrency and a pool to match.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { setup } from 'xstate'
import type * as Escapement from '../../bin/index.ts'
import type { Ground } from '../protocol.ts'

/** Built JavaScript, as users install it. */
const entry = process.env.BENCH_ENTRY ?? `../../bin/index${import.meta.url.slice(-3)}`
const { createApp, readConfig, Resource, steps }: typeof Escapement = await import(entry)

export class Walker extends Resource {
  static override tasks = {
    chain: steps({
      s0: async () => 's1',
      s1: async () => 's2',
      s2: async () => 's3',
      s3: async () => 's4',
      s4: async () => 's5',
      s5: async () => 's6',
      s6: async () => 's7',
      s7: async () => 's8',
      s8: async () => 's9',
      s9: async (t) => t.stop(),
    }),
    once: steps({ s0: async (t) => t.stop() }),
    nap: setup({}).createMachine({
      initial: 'asleep',
      states: { asleep: { after: { 3600000: 'awake' } }, awake: { type: 'final' } },
    }),
    stride: setup({}).createMachine({
      initial: 'left',
      states: { left: { on: { STEP: 'right' } }, right: { on: { STEP: 'left' } } },
    }),
    // All children belong to the commit of the one step that makes them.
    fan: steps({
      spread: async (t) => {
        for (let index = 0; index < t.input; index += 1) {
          const child = await t.resource.createChild(Walker, {})
          await child.once.start()
        }
        return t.stop()
      },
    }),
  }
}

/** The same for whoever fills the house and whoever works in it. */
const KEYS = `0:${createHash('sha256').update('bench').digest('base64url')}`
function configOf({ variant, databaseUrl, redisUrl, folder, concurrency }: Ground) {
  return readConfig({
    ESCAPEMENT_KEYS: KEYS,
    ESCAPEMENT_DATA: join(folder, 'data'),
    ESCAPEMENT_CONCURRENCY: String(concurrency),
    ESCAPEMENT_LOG: 'error',
    ...(variant !== 'embedded' && { DATABASE_URL: databaseUrl }),
    ...(variant === 'full' && { REDIS_URL: redisUrl }),
  })
}

/** Opens an app that does not work yet. */
export function openApp(ground: Ground): Promise<Escapement.App> {
  return createApp({ resources: [Walker], config: configOf(ground), migrate: true })
}
