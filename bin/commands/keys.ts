// `escapement keys`: made, looked at, rotated, and everything sealed again by the newest.
// Promise: a key is shown only where it is made; nothing else prints one. A keys file is never replaced.
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Database } from '../../lib/database.ts'
import { fault } from '../../lib/errors.ts'
import { Keyring } from '../../lib/keyring.ts'
import { keysFileOf, loadKeyring, saveKeyring } from '../../lib/keys.ts'
import { reencrypt } from '../../models/reencrypt.ts'
import { enrol, strike } from '../../models/roll.ts'
import { countSealed, type SealedCount } from '../../models/sealed.ts'
import { checkMigrated, withDatabase } from '../database.ts'
import { type Door, doing, type Globals } from '../door.ts'
import { table } from '../print.ts'
import { progress } from '../progress.ts'

interface Generate extends Globals {
  readonly file?: string
}

export function keysCommands(program: Command, door: Door): void {
  const keys = program.command('keys').description('encryption keys')
  const make = keys
    .command('generate')
    .description('print a new value for ESCAPEMENT_KEYS, or write a keys file')
    .option('--file <file>', 'write it there instead, readable by its owner alone')
  doing<Generate>(make, async (_args, options) => generate(door, options))
  const status = keys.command('status').description('keys by fingerprint, and what each has sealed')
  doing(status, (_args, options) => showStatus(door, options))
  const rotate = keys.command('rotate').description('add a key that seals from then on')
  doing(rotate, async (_args, options) => rotating(door, options))
  const again = keys
    .command('reencrypt')
    .description('seal everything again with the newest key; may be stopped and repeated')
  doing(again, (_args, options) => reencrypting(door, options))
}

function generate(door: Door, options: Generate): void {
  const made = Keyring.generate()
  if (options.file === undefined) {
    door.tell(options, { keys: made }, made)
    return
  }
  const file = resolve(door.street.folder, options.file)
  if (existsSync(file)) throw fault('KEYS_FILE_EXISTS', { file })
  saveKeyring(file, Keyring.parse(made))
  door.tell(options, { file }, `Wrote a new key to ${file}. Set ESCAPEMENT_KEYS_FILE to it.`)
}

/** Said whenever a key was added: the order matters while several processes run. */
const ADVICE = [
  '1. Give the new keys to every process at once: one that lacks the new key cannot read what it sealed.',
  '2. Run `escapement keys reencrypt`, until `escapement keys status` shows nothing under old keys.',
  '3. An hour later (messages live that long) take the old keys away.',
]

function rotating(door: Door, options: Globals): void {
  const config = door.config(options)
  const rotated = loadKeyring(config).rotated()
  const file = keysFileOf(config)
  if (file !== null) saveKeyring(file, rotated)
  const value = file === null ? { keys: rotated.serialize() } : { file }
  const newest = { newest: rotated.newest, ...value, advice: ADVICE }
  const done =
    file === null
      ? `ESCAPEMENT_KEYS=${rotated.serialize()}`
      : `Added key ${rotated.newest} to ${file}. Processes use it once they are started again.`
  door.show(options, newest, () => `${[done, ...ADVICE].join('\n')}\n`)
}

async function showStatus(door: Door, options: Globals): Promise<void> {
  const config = door.config(options)
  const sealed = await withDatabase(config, { make: false }, async (database) => {
    await checkMigrated(database)
    return countSealed(database)
  })
  const keyring = loadKeyring(config)
  const prints = new Map(keyring.fingerprints().map((key) => [key.id, key.fingerprint]))
  const none: SealedCount = { keyId: -1, places: {}, total: 0 }
  const ids = [...new Set([...prints.keys(), ...sealed.map(({ keyId }) => keyId)])].sort(
    (a, b) => b - a,
  )
  const keys = ids.map((id) => {
    const { places, total } = sealed.find(({ keyId }) => keyId === id) ?? none
    const fingerprint = prints.get(id) ?? null
    return { id, fingerprint, seals: id === keyring.newest, sealed: total, places }
  })
  door.show(options, { keys }, () =>
    table(
      ['key', 'fingerprint', 'seals', 'sealed', 'where'],
      keys.map(({ id, fingerprint, seals, sealed: total, places }) => [
        ...[id, fingerprint ?? 'MISSING', seals ? 'yes' : 'no', total],
        placesOf(places),
      ]),
    ),
  )
}

const placesOf = (places: SealedCount['places']) =>
  Object.entries(places)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')

async function reencrypting(door: Door, options: Globals): Promise<void> {
  const config = door.config(options)
  const again = await withDatabase(config, { make: false }, async (database) => {
    await checkMigrated(database)
    const keyring = loadKeyring(config)
    await enrol(database, keyring)
    await database.ask(door.time) // a seal from the future does not open
    const before = await leftIn(database, keyring)
    const bar = progress(door.street, 'sealed again', before)
    const { time, street } = door
    const onPage = (values: number) => bar.add(values)
    try {
      const done = await reencrypt({ database, keyring, time, onPage, signal: street.stopped })
      const left = await leftIn(database, keyring)
      if (left === 0) await strike(database, keyring.newest)
      return { done, left, newest: keyring.newest }
    } finally {
      bar.stop()
    }
  })
  const { done, left, newest } = again
  const rest = left === 0 ? 'nothing is left' : `${left} are left: run it again`
  door.tell(options, again, `Sealed ${done} values again with key ${newest}; ${rest}.`)
}

async function leftIn(database: Database, keyring: Keyring): Promise<number> {
  const older = (await countSealed(database)).filter(({ keyId }) => keyId !== keyring.newest)
  return older.reduce((sum, { total }) => sum + total, 0)
}
