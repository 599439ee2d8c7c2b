// Situations in which something does not move: a house brought into each, and the answer that is right.
// Promise: rows are written by the house itself where it can.
import type { Resource } from '../../bin/index.ts'
import type { AnswerCode } from '../../models/explanations.ts'
import { drive } from '../support/drive.ts'
import { until } from '../support/wait.ts'
import { Other, Pump, type Scene, Thrifty } from './pump.ts'

export interface Situation {
  readonly code: AnswerCode
  readonly said: string
  readonly does?: RegExp
  prepare(at: Scene): Promise<{ id: string; task?: string }>
}

/** A pump with this task started, and ticked until nothing is due. */
export async function ran(
  at: Scene,
  name: keyof typeof Pump.tasks,
): Promise<{ id: string; task: string }> {
  const pump = await at.make()
  await pump[name].start()
  await at.on.tick(pump.id)
  return { id: pump.id, task: name }
}
/** The same, not yet ticked. */
async function due(
  at: Scene,
  name: keyof typeof Pump.tasks,
): Promise<{ id: string; task: string }> {
  const pump = await at.make()
  await pump[name].start()
  await at.on.time.advance(185_000)
  return { id: pump.id, task: name }
}
async function grown(at: Scene): Promise<Resource> {
  const pump = await at.make()
  await pump.start()
  await at.on.tick(pump.id)
  return pump
}

export const SITUATIONS: readonly Situation[] = [
  {
    code: 'timer',
    said: 'for its timer of 2 h 5 min, due at',
    does: /^escapement send Pump\/\S+ sleep CALL$/,
    prepare: (at) => ran(at, 'sleep'),
  },
  {
    code: 'event',
    said: 'waits in state ear for an event: GO (in ear), KNOCK (in ear, if its guard allows)',
    does: /^escapement send Pump\/\S+ listen GO$/,
    prepare: (at) => ran(at, 'listen'),
  },
  {
    code: 'retry',
    said: 'makes attempt 2 of 4 of effect turn at',
    prepare: (at) => ran(at, 'flaky'),
  },
  { code: 'again', said: 'runs effect', prepare: (at) => ran(at, 'poll') },
  {
    code: 'panicked',
    said: 'is parked by a panic at step 2 since',
    does: /^escapement retry Pump\/\S+ bad$/,
    prepare: (at) => ran(at, 'bad'),
  },
  {
    code: 'poisonous',
    said: 'took down 3 processes',
    does: /^escapement retry/,
    prepare: async (at) => {
      const target = await due(at, 'hang')
      for (let deaths = 0; deaths < 3; deaths++) await at.death(target.id)
      const heir = await at.hire()
      const { app, time } = at.on
      await drive({ app, time, owner: heir.id, presence: heir }).tick(target.id)
      return target
    },
  },
  {
    code: 'stranded',
    said: 'is stranded since',
    prepare: async (at) => {
      const target = await ran(at, 'listen')
      const app = await at.on.house.neighbour({ resources: [Other] })
      const pump = await at.on.app.get(Pump, target.id)
      await pump.listen.send('GO')
      await drive({ app, time: at.on.time }).tick(target.id)
      return target
    },
  },
  {
    code: 'paused',
    said: 'was paused by ann at',
    does: /^escapement resume Pump\/\S+ listen$/,
    prepare: async (at) => {
      const target = await ran(at, 'listen')
      const pump = await at.on.app.get(Pump, target.id)
      await pump.listen.pause({ actor: 'ann', reason: 'the river is high' })
      return target
    },
  },
  {
    code: 'held',
    said: 'is held: cli:ann paused its resource since',
    does: /^escapement resume Pump\/[\w-]+$/,
    prepare: async (at) => {
      const target = await ran(at, 'sleep')
      await at.hold(`resource:${target.id}`, 'pause', null)
      return target
    },
  },
  {
    code: 'held',
    said: 'paused all tasks Pump.sleep since',
    does: /^escapement resume --task Pump\.sleep$/,
    prepare: async (at) => {
      const target = await ran(at, 'sleep')
      await at.hold('task:Pump.sleep', 'pause', null)
      return target
    },
  },
  {
    code: 'held',
    said: '(in 1 h), because: the river is high',
    does: /^escapement resume --queue$/,
    prepare: async (at) => {
      const target = await ran(at, 'sleep')
      await at.hold('queue:ticks', 'pause', at.on.time.now() + 3_600_000)
      return target
    },
  },
  {
    code: 'breaker',
    said: 'is held by the breaker of dependency river since',
    does: /^escapement breakers open river$/,
    prepare: async (at) => {
      const target = await ran(at, 'flaky')
      await at.on.house.sql(`UPDATE failures SET dependency = 'river' WHERE resource_id = $1`, [
        target.id,
      ])
      await at.hold('dependency:river', 'breaker', at.on.time.now() + 60_000)
      return target
    },
  },
  {
    code: 'limit',
    said: 'all tasks Pump.flaky asked not to be called since',
    does: /^escapement breakers open Pump\.flaky$/,
    prepare: async (at) => {
      const target = await ran(at, 'flaky')
      await at.hold('task:Pump.flaky', 'limit', at.on.time.now() + 60_000)
      return target
    },
  },
  {
    code: 'orphaned',
    said: 'who is not alive any more',
    prepare: async (at) => {
      const target = await due(at, 'hang')
      await at.death(target.id)
      return target
    },
  },
  {
    code: 'in_line',
    said: 'waits in line: as many began within the period as the limit of Pump.rare allows',
    prepare: async (at) => {
      await ran(at, 'rare')
      return ran(at, 'rare')
    },
  },
  {
    code: 'quota',
    said: 'has used its 1 step per hour; it goes on at',
    prepare: async (at) => {
      const pump = await at.make()
      await pump.quick.start()
      const app = await at.on.house.neighbour({ resources: [Thrifty] })
      await drive({ app, time: at.on.time }).tick(pump.id)
      return { id: pump.id, task: 'quick' }
    },
  },
  {
    code: 'suspect',
    said: 'a process died while this was in hand (worker-',
    prepare: async (at) => {
      const pump = await at.make()
      await pump.hang.start()
      await pump.twin.start()
      await at.death(pump.id)
      await at.busy(pump.id, await at.hire())
      const isPutOff = async () =>
        (await at.on.house.sql(`SELECT 1 FROM dues WHERE reason = 'suspect'`)).length > 0
      await until(isPutOff, { what: 'the other one waits' })
      const [row] = await at.on.house.sql(
        `SELECT name FROM tasks JOIN dues ON task_id = tasks.id WHERE reason = 'suspect'`,
      )
      return { id: pump.id, task: row.name }
    },
  },
  {
    code: 'unknown_here',
    said: 'is known to no worker that looked',
    prepare: async (at) => {
      const target = await due(at, 'quick')
      const app = await at.on.house.neighbour({ resources: [Other] })
      await drive({ app, time: at.on.time }).tick(target.id)
      return target
    },
  },
  {
    code: 'no_worker',
    said: '(3 min 5 s ago), and no worker of queue ticks is alive',
    does: /^escapement worker$/,
    prepare: (at) => due(at, 'quick'),
  },
  {
    code: 'no_clock',
    said: 'and no clock is alive to find it',
    does: /^escapement clock$/,
    prepare: async (at) => {
      const target = await due(at, 'quick')
      await at.hire()
      return target
    },
  },
  {
    code: 'late',
    said: 'is due since',
    prepare: async (at) => {
      await due(at, 'quick')
      const target = await due(at, 'quick')
      await at.hire()
      await at.hire('clock')
      return target
    },
  },
  {
    code: 'working',
    said: 'runs turn: it is in the hands of worker-',
    prepare: async (at) => {
      const target = await due(at, 'hang')
      await at.busy(target.id, await at.hire())
      return target
    },
  },
  {
    code: 'busy',
    said: 'has its resource in hand for hang since',
    prepare: async (at) => {
      const pump = await at.make()
      await pump.hang.start()
      await at.busy(pump.id, await at.hire())
      await at.on.time.settle()
      await at.on.time.advance(5)
      await pump.quick.start()
      return { id: pump.id, task: 'quick' }
    },
  },
  {
    code: 'stopping',
    said: 'its exit machine is not done',
    prepare: async (at) => {
      const target = await ran(at, 'careful')
      const pump = await at.on.app.get(Pump, target.id)
      await pump.careful.stop()
      return target
    },
  },
  {
    code: 'child',
    said: 'which waits in state ear for an event: GO',
    prepare: async (at) => {
      const target = await ran(at, 'family')
      await at.on.tick(target.id)
      return target
    },
  },
  {
    code: 'deleting',
    said: 'is part of a resource that is being deleted: 1 resources belong to it',
    prepare: async (at) => {
      const pump = await grown(at)
      await at.on.app.create(Pump, {}, { parent: pump })
      await pump.delete({ cascade: true })
      await at.on.tick(pump.id)
      return { id: pump.id }
    },
  },
  {
    code: 'nothing',
    said: 'where no timer, no event and no effect can move it',
    prepare: (at) => ran(at, 'stuck'),
  },
  {
    code: 'scheduled',
    said: 'its schedule starts it at',
    prepare: async (at) => {
      const pump = await grown(at)
      for (let turns = 0; turns < 3; turns++) await at.on.tick(pump.id)
      return { id: pump.id, task: 'hourly' }
    },
  },
  {
    code: 'parent_leaving',
    said: 'belongs beneath Pump/',
    prepare: async (at) => {
      const pump = await grown(at)
      const child = await at.on.app.create(Pump, {}, { parent: pump })
      await pump.stop()
      await at.on.tick(pump.id)
      return { id: child.id, task: 'listen' }
    },
  },
  {
    code: 'not_running',
    said: 'belongs to a resource that does not run: it is __new__',
    does: /^escapement start Pump\/[\w-]+$/,
    prepare: async (at) => ({ id: (await at.make()).id, task: 'listen' }),
  },
  {
    code: 'never_started',
    said: 'was never started',
    does: /^escapement start Pump\/\S+ listen$/,
    prepare: async (at) => ({ id: (await grown(at)).id, task: 'listen' }),
  },
  {
    code: 'failed',
    said: 'failed at',
    prepare: async (at) => {
      const { id } = await ran(at, 'brood')
      await at.on.tick(id)
      const [{ name }] = await at.on.house.sql(
        `SELECT name FROM tasks WHERE resource_id = $1 AND status = 'failed'`,
        [id],
      )
      return { id, task: name }
    },
  },
  {
    code: 'stopped',
    said: 'was stopped by ann at',
    prepare: async (at) => {
      const target = await ran(at, 'listen')
      const pump = await at.on.app.get(Pump, target.id)
      await pump.listen.stop({ actor: 'ann', reason: 'enough' })
      return target
    },
  },
  { code: 'done', said: 'came to its end at', prepare: (at) => ran(at, 'quick') },
  {
    code: 'gone',
    said: 'was deleted by ann at',
    prepare: async (at) => {
      const pump = await at.make()
      await pump.delete({ force: true, actor: 'ann', reason: 'scrap' })
      return { id: pump.id }
    },
  },
]
