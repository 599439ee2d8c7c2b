// A clock or a worker as a process of its own: `staff.ts clock|worker`, configured by the environment.
// Promise: says "ready" when it is at work; prints each event of the house as one line of JSON; drains on
// the first SIGTERM and goes at once on the second; does not outlive the spec that started it.
import { createApp } from '../../../bin/index.ts'
import { worldAt } from '../../support/sink.ts'
import { vesselTelling } from './workload.ts'

/** Told too often to be of use, one by one. */
const CHATTER = new Set([
  'clock.beat',
  'tick.started',
  'tick.done',
  'effect.started',
  'effect.done',
])
const DRAINED = 0
const HURRIED = 143

const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)

process.stdin.on('end', () => process.exit(1)).resume()

const Vessel = vesselTelling(worldAt(Number(process.env.FLOW_WORLD)))
const app = await createApp({ resources: [Vessel], actor: 'flow' })
app.events.on('*', (payload, event) => {
  if (!CHATTER.has(event)) say({ told: event, ...readable(payload) })
})

let isLeaving = false
process.on('SIGTERM', async () => {
  if (isLeaving) process.exit(HURRIED)
  isLeaving = true
  await app.close()
  process.exit(DRAINED)
})

if (process.argv[2] === 'clock') app.startClock()
else await app.startWorker()
say({ told: 'ready' })

/** Errors have no enumerable parts; their words are what a reader wants. */
function readable(payload: object): object {
  const parts = Object.entries(payload).map(([name, value]) => [
    name,
    value instanceof Error ? `${value.name}: ${value.message}` : value,
  ])
  return Object.fromEntries(parts)
}
