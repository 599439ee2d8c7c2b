// The database alone, for commands that need no app.
// Promise: a question makes nothing: an embedded folder that does not exist stays that way.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../lib/config.ts'
import type { Database, Migration } from '../lib/database.ts'
import type { Embedded } from '../lib/embedded.ts'
import { fault } from '../lib/errors.ts'
import { migrations as house } from '../models/index.ts'

/** Counting and re-encryption read whole tables. */
const STATEMENT_MS = 600_000

export interface OpenDatabase {
  readonly database: Database
  readonly embedded: Embedded | undefined
  close(): Promise<void>
}

/** Has this embedded folder a database in it? */
export const hasData = ({ dataFolder }: Config): boolean =>
  existsSync(join(dataFolder, 'data', 'PG_VERSION'))

/** Opens the database of a configuration. @throws DATA_FOLDER_IN_USE */
export async function openDatabase(
  config: Config,
  more: readonly Migration[] = [],
): Promise<OpenDatabase> {
  const { databaseUrl, dataFolder, schema } = config
  const { Database } = await import('../lib/database.ts')
  const { openEmbedded } = await import('../lib/embedded.ts')
  const embedded = databaseUrl ? undefined : await openEmbedded({ folder: dataFolder })
  const at = embedded ? { wire: embedded } : { url: databaseUrl ?? '' }
  const migrations = [...house, ...more]
  const database = new Database({ at, schema, poolSize: 2, statementMs: STATEMENT_MS, migrations })
  const close = async () => {
    await database.close()
    await embedded?.close()
  }
  return { database, embedded, close }
}

/**
 * Lends the database to `work` and closes it.
 * @param options.make also makes the folder of an embedded one
 * @param options.migrations those of plugins, after ours
 * @throws MIGRATIONS_PENDING when there is none and none is to be made
 */
export async function withDatabase<T>(
  config: Config,
  { make, migrations = [] }: { make: boolean; migrations?: readonly Migration[] },
  work: (database: Database) => Promise<T>,
): Promise<T> {
  if (!make && config.setting === 'embedded' && !hasData(config)) throw pending(config)
  const { database, close } = await openDatabase(config, migrations)
  try {
    return await work(database)
  } finally {
    await close()
  }
}

const pending = ({ schema }: Config) =>
  fault('MIGRATIONS_PENDING', { schema, pending: house.map(({ name }) => name).join(', ') })

/** @throws MIGRATIONS_PENDING */
export async function checkMigrated(database: Database): Promise<void> {
  const names = await database.pending()
  const { schema } = database
  if (names.length > 0) throw fault('MIGRATIONS_PENDING', { schema, pending: names.join(', ') })
}

/** The schema of BullMQ's tables, where the queue is in Postgres. */
export const queueSchema = ({ schema }: Config): string => `${schema}_queue`

/** Brings the tables up to date, the queue's too; answers what was run. */
export async function migrateAll(config: Config, database: Database): Promise<string[]> {
  const ran = await database.migrate()
  if (config.redisUrl) return ran
  const schema = queueSchema(config)
  const { migrateQueue } = await import('../lib/queue.ts')
  await migrateQueue({ pool: database.pool(schema, 2) as never, schema })
  return ran
}
