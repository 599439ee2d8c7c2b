// What to do when a resource is used up, and whether the code can do it today.
// Promise: what is not built is called so; numbers come from the model, words from here.
import {
  type Ceiling,
  ceilings,
  costOf,
  type Parameters,
  type Resource,
  type Site,
  type Sizes,
} from './model.ts'

interface Remedy {
  readonly remedy: string
  readonly today: string
}

/** By resource. */
export const REMEDIES: Readonly<Record<Resource, Remedy>> = {
  'worker: one process': {
    remedy: 'more processes, on any machine',
    today: 'built: `escapement worker`, as many as wanted',
  },
  'Redis: its one thread': {
    remedy: 'a queue for each shard, each on a Redis of its own',
    today: 'not built; by tenant: a house each, with its own `REDIS_URL`',
  },
  'PostgreSQL: processors': {
    remedy: 'a larger server, then many',
    today: 'many by tenant only, a house each',
  },
  'log: bytes': { remedy: 'a faster disk for the log, then many servers', today: 'as above' },
  'log: flushes, one process': {
    remedy: 'more concurrency: more steps in a flush, up to 200',
    today: 'built: `ESCAPEMENT_CONCURRENCY`; more processes share flushes too',
  },
  connections: {
    remedy: 'fewer for each process, then a pooler',
    today:
      '`ESCAPEMENT_POOL`; poolers not tried: the search path and time limits are options of the start',
  },
  'clock: one, all by timers': {
    remedy: 'more clocks: two at once take different rows',
    today: 'built: `escapement clock`, as many as wanted',
  },
  'vacuum of hot rows': {
    remedy: 'a higher `autovacuum_vacuum_cost_limit`, then `dues` in partitions',
    today: 'a setting of the server; partitions not built',
  },
  'removing history': {
    remedy: 'larger chunks, shorter pauses',
    today: 'built: `chunk` (up to 10,000) and `pause` of the plugin `retention`',
  },
  'disk: history': {
    remedy: 'a shorter history, or an archive',
    today: 'built: the plugin `retention`',
  },
  'memory: what ticks touch': {
    remedy: 'more memory, then many servers',
    today: 'many by tenant only, a house each',
  },
  'disk: tasks asleep': { remedy: 'a larger disk, then many servers', today: 'as above' },
}

/** One step past one machine. */
export interface Stage {
  readonly name: string
  /** What is used up before it: steps a second, or sleeping tasks. */
  readonly neededAt: string
  readonly today: 'built' | 'in part' | 'not built'
}

/**
 * The way past one machine, the easiest first.
 * @param cores of a machine that holds everything
 * @param site that is outgrown
 */
export function stages(parameters: Parameters, sizes: Sizes, cores: number, site: Site): Stage[] {
  const cost = costOf(parameters, site)
  const all = new Map<Resource, Ceiling>(
    ceilings(parameters, sizes, site).map((one) => [one.resource, one]),
  )
  const at = (...names: Resource[]) => {
    const rates = names.flatMap((name) => all.get(name)?.stepsPerS ?? [])
    return `${shortly(Math.min(...rates))} steps/s`
  }
  const whole = (cores * 1_000) / (cost.workerMs + cost.postgresMs + cost.redisMs)
  const sleepers = all.get('memory: what ticks touch')!.sleepers!
  const server = at('PostgreSQL: processors', 'log: bytes', 'vacuum of hot rows')
  return [
    { name: '1. more workers', neededAt: at('worker: one process'), today: 'built' },
    {
      name: `2. workers on machines of their own (${cores} cores hold all)`,
      neededAt: `${shortly(whole * site.busyShare)} steps/s`,
      today: 'built',
    },
    { name: '3. more clocks', neededAt: at('clock: one, all by timers'), today: 'built' },
    {
      name: '4. queues and locks by shard',
      neededAt: at('Redis: its one thread'),
      today: 'not built',
    },
    {
      name: '5. tables in partitions',
      neededAt: `${at('vacuum of hot rows')}; history: not before its disk is full`,
      today: 'not built',
    },
    {
      name: '6. reads from replicas',
      neededAt: 'when reading takes what 7 needs',
      today: 'not built',
    },
    {
      name: '7. many PostgreSQL, by tenant',
      neededAt: `${server}, or ${shortly(sleepers)} tasks`,
      today: 'in part',
    },
    {
      name: '8. many PostgreSQL, one house',
      neededAt: 'the same of one tenant',
      today: 'not built',
    },
  ]
}

/** Two digits, and words for many: 12,000, 3.4 million. */
export function shortly(value: number): string {
  const short = Number(value.toPrecision(2))
  if (short >= 1e6) return `${(short / 1e6).toLocaleString('en-US')} million`
  return short.toLocaleString('en-US', { maximumFractionDigits: 3 })
}
