// A house of its own for a spec: an app on a schema nobody else uses, in any setting.
// Promise: closing looks for what was left behind (locks, tickets in hand, open transactions, live
// tasks nobody would look at, holes in a history) before it removes every trace of the house.
import { Redis } from 'ioredis'
import { type Environment, readConfig } from '../../lib/config.ts'
import { Database, type DatabaseOptions } from '../../lib/database.ts'
import { newToken } from '../../lib/id.ts'
import { Keyring } from '../../lib/keyring.ts'
import { App, type AppOptions } from '../../models/app.ts'
import { enterEmbedded, leaveEmbedded } from './inn.ts'
import { leaksIn, left } from './leaks.ts'
import { databaseUrl, redisUrl, type Setting } from './services.ts'
import { within } from './wait.ts'

export { type Driver, drive } from './drive.ts'

export interface HouseOptions
  extends Pick<
    AppOptions,
    'resources' | 'plugins' | 'time' | 'events' | 'breakers' | 'alarms' | 'shares'
  > {
  /** Embedded unless told. */
  readonly setting?: Setting
  /** Variables of the environment, on top of what a spec needs. */
  readonly config?: Environment
  /** The schema of a house that is still there; a fresh one unless told. */
  readonly schema?: string
}

export interface House {
  readonly setting: Setting
  readonly schema: string
  readonly app: App
  /** What the house was configured with; give it to a second house on the same schema. */
  readonly environment: Environment
  /** Rows of a question asked in the schema of the house. */
  sql(text: string, params?: readonly unknown[]): Promise<any[]>
  /** Another app on the same schema, as a second process would have it; closed with the house. */
  neighbour(options?: Partial<HouseOptions>): Promise<App>
  /** Closes, looks for leaks, and removes the house. @throws naming what was left behind */
  close(): Promise<void>
}

/** Short beats, so that nobody waits long for what a lost ticket would have told. */
const BRISK: Environment = {
  ESCAPEMENT_BEAT_MS: '50',
  ESCAPEMENT_TOLD_MS: '500',
  ESCAPEMENT_LOCK_TTL_MS: '5000',
  ESCAPEMENT_POOL: '6',
}
const CLOSE_MS = 20_000

/** A name for a schema nobody else uses. */
export const freshSchema = (): string => `house_${newToken().slice(0, 8)}`

/** Opens a house. Nothing ticks in it until it is driven, or its app is started. */
export async function openHouse(options: HouseOptions): Promise<House> {
  const { setting = 'embedded', schema = freshSchema() } = options
  const environment = environmentOf(setting, schema, options.config)
  const app = await open(options, environment, true)
  const neighbours: App[] = []
  return {
    setting,
    schema,
    app,
    environment,
    sql: async (text, params) => (await app.rooms.database.query(text, params)).rows,
    neighbour: async (more = {}) => {
      const other = await open({ ...options, ...more }, { ...environment, ...more.config }, false)
      neighbours.push(other)
      return other
    },
    close: async () => {
      for (const neighbour of neighbours.splice(0)) await shut(neighbour)
      const leaks = await left(app)
      await shut(app)
      leaks.push(...(await removeHouse(schema, setting)))
      if (leaks.length > 0) throw new Error(`the house ${schema} leaks: ${leaks.join('; ')}`)
    },
  }
}

function environmentOf(setting: Setting, schema: string, more: Environment = {}): Environment {
  return {
    ...BRISK,
    ESCAPEMENT_SCHEMA: schema,
    ESCAPEMENT_KEYS: Keyring.generate(),
    ...(setting !== 'embedded' && { DATABASE_URL: databaseUrl() }),
    ...(setting === 'full' && { REDIS_URL: redisUrl() }),
    ...more,
  }
}

async function open(
  {
    resources,
    plugins = [],
    breakers = {},
    alarms = {},
    shares = {},
    setting = 'embedded',
    time,
    events,
  }: HouseOptions,
  environment: Environment,
  migrate: boolean,
): Promise<App> {
  const isEmbedded = setting === 'embedded'
  const opening = App.open({
    resources,
    plugins,
    breakers,
    alarms,
    shares,
    config: readConfig(environment),
    migrate,
    ...(time && { time }),
    ...(events && { events }),
    ...(isEmbedded && { embedded: await enterEmbedded() }),
  })
  if (isEmbedded) opening.catch(leaveEmbedded)
  return opening
}

async function shut(app: App): Promise<void> {
  await within(app.close(), CLOSE_MS, 'the app was closed: is a connection still in use?')
  if (app.rooms.config.setting === 'embedded') leaveEmbedded()
}

/** A bare database of a setting, on a schema of one's own. Give it back with `dismiss`. */
export async function bareDatabase(
  setting: Setting,
  schema: string,
  more: Partial<DatabaseOptions> = {},
): Promise<{ database: Database; dismiss(): Promise<void> }> {
  const at = setting === 'embedded' ? { wire: await enterEmbedded() } : { url: databaseUrl()! }
  const database = new Database({ poolSize: 4, migrations: [], ...more, at, schema })
  const dismiss = async () => {
    await within(database.close(), CLOSE_MS, 'the database was closed: is a connection in use?')
    if (setting === 'embedded') leaveEmbedded()
  }
  return { database, dismiss }
}

/** Looks for leaks from outside, then removes schemas and keys. @returns what leaked */
export async function removeHouse(schema: string, setting: Setting): Promise<string[]> {
  const { database, dismiss } = await bareDatabase(setting, schema, { poolSize: 1 })
  const redis = setting === 'full' ? new Redis(redisUrl()!) : null
  try {
    const leaks = await leaksIn(database, redis)
    await database.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`)
    await database.query(`DROP SCHEMA IF EXISTS "${schema}_queue" CASCADE`)
    for (const pattern of [`${schema}:*`, `{${schema}}*`]) {
      const keys = (await redis?.keys(pattern)) ?? []
      if (keys.length > 0) await redis?.del(...keys)
    }
    return leaks
  } finally {
    await redis?.quit()
    await dismiss()
  }
}
