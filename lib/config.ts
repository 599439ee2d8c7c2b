// The configuration: environment in, one frozen value out.
// Promise: read once; every bad value is named with its variable, all of them in one error; a misspelt
// variable is an error too, never ignored.
import { distance } from 'fastest-levenshtein'
import * as z from 'zod'
import { fault } from './errors.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Which of the three ways the house runs; DATABASE_URL and REDIS_URL choose. */
export type Setting = 'embedded' | 'postgres' | 'full'

export interface Config {
  readonly setting: Setting
  readonly databaseUrl: string | null
  readonly redisUrl: string | null
  /** The embedded data, and keys made for it. */
  readonly dataFolder: string
  readonly schema: string
  readonly queue: string
  /** Which queues a worker serves, with how many places each; null: all, each with `concurrency`. */
  readonly queues: Readonly<Record<string, number>> | null
  readonly keys: string | null
  readonly keysFile: string | null
  readonly app: string | null
  readonly concurrency: number
  readonly poolSize: number
  readonly lockTtlMs: number
  readonly beatMs: number
  readonly toldMs: number
  readonly graceMs: number
  readonly quotaSteps: number
  readonly quotaMs: number
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

const whole = (least: number, most: number, byDefault: number) =>
  z
    .string()
    .regex(/^\d+$/, 'is not a whole number')
    .transform(Number)
    .refine((value) => value >= least && value <= most, `is not between ${least} and ${most}`)
    .default(byDefault)

const url = (...protocols: string[]) =>
  z
    .string()
    .refine(
      (text) => URL.canParse(text) && protocols.includes(new URL(text).protocol),
      `is not a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    )

const NAME = /^[a-z][a-z0-9_]{0,39}$/

export const isQueueName = (name: unknown): name is string =>
  typeof name === 'string' && NAME.test(name)

const name = z.string().regex(NAME, 'is not a name of small letters, digits and underscores')

const MOST_AT_ONCE = 1_000

/** `ticks=10,slow=2`. */
const places = z.string().transform((text, context) => {
  const places: Record<string, number> = {}
  for (const part of text.split(',').map((one) => one.trim())) {
    const [, queue = '', digits = ''] = /^([^=]*)=(\d+)$/.exec(part) ?? []
    const problem = !isQueueName(queue)
      ? `says "${part}", which is not of the form queue=places, such as ticks=10,slow=2`
      : queue in places
        ? `names "${queue}" twice`
        : !(Number(digits) >= 1 && Number(digits) <= MOST_AT_ONCE)
          ? `gives "${queue}" ${digits} places, which is not between 1 and ${MOST_AT_ONCE}`
          : null
    if (problem) context.addIssue(problem)
    else places[queue] = Number(digits)
  }
  return places
})

/** One entry a variable: what it may be, what it is when absent, and what it is for (docs/configuration.md). */
const VARIABLES = {
  DATABASE_URL: {
    schema: url('postgres:', 'postgresql:').optional(),
    purpose: 'PostgreSQL. Absent: the embedded database.',
  },
  REDIS_URL: {
    schema: url('redis:', 'rediss:').optional(),
    purpose: 'Redis or Valkey, for queue and locks. Needs DATABASE_URL.',
  },
  ESCAPEMENT_DATA: {
    schema: z.string().default('.escapement'),
    purpose: 'The folder of the embedded database and its keys.',
  },
  ESCAPEMENT_SCHEMA: {
    schema: name.default('escapement'),
    purpose: 'The PostgreSQL schema of all tables; also the prefix of all Redis keys.',
  },
  ESCAPEMENT_QUEUE: {
    schema: name.default('ticks'),
    purpose: 'The queue of the house: of every class that names no other.',
  },
  ESCAPEMENT_QUEUES: {
    schema: places.optional(),
    purpose:
      'The queues a worker serves, with the places of each, `ticks=10,slow=2`. Absent: all that the classes name, each with ESCAPEMENT_CONCURRENCY.',
  },
  ESCAPEMENT_KEYS: {
    schema: z.string().optional(),
    purpose: 'Encryption keys, `0:<key>,1:<key>`; the highest number seals.',
  },
  ESCAPEMENT_KEYS_FILE: {
    schema: z.string().optional(),
    purpose: 'A file with the keys, instead of ESCAPEMENT_KEYS.',
  },
  ESCAPEMENT_APP: {
    schema: z.string().optional(),
    purpose: 'The app file, for the CLI and the bins.',
  },
  ESCAPEMENT_CONCURRENCY: {
    schema: whole(1, MOST_AT_ONCE, 10),
    purpose: 'How many resources a worker ticks at once, of each queue.',
  },
  ESCAPEMENT_POOL: {
    schema: whole(2, 500, 10),
    purpose: 'Database connections of one process, for ticking; one more is shared.',
  },
  ESCAPEMENT_LOCK_TTL_MS: {
    schema: whole(500, 600_000, 15_000),
    purpose: 'How long a lock outlives a worker that died.',
  },
  ESCAPEMENT_BEAT_MS: {
    schema: whole(10, 60_000, 1_000),
    purpose: 'The longest wait of a clock between two looks.',
  },
  ESCAPEMENT_TOLD_MS: {
    schema: whole(100, 600_000, 5_000),
    purpose: 'How long a ticket is trusted before the clock issues another.',
  },
  ESCAPEMENT_GRACE_MS: {
    schema: whole(0, 600_000, 25_000),
    purpose: 'How long a worker drains before it aborts what is in hand.',
  },
  ESCAPEMENT_QUOTA_STEPS: {
    schema: whole(1, 100_000, 200),
    purpose: 'Steps of one resource before others get their turn.',
  },
  ESCAPEMENT_QUOTA_MS: {
    schema: whole(10, 600_000, 5_000),
    purpose: 'Milliseconds of one resource before others get their turn.',
  },
  ESCAPEMENT_LOG: {
    schema: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    purpose: 'How much is logged.',
  },
} as const

/** What each variable is for; docs/configuration.md is kept equal to it. */
export function describeVariables(): { name: string; byDefault: string; purpose: string }[] {
  return Object.entries(VARIABLES).map(([variable, { schema, purpose }]) => {
    const { data } = schema.safeParse(undefined)
    return { name: variable, byDefault: data === undefined ? '' : String(data), purpose }
  })
}

/**
 * Reads and checks the environment.
 * @throws CONFIG_INVALID, listing every problem
 */
export function readConfig(environment: Environment): Config {
  const problems: string[] = []
  const read = <K extends keyof typeof VARIABLES>(variable: K) => {
    const given = environment[variable]?.trim()
    const { success, data, error } = VARIABLES[variable].schema.safeParse(
      given === '' ? undefined : given,
    )
    if (!success) problems.push(`${variable} ${error.issues.map(explain).join(' and ')}`)
    return data as z.output<(typeof VARIABLES)[K]['schema']>
  }
  const config = {
    databaseUrl: read('DATABASE_URL') ?? null,
    redisUrl: read('REDIS_URL') ?? null,
    dataFolder: read('ESCAPEMENT_DATA'),
    schema: read('ESCAPEMENT_SCHEMA'),
    queue: read('ESCAPEMENT_QUEUE'),
    queues: read('ESCAPEMENT_QUEUES') ?? null,
    keys: read('ESCAPEMENT_KEYS') ?? null,
    keysFile: read('ESCAPEMENT_KEYS_FILE') ?? null,
    app: read('ESCAPEMENT_APP') ?? null,
    concurrency: read('ESCAPEMENT_CONCURRENCY'),
    poolSize: read('ESCAPEMENT_POOL'),
    lockTtlMs: read('ESCAPEMENT_LOCK_TTL_MS'),
    beatMs: read('ESCAPEMENT_BEAT_MS'),
    toldMs: read('ESCAPEMENT_TOLD_MS'),
    graceMs: read('ESCAPEMENT_GRACE_MS'),
    quotaSteps: read('ESCAPEMENT_QUOTA_STEPS'),
    quotaMs: read('ESCAPEMENT_QUOTA_MS'),
    logLevel: read('ESCAPEMENT_LOG'),
  }
  problems.push(...crossProblems(config), ...unknownProblems(environment))
  if (problems.length > 0) throw fault('CONFIG_INVALID', { problems: problems.join('; ') })
  const setting = config.redisUrl ? 'full' : config.databaseUrl ? 'postgres' : 'embedded'
  return Object.freeze({ setting, ...config })
}

/** zod's own words for an enum are fit for programmers; ours name the choices. */
function explain(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_value' ? `is not one of ${issue.values.join(', ')}` : issue.message
}

function crossProblems({
  databaseUrl,
  redisUrl,
  keys,
  keysFile,
}: Omit<Config, 'setting'>): string[] {
  const problems: string[] = []
  if (redisUrl && !databaseUrl)
    problems.push('REDIS_URL is set but DATABASE_URL is not; Redis never holds the truth')
  if (keys && keysFile)
    problems.push('ESCAPEMENT_KEYS and ESCAPEMENT_KEYS_FILE are both set; keep one')
  return problems
}

function unknownProblems(environment: Environment): string[] {
  const known = Object.keys(VARIABLES)
  return Object.keys(environment)
    .filter((variable) => variable.startsWith('ESCAPEMENT_') && !known.includes(variable))
    .map((variable) => {
      const [nearest] = [...known].sort((a, b) => distance(a, variable) - distance(b, variable))
      return `${variable} is not a variable of ours; did you mean ${nearest}?`
    })
}
