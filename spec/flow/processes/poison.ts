// The app file of the flow about poison: a task that kills its own process, and tasks that only want to get on.
import { defineApp, Resource, type StepWork, SystemTime, steps } from '../../../bin/index.ts'

const time = new SystemTime()
/** How long each of the good steps takes, and each of the long ones. */
const STEP_MS = 250
const LONG_MS = 1_500

const work =
  (ms: number) =>
  ({ signal }: StepWork) =>
    time.sleep(ms, signal).then(() => signal.throwIfAborted())
const short = work(STEP_MS)
const long = work(LONG_MS)

export class Reactor extends Resource {
  static override kind = 'Reactor'
  static override tasks = {
    /** A step that goes well, and one that nobody survives. */
    bad: steps<'mix' | 'burn'>({
      mix: async (t) => short(t).then(() => 'burn'),
      burn: async () => {
        process.kill(process.pid, 'SIGKILL')
        return new Promise<never>(() => {})
      },
    }),
    good: steps<'one' | 'two' | 'three' | 'four'>({
      one: async (t) => short(t).then(() => 'two'),
      two: async (t) => short(t).then(() => 'three'),
      three: async (t) => long(t).then(() => 'four'),
      four: async (t) => short(t).then(() => t.stop()),
    }),
  }
}

export default defineApp({ resources: [Reactor] })
