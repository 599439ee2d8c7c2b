// Ours: a resource for each instance, a task of ten steps on it; clock and worker in one process, as `start()` gives.
import { Course } from './course.ts'
import { Feats } from './feats.ts'
import { inLanes, type Program, serve } from './program.ts'
import { Walker } from './walker.ts'

/** How many requests the side that fills the house makes at once. */
const FILLERS = 50

serve((ground): Program => {
  const ours = new Feats(ground)
  let probes: { readonly id: string; readonly once: { start(): Promise<unknown> } }[] = []
  const ends = new Map<string, () => void>()
  return {
    async prepare() {
      await ours.open()
      await inLanes(ground.instances, FILLERS, async () => {
        const walker = await ours.app.create(Walker, {})
        await walker.chain.start()
      })
    },

    stand: () => ours.open(),

    async work() {
      const course = new Course(ground.instances)
      ours.app.events.on('task.stepped', ({ taskId }) => course.passed(taskId))
      ours.app.events.on('task.finished', () => course.arrived())
      ours.app.events.on('task.panicked', ({ error }) => course.failed(error))
      await ours.app.start()
      await course.done
      return course.figures
    },

    async idle(count) {
      probes = new Array(count)
      await inLanes(count, FILLERS, async (index) => {
        probes[index] = await ours.app.create(Walker, {})
      })
      ours.app.events.on('task.finished', ({ resourceId }) => ends.get(resourceId)?.())
      await ours.app.start()
    },

    async probe(index) {
      const { id, once } = probes[index]!
      const ended = new Promise<void>((resolve) => ends.set(id, resolve))
      await once.start()
      await ended
    },

    lay: (what, count) => ours.lay(what, count),
    begin: () => ours.app.start(),
    watch: () => ours.watch(),
    drain: (perSecond) => ours.drain(perSecond),
    fan: (count) => ours.fan(count),
    stride: (count) => ours.stride(count),
    close: () => ours.app.close(),
  }
})
