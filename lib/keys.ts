// Where the keys are: a variable, a file, or a file of its own for an embedded folder.
// Promise: keys are never made up for a shared database; a file of ours is readable by its owner alone.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Config } from './config.ts'
import { fault } from './errors.ts'
import { Keyring } from './keyring.ts'

/** The file the keys of this configuration live in; null when they are in the environment. */
export function keysFileOf({ setting, keys, keysFile, dataFolder }: Config): string | null {
  if (keys) return null
  return keysFile ?? (setting === 'embedded' ? join(dataFolder, 'keys') : null)
}

/**
 * Reads the keyring. An embedded folder without one is given a new key.
 * @throws KEYS_MISSING, KEY_INVALID
 */
export function loadKeyring(config: Config): Keyring {
  if (config.keys) return Keyring.parse(config.keys)
  const file = keysFileOf(config)
  if (!file) throw fault('KEYS_MISSING')
  if (existsSync(file)) return Keyring.parse(readFileSync(file, 'utf8').trim())
  if (config.keysFile) throw fault('KEYS_MISSING', {}, new Error(`there is no file ${file}`))
  const fresh = Keyring.parse(Keyring.generate())
  saveKeyring(file, fresh)
  return fresh
}

/** Writes a keyring whole or not at all. */
export function saveKeyring(file: string, keyring: Keyring): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const draft = `${file}.new`
  writeFileSync(draft, `${keyring.serialize()}\n`, { mode: 0o600 })
  renameSync(draft, file)
}
