// What can befall a running house, one fault at a time.
// Promise: each fault is real (signals, servers, sessions), names what it does, and heals itself at the end.
import { Redis } from 'ioredis'
import type { Scene } from '../flow/scene.ts'
import type { StaffProcess } from '../support/processes.ts'
import type { PrivateServer } from '../support/services.ts'

/** Where a fault happens. */
export interface Stage {
  readonly scene: Scene
  readonly postgres: PrivateServer
  readonly redis: PrivateServer
}

export interface Fault {
  readonly name: string
  /** Does it; answers how to heal what does not heal by itself, once the house has recovered. */
  strike(stage: Stage): Promise<() => Promise<void>>
}

const nothing = async () => {}

/** The processes of a role that are at work. */
const staff = ({ scene }: Stage, role: 'clock' | 'worker'): StaffProcess[] =>
  scene.processes.all.filter(({ name, isRunning }) => isRunning && name.startsWith(role))

/** The one that has been at work longest. */
function eldest(stage: Stage, role: 'clock' | 'worker'): StaffProcess {
  const [found] = staff(stage, role)
  if (!found) throw new Error(`no ${role} is at work`)
  return found
}

/** A supervisor starts another. */
const replace = (stage: Stage, role: 'clock' | 'worker') => async () => {
  await stage.scene.staff(role)
}

export const FAULTS: readonly Fault[] = [
  { name: 'none', strike: async () => nothing },
  {
    name: 'kill -9 of a worker',
    strike: async (stage) => {
      await eldest(stage, 'worker').kill()
      return replace(stage, 'worker')
    },
  },
  {
    name: 'kill -9 of a clock',
    strike: async (stage) => {
      await eldest(stage, 'clock').kill()
      return replace(stage, 'clock')
    },
  },
  {
    name: 'kill -9 of all workers',
    strike: async (stage) => {
      const all = staff(stage, 'worker')
      await Promise.all(all.map((one) => one.kill()))
      await stage.scene.staff(...all.map(() => 'worker' as const))
      return nothing
    },
  },
  {
    name: 'SIGSTOP of a worker, SIGCONT when others did its work',
    strike: async (stage) => {
      const zombie = eldest(stage, 'worker')
      zombie.signal('SIGSTOP')
      return async () => zombie.signal('SIGCONT')
    },
  },
  {
    name: 'SIGTERM of a worker',
    strike: async (stage) => {
      const leaver = eldest(stage, 'worker')
      leaver.signal('SIGTERM')
      await leaver.ended
      return replace(stage, 'worker')
    },
  },
  {
    name: 'FLUSHALL',
    strike: async ({ redis }) => {
      const operator = new Redis(redis.url)
      await operator.flushall()
      await operator.quit()
      return nothing
    },
  },
  {
    name: 'kill -9 of Redis, back with nothing',
    strike: async ({ redis }) => {
      await redis.kill('SIGKILL')
      await redis.restart()
      return nothing
    },
  },
  {
    name: 'immediate shutdown of PostgreSQL, started again',
    strike: async ({ postgres }) => {
      await postgres.kill('SIGQUIT')
      await postgres.restart()
      return nothing
    },
  },
  {
    name: 'all database sessions dismissed',
    strike: async ({ scene }) => {
      await scene.dismissSessions()
      return nothing
    },
  },
]
