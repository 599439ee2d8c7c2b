// `escapement setup`, `migrate` and `teardown`: the tables, made, brought up to date and dropped.
// Promise: safe to run again and from many places at once; nothing is dropped unless somebody said so.
import type { Command } from 'commander'
import type { Config } from '../../lib/config.ts'
import type { Database } from '../../lib/database.ts'
import { keysFileOf, loadKeyring } from '../../lib/keys.ts'
import { migrations as house } from '../../models/index.ts'
import { enrol } from '../../models/roll.ts'
import { confirm } from '../confirm.ts'
import { hasData, migrateAll, queueSchema, withDatabase } from '../database.ts'
import { type Door, doing, type Globals } from '../door.ts'
import { table } from '../print.ts'

/** What a person types before anything is dropped. */
const NAME = 'the name of the schema'

interface Migrate extends Globals {
  readonly down?: boolean
  readonly status?: boolean
  readonly yes?: boolean
}

export function schemaCommands(program: Command, door: Door): void {
  const setup = program
    .command('setup')
    .description('migrate, and make the keys of an embedded folder')
  doing(setup, async (_args, options) => {
    const config = door.config(options)
    const migrations = await door.migrations(options)
    const keyring = loadKeyring(config)
    const ran = await withDatabase(config, { make: true, migrations }, async (database) => {
      const names = await migrateAll(config, database)
      await enrol(database, keyring)
      return names
    })
    const value = { schema: config.schema, ran, keys: keyring.fingerprints() }
    const keys = keysFileOf(config) ?? 'ESCAPEMENT_KEYS'
    door.tell(options, value, `${ranSentence(config, ran)} Keys are in ${keys}.`)
  })
  const migrate = program
    .command('migrate')
    .description('bring the tables up to date')
    .option('--down', 'take back the last migrations instead, with all their data')
    .option('--status', 'only tell which were run')
    .option('--yes', 'do not ask before taking back')
  doing<Migrate>(migrate, (_args, options) => migrating(door, options))
  const teardown = program
    .command('teardown')
    .description('drop the schemas, with all data')
    .option('--yes', 'do not ask')
  doing<Migrate>(teardown, (_args, options) => tearingDown(door, options))
}

async function migrating(door: Door, options: Migrate): Promise<void> {
  const config = door.config(options)
  const { schema } = config
  const migrations = await door.migrations(options)
  if (options.status) {
    const names = [...house, ...migrations].map(({ name }) => name)
    const asked = { make: false, migrations }
    const pending = isMade(config)
      ? await withDatabase(config, asked, (database) => database.pending())
      : names
    showStatus(door, options, names, pending)
  } else if (options.down) {
    const deed = `takes back tables of the schema "${schema}" with all their data`
    await confirm(door.street, { yes: options.yes, deed, word: schema, what: NAME })
    const asked = { make: false, migrations }
    const back = await withDatabase(config, asked, (database) => database.rollback())
    const done =
      back.length > 0 ? `Took back ${back.join(', ')}.` : 'There was nothing to take back.'
    door.tell(options, { schema, back }, done)
  } else {
    const asked = { make: true, migrations }
    const ran = await withDatabase(config, asked, (database) => migrateAll(config, database))
    door.tell(options, { schema, ran }, ranSentence(config, ran))
  }
}

function ranSentence({ schema }: Config, ran: readonly string[]): string {
  if (ran.length === 0) return `The schema "${schema}" is up to date.`
  return `The schema "${schema}" is up to date: ran ${ran.join(', ')}.`
}

function showStatus(
  door: Door,
  options: Globals,
  names: readonly string[],
  pending: readonly string[],
): void {
  const migrations = names.map((name) => ({ name, ran: !pending.includes(name) }))
  const rows = migrations.map(({ name, ran }) => [name, ran ? 'yes' : 'no'])
  door.show(options, { migrations }, () => table(['migration', 'ran'], rows))
}

async function tearingDown(door: Door, options: Migrate): Promise<void> {
  const config = door.config(options)
  const schemas = [config.schema, queueSchema(config)]
  const named = schemas.map((name) => `"${name}"`).join(' and ')
  const deed = `drops the schemas ${named} with all their data`
  await confirm(door.street, { yes: options.yes, deed, word: config.schema, what: NAME })
  if (isMade(config)) {
    await withDatabase(config, { make: false }, (database) => drop(database, schemas))
  }
  door.tell(options, { dropped: schemas }, `Dropped ${named}.`)
}

/** What an embedded folder never held need not be dropped. */
const isMade = (config: Config) => config.setting !== 'embedded' || hasData(config)

/** Names of schemas are checked by the configuration: small letters, digits, underscores. */
async function drop(database: Database, schemas: readonly string[]): Promise<void> {
  await database.transaction(async (runner) => {
    for (const schema of schemas) await runner.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`)
  })
}
