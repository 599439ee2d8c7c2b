// The systems that are compared: where their programs are, what they need, and what each name stands for.
import type { Flush } from './servers.ts'

export interface System {
  readonly name: string
  /** Its program, below `programs`. */
  readonly program: string
  /** Is a step that was reported still there after the power failed? */
  readonly durable: boolean
  /** Does it hand out work, so that it can be the best peer? */
  readonly isEngine: boolean
  readonly needs: readonly ('postgres' | 'redis' | 'restate')[]
  /** The package whose version is told. */
  readonly vendor: string | null
  /** The oldest Node it runs on. */
  readonly node: number
  /** Measured unless --peers says otherwise: in quick runs too, in whole runs, or only when named. */
  readonly when: 'quick' | 'whole' | 'named'
  /** Variables of its restate-server. */
  readonly restate?: Readonly<Record<string, string>>
  readonly about: string
}

const ours = {
  program: 'escapement.ts',
  durable: true,
  isEngine: true,
  vendor: null,
  node: 20,
} as const
const restate = {
  program: 'peers/restate.ts',
  durable: true,
  isEngine: true,
  needs: ['restate'],
  vendor: '@restatedev/restate-server',
  // Its package names no version, but its code uses Promise.withResolvers.
  node: 22,
} as const
const postgres = { durable: true, isEngine: true, needs: ['postgres'] } as const

export const SYSTEMS: readonly System[] = [
  {
    ...ours,
    name: 'escapement:full',
    needs: ['postgres', 'redis'],
    when: 'quick',
    about: 'ours: PostgreSQL and Redis, encryption and locks on, one process',
  },
  {
    ...ours,
    name: 'escapement:postgres',
    needs: ['postgres'],
    when: 'whole',
    about: 'ours without Redis',
  },
  {
    ...ours,
    name: 'escapement:embedded',
    needs: [],
    when: 'whole',
    about: 'ours with the database inside the process',
  },
  {
    ...postgres,
    name: 'dbos:direct',
    program: 'peers/dbos.ts',
    vendor: '@dbos-inc/dbos-sdk',
    node: 20,
    when: 'quick',
    about: 'a workflow of ten steps, started directly',
  },
  {
    ...postgres,
    name: 'dbos:fast',
    program: 'peers/dbos.ts',
    vendor: '@dbos-inc/dbos-sdk',
    node: 20,
    when: 'whole',
    about: 'the same from a queue that is asked every 50 ms',
  },
  {
    ...postgres,
    name: 'graphile:default',
    program: 'peers/graphile.ts',
    vendor: 'graphile-worker',
    node: 22,
    when: 'whole',
    about: 'a chain of jobs as it comes, states in a table',
  },
  {
    ...postgres,
    name: 'graphile:tuned',
    program: 'peers/graphile.ts',
    vendor: 'graphile-worker',
    node: 22,
    when: 'quick',
    about: 'the same with a local queue and batched completion',
  },
  {
    ...postgres,
    name: 'pgboss:tuned',
    program: 'peers/pgboss.ts',
    vendor: 'pg-boss',
    node: 22,
    when: 'whole',
    about: 'a chain of jobs, states in a table, a transaction for each step',
  },
  {
    ...postgres,
    name: 'pgboss:batch',
    program: 'peers/pgboss.ts',
    vendor: 'pg-boss',
    node: 22,
    when: 'quick',
    about: 'the same, a transaction for each batch of alike steps',
  },
  {
    ...restate,
    name: 'restate:default',
    when: 'whole',
    about: 'a handler of ten ctx.run on its own server with its own log',
  },
  {
    ...restate,
    name: 'restate:p4',
    when: 'quick',
    restate: { RESTATE_DEFAULT_NUM_PARTITIONS: '4' },
    about: 'the same with 4 partitions instead of 24',
  },
  {
    name: 'bullmq:default',
    program: 'peers/bullmq.ts',
    durable: false,
    isEngine: true,
    needs: ['redis'],
    vendor: 'bullmq',
    node: 20,
    when: 'whole',
    about: 'a chain of jobs in a Redis that keeps nothing: not durable',
  },
  {
    ...postgres,
    isEngine: false,
    name: 'knex:default',
    program: 'peers/knex.ts',
    vendor: 'knex',
    node: 20,
    when: 'quick',
    about: 'a transaction for each step in a loop: no queue, no locks',
  },
  {
    name: 'floor',
    program: 'peers/floor.ts',
    durable: true,
    isEngine: false,
    needs: ['postgres', 'redis'],
    vendor: null,
    node: 20,
    when: 'quick',
    about:
      'shared commits, XState and a sealed job: ours with every guarantee but the commit taken off',
  },
  {
    name: 'toygun',
    program: 'peers/toygun.ts',
    durable: true,
    isEngine: true,
    needs: ['postgres', 'redis'],
    vendor: null,
    node: 20,
    when: 'quick',
    about: 'the design of the ancestor',
  },
]

/** Is it one of ours? */
export const isOurs = ({ name }: System): boolean => name.startsWith('escapement:')

/** What hands out no work, or looks for it once a second: in quick runs measured only where it is to be compared. */
export const SLOWEST: readonly string[] = ['knex:default', 'toygun']

/** The one all others are compared with. */
export const HERO = 'escapement:full'

/** Can it be measured with flushes like these? */
export const stands = ({ needs }: System, flush: Flush): boolean =>
  flush.addedMs === 0 || (needs.includes('postgres') && !needs.includes('restate'))
